"""Makes django-q2's own tables read-only: schedules come from code only, and one malformed row would block all."""

from typing import Any

from django.contrib import admin
from django_q.admin import FailAdmin, QueueAdmin, ScheduleAdmin, TaskAdmin
from django_q.models import Failure, OrmQ, Schedule, Success

from accounts.admin.readonly import ReadOnlyAdmin


class ReadOnlySchedules(ReadOnlyAdmin, ScheduleAdmin):  # type: ignore[misc]
    pass


class ReadOnlySuccesses(ReadOnlyAdmin, TaskAdmin):  # type: ignore[misc]
    pass


class ReadOnlyFailures(ReadOnlyAdmin, FailAdmin):  # type: ignore[misc]
    pass


class ReadOnlyQueue(ReadOnlyAdmin, QueueAdmin):  # type: ignore[misc]
    pass


READ_ONLY: dict[Any, type[ReadOnlyAdmin]] = {
    Schedule: ReadOnlySchedules,
    Success: ReadOnlySuccesses,
    Failure: ReadOnlyFailures,
    OrmQ: ReadOnlyQueue,
}
for model, model_admin in READ_ONLY.items():
    if admin.site.is_registered(model):  # OrmQ is not with the Redis broker
        admin.site.unregister(model)
        admin.site.register(model, model_admin)
