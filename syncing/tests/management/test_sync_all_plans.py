"""`sync_all --plan`, and how plans and reports are printed."""

import pytest

from accounts.models import SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.world import World
from syncing.models import AccountRun
from syncing.presentation.runs import run_report
from syncing.tests.commands import document, sync

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_plan_shows_every_change_and_writes_nothing(master: SimAccount, world: World) -> None:
    world.accounts["north"].add_pipeline("Old ways", stages=["One"])

    code, out, _ = sync("--plan")

    assert code == 0
    assert "+ create pipeline 'Sales <b>'" in out
    assert "extra, kept: pipeline 'Old ways'" in out
    assert {record.method for record in world.log} == {"GET"}
    assert set(AccountRun.objects.values_list("state", flat=True)) == {"planned"}


def test_equal_plans_are_printed_once_with_their_accounts(master: SimAccount, world: World) -> None:
    document()
    master.add_pipeline("After sales", stages=["Thanks"])
    world.accounts["west"].add_pipeline("Own ways", stages=["One"])
    west = next(item for item in world.accounts["west"].pipelines.values() if item.name == "Sales <b>")
    west.name = "Sales of west"

    code, out, _ = sync("--plan")

    assert code == 0
    assert out.count("+ create pipeline 'After sales'") == 2
    assert "3 accounts: the same 2 changes; 1 differ\n" in out
    assert "3 accounts: the same 2 changes\n    east, north, south\n  + create pipeline 'After sales'" in out
    assert "west: 3 changes\n    only here: ~ update pipeline 'Sales <b>'\n" in out
    assert "  = extra, kept: pipeline 'Own ways'\n" in out


def test_the_document_of_a_plan_names_each_distinct_plan_once(master: SimAccount, world: World) -> None:
    world.accounts["west"].add_pipeline("Sales <b>", stages=["New"])
    world.accounts["north"].add_pipeline("Own ways", stages=["One"])

    code, said = document("--plan")

    plans = {tuple(plan["accounts"]): plan for plan in said["plans"]}
    assert code == 0
    assert list(plans) == [("east", "north", "south"), ("west",)]
    assert {account["plan"] for account in said["accounts"]} == {plan["plan"] for plan in said["plans"]}
    created = {account["subdomain"]: account["created"] for account in said["accounts"]}
    assert [plan["created"] for plan in said["plans"]] == [created["east"], created["west"]]
    assert {account["subdomain"]: len(account["extras"]) for account in said["accounts"]}["north"] == 1
    assert said["plans"][0]["extras"] == 0, "what one account has for itself is not the plan's"


def test_a_plan_shows_what_it_deletes_and_why_other_things_stay(master: SimAccount, world: World) -> None:
    policy = dict.fromkeys(("unmatched_stages", "unmatched_pipelines"), "delete_created")
    SyncGroup.objects.update(**policy, max_delete_share=100)
    master.add_pipeline("Old ways", stages=["Was"])
    document()
    for name, leads in (("north", 12), ("south", 3)):
        sales = world.accounts[name].pipeline("Sales <b>")
        for _ in range(leads):
            world.accounts[name].add_lead(sales.id, sales.stage("Offer").id)
    master.delete_pipeline(master.pipeline("Old ways"))
    master.delete_stage(master.pipeline("Sales <b>"), master.pipeline("Sales <b>").stage("Offer"))

    _, out, _ = sync("--plan")
    code, said = document("--plan")

    assert code == 0
    assert "2 accounts: the same 2 changes; 2 differ\n" in out
    assert "- delete pipeline 'Old ways'\n      stages: [\"Was\"] -> (none)" in out
    assert "= extra: stage 'Offer' in Sales <b>: Kept: leads in it: 12." in out
    accounts = {account["subdomain"]: account for account in said["accounts"]}
    assert accounts["north"]["plan"] == accounts["south"]["plan"] != accounts["east"]["plan"]
    messages = [accounts[name]["extras"][-1]["message"] for name in ("north", "south")]
    assert messages == ["Kept: leads in it: 12.", "Kept: leads in it: 3."]
    gone = [change for change in accounts["east"]["changes"] if change["action"] == "delete"]
    assert gone[-1]["fields"] == {"stages": [["Was"], None]}


def test_names_cannot_break_the_report() -> None:
    change = {
        **{"action": "update", "kind": "stage", "name": '🎉 "quoted" <b>', "parent": "Sales"},
        **{"fields": {"name": [None, "x"]}, "outcome": "planned"},
    }
    account = {
        **dict.fromkeys(("created", "updated", "deleted", "adopted", "requests"), 0),
        **{"subdomain": "north", "state": "planned", "reason": None, "error": None, "note": None},
        **{"changes": [change], "extras": [], "conflicts": [], "manual": []},
    }
    facts = {"run": 1, "mode": "plan", "state": "planned", "reason": None, "error": None, "duration_s": 1.0}

    text = run_report({**facts, "totals": {"planned": 1}, "accounts": [account]})

    assert "~ update stage '🎉 \"quoted\" <b>' in Sales" in text
    assert 'name: (none) -> "x"' in text
