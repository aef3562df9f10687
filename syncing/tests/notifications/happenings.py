"""One of each thing that can be told, with a text of others in every place that has one."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts import clock
from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import alarms
from syncing.automation.report import report_of
from syncing.models import AccountRun, Drift, Event, IpBlock, Process, Schedule, SyncRun, Watch
from syncing.notifications import notices
from syncing.services.runs.close import close_run
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference
from syncing.tests.waving import snapshot

TOLD_OF_RUN = {Event.RUN_FAILED, Event.RUN_WAITS, Event.WAVE_WAITS, Event.DRIFT_FOUND}


def happen(event: str, foreign: str, *, secret: str = "") -> SyncGroup:
    """Lets `event` happen once, in accounts, a group and items called `foreign`; errors say it, and `secret`."""
    group = GroupFactory(name=foreign[:120], watch="report", requires_approval=True)
    slaves = [AccountFactory(group=group, subdomain=f"unit-{at}", name=foreign[:255]) for at in range(5)]
    master = AccountFactory(group=group, master=True, name=foreign[:255])
    error = {"code": "unpaid", "message": f"{foreign} {secret}", "remedy": f"Look at it. {secret}"}
    if event in TOLD_OF_RUN:
        _runs(event, group, slaves, error)
    elif event == Event.MASTER_CHANGED:
        notices.master_changed(group, ["pipelines", "custom_fields/leads", f"descriptions/{foreign}"])
    elif event == Event.HEALING_GAVE_UP:
        item = {"account": foreign, "kind": "stage", "name": f"{foreign} {secret}", "parent": foreign, "times": 3}
        notices.healing_gave_up(group, {f"{foreign} {at}": item for at in range(9)})
    elif event == Event.PAUSE_ENDED:
        slaves[0].pause_reason = f"{foreign} {secret}"[:500]
        notices.pause_ended(slaves[0])
    elif event == Event.WEEKLY_REPORT:
        DriftFactory(account=slaves[0])
        notices.weekly_report(group, report_of(group, clock.now() + timedelta(days=1)))
    else:
        _lasting(group, slaves, master, error)
    return group


def _runs(event: str, group: SyncGroup, slaves: list[Account], error: dict[str, str]) -> None:
    is_apply = event in (Event.RUN_FAILED, Event.WAVE_WAITS)
    facts: dict[str, Any] = {"mode": "apply" if is_apply else "plan", "error": error, "state": "running"}
    facts["purpose"] = "drift" if event == Event.DRIFT_FOUND else "sync"
    run = RunFactory(group=group, **facts)
    SyncRun.objects.filter(pk=run.pk).update(snapshot=snapshot(run))
    for at, account in enumerate(slaves):
        ended = {"state": "failed", "reason": ("unpaid", "token_expired")[at % 2]} if is_apply else {"state": "planned"}
        AccountRunFactory(run=run, account=account, error=error, plan_digest="x", content_digest=f"c{at % 2}", **ended)
        if event == Event.DRIFT_FOUND:
            DriftFactory(account=account, rows=[difference(name=error["message"])], run=run)
    if event == Event.WAVE_WAITS:
        run.refresh_from_db()
        notices.wave_waits(run, failed=1, tried=3, waves=2, due=timezone.now())
    else:
        assert close_run(run.pk)
    assert AccountRun.objects.filter(run=run).count() == 5
    assert event != Event.DRIFT_FOUND or Drift.objects.exists()


def _lasting(group: SyncGroup, slaves: list[Account], master: Account, error: dict[str, str]) -> None:
    soon, past = timezone.now() + timedelta(days=5), timezone.now() - timedelta(hours=5)
    pks = [slave.pk for slave in slaves]
    Account.objects.filter(pk__in=pks[:2]).update(health="token_expired", health_reason=error["message"][:500])
    Account.objects.filter(pk__in=pks[2:]).update(token_expires_at=soon)
    facts: dict[str, Any] = {"state": "unreadable", "last_look": past, "due_at": past}
    Watch.objects.create(group=group, master=master, problem=f"{error['message']} {error['remedy']}"[:500], **facts)
    Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *", grace=1, next_at=past)
    IpBlock.objects.update_or_create(pk=IpBlock.ONLY, defaults={"at": past})
    Process.objects.create(name="w", kind="worker", started_at=past, heartbeat_at=clock.now())
    alarms.raise_alarms()
