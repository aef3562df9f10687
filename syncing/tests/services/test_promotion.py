"""Promotion over HTTP: the master gets exactly what was approved, and the slaves follow."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.actors import Actor
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from syncing import replication
from syncing.execution.reaper import reap
from syncing.models import AccountRun, AuditEntry, IdMapping, MasterSnapshot, SyncRun
from syncing.selectors.promotion import candidates
from syncing.services import promotion
from syncing.services.approvals import approve
from syncing.tests.crm import ANNA, account_runs, look, planned, synced, work, writes
from syncing.tests.house import House


@pytest.fixture
def master(house: House) -> SimAccount:
    found = house.world.accounts["master"]
    pipeline = found.add_pipeline("Sales", stages=["New", "Offer"])
    group = found.add_group("leads", "Deal")
    found.add_field("leads", "Source", "select", enums=["Web", "Phone"], group=group)
    found.add_field("leads", "Notes", "textarea", required_statuses=[(pipeline.id, found.stage("Sales", "Offer").id)])
    SyncGroup.objects.update(max_update_share=100)
    synced(house)
    return found


@pytest.fixture
def north(house: House, master: SimAccount) -> SimAccount:
    return house.world.accounts["north"]


@pytest.fixture
def boss(house: House) -> User:
    user = User.objects.create(username="boss")
    user.user_permissions.set(Permission.objects.filter(codename__in=("approve_plan", "promote")))
    return user


def pick(house: House, *names: str, attribute: str | None = None) -> list[dict[str, str]]:
    """What of north's drift is called so, after a look at it."""
    planned(house, accounts=[house.accounts["north"]])
    found = candidates(house.accounts["north"])
    picks = [
        candidate.pick
        for candidate in found
        if candidate.difference.name in names and attribute in (None, candidate.difference.attribute)
    ]
    assert {candidate.difference.name for candidate in found if candidate.pick in picks} == set(names)
    return picks


def propose(house: House, picked: list[dict[str, str]]) -> SyncRun:
    return work(house, promotion.propose(house.accounts["north"], picked, by=ANNA, reason="It is better."))


def promote(house: House, picked: list[dict[str, str]], boss: User) -> SyncRun:
    plan = propose(house, picked)
    assert plan.state == "planned", [entry.message for entry in plan.log.all()]
    return work(house, approve(plan, by=Actor.of_user(boss, "admin")))


def bodies(house: House, since: int) -> list[tuple[str, str, Any]]:
    """What the master was written: method, path, body."""
    return [
        (record.method, record.path.removeprefix("/api/v4"), json.loads(record.body))
        for record in writes(house, "master", since)
    ]


# -- what the master gets --


def test_a_new_field_comes_to_the_master_as_the_last_of_its_group_with_nothing_else_written(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    north.add_field("leads", "Colour", "select", enums=["Red", "Blue"], group=north.group("leads", "Deal"))
    picked = pick(house, "Colour")
    before, since = look(master), len(house.world.log)

    run = promote(house, picked, boss)

    assert run.state == "succeeded"
    ((method, path, (body,)),) = bodies(house, since)
    assert (method, path) == ("POST", "/leads/custom_fields")
    assert (body["name"], body["group_id"]) == ("Colour", master.group("leads", "Deal").id)
    after = look(master)
    assert [row[0] for row in after["fields"]["leads/Deal"]] == ["Source", "Colour"]
    after["fields"]["leads/Deal"].pop()
    assert after == before


def test_a_new_pipeline_comes_with_its_stages_and_a_new_field_with_its_group(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    support = north.add_pipeline("Support", stages=["Open", "Waiting"])
    group = north.add_group("contacts", "Person")
    north.add_field(
        "contacts", "Size", "numeric", group=group,
        required_statuses=[(support.id, north.stage("Support", "Waiting").id)],
    )  # fmt: skip
    picked = pick(house, "Support", "Size")
    before, since = look(master), len(house.world.log)

    run = promote(house, picked, boss)

    assert run.state == "succeeded"
    assert [(method, path) for method, path, _ in bodies(house, since)] == [
        ("POST", "/leads/pipelines"),
        ("POST", "/contacts/custom_fields/groups"),
        ("POST", "/contacts/custom_fields"),
    ]
    after = look(master)
    assert after["pipelines"][:-1] == before["pipelines"]
    assert [stage[0] for stage in after["pipelines"][-1][3]][1:3] == ["Open", "Waiting"]
    assert after["fields"]["contacts/Person"] == [("Size", "numeric", None, False, [], ["Support/Waiting"])]


def test_a_changed_attribute_comes_alone(house: House, master: SimAccount, north: SimAccount, boss: User) -> None:
    stage, sales = north.stage("Sales", "New"), north.pipeline("Sales")
    edits.change(north, "stage", [sales.id, stage.id], name="Fresh", color="#ff8f92")
    picked = pick(house, "New", attribute="name")
    since = len(house.world.log)

    promote(house, picked, boss)

    theirs = master.stage("Sales", "Fresh")
    ((method, path, _body),) = bodies(house, since)
    assert (method, path) == ("PATCH", f"/leads/pipelines/{master.pipeline('Sales').id}/statuses/{theirs.id}")
    assert theirs.color != "#ff8f92"
    assert [stage.name for stage in master.pipeline("Sales").ordinary] == ["Fresh", "Offer"]


def test_an_option_comes_alone_and_the_others_keep_their_ids(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    source = north.field("leads", "Source")
    edits.add(north, "enum", field_id=source.id, value="Fair")
    edits.add(north, "enum", field_id=source.id, value="Radio")
    ours = master.field("leads", "Source")
    ids = [enum.id for enum in ours.ordered_enums]
    picked = pick(house, "Fair")

    promote(house, picked, boss)

    assert [enum.value for enum in ours.ordered_enums] == ["Web", "Phone", "Fair"]
    assert [enum.id for enum in ours.ordered_enums][:2] == ids


def test_a_stage_comes_last_in_the_masters_pipeline_behind_what_only_the_master_has(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    edits.add(north, "stage", pipeline_id=north.pipeline("Sales").id, name="Called", sort=15)
    picked = pick(house, "Called")
    master.add_stage(master.pipeline("Sales"), "Contract")
    order = [stage.id for stage in master.pipeline("Sales").ordinary]

    promote(house, picked, boss)

    assert [stage.name for stage in master.pipeline("Sales").ordinary] == ["New", "Offer", "Contract", "Called"]
    assert [stage.id for stage in master.pipeline("Sales").ordinary][:3] == order


# -- nothing else --


def test_a_proposal_writes_nothing_anywhere(house: House, north: SimAccount) -> None:
    north.add_field("leads", "Colour", "text")
    picked, since = pick(house, "Colour"), len(house.world.log)

    plan = propose(house, picked)

    assert plan.state == "planned"
    assert {record.subdomain for record in list(house.world.log)[since:]} == {"master", "north"}
    assert {record.method for record in list(house.world.log)[since:]} == {"GET"}
    (change,) = account_runs(plan)["master"].document["changes"]
    assert (change["action"], change["name"]) == ("create", "Colour")
    assert account_runs(plan)["master"].document["extras"] == []


def test_a_proposal_is_drawn_as_the_master_will_be(house: House, north: SimAccount, admin_client: Client) -> None:
    north.add_stage(north.pipeline("Sales"), "Talks")
    plan = propose(house, pick(house, "Talks"))
    digest = plan.account_runs.get().content_digest

    page = admin_client.get(reverse("syncing:plan", args=[plan.pk, digest]))

    (pair,) = page.context["drawn"].pipelines
    assert [chip.name for chip in pair.after.stages if chip.mark == "added"] == ["Talks"]
    assert "Talks" not in [chip.name for chip in pair.before.stages]
    assert reverse("syncing:choose", args=[plan.pk, digest]) not in page.content.decode()
    assert admin_client.get(reverse("syncing:approve", args=[plan.pk])).context["boxes"][0][1].pipelines


def test_without_an_approved_plan_no_run_writes_the_master(house: House, north: SimAccount) -> None:
    """Whatever made its rows: a run that says it may write, and that nobody approved."""
    north.add_field("leads", "Colour", "text")
    plan = promotion.propose(house.accounts["north"], pick(house, "Colour"), by=ANNA).run
    SyncRun.objects.filter(pk=plan.pk).update(mode="apply")
    since = len(house.world.log)

    run = work(house, plan)

    account_run = account_runs(run)["master"]
    assert (account_run.state, account_run.reason) == ("refused", "guard")
    assert not writes(house, "master", since)


def test_what_changed_since_the_approval_is_not_written(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    field = north.add_field("leads", "Colour", "text")
    plan = propose(house, pick(house, "Colour"))
    edits.change(north, "field", field.id, name="Color")
    since = len(house.world.log)

    run = work(house, approve(plan, by=replace(ANNA, user=boss)))

    assert account_runs(run)["master"].reason == "stale_plan"
    assert not writes(house, "master", since)


def test_a_slave_is_never_written_by_a_promotion(house: House, north: SimAccount, boss: User) -> None:
    north.add_field("leads", "Colour", "text")
    picked = pick(house, "Colour")
    SyncGroup.objects.update(requires_approval=True)  # the run that follows only plans
    since = len(house.world.log)

    promote(house, picked, boss)
    house.work()

    others = {record.subdomain for record in list(house.world.log)[since:] if record.method != "GET"}
    assert others == {"master"}


def test_what_the_master_has_got_meanwhile_is_not_made_twice(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    north.add_field("leads", "Colour", "text")
    picked = pick(house, "Colour")
    master.add_field("leads", "Colour", "text")

    plan = propose(house, picked)

    assert account_runs(plan)["master"].state == "in_sync"


def test_what_is_not_there_any_more_ends_the_proposal_with_a_sentence(house: House, north: SimAccount) -> None:
    field = north.add_field("leads", "Colour", "text")
    picked = pick(house, "Colour")
    edits.remove(north, "field", field.id)

    plan = propose(house, picked)

    assert (plan.state, plan.reason) == ("failed", "conflict")
    assert "not in the account any more" in plan.error["message"]


# -- afterwards --


def test_afterwards_the_source_stands_for_it_and_the_next_run_leaves_the_source_alone(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    support = north.add_pipeline("Support", stages=["Open", "Waiting"])
    field = north.add_field("leads", "Colour", "select", enums=["Red", "Blue"])
    run = promote(house, pick(house, "Support", "Colour"), boss)
    ours = IdMapping.objects.filter(account=house.accounts["north"])

    made = ours.get(kind="pipeline", slave_key=str(support.id))
    assert made.master_key == str(master.pipeline("Support").id)
    assert not made.created_by_us
    assert ours.get(kind="custom_field", slave_key=f"leads/{field.id}").master_key == (
        f"leads/{master.field('leads', 'Colour').id}"
    )
    stages = ours.filter(kind="stage", slave_key__startswith=f"{support.id}/")
    assert stages.count() == 5
    assert ours.filter(kind="enum", slave_key__startswith=f"leads/{field.id}/").count() == 2

    follower = SyncRun.objects.latest("pk")
    assert (follower.purpose, follower.mode, follower.state) == ("sync", "apply", "queued")
    entry = AuditEntry.objects.get(action="promoted")
    assert (entry.run, entry.account, entry.details["followed_by"]) == (run.pk, "north", follower.pk)

    since = len(house.world.log)
    work(house, follower)
    assert not writes(house, "north", since)
    assert account_runs(follower)["north"].state == "in_sync"
    assert account_runs(follower)["north"].adopted == 0
    assert {account_run.state for name, account_run in account_runs(follower).items() if name != "north"} == {"changed"}
    assert look(house.world.accounts["south"])["pipelines"] == look(master)["pipelines"]


def test_where_plans_need_approval_the_slaves_follow_by_a_plan(house: House, north: SimAccount, boss: User) -> None:
    SyncGroup.objects.update(requires_approval=True)
    north.add_field("leads", "Colour", "text")

    promote(house, pick(house, "Colour"), boss)

    assert SyncRun.objects.latest("pk").mode == "plan"


def test_a_run_that_nobody_told_about_is_followed_by_the_reaper_once(
    house: House, north: SimAccount, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    north.add_field("leads", "Colour", "text")
    picked = pick(house, "Colour")
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "follow", lambda run_id: None)  # the process died right there
        promote(house, picked, boss)
    runs = SyncRun.objects.count()

    assert reap()["promoted"] == 1
    assert reap()["promoted"] == 0
    assert SyncRun.objects.count() == runs + 1


def test_a_proposal_is_not_what_the_guard_compares_with(house: House, north: SimAccount) -> None:
    accepted = MasterSnapshot.objects.filter(accepted=True).count()
    north.add_field("leads", "Colour", "text")

    plan = propose(house, pick(house, "Colour"))

    assert MasterSnapshot.objects.filter(accepted=True).count() == accepted
    assert MasterSnapshot.objects.count() == accepted
    assert plan.snapshot is None
    assert "Colour" in {field["name"] for field in plan.proposal.document["fields"]}


def test_a_lost_answer_makes_nothing_twice(house: House, master: SimAccount, north: SimAccount, boss: User) -> None:
    north.add_field("leads", "Colour", "text")
    picked = pick(house, "Colour")
    house.world.faults.add(Fault("500_applied", subdomain="master", method="POST", times=1))

    run = promote(house, picked, boss)

    assert run.state == "succeeded"
    assert [item.name for item in master.fields["leads"].values()].count("Colour") == 1
    assert IdMapping.objects.filter(account=house.accounts["north"], name="Colour").count() == 1


# -- what can be proposed --


def test_candidates_are_what_only_the_slave_has_and_what_was_changed_there(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    sales, ours = north.pipeline("Sales"), master.pipeline("Sales")
    edits.change(north, "stage", [sales.id, north.stage("Sales", "New").id], name="Fresh", sort=500)
    edits.change(master, "stage", [ours.id, master.stage("Sales", "Offer").id], color="#ff8f92")
    edits.remove(north, "field", north.field("leads", "Notes").id)
    north.add_pipeline("Support")
    planned(house, accounts=[house.accounts["north"]])

    found = [(row.difference.name, row.difference.attribute) for row in candidates(house.accounts["north"])]

    assert sorted(found) == [("New", "name"), ("Support", "")]
    assert [row.difference.name for row in candidates(house.accounts["north"], "supp")] == ["Support"]


@pytest.mark.parametrize(
    ("code", "picked"),
    [
        ("nothing_picked", []),
        ("bad_pick", [{"kind": "lead", "slave_key": "1", "attribute": ""}]),
        ("bad_pick", [{"kind": "stage", "slave_key": "1/2", "attribute": "position"}]),
        ("bad_pick", [{"kind": "stage", "slave_key": "1/2", "attribute": "type"}]),
        ("too_much", [{"kind": "pipeline", "slave_key": str(n), "attribute": ""} for n in range(201)]),
    ],
)
def test_picks_that_make_no_sense_are_refused(house: House, code: str, picked: list[dict[str, str]]) -> None:
    with pytest.raises(Refusal) as refusal:
        promotion.propose(house.accounts["north"], picked, by=ANNA)

    assert refusal.value.code == code
    assert refusal.value.message
    assert refusal.value.remedy
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    ("code", "facts", "who"),
    [
        ("paused", {"paused": True}, "master"),
        ("paused", {"paused": True}, "north"),
        ("no_master", {"role": Account.Role.SLAVE}, "master"),
        ("not_a_slave", {}, ""),
    ],
)
def test_accounts_that_cannot_be_used_are_refused(house: House, code: str, facts: dict[str, Any], who: str) -> None:
    Account.objects.filter(subdomain=who).update(**facts)
    source = house.accounts["north" if who else "master"]
    with pytest.raises(Refusal) as refusal:
        promotion.propose(source, [{"kind": "pipeline", "slave_key": "1", "attribute": ""}], by=ANNA)

    assert refusal.value.code == code


def test_who_proposed_what_and_why_is_written_down(house: House, north: SimAccount) -> None:
    north.add_field("leads", "Colour", "text")

    plan = propose(house, pick(house, "Colour"))

    entry = AuditEntry.objects.get(action="proposed")
    assert (entry.actor, entry.run, entry.account, entry.reason) == ("anna", plan.pk, "north", "It is better.")
    assert entry.details["items"] == ["custom_field Colour"]


def test_a_worker_that_dies_right_after_the_write_has_it_finished_by_the_next_one(
    house: House, master: SimAccount, north: SimAccount, boss: User
) -> None:
    """What is left of the plan then is not what was approved, but it was, when the first one began."""
    north.add_pipeline("Support", stages=["Open"])
    north.add_field("leads", "Colour", "text")
    plan = propose(house, pick(house, "Support", "Colour"))
    run = approve(plan, by=replace(ANNA, user=boss)).run

    class Died(BaseException):
        """As after kill -9."""

    def dying(target: Any, client: Any, record: Any, checkpoint: Any, store_before: Any) -> Any:
        def record_and_die(*args: Any) -> None:
            raise Died

        return replication.replicate(target, client, record_and_die, checkpoint, store_before)

    with pytest.raises(Died):
        raise_from(house, run, dying)
    AccountRun.objects.filter(run=run).update(state="queued", lease_until=None)
    work(house, run)

    assert [item.name for item in master.pipelines.values()].count("Support") == 1
    assert [item.name for item in master.fields["leads"].values()].count("Colour") == 1
    assert account_runs(run)["master"].state in ("changed", "in_sync")
    assert IdMapping.objects.filter(account=house.accounts["north"], kind="pipeline", name="Support").exists()


def raise_from(house: House, run: SyncRun, dying: Any) -> None:
    """Works the run with a stand-in whose death nobody stores."""
    deaths: list[BaseException] = []

    def noting(*args: Any) -> Any:
        try:
            return dying(*args)
        except BaseException as death:
            deaths.append(death)
            raise

    house.work(noting, run_id=run.pk)
    raise deaths[0]
