"""Rolling back over HTTP: what a run changed is as it was before, what it made is gone again, the rest is untouched."""

import pytest

from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from syncing.models import AuditEntry, IdMapping, SlaveSnapshot, SyncRun
from syncing.services import rollback
from syncing.tests.crm import ANNA, account_runs, asked, look, planned, synced, work, writes
from syncing.tests.house import House


@pytest.fixture
def master(house: House) -> SimAccount:
    """With a pipeline, a group and fields; every slave has been brought to it once."""
    found = house.world.accounts["master"]
    pipeline = found.add_pipeline("Sales", stages=["New", "Offer", "Contract"])
    group = found.add_group("leads", "Deal")
    offer = found.stage("Sales", "Offer")
    found.add_field(
        "leads", "Source", "select", enums=["Web", "Phone"], group=group, required_statuses=[(pipeline.id, offer.id)]
    )
    found.add_field("leads", "Notes", "textarea", group=group)
    SyncGroup.objects.update(max_update_share=100, max_delete_share=100)
    synced(house)
    return found


@pytest.fixture
def north(house: House) -> SimAccount:
    return house.world.accounts["north"]


def roll_back(house: House, run: SyncRun, *names: str, mode: str = "apply") -> SyncRun:
    accounts = [house.accounts[name] for name in names] or None
    return work(house, rollback.start(run, accounts=accounts, mode=mode, by=ANNA, reason="It was wrong."))


def test_names_colours_order_options_and_required_stages_come_back(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    before = look(north)
    sales, source = master.pipeline("Sales"), master.field("leads", "Source")
    edits.change(master, "pipeline", sales.id, name="Big sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh", color="#ff8f92", sort=500)
    edits.change(master, "enum", [source.id, source.enums[0].id], value="Internet", sort=900)
    edits.add(master, "enum", field_id=source.id, value="Fair")
    edits.change(master, "field", source.id, required_statuses=[])
    edits.change(master, "field", master.field("leads", "Notes").id, name="Remarks", group_id="default")
    run = synced(house, accounts=[house.accounts["north"]])
    assert look(north) != before

    back = roll_back(house, run, "north")

    assert account_runs(back)["north"].state == "changed"
    assert look(north) == before
    assert north.losses == []


def test_unused_items_that_the_run_made_go_and_used_ones_stay_and_are_named(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    before = look(north)
    pipeline = master.add_pipeline("Support", stages=["Open", "Closed"])
    master.add_stage(master.pipeline("Sales"), "Lost contact")
    master.add_field("leads", "Budget", "numeric", group=master.add_group("leads", "Money"))
    master.add_field("leads", "Colour", "select", enums=["Red", "Blue"])
    run = synced(house)
    sales = north.pipeline("Sales")
    north.add_lead(sales.id, north.stage("Sales", "Lost contact").id, {north.field("leads", "Budget").id: 7})

    back = roll_back(house, run, "north")

    account_run = account_runs(back)["north"]
    assert pipeline.name not in [item.name for item in north.pipelines.values()]
    assert "Colour" not in [item.name for item in north.fields["leads"].values()]
    kept = {row["name"]: row["message"] for row in account_run.document["extras"]}
    assert set(kept) == {"Lost contact", "Budget", "Money"}
    assert "leads in it: 1" in kept["Lost contact"]
    assert "have values in it" in kept["Budget"]
    assert north.losses == []
    assert look(house.world.accounts["south"]) == look(master)
    assert look(north) != before


def test_what_is_gone_again_has_no_mapping_and_the_next_sync_makes_it_anew(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    master.add_pipeline("Support", stages=["Open"])
    run = synced(house)
    mappings = IdMapping.objects.filter(account=house.accounts["north"])
    known = mappings.count()

    roll_back(house, run, "north")

    assert mappings.count() == known - 5  # the pipeline, its stage, and the three that Kommo makes
    again = synced(house)
    assert account_runs(again)["north"].state == "changed"
    assert {account_run.state for name, account_run in account_runs(again).items() if name != "north"} == {"in_sync"}
    assert look(north) == look(master)
    assert mappings.count() == known


def delete_by_policy(house: House, master: SimAccount) -> SyncRun:
    """The master loses a stage, a field and an option, and the group's policy is to follow it."""
    kinds = ("pipelines", "stages", "groups", "fields", "options")
    SyncGroup.objects.update(**{f"unmatched_{kind}": "delete_created" for kind in kinds})
    sales, source = master.pipeline("Sales"), master.field("leads", "Source")
    edits.remove(master, "stage", [sales.id, master.stage(sales.id, "Offer").id])
    edits.remove(master, "enum", [source.id, source.enums[0].id])
    edits.remove(master, "field", master.field("leads", "Notes").id)
    return synced(house)


def test_what_the_run_deleted_comes_back_with_new_ids_and_is_named_before(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    before, old = look(north), north.stage("Sales", "Offer").id
    run = delete_by_policy(house, master)
    assert "Offer" not in str(look(north)["pipelines"])

    (forecast,) = rollback.forecasts_of(run, [house.accounts["north"].pk])
    assert forecast.recreated == 3
    assert {(loss.kind, loss.name) for loss in forecast.losses} == {
        ("stage", "Offer"),
        ("custom_field", "Notes"),
        ("enum", "Web"),
    }
    assert all("new id" in loss.message for loss in forecast.losses)

    back = roll_back(house, run, "north")

    assert account_runs(back)["north"].state == "changed"
    assert look(north) == before
    assert north.stage("Sales", "Offer").id != old


def test_a_rollback_can_be_rolled_back(house: House, master: SimAccount, north: SimAccount) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    master.add_field("leads", "Colour", "select", enums=["Red", "Blue"])
    master.add_pipeline("Support", stages=["Open", "Closed"])
    run = synced(house, accounts=[house.accounts["north"]])
    after = look(north)

    back = roll_back(house, run, "north")
    forth = roll_back(house, back)
    assert set(account_runs(forth)) == {"north"}
    assert look(north) == after
    assert account_runs(synced(house, accounts=[house.accounts["north"]]))["north"].state == "in_sync"

    once_more = roll_back(house, forth)
    assert account_runs(once_more)["north"].state == "changed"
    assert "Support" not in str(look(north))


def test_only_the_chosen_account_is_asked_and_the_master_not_at_all(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    master.add_stage(master.pipeline("Sales"), "Waiting")
    run = synced(house)
    since = len(house.world.log)

    back = roll_back(house, run, "north")

    assert {record.subdomain for record in list(house.world.log)[since:]} == {"north"}
    assert not asked(house, "master", since)
    assert back.master_requests == 0
    assert (back.state, back.reverts_id) == ("succeeded", run.pk)
    assert "Waiting" in str(look(house.world.accounts["south"]))


def test_edits_of_other_items_after_the_run_stay(house: House, master: SimAccount, north: SimAccount) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    run = synced(house, accounts=[house.accounts["north"]])
    mine = north.pipeline("Sales")
    edits.change(north, "stage", [mine.id, north.stage(mine.id, "Contract").id], name="Signed")
    north.add_field("leads", "Own notes", "text")

    roll_back(house, run, "north")

    assert [stage.name for stage in mine.ordinary] == ["New", "Offer", "Signed"]
    assert north.field("leads", "Own notes")


def test_the_former_main_pipeline_is_the_main_one_again(house: House, master: SimAccount, north: SimAccount) -> None:
    before = look(north)
    edits.change(master, "pipeline", master.pipeline("Sales").id, is_main=True)
    run = synced(house, accounts=[house.accounts["north"]])
    assert north.pipeline("Sales").is_main

    roll_back(house, run, "north")

    assert look(north) == before


def test_planning_a_rollback_writes_nothing_and_shows_every_change(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    run = synced(house)
    since = len(house.world.log)

    plan = roll_back(house, run, mode="plan")

    assert plan.state == "planned"
    assert not [record for record in list(house.world.log)[since:] if record.method != "GET"]
    (change,) = account_runs(plan)["north"].document["changes"]
    assert (change["action"], change["fields"]) == ("update", {"name": ["Fresh", "New"]})


def test_an_account_that_nobody_wrote_after_the_run_needs_no_change(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    run = synced(house, accounts=[house.accounts["north"]])
    edits.change(north, "stage", [north.pipeline("Sales").id, north.stage("Sales", "Fresh").id], name="New")

    back = roll_back(house, run, "north")

    assert account_runs(back)["north"].state == "in_sync"


def test_drift_is_not_told_by_a_rollback(house: House, master: SimAccount, north: SimAccount) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    run = synced(house, accounts=[house.accounts["north"]])
    drift = house.accounts["north"].drift
    checked = drift.checked_at

    roll_back(house, run, "north")

    drift.refresh_from_db()
    assert (drift.checked_at, drift.state) == (checked, "in_sync")


# -- snapshots --


def test_a_slave_is_kept_before_the_first_write_and_only_then(house: House, master: SimAccount) -> None:
    kept = SlaveSnapshot.objects.count()

    synced(house)  # nothing to do
    planned(house)
    assert SlaveSnapshot.objects.count() == kept == 4

    master.add_stage(master.pipeline("Sales"), "Waiting")
    run = synced(house)
    assert SlaveSnapshot.objects.filter(account_run__run=run).count() == 4


# -- before --


def test_the_forecast_names_later_runs_and_why_an_account_cannot_be_rolled_back(
    house: House, master: SimAccount
) -> None:
    Account.objects.filter(subdomain="east").update(paused=True)
    master.add_stage(master.pipeline("Sales"), "Waiting")
    run = synced(house)
    master.add_stage(master.pipeline("Sales"), "Done")
    later = synced(house, accounts=[house.accounts["north"]])
    Account.objects.filter(subdomain="south").update(paused=True)

    found = {forecast.account.subdomain: forecast for forecast in rollback.forecasts_of(run)}

    assert found["north"].later == (later.pk,)
    assert (found["north"].why_not, found["north"].deleted) == ("", 1)
    assert "paused" in found["south"].why_not
    assert "wrote nothing" in found["east"].why_not
    assert found["west"].later == ()


def test_a_forecast_asks_the_same_number_of_queries_for_one_account_and_for_all(
    house: House, master: SimAccount, django_assert_num_queries: object
) -> None:
    master.add_stage(master.pipeline("Sales"), "Waiting")
    run = synced(house)
    for accounts in ([house.accounts["north"].pk], None):
        with django_assert_num_queries(4):  # type: ignore[operator]
            rollback.forecasts_of(run, accounts)


@pytest.mark.parametrize("what", ["open", "plan", "nothing", "account", "approval"])
def test_it_refuses_with_a_sentence_and_what_to_do(house: House, master: SimAccount, what: str) -> None:
    code = {
        "open": "still_open",
        "plan": "nothing_written",
        "nothing": "no_snapshots",
        "account": "cannot_roll_back",
        "approval": "approval_needed",
    }[what]
    if what == "open":
        run = house.start()
    elif what == "plan":
        run = planned(house)
    elif what == "nothing":
        run = synced(house)
    else:
        master.add_stage(master.pipeline("Sales"), "Waiting")
        run = synced(house, accounts=[house.accounts["north"]])
    accounts = [house.accounts["south"]] if what == "account" else None
    if what == "approval":
        SyncGroup.objects.update(requires_approval=True)

    with pytest.raises(Refusal) as refusal:
        rollback.start(run, accounts=accounts, mode="apply", by=ANNA)

    assert refusal.value.code == code
    assert refusal.value.message
    assert refusal.value.remedy


def test_who_rolled_back_what_and_why_is_written_down(house: House, master: SimAccount) -> None:
    master.add_stage(master.pipeline("Sales"), "Waiting")
    run = synced(house)

    back = roll_back(house, run, "north")

    entry = AuditEntry.objects.get(action="rolled_back")
    assert (entry.actor, entry.via, entry.run, entry.reason) == ("anna", "admin", back.pk, "It was wrong.")
    assert entry.details == {"reverts": run.pk, "mode": "apply", "accounts": ["north"]}


def test_writes_of_a_rollback_touch_only_what_the_run_touched(
    house: House, master: SimAccount, north: SimAccount
) -> None:
    sales = master.pipeline("Sales")
    edits.change(master, "stage", [sales.id, master.stage(sales.id, "New").id], name="Fresh")
    run = synced(house)
    since = len(house.world.log)

    roll_back(house, run, "north")

    (only,) = writes(house, "north", since)
    mine = north.pipeline("Sales")
    assert (only.method, only.path) == (
        "PATCH",
        f"/api/v4/leads/pipelines/{mine.id}/statuses/{north.stage('Sales', 'New').id}",
    )
