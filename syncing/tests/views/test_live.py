"""Pages that renew themselves: what asking again costs, and what it costs while nothing has changed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.urls import reverse

from accounts.models import ConnectionCheck
from accounts.tests.factories import AccountFactory
from syncing.models import AccountState, RunState
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _time_stands_still() -> Iterator[None]:
    """How long a run has taken is no change that these tests mean."""
    with time_machine.travel(datetime(2026, 5, 5, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def addresses() -> dict[str, str]:
    """The address of each page's live parts, in an installation in which a run has failures while it is at work."""
    cast = AccountFactory.cast()
    AccountRunFactory(account=cast["north"], state=AccountState.CHANGED)  # the first sync is done
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.FAILED, reason="unreachable")
    AccountRunFactory(run=run, account=cast["south"], state=AccountState.RUNNING)
    return {
        "overview": reverse("syncing:dashboard_live"),
        "runs": reverse("syncing:runs_live"),
        "run": reverse("syncing:run_live", args=[run.pk]),
        "check": reverse("accounts:check_live", args=[ConnectionCheck.objects.create().pk]),
    }


@pytest.mark.parametrize(("name", "queries"), [("overview", 15), ("runs", 8), ("run", 14), ("check", 6)])
def test_a_page_that_has_everything_is_answered_304_in_few_queries(
    admin_client, addresses, django_assert_max_num_queries, name, queries
) -> None:
    first = admin_client.get(addresses[name])
    assert first.json()["parts"]
    with django_assert_max_num_queries(queries):
        again = admin_client.get(addresses[name], headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    other = admin_client.get(addresses[name], headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.json()) == (200, first.json())


def test_no_answer_holds_a_token_of_a_form(admin_client, addresses) -> None:
    """Else every answer would be another one."""
    parts = admin_client.get(addresses["overview"]).json()["parts"]
    assert '<input type="hidden" name="csrfmiddlewaretoken" value="-">' in parts["ks-starts"]
