"""`sync_all`: what it says, where, and how it ends."""

import errno
import io
import json
import signal
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError, connection
from django_q.models import OrmQ
from pytest_django import Settings

from accounts.models import Account, SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.leases import processes
from syncing.management.console import running
from syncing.management.console.output import write_json
from syncing.management.console.report import run_report
from syncing.management.console.signals import Stopping
from syncing.models import AccountRun, SyncRun
from syncing.selectors.documents import run_document
from syncing.services.work.reaper import reap

pytestmark = pytest.mark.django_db(transaction=True)

TOTALS = ["queued", "running", "planned", "in_sync", "changed", "partial", "failed", "refused", "skipped", "cancelled"]
ACCOUNT_KEYS = {
    *("subdomain", "state", "reason", "requests", "created", "updated", "deleted", "adopted", "plan", "note", "error"),
    *("changes", "extras", "conflicts", "manual", "wave"),
}


@pytest.fixture
def master(simulator: RunningServer, world: World) -> SimAccount:
    """The usual cast, over HTTP; the master has a pipeline that no slave has."""
    accounts = AccountFactory.cast()
    for name, account in accounts.items():
        account.token = world.add_account(name).token
        account.save()
    found = world.accounts["master"]
    found.add_pipeline("Sales <b>", stages=["New", "Offer"])
    return found


def sync(*args: str) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        call_command("sync_all", *args, stdout=out, stderr=errors)
    except SystemExit as end:
        code = end.code
    except CommandError as error:
        code = error.returncode
        errors.write(str(error))
    return code, out.getvalue(), errors.getvalue()


def document(*args: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = sync("--json", *args)
    return code, json.loads(out)


def test_it_syncs_here_and_ends_with_a_table(master: SimAccount) -> None:
    code, out, errors = sync()

    assert code == 0
    assert "north    changed" in out
    assert "succeeded: 4 changed" in out
    assert "4/4 (4 changed)" in errors


def test_its_document_is_the_one_of_the_house_plan(master: SimAccount) -> None:
    code, said = document()

    assert code == 0
    assert list(said) == [
        *("run", "type", "mode", "state", "reason", "error", "duration_s", "master", "totals", "accounts"),
        *("plans", "waves"),
    ]
    assert (said["type"], said["mode"], said["state"], said["reason"], said["error"]) == (
        *("full", "apply", "succeeded", None, None),
    )
    assert said["master"]["subdomain"] == "master"
    assert said["master"]["requests"] >= 7
    assert said["totals"] == {state: 4 if state == "changed" else 0 for state in TOTALS}
    assert [set(account) for account in said["accounts"]] == [ACCOUNT_KEYS] * 4
    created = [change for change in said["accounts"][0]["changes"] if change["action"] == "create"]
    assert {change["outcome"] for change in created} == {"done"}


def test_a_second_run_finds_everything_in_sync(master: SimAccount) -> None:
    document()
    code, said = document()

    assert code == 0
    assert said["totals"]["in_sync"] == 4
    assert {account["requests"] for account in said["accounts"]} == {7}


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
    assert "= extra: stage 'Offer' in Sales <b>: Kept: 12 leads are in it." in out
    accounts = {account["subdomain"]: account for account in said["accounts"]}
    assert accounts["north"]["plan"] == accounts["south"]["plan"] != accounts["east"]["plan"]
    messages = [accounts[name]["extras"][-1]["message"] for name in ("north", "south")]
    assert messages == ["Kept: 12 leads are in it.", "Kept: 3 leads are in it."]
    gone = [change for change in accounts["east"]["changes"] if change["action"] == "delete"]
    assert gone[-1]["fields"] == {"stages": [["Was"], None]}


def test_one_bad_account_ends_in_1_with_its_reason_and_the_others_go_on(master: SimAccount, world: World) -> None:
    world.faults.add(Fault("402", subdomain="east", times=None))

    code, out, _ = sync()

    assert code == 1
    assert "unpaid" in out
    assert "renew it" in out
    assert "partial: 3 changed, 1 failed" in out


def test_a_master_that_cannot_be_reached_ends_in_1_with_a_document(master: SimAccount, world: World) -> None:
    world.faults.add(Fault("401", subdomain="master", times=None))

    code, said = document()

    assert code == 1
    assert (said["state"], said["reason"], said["error"]["code"]) == ("failed", "unauthorised", "unauthorised")
    assert said["totals"]["skipped"] == 4


def test_only_the_named_accounts_are_touched(master: SimAccount, world: World) -> None:
    code, said = document("--account", "north", "--account", "south")

    assert code == 0
    assert [account["subdomain"] for account in said["accounts"]] == ["north", "south"]
    assert not world.log.of("west")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--account", "nowhere"], "nowhere"),
        (["--account", "master"], "master"),
        (["--group", "Nobody"], "Branches"),
        (["--force"], "--reason"),
        (["--reason", "because"], "--force"),
        (["--no-wait"], "--queue"),
    ],
)
def test_wrong_usage_ends_in_2_with_a_sentence_and_a_document(master: SimAccount, args: list[str], said: str) -> None:
    code, out, errors = sync("--json", *args)

    assert code == 2
    assert said in errors
    found = json.loads(out)
    assert (found["run"], found["state"]) == (None, "failed")
    assert said in found["error"]["message"] + found["error"]["remedy"]
    assert not SyncRun.objects.exists()


def test_without_a_group_several_are_listed(master: SimAccount) -> None:
    GroupFactory(name="Others")

    code, _, errors = sync()

    assert code == 2
    assert "Branches, Others" in errors


def test_without_any_group_the_way_to_one_is_said(transactional_db: None) -> None:
    code, _, errors = sync()

    assert code == 2
    assert "import_accounts" in errors


def test_a_forced_run_keeps_its_reason(master: SimAccount) -> None:
    document("--force", "--reason", "We moved")

    assert list(SyncRun.objects.values_list("forced", "force_reason")) == [(True, "We moved")]


# -- the queue --


def test_no_wait_prints_the_run_and_leaves_it_to_the_workers(master: SimAccount) -> None:
    code, said = document("--queue", "--no-wait")

    run = SyncRun.objects.get()
    assert (code, said) == (0, {"run": run.pk, "state": "queued"})
    assert run.queued_to_workers
    assert OrmQ.objects.count() == 2


def test_waiting_for_the_workers_says_when_there_are_none(master: SimAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopping, "wait", lambda self, seconds: end_all())

    code, _, errors = sync("--queue")

    assert code == 1
    assert "No worker is alive" in errors


def test_waiting_for_living_workers_says_nothing_of_the_kind(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.arrive("worker", processes.Kind.WORKER)
    monkeypatch.setattr(Stopping, "wait", lambda self, seconds: end_all())

    _, _, errors = sync("--queue")

    assert "No worker" not in errors


def end_all() -> bool:
    """As workers would, with an account that failed."""
    AccountRun.objects.update(state="failed", reason="unpaid")
    reap()
    return False


# -- being stopped --


def test_a_stop_in_the_middle_cancels_and_still_says_one_document(
    master: SimAccount, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.faults.add(Fault("slow", path="/custom_fields", subdomain="north", seconds=0.5, times=None))
    before = signal.getsignal(signal.SIGTERM)
    threading.Timer(0.8, lambda: signal.raise_signal(signal.SIGTERM)).start()

    code, said = document("--account", "north")

    assert code == 1
    assert said["state"] == "cancelled"
    assert "stopped after" in said["accounts"][0]["note"]
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("stays_away", [False, True])
def test_a_database_that_fails_in_the_middle_ends_in_1_with_the_run(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, stays_away: bool
) -> None:
    def fail(*args: object, **facts: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(running, "work_to_the_end", fail)
    if stays_away:
        monkeypatch.setattr(running, "run_document", fail)

    code, said = document("--account", "north")

    assert (code, said["run"]) == (1, SyncRun.objects.get().pk)
    if stays_away:
        assert (said["state"], said["error"]["code"]) == ("failed", "internal")
    else:
        assert (said["state"], len(said["accounts"])) == ("queued", 1)


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


def test_tokens_are_in_no_output(master: SimAccount, settings: Settings) -> None:
    tokens = Account.objects.values_list("token", flat=True)

    said = "".join(str(part) for args in (["--json"], []) for part in sync(*args))

    assert not [token for token in tokens if token in said]


# -- errors of our own --


@pytest.mark.parametrize("column", ["unmatched_pipelines", "wave_unit"])
def test_an_invalid_policy_value_ends_the_run_with_its_document_and_so_does_the_next_call(
    master: SimAccount, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    SyncGroup.objects.update(**{column: "bogus"})

    for number in (1, 2):
        code, said = document()
        assert (code, said["state"], said["reason"]) == (1, "failed", "internal")
        assert column in said["error"]["message"]
        assert said["totals"]["skipped"] == 4
        assert SyncRun.objects.filter(state="failed").count() == number


def test_an_error_of_this_command_itself_ends_the_run_and_prints_the_document(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(*args: object, **facts: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(running, "work_to_the_end", odd)
    code, out, errors = sync("--json")

    said = json.loads(out)
    assert (code, said["state"], said["reason"]) == (1, "failed", "internal")
    assert said["run"] == SyncRun.objects.get(state="failed").pk
    assert "KeyError in test_sync_all.py" in errors
    assert "secret" not in out + errors


def test_an_error_before_the_run_is_made_prints_a_document_too(
    master: SimAccount, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite keeps any text in a column of numbers."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute("UPDATE accounts_syncgroup SET wave_size = 'many'")
        cursor.execute("PRAGMA ignore_check_constraints = OFF")

    code, said = document()

    assert (code, said["run"], said["state"], said["error"]["code"]) == (1, None, "failed", "internal")
    assert not SyncRun.objects.exists()


def test_a_stored_half_of_a_surrogate_pair_does_not_keep_the_document_from_being_printed(master: SimAccount) -> None:
    sync()
    broken = {"changes": [{"action": "create", "kind": "stage", "name": "Sal\ud800es", "parent": "", "fields": {}}]}
    AccountRun.objects.update(document=broken)
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    write_json(OutputWrapper(out), run_document(SyncRun.objects.get()))
    out.seek(0)

    assert json.loads(out.read())["accounts"][0]["changes"][0]["name"] == "Sal\ud800es"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_printed_whatever_the_terminal_can_show(encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    write_json(OutputWrapper(out), {"name": "Vendas às 5 😀"})
    out.seek(0)

    assert json.loads(out.read()) == {"name": "Vendas às 5 😀"}


def test_a_full_disk_for_the_document_is_no_error_of_ours(master: SimAccount, caplog) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        call_command("sync_all", "--json", stdout=Full(), stderr=io.StringIO())

    assert "error of our own" not in caplog.text
    assert SyncRun.objects.get().state == "succeeded"


@pytest.mark.parametrize("broken", ["Sal\ud800es", "Sal\x00es"])
def test_a_name_that_can_be_neither_stored_nor_sent_is_held_back_and_the_rest_goes_on(
    master: SimAccount, world: World, broken: str
) -> None:
    master.add_pipeline(broken, stages=["New"])
    master.add_field("leads", "Colour", "select", enums=["red", f"green{broken}"])
    SyncGroup.objects.update(unmatched_pipelines="delete_all", unmatched_fields="delete_all")
    GroupFactory(name="Others")
    own = world.accounts["south"].add_pipeline(f"Own {broken}", stages=["New"])

    for state in ("changed", "in_sync"):
        code, said = document("--group", "Branches")
        assert (code, said["state"]) == (0, "succeeded"), said["error"]
        assert {account["state"] for account in said["accounts"]} == {state}
        held = [(item["kind"], item["message"]) for item in said["accounts"][0]["manual"]]
        assert {kind for kind, message in held if "neither stored nor sent" in message} == {"pipeline", "custom_field"}
    names = {pipeline.name for pipeline in world.accounts["north"].pipelines.values()}
    assert "Sales <b>" in names
    assert not any("Sal" in name and "es" in name and name != "Sales <b>" for name in names)
    assert own.id in world.accounts["south"].pipelines
