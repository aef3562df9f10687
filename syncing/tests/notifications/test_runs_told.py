"""What runs tell: real runs of a lane, whose last account closes them; one message for each, whatever failed in it."""

from typing import Any

import pytest

from accounts.models import SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, Event, Notice, RunMode, SyncRun, ToldState
from syncing.services.actors import COMMAND, RETRY
from syncing.services.approvals import send_back
from syncing.services.runs import close, waves
from syncing.services.runs.close import close_run
from syncing.services.runs.start import cancel_run
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House
from syncing.tests.notifications.telling import listen, titles, told
from syncing.tests.waving import Slaves, policy, snapshot

UNPAID = {"code": "unpaid", "message": "402", "remedy": "Renew the account in Kommo."}


def synced(house: House, *names: str, **states: str) -> SyncRun:
    """A run of these accounts (none: all), in which some end as `states` say."""
    accounts = [house.accounts[name] for name in names] or None
    run = house.start(accounts=accounts)
    house.work(Slaves(**states))
    run.refresh_from_db()
    return run


# -- failures and recoveries --


def test_a_run_in_which_some_fail_is_one_message_and_its_recovery_another(house: House) -> None:
    channel = listen()
    run = synced(house, north="failed", south="failed")
    (message,) = told()

    assert message.title == "2 of 4 accounts failed: Branches"
    assert message.text.splitlines() == [
        "Not paid in Kommo (unpaid): 2 accounts (North, South). Mend it.",
        f"{run}. Changed and verified: 2, Failed: 2.",
        f"More: run {run.pk} in KommoSync, under Sync runs.",
    ]
    assert (message.channel, message.event, message.group, message.run) == (channel, "run_failed", house.group, run)
    assert message.due_at is not None

    synced(house)
    assert titles() == ["All 4 accounts are in sync again: Branches"]
    synced(house)
    assert titles() == []


def test_the_retry_of_one_account_does_not_make_the_others_well(house: House) -> None:
    listen()
    synced(house, north="failed", south="failed", west="failed")
    told()

    synced(house, "north")
    (message,) = told()

    assert message.title == "2 of 4 accounts failed: Branches"
    assert "Well again: 1 account (North)." in message.text
    synced(house, "south", "west")
    assert titles() == ["No account fails any more: Branches"]  # of east, nobody knows since
    assert ToldState.objects.get(event=Event.RUN_FAILED).bad == {}


@pytest.mark.parametrize(
    ("when", "expected"), [("every", [1, 1, 1, 1]), ("changed", [1, 0, 1, 1]), ("newly_bad", [1, 0, 0, 1])]
)
def test_how_often_a_channel_is_told_of_runs_that_fail(house: House, when: str, expected: list[int]) -> None:
    """The same failure twice, then as another one, then in one account more."""
    listen(when=when)
    stories = [{"north": "failed"}, {"north": "failed"}, {"north": "refused"}, {"north": "refused", "east": "failed"}]
    assert [bool(synced(house, **states) and titles()) for states in stories] == list(map(bool, expected))


def test_a_run_whose_master_cannot_be_read_says_why_and_that_it_is_read_again(house: House) -> None:
    listen()
    token = house.accounts["master"].token
    house.accounts["master"].token = "revoked"
    house.accounts["master"].save()
    run = synced(house)
    (message,) = told()

    assert message.title == f"Sync #{run.pk} failed: Branches (Token refused)"
    assert "make a new one in this account" in message.text
    house.accounts["master"].token = token
    house.accounts["master"].save()
    synced(house)
    assert titles() == ["All 4 accounts are in sync again: Branches"]


def test_a_run_that_is_refused_by_the_guard_of_the_master_is_told_as_refused(house: House) -> None:
    listen()
    synced(house)
    master = house.world.accounts["master"]
    master.pipelines.clear()
    for entity in master.fields.values():
        entity.clear()
    run = synced(house)
    assert titles() == [f"Sync #{run.pk} was refused: Branches (Stopped by a limit)"]


def test_accounts_that_were_all_refused_did_not_fail(house: House) -> None:
    listen()
    synced(house, north="refused", south="refused")
    assert titles() == ["2 of 4 accounts were refused: Branches"]
    synced(house, "north", north="refused")
    synced(house, "south", south="failed")
    assert titles() == ["2 of 4 accounts failed: Branches"]


def test_a_run_that_ends_by_an_error_of_ours_is_told(house: House) -> None:
    listen()
    run = house.start()
    close.end_by_own_error(run.pk, RuntimeError("odd row"))
    assert titles() == [f"Sync #{run.pk} failed: Branches (Error in KommoSync)"]


@pytest.mark.django_db
def test_a_run_whose_row_cannot_be_read_ends_all_the_same(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    listen()
    run = RunFactory(state="running")

    def odd(*_columns: Any) -> SyncRun:
        raise ValueError("odd row")

    with monkeypatch.context() as patch:
        patch.setattr(SyncRun, "from_db", odd)
        close.end_by_own_error(run.pk, RuntimeError("odd row"))
        assert titles() == []
    assert SyncRun.objects.values_list("state", flat=True).get(pk=run.pk) == "failed"
    assert "no message is made of a notice of run_failed" in caplog.text


def test_what_a_person_cancels_is_no_news(house: House) -> None:
    listen()
    cancel_run(house.start(), by=COMMAND)
    assert titles() == []


def test_a_run_without_anybody_as_all_are_paused_tells_nothing_of_them(house: House) -> None:
    listen()
    synced(house, north="failed")
    told()
    house.accounts["north"].paused = True
    house.accounts["north"].save()
    synced(house, "north")
    assert titles() == []
    assert ToldState.objects.get(event=Event.RUN_FAILED).bad == {str(house.accounts["north"].pk): "unpaid"}


def test_a_plan_makes_only_those_well_whose_connection_was_at_fault(house: House) -> None:
    listen()
    accounts = {name: str(house.accounts[name].pk) for name in ("north", "south")}
    synced(house, north="failed", south="refused")
    run = house.start(mode=RunMode.PLAN)
    house.work(Slaves(**dict.fromkeys(("north", "south", "west", "east"), "planned")))
    told()
    assert run.account_runs.filter(state="planned").count() == 4
    assert ToldState.objects.get(event=Event.RUN_FAILED).bad == {accounts["south"]: "guard"}


def test_an_account_that_left_the_group_is_forgotten(house: House) -> None:
    listen()
    synced(house, north="failed", south="failed")
    told()
    other = GroupFactory(name="Elsewhere")
    type(house.accounts["north"]).objects.filter(subdomain="north").update(group=other)
    synced(house)
    assert titles() == ["All 3 accounts are in sync again: Branches"]
    assert ToldState.objects.get(event=Event.RUN_FAILED).bad == {}


@pytest.mark.django_db
def test_119_failures_are_one_message_of_at_most_five_lines_and_where_to_look() -> None:
    listen()
    run = RunFactory(state="running")
    SyncRun.objects.filter(pk=run.pk).update(snapshot=snapshot(run))
    reasons = ["token_expired"] * 60 + ["unpaid"] * 40 + ["unreachable", "not_found", "forbidden", "wrong_account"] * 4
    for at in range(119):
        reason = reasons[at] if at < len(reasons) else "server_error"
        account = AccountFactory(group=run.group, subdomain=f"unit-{at:03}")
        AccountRunFactory(run=run, account=account, state="failed", reason=reason, error={**UNPAID, "code": reason})
    assert close_run(run.pk)

    (message,) = told()

    assert message.title == "119 of 119 accounts failed: Branches"
    lines = message.text.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith(
        "Token expired (token_expired): 60 accounts (Unit-000, Unit-001, Unit-002 and 57 more). Renew"
    )
    assert lines[1].startswith("Not paid in Kommo (unpaid): 40 accounts")
    assert lines[3] == "And 4 more reasons, in accounts: 15."


def test_a_plan_after_a_master_that_could_not_be_read_says_that_it_is_read_again(house: House) -> None:
    listen(events=[Event.RUN_FAILED])
    house.world.accounts["master"].revoke_token()
    synced(house)
    told()
    house.world.accounts["master"].issue_token(value=house.accounts["master"].token)
    house.start(mode=RunMode.PLAN)
    house.work(Slaves(**dict.fromkeys(house.accounts, "planned")))
    assert titles() == ["The master is read again: Branches"]


@pytest.mark.django_db
@pytest.mark.parametrize(("purpose", "label"), [("rollback", "Rollback"), ("promotion", "Promotion")])
def test_what_puts_back_or_promotes_is_told_each_time_it_fails_and_nobody_recovers(purpose: str, label: str) -> None:
    listen()
    account = AccountFactory()
    for state in ("failed", "failed", "changed"):
        run = RunFactory(state="running", group=account.group, purpose=purpose)
        SyncRun.objects.filter(pk=run.pk).update(snapshot=snapshot(run))
        AccountRunFactory(run=run, account=account, state=state, reason="unpaid" if state == "failed" else "")
        assert close_run(run.pk)
    assert titles() == [f"1 of 1 account failed: Branches ({label})"] * 2
    assert not ToldState.objects.filter(event=Event.RUN_FAILED).exclude(bad={}).exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("needs_approval", "purpose", "waits"), [(0, "promotion", 1), (0, "rollback", 0), (1, "rollback", 1)]
)
def test_the_plan_of_a_promotion_waits_and_of_a_rollback_where_plans_need_approval(
    needs_approval: int, purpose: str, waits: int
) -> None:
    listen(events=[Event.RUN_WAITS])
    account = AccountFactory(group=GroupFactory(requires_approval=bool(needs_approval)))
    for _ in range(2):
        run = RunFactory(state="running", group=account.group, purpose=purpose, mode="plan")
        AccountRunFactory(run=run, account=account, state="planned", plan_digest="x", content_digest="y")
        assert close_run(run.pk)
    assert len(titles()) == 2 * waits


# -- plans and waves that wait --


def test_a_plan_that_waits_for_approval_is_told_with_what_it_would_do(house: House) -> None:
    listen(events=[Event.RUN_WAITS])
    policy(house, requires_approval=True)
    run = house.start(mode=RunMode.PLAN)
    house.work(Slaves(**dict.fromkeys(("north", "south", "west"), "planned"), east="in_sync"))
    AccountRun.objects.filter(run=run, state="planned").update(content_digest="x")

    (message,) = told()

    assert message.title == f"Plan #{run.pk} waits for approval: Branches"
    assert "1 plan: 3 accounts (North, South, West)." in message.text
    assert f"`manage.py approve {run.pk}`" in message.text


def test_the_same_plan_is_told_again_only_to_who_is_told_every_time(house: House) -> None:
    policy(house, requires_approval=True)
    every = listen("every", events=[Event.RUN_WAITS], when="every")
    changed = listen("changed", events=[Event.RUN_WAITS])
    for _ in range(2):
        house.start(mode=RunMode.PLAN)
        house.work(Slaves(north="planned"))
        told()
    assert (every.messages.count(), changed.messages.count()) == (2, 1)


@pytest.mark.parametrize(("ended", "again"), [({"state": "changed"}, 1), ({"reason": "stale_plan"}, 1), ({}, 0)])
def test_the_same_plan_waits_anew_once_the_one_before_was_used_up(house: House, ended: Any, again: int) -> None:
    """Carried out and made anew, or out of date; one that failed in between can be approved again."""
    listen(events=[Event.RUN_WAITS])
    for turn in range(3):
        mode = "apply" if turn == 1 else "plan"
        run = RunFactory(state="running", group=house.group, mode=mode, trigger="watch")
        facts = {"state": "planned", "plan_digest": "x", "content_digest": "x"}
        if mode == "apply":
            facts = {"state": "refused", **ended}
        AccountRunFactory(run=run, account=house.accounts["north"], **facts)
        assert close_run(run.pk)
    assert len(titles()) == 1 + again


def test_the_same_plan_waits_anew_once_the_one_before_was_sent_back(house: House) -> None:
    listen(events=[Event.RUN_WAITS])
    policy(house, requires_approval=True)
    for _ in range(2):
        run = house.start(mode=RunMode.PLAN)
        house.work(Slaves(north="planned", south="planned"))
        AccountRun.objects.filter(run=run, state="planned").update(content_digest="x")
        assert titles() == [f"Plan #{run.pk} waits for approval: Branches"]
        send_back(run, by=COMMAND, comment="Not in December.")
        assert titles() == []  # that nothing waits any more is no news


def test_a_plan_that_was_sent_back_before_anybody_was_told_waits_for_nobody(house: House) -> None:
    listen(events=[Event.RUN_WAITS])
    policy(house, requires_approval=True)
    run = house.start(mode=RunMode.PLAN)
    house.work(Slaves(north="planned"))
    send_back(run, by=COMMAND, comment="Not in December.")
    assert titles() == []


def test_a_plan_that_a_person_makes_where_nothing_needs_approval_waits_for_nobody(house: House) -> None:
    listen(events=[Event.RUN_WAITS])
    house.start(mode=RunMode.PLAN)
    house.work(Slaves(north="planned"))
    assert titles() == []


def test_the_plan_of_a_review_waits(house: House) -> None:
    listen(events=[Event.RUN_WAITS])
    run = house.start(mode=RunMode.PLAN, by=RETRY)
    house.work(Slaves(north="planned"))
    assert titles() == [f"Plan #{run.pk} waits for approval: Branches"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"wave_hold": True}, "Wave 2 starts when somebody continues the run: on its page, or with `manage.py"),
        ({"wave_wait": 30}, "or when somebody continues the run."),
    ],
)
def test_a_wave_that_waits_is_told_with_how_the_one_before_ended(house: House, columns: Any, expected: str) -> None:
    listen()
    policy(house, max_failure_share=100, **columns)
    run = house.start()
    house.work(Slaves(north="failed"))
    assert waves.waits_for(SyncRun.objects.get(pk=run.pk))

    (message,) = told()

    assert message.title == "Wave 2 of 2 waits: Branches"
    assert f"Run {run.pk}, wave 1 is done. Accounts that failed: 1 of 1." in message.text
    assert expected in message.text


def test_waves_that_follow_at_once_wait_for_nobody(house: House) -> None:
    listen()
    policy(house)
    house.start()
    house.work(Slaves())
    assert titles() == []


# -- who is told --


def test_only_channels_that_are_on_and_want_the_event_and_the_group_are_told(house: House) -> None:
    listen("all")
    listen("of this group", group=house.group)
    listen("of another", group=GroupFactory(name="Elsewhere"))
    listen("off", enabled=False)
    listen("of other things", events=[Event.IP_BLOCKED])
    synced(house, north="failed")
    assert {message.channel.name for message in told()} == {"all", "of this group"}


def test_without_a_channel_nothing_is_written(house: House) -> None:
    listen(enabled=False)
    synced(house, north="failed")
    assert not Notice.objects.exists()


def test_a_notice_that_cannot_be_written_fails_no_run(house: House, monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    listen()
    monkeypatch.setattr(Notice.objects, "bulk_create", lambda rows: SyncGroup.objects.create(name=house.group.name))
    run = synced(house, north="failed")
    assert run.state == "partial"
    assert run.log.filter(code="run_ended").count() == 1
    assert "the notice of run_failed: error of our own" in caplog.text


@pytest.mark.django_db
def test_a_run_that_is_not_closed_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notice is in the transaction of the end."""
    listen()
    run = RunFactory(state="running")
    AccountRunFactory(run=run, state="failed", account=AccountFactory(group=run.group))

    def fail(run: SyncRun) -> None:
        told_of(run)
        raise KeyError

    told_of = close.notices.run_ended
    monkeypatch.setattr(close.notices, "run_ended", fail)
    with pytest.raises(KeyError):
        close_run(run.pk)
    run.refresh_from_db()
    assert (run.state, Notice.objects.count()) == ("running", 0)
