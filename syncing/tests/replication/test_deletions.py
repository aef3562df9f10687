"""Deletions by policy: only what may go goes, last of all, after its use was counted; and what refuses an account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from accounts.simulator.server import RunningServer
from syncing.adapters.usage import UNREADABLE
from syncing.engine.refs import Kind, Scope
from syncing.engine.rules import NO_RULES, Limits, Unmatched
from syncing.engine.snapshot import Snapshot
from syncing.replication import replicate
from syncing.replication.contract import Result, Target
from syncing.tests.branches import WRITES, Branch, Scene, changes, client_of, read, shown

ALL = dict.fromkeys(Kind, Unmatched.DELETE_ALL)
OURS = dict.fromkeys(Kind, Unmatched.DELETE_CREATED)


@pytest.fixture
def scene(simulator: RunningServer) -> Scene:
    return Scene(simulator)


@dataclass
class Policy:
    """Syncs a branch by a policy; `kept` are the snapshots from before the first write."""

    branch: Branch
    unmatched: Mapping[Kind, Unmatched]
    limits: Limits | None = None
    kept: list[Snapshot] = field(default_factory=list)

    def sync(self, desired: Snapshot, **facts: Any) -> Result:
        created = frozenset((each.ref.kind, each.slave_key) for each in self.branch.mapped if each.created_by_us)
        rules = replace(NO_RULES, unmatched=self.unmatched, created=created, limits=self.limits)
        return self.run(Target(self.branch.account.subdomain, Scope.FULL, True, desired, {}, rules=rules), **facts)

    def run(self, target: Target, **facts: Any) -> Result:
        branch = self.branch
        target = replace(target, known=dict(branch.known), **facts)
        with client_of(branch.server, branch.account, clock=branch.clock) as client:
            return replicate(target, client, branch.record, branch.checkpoint, lambda kept, _: self.kept.append(kept))


def extras(result: Result) -> dict[str, str]:
    return {each["name"]: each.get("message", "") for each in result.document["extras"]}


@pytest.fixture
def full(scene: Scene) -> Scene:
    """A master with one thing of each kind that will be taken away again."""
    pipeline = scene.master.add_pipeline("Sales", stages=["New", "Offer"])
    scene.master.add_pipeline("Old", stages=["Was"])
    group = scene.master.add_group("leads", "Deal")
    scene.master.add_field("leads", "Source", "select", enums=["Web", "Fair"], group_id=group.id)
    scene.master.add_field("leads", "Note", required_statuses=[(pipeline.id, pipeline.stage("Offer").id)])
    scene.master.add_field("contacts", "Nick")
    return scene


def take_away(scene: Scene) -> Snapshot:
    """The master without them."""
    master = scene.master
    master.delete_stage(master.pipeline("Sales"), master.pipeline("Sales").stage("Offer"))
    master.delete_pipeline(master.pipeline("Old"))
    source = master.field("leads", "Source")
    source.group_id = "default"
    master.delete_enum(source, source.enums[1])
    master.delete_group("leads", next(each for each in master.groups["leads"].values() if each.name == "Deal"))
    master.delete_field(master.field("leads", "Note"))
    master.delete_field(master.field("contacts", "Nick"))
    return scene.desired()


GONE = [
    ("delete", "enum", "Fair"),
    ("delete", "custom_field", "Nick"),
    ("delete", "custom_field", "Note"),
    ("delete", "field_group", "Deal"),
    ("delete", "stage", "Offer"),
    ("delete", "pipeline", "Old"),
]


@pytest.mark.parametrize("unmatched", [OURS, ALL], ids=["delete_created", "delete_all"])
def test_what_we_made_and_the_master_has_no_more_is_deleted_children_first_and_last_of_all(
    full: Scene, unmatched: Mapping[Kind, Unmatched]
) -> None:
    north = full.branch()
    policy = Policy(north, unmatched)
    policy.sync(full.desired())
    full.master.add_field("leads", "Later")

    result = policy.sync(take_away(full))

    assert result.state == "changed", result.document
    deletions = [row for row in shown(result) if row[0] == "delete"]
    own = {"Pipeline"} if unmatched is ALL else set()  # what a new account has
    assert [row for row in deletions if row[2] not in own] == GONE
    assert shown(result)[-len(deletions) :] == deletions
    writes = [each.method for each in north.sent(*WRITES)]
    assert writes[-len(deletions) + 1 :] == ["DELETE"] * (len(deletions) - 1), "an option goes by PATCH, before them"
    assert policy.sync(full.desired()).state == "in_sync"
    assert not {"Offer", "Old"} & {ref.key for ref in north.known}


@pytest.mark.parametrize("in_a_group", [True, False])
def test_the_last_field_of_all_may_go_and_its_empty_list_is_believed(scene: Scene, *, in_a_group: bool) -> None:
    group = scene.master.add_group("contacts", "Deal")
    only = scene.master.add_field("contacts", "Only", group_id=group.id if in_a_group else "default")
    for item in [each for each in scene.master.fields["contacts"].values() if each is not only]:
        scene.master.delete_field(item)
    north = scene.branch()
    north.account.fields["contacts"].clear()
    policy = Policy(north, OURS)
    policy.sync(scene.desired())
    scene.master.delete_field(only)

    result = policy.sync(scene.desired())

    assert (result.state, result.deleted) == ("changed", 1)
    assert not north.account.fields["contacts"]


def test_by_default_all_of_it_is_kept_and_named(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, {})
    policy.sync(full.desired())
    result = policy.sync(take_away(full))
    assert not changes(result, action="delete")
    assert {name for _, _, name in GONE} <= set(extras(result))
    assert north.sent("DELETE") == []


def test_what_somebody_made_in_the_slave_stays_unless_the_policy_says_all(scene: Scene) -> None:
    scene.master.add_pipeline("Sales", stages=["New"])
    north = scene.branch()
    north.account.add_field("leads", "Own")
    assert Policy(north, OURS).sync(scene.desired()).document["extras"]
    assert north.account.field("leads", "Own")
    assert ("delete", "custom_field", "Own") in shown(Policy(north, ALL).sync(scene.desired()))


def test_a_stage_with_leads_stays_and_says_how_many(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    sales = north.account.pipeline("Sales")
    for _ in range(12):
        north.account.add_lead(sales.id, sales.stage("Offer").id)
    result = policy.sync(take_away(full))
    assert result.state == "changed"
    assert extras(result)["Offer"] == "Kept: leads in it: 12."
    assert north.account.moved_leads == 0


def test_the_trash_counts_as_well(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    old = north.account.pipeline("Old")
    north.account.add_lead(old.id, old.stage("Was").id, is_deleted=True)
    result = policy.sync(take_away(full))
    assert extras(result)["Old"] == "Kept: leads of it in the trash: 1."


def test_incoming_leads_keep_their_pipeline(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    north.account.add_unsorted(north.account.pipeline("Old").id)
    assert extras(policy.sync(take_away(full)))["Old"]
    assert north.account.pipeline("Old")


def test_fields_and_options_with_values_stay_whoever_holds_them(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    sales, source = north.account.pipeline("Sales"), north.account.field("leads", "Source")
    option = next(enum for enum in source.enums if enum.value == "Fair")
    north.account.add_lead(sales.id, sales.stage("New").id, {source.id: option.id})
    north.account.add_contact({north.account.field("contacts", "Nick").id: "Al"})
    result = policy.sync(take_away(full))
    assert extras(result)["Fair"] == "Kept: leads have values in it."
    assert extras(result)["Nick"] == "Kept: contacts have values in it."
    assert ("delete", "custom_field", "Note") in shown(result)
    assert north.account.lost_values == 0


def test_what_cannot_be_counted_is_kept(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    desired = take_away(full)
    full.fault("403_json", north, method="GET", path=re.compile(r"/api/v4/(leads|contacts)(\?|$)"), times=None)
    result = policy.sync(desired)
    assert "does not let us count" in extras(result)["Nick"]
    assert "does not let us count" in extras(result)["Offer"]


@pytest.mark.parametrize("behind", ["204", "list", "endless"])
def test_an_empty_page_behind_the_last_one_neither_stops_a_run_nor_keeps_what_nobody_uses(
    full: Scene, behind: str
) -> None:
    full.world.variants.empty_page_behind = behind
    north = full.branch()
    policy = Policy(north, OURS)
    assert policy.sync(full.desired()).state == "changed"
    stage = north.account.pipeline("Sales").stage("New")
    north.account.add_lead(north.account.pipeline("Sales").id, stage.id)
    desired = take_away(full)
    before = len(north.sent())

    result = policy.sync(desired)

    assert [row for row in shown(result) if row[0] == "delete"] == GONE
    assert len(north.sent()) - before < 80, "no page is asked for behind an empty one"


def test_a_value_behind_a_full_page_and_an_empty_one_is_not_lost(full: Scene) -> None:
    """The list of leads has no counts: an empty second page says nothing of what lies behind the first."""
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    sales, note = north.account.pipeline("Sales"), north.account.field("leads", "Note")
    for _ in range(250):
        north.account.add_lead(sales.id, sales.stage("New").id)
    north.account.add_lead(sales.id, sales.stage("New").id, {note.id: "on page 2"})
    full.fault("no_content", north, path=re.compile(r"/leads\?.*page=2"), times=None)

    result = policy.sync(take_away(full))

    assert extras(result)["Note"] == UNREADABLE % {"why": "bad_answer"}
    assert north.account.field("leads", "Note")
    assert north.account.lost_values == 0
    assert ("delete", "custom_field", "Nick") in shown(result), "what can be counted goes on"


def test_use_is_counted_where_lists_are_objects_and_options_are_not_told(full: Scene) -> None:
    full.world.variants.lists_as_objects = True
    north = full.branch()
    policy = Policy(north, OURS)
    assert policy.sync(full.desired()).state == "changed"
    assert policy.sync(full.desired()).state == "in_sync"
    sales, source = north.account.pipeline("Sales"), north.account.field("leads", "Source")
    lead = north.account.add_lead(sales.id, sales.stage("New").id, {source.id: source.enums[0].id})
    full.fault("odd", north, item=lead.id, at="custom_fields_values.0.values.0.enum_id", times=None)
    assert extras(policy.sync(take_away(full)))["Fair"] == "Kept: leads have values in it."


def test_what_came_into_use_after_the_plan_stays_and_the_account_is_not_done(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    desired = take_away(full)
    sales = north.account.pipeline("Sales")

    def busy(note: str) -> None:
        if note.startswith("updating"):  # the first write: the plan is made
            north.account.add_lead(sales.id, sales.stage("Offer").id)

    full.master.field("leads", "Source").name = "Origin"
    north.checkpoint = busy  # type: ignore[method-assign]
    result = policy.sync(full.desired())
    assert result.state == "partial"
    (stage,) = changes(result, action="delete", kind="stage")
    assert (stage["outcome"], stage["message"][:6]) == ("skipped", "Kept: ")
    assert north.account.moved_leads == 0
    del desired


def test_a_pipeline_with_a_stage_of_the_slaves_own_stays_whole(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    north.account.add_stage(north.account.pipeline("Old"), "Own")
    result = policy.sync(take_away(full))
    assert extras(result)["Old"] == "Kept: there is something inside that KommoSync did not create."
    assert [stage.name for stage in north.account.pipeline("Old").ordinary] == ["Was", "Own"]


def test_an_option_added_meanwhile_survives_the_deletion_of_another(full: Scene) -> None:
    """The list of options is read right before it is sent: what is missing in it would be deleted as well."""
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    desired = take_away(full)
    source = north.account.field("leads", "Source")

    def busy(note: str) -> None:
        is_there = any(enum.value == "Radio" for enum in source.enums)
        if note.startswith("reading /leads/custom_fields/") and note[-1].isdigit() and not is_there:
            north.account.add_enum(source, "Radio")

    north.checkpoint = busy  # type: ignore[method-assign]
    policy.sync(desired)
    assert [enum.value for enum in source.ordered_enums] == ["Web", "Radio"]


def test_a_refused_deletion_costs_only_itself(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS)
    policy.sync(full.desired())
    desired = take_away(full)
    full.fault("500", north, method="DELETE", path="/leads/custom_fields/", times=None)
    result = policy.sync(desired)
    assert result.state == "partial"
    outcomes = {row["name"]: row["outcome"] for row in changes(result, action="delete")}
    assert outcomes["Note"] == "failed"
    assert outcomes["Old"] == outcomes["Offer"] == outcomes["Nick"] == "done"


# -- what refuses an account before the first write --


def refused(result: Result) -> tuple[str, str | None]:
    return result.state, result.reason


def test_too_many_updates_refuse_the_account_with_the_numbers(scene: Scene) -> None:
    pipeline = scene.master.add_pipeline("Sales", stages=[f"Stage {at}" for at in range(12)])
    north = scene.branch()
    policy = Policy(north, {}, Limits())
    assert policy.sync(scene.desired()).state == "changed"
    for stage in pipeline.ordinary[:8]:
        stage.name += " (new)"
    writes = len(north.sent(*WRITES))

    result = policy.sync(scene.desired())

    assert refused(result) == ("refused", "guard")
    assert result.error is not None
    assert "8 of 18 items kept in step (44.44%) would be updated; 30% are allowed" in result.error["message"]
    assert "--force" in result.error["message"]
    assert len(north.sent(*WRITES)) == writes
    assert {row["outcome"] for row in result.document["changes"]} == {"skipped"}
    policy.limits = None
    assert policy.sync(scene.desired()).state == "changed"


def test_too_many_deletions_refuse_the_account(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, OURS, Limits(max_deletes=5))
    policy.sync(full.desired())
    result = policy.sync(take_away(full))
    assert refused(result) == ("refused", "guard")
    assert result.error is not None
    assert "7 items would be deleted; 5 are allowed in one run" in result.error["message"]
    assert north.sent("DELETE") == []


def test_another_plan_than_the_approved_one_writes_nothing_and_shows_the_new_one(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, {})
    plan = policy.sync(full.desired(), writes=False)
    north.account.add_field("leads", "Note")  # somebody else was faster

    result = policy.sync(full.desired(), approved_digest=plan.digest)

    assert refused(result) == ("refused", "stale_plan")
    assert north.sent(*WRITES) == []
    assert result.document["changes"] != plan.document["changes"]
    assert policy.sync(full.desired(), approved_digest=result.digest).state == "changed"


def test_where_nothing_is_left_to_do_no_approval_is_missed(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, {})
    plan = policy.sync(full.desired(), writes=False)
    policy.sync(full.desired())
    assert policy.sync(full.desired(), approved_digest=plan.digest).state == "in_sync"


# -- the snapshot from before --


def test_the_account_is_kept_as_it_was_before_the_first_write_and_only_then(full: Scene) -> None:
    north = full.branch()
    policy = Policy(north, {})
    before = read(north.server, north.account)
    policy.sync(full.desired(), writes=False)
    assert policy.kept == []
    policy.sync(full.desired())
    assert [kept.fields for kept in policy.kept] == [before.fields]
    policy.sync(full.desired())
    assert len(policy.kept) == 1, "nothing was written"
