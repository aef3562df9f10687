"""Healing: which differences are edits that can be put back, and which wait for the place that they need."""

from typing import Any

from syncing.engine.healing import Edit, edits_in, missing_places, of_first_accounts, with_their_places
from syncing.engine.refs import Kind, Ref


def row(kind: str, key: str, attribute: str = "", **facts: Any) -> dict[str, Any]:
    action = "update" if attribute else "create"
    return {"kind": kind, "key": key, "attribute": attribute, "action": action, "cause": "slave", **facts}


def put_back(*rows: dict[str, Any]) -> list[tuple[str, str, str]]:
    edits = with_their_places(sorted(edits_in(1, rows)), {1: missing_places(rows)})
    return [(edit.kind, edit.key, edit.attribute) for edit in edits]


def test_only_what_the_slave_alone_did_to_items_of_the_master_is_an_edit() -> None:
    others = [row("stage", f"7/{at}", "color", cause=cause) for at, cause in enumerate(("master", "both", "unknown"))]
    own = [row("pipeline", "=Own", action="extra"), row("stage", "7/=Mine", action="delete")]
    assert put_back(*others, *own, row("enum", "leads/1/2", "name"), row("stage", "7/9", "name")) == [
        ("stage", "7/9", "name")
    ]


def test_a_stage_waits_for_its_pipeline_alone() -> None:
    gone = row("pipeline", "7", cause="unknown")
    assert put_back(gone, row("stage", "7/71"), row("stage", "8/81")) == [("stage", "8/81", "")]
    assert put_back(gone | {"cause": "slave"}, row("stage", "7/71")) == [("pipeline", "7", ""), ("stage", "7/71", "")]


def test_the_stages_that_a_field_names_have_to_be_there() -> None:
    field = row("custom_field", "leads/1", "required_statuses")
    assert put_back(field) == [("custom_field", "leads/1", "required_statuses")]
    assert put_back(field, row("stage", "7/71", cause="master")) == []
    assert len(put_back(field, row("stage", "7/71"))) == 2
    assert put_back(row("custom_field", "leads/1", "name"), row("stage", "7/71", cause="master")) == [
        ("custom_field", "leads/1", "name")
    ]


def test_a_field_waits_for_a_group_of_its_entity() -> None:
    group = row("field_group", "leads/g", cause="master")
    for attribute in ("", "group"):
        assert put_back(group, row("custom_field", "leads/1", attribute)) == []
        assert len(put_back(group, row("custom_field", "contacts/1", attribute))) == 1
        assert len(put_back(group | {"cause": "slave"}, row("custom_field", "leads/1", attribute))) == 2


def test_what_is_missing_in_one_account_keeps_no_other_waiting() -> None:
    edits = [Edit(1, "stage", "7/71", ""), Edit(2, "stage", "7/71", "color")]
    assert with_their_places(edits, {1: {Ref(Kind.PIPELINE, "7")}}) == edits[1:]


def test_of_many_edits_whole_accounts_come_first_and_the_first_always() -> None:
    edits = [Edit(account, "stage", f"7/{at}", "color") for account in (1, 2, 3) for at in range(2)]
    assert [edit.account_id for edit in of_first_accounts(edits, 6)] == [1, 1, 2, 2, 3, 3]
    assert [edit.account_id for edit in of_first_accounts(edits, 3)] == [1, 1]
    assert [edit.account_id for edit in of_first_accounts(edits, 1)] == [1, 1]
