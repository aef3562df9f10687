"""A run that is watched in a browser: what fails is seen while it fails, the plans arrive, and nothing jumps."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from accounts.tests.factories import AccountFactory
from syncing.engine.grouping import content_digest
from syncing.models import AccountRun, AccountState, RunState, SyncRun
from syncing.tests.factories import RunFactory
from syncing.tests.journeys import JUMPS
from syncing.tests.plans import change, document

pytestmark = pytest.mark.django_db(transaction=True)
MOST_SHIFT = 0.02
PATIENCE = 60_000  # ms; a machine may be busy
SCREENS = [(1280, 800, "light"), (360, 740, "dark")]
FAILURES = {2: "unauthorised", 5: "unpaid", 9: "forbidden", 14: "ip_not_allowed"}  # by the place of the account


@pytest.fixture
def run(db: Any) -> SyncRun:
    """A run of 24 accounts that has begun with the first of them."""
    master = AccountFactory(subdomain="master", role="master")
    run = RunFactory(group=master.group, state=RunState.RUNNING, mode="plan", started_at=timezone.now())
    for number in range(24):
        account = AccountFactory(subdomain=f"slave-{number:03}", name=f"Slave {number}", group=master.group)
        AccountRun.objects.create(run=run, account=account, state=AccountState.QUEUED)
    return run


def work(account_runs: Sequence[AccountRun]) -> None:
    AccountRun.objects.filter(pk__in=[each.pk for each in account_runs]).update(
        state=AccountState.RUNNING, started_at=timezone.now(), note="reads fields"
    )


def end(account_runs: Sequence[AccountRun]) -> None:
    """Ends account runs, some of them badly."""
    for each in account_runs:
        plan = document(change("create", "Offer"), change("delete", "Old"))
        facts = {
            "state": AccountState.PLANNED,
            "document": plan,
            "content_digest": content_digest(plan),
            "plan_digest": "0" * 64,
        }
        if reason := FAILURES.get(int(each.account.subdomain[-3:])):
            error = {"code": reason, "message": f"Kommo says {reason}, at some length.", "remedy": "Mend it."}
            facts = {"state": AccountState.FAILED, "reason": reason, "error": error}
        AccountRun.objects.filter(pk=each.pk).update(
            note="", finished_at=timezone.now(), requests=14, created=1, deleted=1, **facts
        )


@pytest.mark.parametrize(("width", "height", "scheme"), SCREENS, ids=["desk", "phone"])
def test_failures_are_seen_as_they_come_and_nothing_jumps(
    run: SyncRun, page: Any, width: int, height: int, scheme: Any
) -> None:
    account_runs = list(run.account_runs.select_related("account").order_by("account__subdomain"))
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/syncing/syncrun/{run.pk}/change/")
    for first in range(0, 24, 8):
        some = account_runs[first : first + 8]
        work(some)
        expect(page.locator("#ks-parts")).to_contain_text("reads fields", timeout=PATIENCE)
        end(some)
        expect(page.locator("#ks-parts")).not_to_contain_text("reads fields", timeout=PATIENCE)
        expect(page.locator("#ks-failures").get_by_text("Token refused")).to_be_in_viewport()
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.PARTIAL, finished_at=timezone.now())
    page.locator("#ks-plans").wait_for()
    expect(page.get_by_text("Not done in 4 of 24 accounts")).to_be_in_viewport()
    expect(page.get_by_text("Token refused").first).to_be_in_viewport()
    jumps = page.evaluate(JUMPS)
    assert sum(each["value"] for each in jumps) < MOST_SHIFT, jumps
