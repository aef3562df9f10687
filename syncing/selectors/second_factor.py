"""Who has a second factor, in which session it was proven, and who still has to set one up."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django_otp import DEVICE_ID_SESSION_KEY

from syncing import conf
from syncing.models import SecondFactor


def second_factor_of(user: User) -> SecondFactor | None:
    """Returns the second factor that the person has to prove when they log in; one not yet confirmed is none."""
    factor: SecondFactor | None = getattr(user, "second_factor", None)
    return factor if factor is not None and factor.confirmed else None


def is_proven(session: Mapping[str, Any], user: User) -> bool:
    """Tells whether the session is as good as the person's second factor asks for; always, if they have none."""
    factor = second_factor_of(user)
    return factor is None or session.get(DEVICE_ID_SESSION_KEY) == factor.persistent_id


def must_set_up(user: User) -> bool:
    """Tells whether the person may do nothing before they have set up a second factor (REQUIRE_2FA)."""
    return conf.requires_second_factor() and second_factor_of(user) is None


def people_without() -> QuerySet[User]:
    """Returns the people who may log in, and have no second factor."""
    people = User.objects.filter(is_active=True, is_staff=True)
    return people.exclude(second_factor__confirmed=True).order_by("username")
