"""Items of a plan chosen for a run of their own, over HTTP: these alone are written, and the rest can follow."""

from random import Random
from typing import Any

import pytest

from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.simulator.edits import change, remove
from accounts.tests.laws import ONLY_DEEP
from syncing.automation.follow_up import follow_ended
from syncing.models import AccountRun, HealedItem, RunMode, SyncRun
from syncing.services import choice
from syncing.services.actors import COMMAND
from syncing.services.approvals import approve, send_back
from syncing.tests.crm import ANNA, look, planned, synced, work
from syncing.tests.house import House
from syncing.tests.random_edits import edit


@pytest.fixture
def crm(house: House) -> House:
    """North and south lack two pipelines of the master, and a group with fields; one is required in a new stage."""
    Account.objects.filter(subdomain__in=("west", "east")).delete()
    master = house.world.accounts["master"]
    master.add_pipeline("Care", stages=["Call", "Visit"])
    sales = master.add_pipeline("Sales", stages=["New", "Offer"])
    group = master.add_group("leads", "Deal")
    master.add_field("leads", "Source", "select", enums=["Web", "Phone"], group=group)
    offer = master.stage("Sales", "Offer").id
    master.add_field("leads", "Notes", "textarea", group=group, required_statuses=[(sales.id, offer)])
    SyncGroup.objects.update(max_update_share=100)
    house.group.refresh_from_db()
    return house


def digest_of(plan: SyncRun, subdomain: str = "north") -> str:
    return AccountRun.objects.get(run=plan, account__subdomain=subdomain).content_digest


def value_of(plan: SyncRun, name: str) -> str:
    return next(item.value for item in choice.choosable(plan, digest_of(plan)) if item.row["name"] == name)


def chosen(house: House, plan: SyncRun, *names: str) -> SyncRun:
    values = [value_of(plan, name) for name in names]
    return work(house, choice.plan_chosen(plan, digest_of(plan), values, by=ANNA))


def changed(run: SyncRun, subdomain: str = "north") -> list[tuple[str, str]]:
    rows = AccountRun.objects.get(run=run, account__subdomain=subdomain).document["changes"]
    return [(row["action"], row["name"]) for row in rows]


def pipelines(house: House, subdomain: str) -> list[str]:
    return [row[0] for row in look(house.world.accounts[subdomain])["pipelines"]]


def test_what_is_chosen_is_planned_approved_and_written_and_nothing_else(crm: House) -> None:
    plan = planned(crm)

    alone = chosen(crm, plan, "Care", "Source")

    assert (alone.mode, alone.state) == (RunMode.PLAN, "planned")
    care = [("create", "Care"), ("create", "Call"), ("create", "Visit")]
    assert changed(alone) == changed(alone, "south") == [*care, ("create", "Deal"), ("create", "Source")]
    run = work(crm, approve(alone, by=COMMAND))
    assert (run.state, crm.account_run(run, "north").created) == ("succeeded", 5)
    for name in ("north", "south"):
        assert "Care" in pipelines(crm, name)
        assert "Sales" not in pipelines(crm, name)

    synced(crm)
    assert look(crm.world.accounts["north"]) == look(crm.world.accounts["master"])


def test_a_field_that_is_required_in_a_stage_that_was_not_chosen_is_made_without_it(crm: House) -> None:
    alone = chosen(crm, planned(crm), "Notes")
    run = work(crm, approve(alone, by=COMMAND))

    (field,) = [each for each in crm.world.accounts["north"].fields["leads"].values() if each.name == "Notes"]
    assert (run.state, list(field.required_statuses)) == ("succeeded", [])


def test_nothing_is_deleted_by_what_is_chosen_though_the_policy_deletes(crm: House) -> None:
    synced(crm)
    master = crm.world.accounts["master"]
    remove(master, "stage", [master.pipeline("Care").id, master.stage("Care", "Visit").id])
    change(master, "stage", [master.pipeline("Sales").id, master.stage("Sales", "New").id], color="#ff8f92")
    SyncGroup.objects.update(unmatched_stages="delete_all", max_delete_share=100, max_master_shrink=100)
    crm.group.refresh_from_db()
    plan = planned(crm)
    assert ("delete", "Visit") in changed(plan)

    assert {item.row["action"] for item in choice.choosable(plan, digest_of(plan))} == {"update"}
    assert changed(chosen(crm, plan, "New")) == [("update", "New")]


def test_what_a_person_chooses_is_nothing_that_healing_has_put_back(crm: House) -> None:
    work(crm, approve(chosen(crm, planned(crm), "Care"), by=COMMAND))
    follow_ended()

    assert not HealedItem.objects.exists()


def test_nothing_can_be_chosen_that_is_not_in_the_plan_or_not_to_be_approved(crm: House) -> None:
    plan = planned(crm)
    digest, value = digest_of(plan), value_of(plan, "Care")
    alone = chosen(crm, plan, "Care")

    for run, values in ((plan, ["pipeline:4711"]), (plan, []), (alone, [value])):
        with pytest.raises(Refusal, match="No item was chosen"):
            choice.plan_chosen(run, digest, values, by=ANNA)
    send_back(plan, by=COMMAND, comment="No.")
    with pytest.raises(Refusal, match="No item was chosen"):
        choice.plan_chosen(plan, digest, [value], by=ANNA)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=ONLY_DEEP) for seed in range(2, 40))])
def test_any_choice_can_be_carried_out_and_the_rest_follows(crm: House, seed: int) -> None:
    """Branches that have changed on their own; whatever is chosen of their plans, no item of it fails."""
    rng = Random(seed)
    SyncGroup.objects.update(limit_minimum_items=10_000)
    crm.group.refresh_from_db()
    synced(crm)
    edit(crm.world.accounts["north"], rng, 6)
    edit(crm.world.accounts["master"], rng, 6)
    plan = planned(crm)
    items = choice.choosable(plan, digest_of(plan))
    picked: list[Any] = [item for item in items if rng.random() < 0.5] or items[:1]
    if not picked:
        return

    alone = work(crm, choice.plan_chosen(plan, digest_of(plan), [item.value for item in picked], by=ANNA))

    wanted = {(str(ref.kind), ref.key) for item in picked for ref in item.refs}
    assert "delete" not in {action for action, _name in changed(alone)}
    assert len(changed(alone)) <= len(wanted)
    if alone.account_runs.filter(state="planned", account__subdomain="north").exists():
        run = work(crm, approve(alone, by=COMMAND))
        assert crm.account_run(run, "north").state == "changed", crm.account_run(run, "north").document
    synced(crm)
    assert synced(crm).account_runs.get(account__subdomain="north").state in ("in_sync", "partial")
