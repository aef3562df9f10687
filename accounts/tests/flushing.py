"""Empties the database after a test that commits, without making every permission anew as Django's flush does."""

from functools import cache

from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection
from django.db.models import Count, Max
from django.test import TransactionTestCase

MADE_BY_MIGRATE = (ContentType, Permission)  # all that Django's flush makes again after it emptied every table
djangos_own = TransactionTestCase._fixture_teardown
_known: list[object] = []


def flush(case: TransactionTestCase) -> None:
    """Deletes all rows but those of `migrate`; leaves it to Django when a test has touched these."""
    if _known and _known == _rows_of_migrate():
        connection.ops.execute_sql_flush(_deletions())
    else:
        djangos_own(case)
        _known[:] = _rows_of_migrate()


def _rows_of_migrate() -> list[object]:
    return [model._default_manager.aggregate(Count("pk"), Max("pk")) for model in MADE_BY_MIGRATE]


@cache
def _deletions() -> list[str]:
    stay = {model._meta.db_table for model in MADE_BY_MIGRATE}
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return connection.ops.sql_flush(no_style(), [table for table in tables if table not in stay])


def install() -> None:
    """Takes the place of Django's flush for the whole test run."""
    TransactionTestCase._fixture_teardown = flush
