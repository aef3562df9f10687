"""Healing, over HTTP: edits of slaves are put back, reported or left alone; nothing else is written."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import Account, HealMode, SyncGroup
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from accounts.simulator.model import SimPipeline, SimStage
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.automation import healing as automation
from syncing.automation.follow_up import follow_ended
from syncing.models import (
    Drift,
    HealedItem,
    HealingRule,
    IdMapping,
    ItemMode,
    LogEntry,
    RunMode,
    RunPurpose,
    SyncRun,
    Trigger,
    Window,
    WindowKind,
)
from syncing.selectors.fleet import fleet_accounts
from syncing.selectors.needs import needs
from syncing.services.actors import COMMAND, SCHEDULE, WEBHOOK
from syncing.services.approvals import approve, send_back
from syncing.services.drift_checks import check_now
from syncing.services.exceptions import accept
from syncing.services.healing import set_mode
from syncing.services.runs.holds import why_held
from syncing.services.runs.retry import retry_failed
from syncing.services.runs.start import start_run
from syncing.tests.crm import ANNA, asked, look, synced, work, writes
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference, extra, missing
from syncing.tests.house import House

RED, BLUE = "#ff8f92", "#98cbff"


@pytest.fixture
def crm(house: House) -> House:
    """North and south have the master's pipeline; the group heals, and covers no fields: a reading is one request."""
    Account.objects.filter(subdomain__in=("west", "east")).delete()
    house.world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    SyncGroup.objects.update(heal=HealMode.REVERT, max_update_share=100, sync_custom_fields=False)
    return prepared(house)


@pytest.fixture
def whole(house: House) -> House:
    """The same with fields, in north alone."""
    Account.objects.filter(subdomain__in=("south", "west", "east")).delete()
    master = house.world.accounts["master"]
    pipeline = master.add_pipeline("Sales", stages=["New", "Offer", "Deal"])
    group = master.add_group("leads", "Deal")
    master.add_field("leads", "Source", "select", enums=["Web", "Phone"], group=group)
    master.add_field("leads", "Notes", "textarea", required_statuses=[(pipeline.id, master.stage("Sales", "Offer").id)])
    SyncGroup.objects.update(heal=HealMode.REVERT, max_update_share=100)
    return prepared(house)


def prepared(house: House) -> House:
    house.group.refresh_from_db()
    synced(house)
    follow_ended()
    return house


def sales(house: House, subdomain: str) -> SimPipeline:
    return next(each for each in house.world.accounts[subdomain].pipelines.values() if each.name == "Sales")


def stage(house: House, subdomain: str, name: str) -> SimStage:
    return next(each for each in sales(house, subdomain).stages if each.name == name)


def recolour(house: House, subdomain: str, name: str = "Offer", color: str = RED) -> None:
    stage(house, subdomain, name).color = color


def field(account: SimAccount, name: str) -> Any:
    return next(each for each in account.fields["leads"].values() if each.name == name)


def check(house: House, **facts: Any) -> SyncRun:
    """A check for drift, and what follows from it."""
    run = work(house, check_now(house.group, **{"by": SCHEDULE, **facts}))
    assert run.state == "planned"
    follow_ended()
    return run


def heals(house: House) -> SyncRun | None:
    """The run that a check has started, worked, with what follows from it; None: there is none."""
    run = SyncRun.objects.filter(trigger=Trigger.HEAL, state="queued").first()
    if run is not None:
        run = work(house, run)
        follow_ended()
    return run


def told(run: SyncRun) -> list[str]:
    return list(LogEntry.objects.filter(run=run, code__startswith="healing").values_list("message", flat=True))


def differences(house: House, subdomain: str) -> set[tuple[str, str]]:
    drift = Drift.objects.get(account=house.accounts[subdomain])
    return {(row["name"], row["attribute"]) for row in drift.differences if row["action"] != "extra"}


def rule(house: House, name: str, mode: str, kind: str = "stage") -> None:
    mapping = IdMapping.objects.filter(kind=kind, name=name).first()
    assert mapping is not None
    set_mode(house.group, kind=kind, key=mapping.master_key, mode=mode, by=COMMAND)


# -- put back --


def test_an_edit_of_a_slave_is_put_back(crm: House) -> None:
    before = look(crm.world.accounts["north"])
    recolour(crm, "north")
    found = check(crm)
    run = heals(crm)
    assert run is not None
    assert told(found) == [f"Edits that run {run.pk} puts back: 1 (accounts: 1)."]
    assert (run.trigger, run.purpose, run.mode) == (Trigger.HEAL, RunPurpose.SYNC, RunMode.APPLY)
    assert crm.states(run) == {"north": "changed"}
    assert look(crm.world.accounts["north"]) == before
    assert Drift.objects.get(account=crm.accounts["north"]).state == "in_sync"
    check(crm)
    assert heals(crm) is None


def test_exactly_what_was_edited_is_written_and_another_drift_stays(whole: House) -> None:
    """In the same slave the master has moved on, in the same stage both have, and another item is only reported."""
    crm, north = whole, whole.world.accounts["north"]
    recolour(crm, "north", "Deal")
    recolour(crm, "north", "Offer")
    recolour(crm, "master", "Offer", BLUE)
    stage(crm, "master", "Deal").name = "Won deal"
    field(north, "Notes").name = "My notes"
    crm.world.accounts["master"].add_field("leads", "Budget", "numeric")
    north.add_pipeline("Own", stages=["Idea"])
    rule(crm, "Notes", ItemMode.REPORTED, kind="custom_field")
    check(crm)
    since, was = len(crm.world.log), look(north)
    run = heals(crm)
    assert run is not None
    (write,) = writes(crm, "north", since)
    assert "statuses" in write.path
    account_run = crm.account_run(run, "north")
    assert (account_run.state, account_run.created, account_run.updated, account_run.deleted) == ("changed", 0, 1, 0)
    assert [list(change["fields"]) for change in account_run.document["changes"]] == [["color"]]
    assert look(north)["fields"] == was["fields"]
    assert stage(crm, "north", "Deal").color == stage(crm, "master", "Won deal").color
    assert stage(crm, "north", "Offer").color == RED
    assert Drift.objects.get(account=crm.accounts["north"]).extras == 1
    assert differences(crm, "north") == {("Won deal", "name"), ("Offer", "color"), ("Notes", "name"), ("Budget", "")}


def test_accounts_without_edits_are_not_asked(crm: House) -> None:
    recolour(crm, "north")
    recolour(crm, "master", "Deal", BLUE)
    check(crm)
    since = len(crm.world.log)
    assert heals(crm) is not None
    assert asked(crm, "south", since) == []
    assert [request.method for request in asked(crm, "north", since)] == ["GET", "PATCH", "GET"]


DELETED: dict[str, Callable[[House], Any]] = {
    "a stage": lambda crm: crm.world.accounts["north"].delete_stage(sales(crm, "north"), stage(crm, "north", "Offer")),
    "a pipeline": lambda crm: crm.world.accounts["north"].delete_pipeline(sales(crm, "north")),
    "a field": lambda crm: crm.world.accounts["north"].delete_field(field(crm.world.accounts["north"], "Source")),
    "an option": lambda crm: edits.remove(
        crm.world.accounts["north"],
        "enum",
        [(source := field(crm.world.accounts["north"], "Source")).id, source.ordered_enums[0].id],
    ),
}


@pytest.mark.parametrize("delete", DELETED.values(), ids=DELETED)
def test_what_was_deleted_in_a_slave_is_made_again(whole: House, delete) -> None:
    before = look(whole.world.accounts["north"])
    delete(whole)
    assert look(whole.world.accounts["north"]) != before
    check(whole)
    assert heals(whole) is not None
    assert look(whole.world.accounts["north"]) == before
    assert differences(whole, "north") == set()


def test_an_order_is_put_back(crm: House) -> None:
    north = crm.world.accounts["north"]
    before = look(north)
    first, second = stage(crm, "north", "New"), stage(crm, "north", "Offer")
    first.sort, second.sort = second.sort, first.sort
    check(crm)
    assert heals(crm) is not None
    assert look(north) == before


def test_one_run_heals_all_accounts(crm: House) -> None:
    recolour(crm, "north")
    recolour(crm, "south", "Deal")
    check(crm)
    run = heals(crm)
    assert run is not None
    assert crm.states(run) == {"north": "changed", "south": "changed"}
    assert SyncRun.objects.filter(trigger=Trigger.HEAL).count() == 1


def test_nothing_is_ever_deleted(crm: House) -> None:
    SyncGroup.objects.update(unmatched_pipelines="delete_all", unmatched_stages="delete_all", max_delete_share=100)
    crm.world.accounts["north"].add_pipeline("Own", stages=["Idea"])
    edits.add(crm.world.accounts["north"], "stage", pipeline_id=sales(crm, "north").id, name="Mine")
    recolour(crm, "north")
    check(crm)
    run = heals(crm)
    assert run is not None
    assert crm.account_run(run, "north").deleted == 0
    assert {"Own"} <= {each.name for each in crm.world.accounts["north"].pipelines.values()}
    assert stage(crm, "north", "Mine")


def test_the_limits_hold(crm: House) -> None:
    recolour(crm, "north")
    check(crm)
    SyncGroup.objects.update(max_update_share=1, limit_minimum_items=1)
    run = heals(crm)
    assert run is not None
    assert (run.state, crm.account_run(run, "north").reason) == ("refused", "guard")
    assert stage(crm, "north", "Offer").color == RED


# -- modes --


def test_a_local_item_is_left_to_each_account_that_has_it_in_every_run(crm: House) -> None:
    recolour(crm, "north")
    check(crm)
    SyncRun.objects.filter(state="queued").delete()
    rule(crm, "Offer", ItemMode.LOCAL)
    assert differences(crm, "north") == set()
    stage(crm, "south", "Offer").name = "Proposal"
    recolour(crm, "master", "Offer", BLUE)
    run = synced(crm)
    assert set(crm.states(run).values()) == {"in_sync"}
    assert stage(crm, "north", "Offer").color == RED
    assert stage(crm, "south", "Proposal")
    check(crm)
    assert heals(crm) is None
    assert all(differences(crm, name) == set() for name in ("north", "south"))


def test_a_local_item_that_an_account_deletes_stays_deleted_and_a_new_account_gets_it(crm: House) -> None:
    rule(crm, "Offer", ItemMode.LOCAL)
    crm.world.accounts["north"].delete_stage(sales(crm, "north"), stage(crm, "north", "Offer"))
    crm.world.add_account("fresh")
    token = crm.world.accounts["fresh"].token
    Account.objects.create(group=crm.group, role="slave", subdomain="fresh", name="Fresh", token=token)
    for _ in range(2):
        run = synced(crm)
        assert (crm.states(run)["north"], run.state) == ("in_sync", "succeeded")
        assert "Offer" not in {each.name for each in sales(crm, "north").stages}
        assert stage(crm, "fresh", "Offer")


# -- what keeps it from writing --


def test_where_plans_need_approval_it_is_a_plan_that_waits_and_is_made_once(crm: House) -> None:
    SyncGroup.objects.update(requires_approval=True)
    recolour(crm, "north")
    recolour(crm, "master", "Deal", BLUE)
    check(crm)
    plan = heals(crm)
    assert plan is not None
    assert (plan.mode, plan.state) == (RunMode.PLAN, "planned")
    assert "Waits for approval" in [need.concern.label for need in needs(fleet_accounts())]
    found = check(crm)
    assert heals(crm) is None
    assert told(found) == [f"The plan of run {plan.pk}, which puts the edits back, waits for approval."]

    run = work(crm, approve(plan, by=COMMAND))
    follow_ended()
    assert crm.account_run(run, "north").updated == 1
    assert stage(crm, "north", "Offer").color != RED
    assert stage(crm, "north", "Deal").color != BLUE
    assert HealedItem.objects.count() == 1


def test_a_plan_that_was_sent_back_is_not_made_again(crm: House) -> None:
    SyncGroup.objects.update(requires_approval=True)
    recolour(crm, "north")
    check(crm)
    plan = heals(crm)
    assert plan is not None
    send_back(plan, by=COMMAND, comment="They need it like this.")

    found = check(crm)

    assert heals(crm) is None
    assert told(found) == [f"Not put back: {COMMAND.name} sent back the plan of run {plan.pk}, which would do it."]


def test_what_was_accepted_meanwhile_is_not_put_back(crm: House) -> None:
    recolour(crm, "north")
    stage(crm, "north", "Offer").name = "Proposal"
    check(crm)
    row = next(r for r in Drift.objects.get(account=crm.accounts["north"]).differences if r["attribute"] == "color")
    accept(crm.accounts["north"], kind="stage", key=row["key"], attribute="color", reason="Theirs.", by=COMMAND)
    assert heals(crm) is not None
    assert stage(crm, "north", "Offer").color == RED


def test_a_failed_healing_that_a_person_retries_is_about_the_same_items(crm: House) -> None:
    recolour(crm, "north")
    recolour(crm, "master", "Deal", BLUE)
    check(crm)
    crm.world.accounts["north"].paid = False
    run = heals(crm)
    assert run is not None
    assert crm.states(run) == {"north": "failed"}
    assert HealedItem.objects.count() == 0
    crm.world.accounts["north"].paid = True
    again = work(crm, retry_failed(run, by=ANNA))
    assert crm.account_run(again, "north").updated == 1
    assert stage(crm, "north", "Deal").color != BLUE


# -- by rows: what a check has found, and what follows --


@pytest.fixture
def group(db: None) -> SyncGroup:
    """The usual cast in a group that heals."""
    return AccountFactory.cast(GroupFactory(heal=HealMode.REVERT))["master"].group


def found(group: SyncGroup, *, trigger: str = Trigger.SCHEDULE, state: str = "planned", **rows: Any) -> SyncRun:
    """A check that found these differences, by subdomain, and what follows from it."""
    run = RunFactory(group=group, trigger=trigger, purpose=RunPurpose.DRIFT, mode=RunMode.PLAN)
    for name, each in rows.items():
        account = Account.objects.get(subdomain=name)
        AccountRunFactory(run=run, account=account, state=state)
        Drift.objects.filter(account=account).delete()
        DriftFactory(account=account, rows=each, run=run)
    follow_ended()
    return run


def healing() -> SyncRun | None:
    return SyncRun.objects.filter(trigger=Trigger.HEAL).order_by("-pk").first()


def items(run: SyncRun | None) -> list[tuple[str, str, str]]:
    """The subdomain, key and attribute of what a run puts back."""
    names = dict(Account.objects.values_list("pk", "subdomain"))
    return [(names[pick["account"]], pick["key"], pick["attribute"]) for pick in run.picked] if run else []


def put_back(group: SyncGroup, *days: float, state: str = "changed") -> None:
    """Runs that put the stage Offer of north back so many days ago."""
    north = Account.objects.get(subdomain="north")
    IdMapping.objects.get_or_create(
        account=north, kind="stage", master_key="7/71", slave_key="9/91", name="Offer", parent="Sales"
    )
    pick = {"account": north.pk, "kind": "stage", "key": "7/71", "attribute": "color"}
    for each in days:
        with time_machine.travel(timezone.now() - timedelta(days=each), tick=True):
            run = RunFactory(group=group, trigger=Trigger.HEAL, picked=[pick], finished_at=timezone.now())
            AccountRunFactory(run=run, account=north, state=state)
            follow_ended()
    SyncRun.objects.filter(trigger=Trigger.HEAL).update(trigger=Trigger.ADMIN)  # whoever approved it


def given_up() -> list[str]:
    return [need.concern.text for need in needs(fleet_accounts()) if need.concern.state == "given_up"]


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.ADMIN])
def test_every_check_is_followed_whoever_started_it(group: SyncGroup, trigger: str) -> None:
    found(group, trigger=trigger, north=[difference()], south=[difference()], west=[])
    assert items(healing()) == [("north", "7/71", "color"), ("south", "7/71", "color")]


def test_only_what_the_slave_alone_did_is_put_back_and_extras_stay(group: SyncGroup) -> None:
    others = [difference(f"7/{number}", cause=cause) for number, cause in enumerate(("master", "both", "unknown"))]
    gone = difference("=mine", action="delete", attribute="")
    found(group, north=[*others, gone, extra(), missing(cause="slave")])
    assert items(healing()) == [("north", "leads/12", "")]


@pytest.mark.parametrize(("state", "heals"), [("partial", True), ("failed", False), ("refused", False)])
def test_accounts_that_were_not_read_or_that_the_limits_refused_wait(group: SyncGroup, state: str, heals: bool) -> None:
    found(group, north=[difference()], state=state)
    assert (healing() is not None) == heals


def test_paused_accounts_and_accounts_of_other_groups_are_left_out(group: SyncGroup) -> None:
    Account.objects.filter(subdomain="north").update(paused=True)
    Account.objects.filter(subdomain="south").update(group=GroupFactory(name="Others"))
    found(group, north=[difference()], south=[difference()], west=[difference()])
    assert items(healing()) == [("west", "7/71", "color")]


def test_stages_wait_for_a_pipeline_that_is_not_put_back(group: SyncGroup) -> None:
    stage_gone = difference(action="create", attribute="")
    pipeline_gone = difference("7", kind="pipeline", name="Sales", action="create", attribute="")
    found(group, north=[pipeline_gone | {"cause": "unknown"}, stage_gone, difference("8/81")])
    assert items(healing()) == [("north", "8/81", "color")]
    SyncRun.objects.filter(trigger=Trigger.HEAL).delete()
    found(group, north=[pipeline_gone, stage_gone])
    assert items(healing()) == [("north", "7", ""), ("north", "7/71", "")]


@pytest.mark.parametrize(
    ("heal", "mode", "heals", "sentence"),
    [
        (HealMode.OFF, "", False, None),
        (HealMode.OFF, ItemMode.LOCKED, False, None),
        (HealMode.REPORT, "", False, "Edits that are reported, not put back: 1 (accounts: 1)."),
        (HealMode.REPORT, ItemMode.LOCKED, True, "Edits that run {run} puts back: 1 (accounts: 1)."),
        (HealMode.REVERT, "", True, "Edits that run {run} puts back: 1 (accounts: 1)."),
        (HealMode.REVERT, ItemMode.REPORTED, False, "Edits that are reported, not put back: 1 (accounts: 1)."),
        (HealMode.REVERT, ItemMode.LOCAL, False, None),
    ],
)
def test_the_mode_of_the_item_comes_first_then_that_of_the_group(group, heal, mode, heals, sentence) -> None:
    SyncGroup.objects.update(heal=heal)
    if mode:
        HealingRule.objects.create(group=group, kind="stage", key="7/71", mode=mode)
    run = found(group, north=[difference()])
    assert (healing() is not None) == heals
    follower = healing()
    assert told(run) == ([sentence.format(run=follower and follower.pk)] if sentence else [])


def test_no_second_run_while_one_that_heals_is_open(group: SyncGroup) -> None:
    found(group, north=[difference()])
    first = healing()
    assert first is not None
    run = found(group, north=[difference()], south=[difference()])
    assert healing() == first
    assert told(run) == [f"Run {first.pk}, which puts edits back, has not ended."]


def test_of_very_many_edits_whole_accounts_are_healed_first(group: SyncGroup, monkeypatch) -> None:
    monkeypatch.setattr(automation, "MOST_EDITS", 3)
    two = [difference("7/71"), difference("7/72")]
    found(group, north=two, south=two, west=two)
    assert [name for name, _key, _attribute in items(healing())] == ["north", "north"]
    SyncRun.objects.filter(trigger=Trigger.HEAL).delete()
    found(group, north=[*two, *two, difference("7/73")], south=two, west=[])
    assert len(items(healing())) == 5


def test_a_run_that_heals_waits_for_windows_and_is_the_only_one(group: SyncGroup) -> None:
    Window.objects.create(group=group, kind=WindowKind.DENY, cron="* * * * *", minutes=5)
    for _ in range(2):
        found(group, north=[difference()])
    run = SyncRun.objects.get(trigger=Trigger.HEAL)
    assert (run.mode, run.state) == (RunMode.APPLY, "queued")
    assert "is frozen" in why_held(run)


def test_a_trigger_neither_joins_a_run_that_heals_nor_waits_for_its_end(group: SyncGroup) -> None:
    """It asks for all of the same accounts."""
    found(group, **{name: [difference()] for name in ("north", "south", "west", "east")})
    started = start_run(group=group, by=WEBHOOK)
    assert (started.joined, started.run.picked, started.run.joins_triggers) == (False, [], False)
    assert start_run(group=group, by=WEBHOOK).run == started.run


def test_a_refusal_is_told_and_not_tried_for_ever(group: SyncGroup) -> None:
    Account.objects.filter(role="master").update(paused=True)
    run = found(group, north=[difference()])
    assert healing() is None
    assert told(run) == ["The master master is paused. Resume it first."]
    assert follow_ended() == 0


# -- the loop guard --


def test_the_fourth_edit_within_seven_days_is_left_alone_and_told_once(group: SyncGroup, caplog) -> None:
    put_back(group, 6, 4, 2)
    assert given_up() == []
    found(group, north=[difference()])
    found(group, north=[difference()])
    assert healing() is None
    (text,) = given_up()
    days = [date_format(timezone.localtime(timezone.now() - timedelta(days=day)), "DATE_FORMAT") for day in (6, 4, 2)]
    assert all(day in text for day in days)
    assert text.startswith("It was put back 3 times (")
    assert text.endswith("Kommo does not say who.")
    assert LogEntry.objects.filter(code="healing_gave_up").count() == 1
    assert "North: stage 'Offer' (Sales)." in LogEntry.objects.get(code="healing_gave_up").message


def test_somebody_is_told_once(group: SyncGroup, django_capture_on_commit_callbacks, caplog) -> None:
    put_back(group, 6, 4, 2)
    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            found(group, north=[difference()])
    messages = [each.getMessage() for each in caplog.records if "edited again" in each.getMessage()]
    assert len(messages) == 1
    assert messages[0].startswith("in the group Branches: North: stage 'Offer' (Sales). It was put back 3 times")


@pytest.mark.parametrize(("days", "heals"), [((6, 4), True), ((8, 4, 2), True), ((6.9, 4, 2), False)])
def test_three_times_in_seven_days_are_too_many(group: SyncGroup, days: tuple[float, ...], heals: bool) -> None:
    put_back(group, *days)
    found(group, north=[difference()])
    assert (healing() is not None) == heals


@pytest.mark.parametrize(("state", "counts"), [("partial", True), ("failed", False), ("refused", False)])
def test_what_was_not_written_does_not_count(group: SyncGroup, state: str, counts: bool) -> None:
    """But what Kommo refuses again and again does: nothing is tried for ever."""
    put_back(group, 6, 4, 2, state=state)
    found(group, north=[difference()])
    assert (healing() is None) == counts


def test_it_does_not_end_after_a_time(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference()])
    with time_machine.travel(timezone.now() + timedelta(days=60), tick=True):
        found(group, north=[difference()])
    assert healing() is None
    assert len(given_up()) == 1


def test_what_counts_no_more_is_not_stored_for_ever(group: SyncGroup) -> None:
    put_back(group, 20, 16, 12, 4)
    assert HealedItem.objects.count() == 1


def test_another_item_and_another_account_are_still_put_back(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference(), difference("7/72")], south=[difference()])
    assert items(healing()) == [("north", "7/72", "color"), ("south", "7/71", "color")]


def test_a_mode_that_a_person_sets_begins_anew(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference()])
    set_mode(group, kind="stage", key="7/71", mode=ItemMode.LOCKED, by=COMMAND)
    assert given_up() == []
    found(group, north=[difference()])
    assert items(healing()) == [("north", "7/71", "color")]


def test_what_somebody_has_put_back_by_hand_is_healed_again(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference()])
    found(group, north=[difference("7/72", cause="master")])
    assert given_up() == []
    found(group, north=[difference()])
    assert items(healing()) == [("north", "7/71", "color")]


def test_a_check_that_could_not_read_the_account_does_not_say_that_it_is_put_back(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference()])
    found(group, north=[], state="failed")
    assert len(given_up()) == 1


def test_nobody_is_bothered_by_a_group_that_heals_no_more(group: SyncGroup) -> None:
    put_back(group, 6, 4, 2)
    found(group, north=[difference()])
    SyncGroup.objects.update(heal=HealMode.OFF)
    assert given_up() == []
