"""What reads back differently is still ours: servers that cut, escape, trim or recase names; nothing multiplies."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from syncing.engine.refs import Ref
from syncing.engine.rules import Limits, Rules
from syncing.replication.contract import Result
from syncing.tests.branches import Scene, bodies

BULB, ROCKET = "\U0001f4a1", "\U0001f680"
KINDS = {"pipeline": "pipeline", "stage": "stage", "group": "field_group", "field": "custom_field", "enum": "enum"}
SHORTER = ("cut", "drop", "question", "short", "escape,cut")
STORED = (*SHORTER, "escape", "escape_plain", "escape_twice", "trim", "upper", "nfd", "ascii")
SHOWN = ("escape", "upper", "nfd", "cut")


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    """A master whose names have everything in them that a server may not like."""
    made = Scene(simulator)
    made.master.pipelines.clear()
    made.master.add_pipeline(f"Vendas & São <1> {BULB} a ", stages=["Novo", f' Ideia {BULB} "x"', f" Ideia {BULB} y"])
    group = made.master.add_group("leads", f"R&D {ROCKET} dados do cliente inteiro ")
    made.master.add_field(
        "leads",
        f"Origem & 'canal' {BULB} ",
        "select",
        group=group,
        enums=["Web", f"Rádio & TV {BULB} ", f"Feira {ROCKET}"],
    )
    made.master.add_field("leads", f"{BULB}", "multiselect", enums=[f"{BULB}", f"{ROCKET}", "a  b"])
    return made


def ids(account: SimAccount) -> dict[str, list[Any]]:
    """Every id of the account, by kind."""
    return {
        "pipelines": sorted(account.pipelines),
        "stages": sorted((p.id, stage.id) for p in account.pipelines.values() for stage in p.stages),
        "groups": sorted(key for groups in account.groups.values() for key in groups),
        "fields": sorted(key for fields in account.fields.values() for key in fields),
        "options": sorted(e.id for fields in account.fields.values() for f in fields.values() for e in f.enums),
    }


def counts(account: SimAccount) -> dict[str, int]:
    return {kind: len(found) for kind, found in ids(account).items()}


def fill(account: SimAccount) -> dict[int, dict[int, Any]]:
    """A lead for each option of each select field; lead -> the values that it holds."""
    pipeline = account.ordered_pipelines[0]
    for item in account.fields["leads"].values():
        for enum in item.enums if item.type in ("select", "multiselect") else ():
            account.add_lead(pipeline.id, pipeline.ordinary[0].id, {item.id: enum.id})
    return {lead.id: dict(lead.values) for lead in account.leads.values()}


def told(result: Result) -> list[str]:
    """What is said of names, and that nothing else is wrong."""
    wrong = [row for row in result.document["changes"] if row["outcome"] != "done"]
    assert all(row["outcome"] == "unverified" and row["message"].startswith("Kommo stores it as") for row in wrong), (
        wrong
    )
    return [f"{row['kind']} {row['name']}: {row['message']}" for row in wrong]


EDITS: dict[int, Callable[[SimAccount], object]] = {
    2: lambda master: master.add_enum(_field(master), f"Nova & boa {BULB}"),
    4: lambda master: master.add_stage(master.ordered_pipelines[0], f"Fim & {ROCKET}"),
    5: lambda master: setattr(_field(master).enums[1], "value", f"TV & rádio {ROCKET} "),
    7: lambda master: setattr(master.ordered_pipelines[0].ordinary[1], "name", f"Outra & {BULB} fase"),
    8: lambda master: setattr(_field(master), "name", f"Canal & {BULB}"),
}


def _field(master: SimAccount) -> Any:
    return next(item for item in master.fields["leads"].values() if item.type == "select")


@pytest.mark.parametrize(
    ("variant", "way"), [("stored_names", w) for w in STORED] + [("shown_names", w) for w in SHOWN]
)
def test_nothing_multiplies_in_ten_runs(scene: Scene, variant: str, way: str) -> None:
    setattr(scene.world.variants, variant, way)
    north = scene.branch()
    north.account.pipelines.clear()
    keep = north.account.add_pipeline("Own", stages=["Own & 1"])
    before: dict[Ref, str] = {}
    leads: dict[int, dict[int, Any]] = {}
    for run in range(10):
        if run in EDITS:
            EDITS[run](scene.master)
        since = len(north.sent("POST", "PATCH"))
        setattr(scene.world.variants, variant, "")
        desired = scene.desired()
        setattr(scene.world.variants, variant, way)
        result = north.sync(desired, rules=Rules(limits=Limits()))

        names = told(result)
        assert len(names) == len(set(names)), "each is told once"
        assert result.state == ("partial" if names else result.state)
        assert result.state in ("partial", "changed", "in_sync")
        assert result.differences is not None
        if run not in EDITS and run:
            assert len(north.sent("POST", "PATCH")) == since, bodies(north.sent("POST", "PATCH")[since:])
            assert (result.created, result.updated, result.requests) == (0, 0, 7)
        assert before.items() <= north.known.items(), "an id that is mapped stays"
        before = dict(north.known)
        assert counts(north.account) == _with_own(counts(scene.master), keep)
        assert {lead.id: lead.values for lead in north.account.leads.values()} == leads
        assert north.wounds == (0, 0, 0)
        leads = leads or fill(north.account)


def _with_own(counted: dict[str, int], own: Any) -> dict[str, int]:
    return {**counted, "pipelines": counted["pipelines"] + 1, "stages": counted["stages"] + len(own.stages)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["cut", "escape", "trim", "upper"])
def test_each_kind_is_told_once_per_run_and_named_by_both_names(scene: Scene, way: str, kind: str) -> None:
    scene.world.variants.stored_names, scene.world.variants.respelt_kinds = way, kind
    north = scene.branch()
    desired = scene.desired()

    first, again, planned = north.sync(desired), north.sync(desired), north.sync(desired, writes=False)

    assert (first.state, again.state, planned.state) == ("partial", "partial", "partial")
    assert {line.partition(" ")[0] for line in told(again)} == {KINDS[kind]}
    assert sorted(told(first)) == sorted(told(again)) == sorted(told(planned))
    for row in again.document["changes"]:
        shown, sent = row["fields"]["name"]
        assert (row["action"], row["name"], row["message"]) == ("update", sent, f"Kommo stores it as {shown!r}.")
        assert shown != sent
