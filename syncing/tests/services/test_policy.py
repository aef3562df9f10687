"""The policy of a group as values: set all or nothing, whatever is wrong is named, and the audit says what changed."""

from typing import Any

import pytest

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import GroupFactory
from syncing.models import AuditEntry, Trigger
from syncing.services.policy import document_of, fields, policy_of, read_document, set_policy

pytestmark = pytest.mark.django_db
ANA = Actor("ana", Trigger.ADMIN)


@pytest.fixture
def group() -> SyncGroup:
    return GroupFactory()


def refused(group: SyncGroup, values: dict[str, Any]) -> str:
    """The message; nothing may have changed."""
    before = policy_of(group)
    with pytest.raises(Refusal) as error:
        set_policy(group, values, ANA)
    assert error.value.code == "bad_policy"
    assert policy_of(SyncGroup.objects.get()) == policy_of(group) == before
    assert not AuditEntry.objects.exists()
    return error.value.message


def test_its_keys_are_the_columns_that_a_person_sets(group: SyncGroup) -> None:
    policy = policy_of(group)

    assert {"sync_pipelines", "unmatched_fields", "max_deletes", "wave_size", "drift_hours"} <= policy.keys()
    assert {"watch", "look_seconds", "quiet_seconds", "trigger_quiet_seconds", "retry_minutes", "heal"} <= policy.keys()
    for other in ("id", "name", "created_at", "paused", "pause_reason", "paused_until", "webhook_token_hash"):
        assert other not in policy


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("requires_approval", "true", True),
        ("requires_approval", "YES", True),
        ("requires_approval", " on ", True),
        ("requires_approval", True, True),
        ("sync_pipelines", "false", False),
        ("sync_pipelines", "No", False),
        ("sync_pipelines", "off", False),
        ("sync_pipelines", False, False),
        ("quiet_seconds", "120", 120),
        ("quiet_seconds", 120, 120),
        ("trigger_quiet_seconds", "0", 0),
        ("watch", "apply", "apply"),
        ("time_zone", "America/Sao_Paulo", "America/Sao_Paulo"),
    ],
)
def test_a_value_is_taken_as_a_text_or_as_json_has_it(group: SyncGroup, key: str, written: Any, value: Any) -> None:
    old = getattr(group, key)

    assert set_policy(group, {key: written}, ANA) == {key: [old, value]}

    assert getattr(SyncGroup.objects.get(), key) == getattr(group, key) == value
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.via, entry.group) == ("policy", "ana", "admin", group.name)
    assert entry.details == {key: [old, value]}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("requires_approval", "maybe", "neither on nor off"),
        ("requires_approval", "", "neither on nor off"),
        ("requires_approval", 1, "neither on nor off"),
        ("requires_approval", None, "neither on nor off"),
        ("quiet_seconds", "soon", "'soon' is not a whole number"),
        ("quiet_seconds", "", "not a whole number"),
        ("quiet_seconds", "1.5", "not a whole number"),
        ("quiet_seconds", 1.5, "not a whole number"),
        ("quiet_seconds", True, "not a whole number"),
        ("quiet_seconds", "9" * 5000, "not a whole number"),
        ("quiet_seconds", "٣", "not a whole number"),
        ("quiet_seconds", "0", "greater than or equal to 1"),
        ("quiet_seconds", 86401, "less than or equal to 86400"),
        ("max_update_share", -1, "greater than or equal to 0"),
        ("watch", "aply", "off, report, plan, apply"),
        ("watch", "", "off, report, plan, apply"),
        ("watch", ["apply"], "off, report, plan, apply"),
        ("time_zone", "Sao Paulo", "not a time zone"),
        ("time_zone", "", "blank"),
        ("time_zone", "UTC\0", "not possible"),
        ("time_zone", {"a": 1}, "not possible"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(group: SyncGroup, key: str, value: Any, says: str) -> None:
    message = refused(group, {"wave_size": 7, key: value})

    assert message.startswith(f"{key}: ")
    assert says in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("key", "meant"),
    [("quiet_second", "quiet_seconds"), ("whatch", "watch"), ("require_approval", "requires_approval")],
)
def test_of_a_misspelt_key_the_right_one_is_told(group: SyncGroup, key: str, meant: str) -> None:
    assert f"Did you mean {meant}?" in refused(group, {key: "1"})


@pytest.mark.parametrize("key", ["", "zzz", "id", "name", "paused", "created_at", "webhook_token_hash", "ü\ud800" * 50])
def test_what_is_no_policy_is_not_known(group: SyncGroup, key: str) -> None:
    message = refused(group, {key: "x"})

    assert "There is no policy key" in message
    message.encode()


def test_everything_that_is_wrong_is_told_at_once(group: SyncGroup) -> None:
    message = refused(group, {"watch": "yes", "loook_seconds": 1, "heal": "never", "wave_size": 3})

    assert all(each in message for each in ("watch: ", "look_seconds?", "heal: "))
    assert "wave_size" not in message


def test_only_what_changes_is_written_down(group: SyncGroup) -> None:
    assert set_policy(group, {"watch": "off", "wave_size": 3}, ANA) == {"wave_size": [0, 3]}
    assert set_policy(group, {"watch": "off", "wave_size": 3}, ANA) == {}
    assert AuditEntry.objects.count() == 1


def test_what_somebody_else_set_meanwhile_is_the_old_value(group: SyncGroup) -> None:
    SyncGroup.objects.update(wave_size=9)

    assert set_policy(group, {"wave_size": 3}, ANA) == {"wave_size": [9, 3]}


def test_a_document_is_taken_back_as_it_is_told(group: SyncGroup) -> None:
    set_policy(group, {"watch": "plan", "requires_approval": "on", "look_seconds": 60}, ANA)
    document = document_of(group)
    SyncGroup.objects.update(watch="off", requires_approval=False, look_seconds=240)

    name, values = read_document(document)
    assert (name, values.keys()) == (group.name, fields().keys())
    assert set_policy(group, values, ANA).keys() == {"watch", "requires_approval", "look_seconds"}


@pytest.mark.parametrize(
    "document",
    [None, [], "x", {}, {"group": "Branches"}, {"policy": []}, {"policy": {}, "extra": 1}, {"policy": {}, "group": 7}],
)
def test_a_document_of_another_shape_is_refused(document: Any) -> None:
    with pytest.raises(Refusal) as error:
        read_document(document)
    assert error.value.code == "bad_policy"
