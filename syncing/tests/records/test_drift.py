"""The drift stored when an account run ends: what differs, since when, and what has changed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing import conf
from syncing.execution.reaper import reap
from syncing.execution.recorder import Recorder
from syncing.leases import claims
from syncing.models import AcceptedDifference, Drift, DriftChange, MasterSnapshot, RunPurpose
from syncing.records import drift, retention
from syncing.tests.factories import AccountRunFactory, RunFactory, difference, extra, missing
from syncing.tests.house import result

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pen() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


@pytest.fixture
def north() -> Account:
    return AccountFactory(subdomain="north")


@pytest.fixture
def look(pen: Recorder, north: Account):
    """A run that looks at north and finds these differences; gives what is kept of it."""

    def ended(*rows: dict[str, Any] | None, scope: str = "full", converged: bool | None = None, **facts: Any) -> Drift:
        group = north.group
        snapshot = MasterSnapshot.objects.create(group=group, type=scope, document={}, fingerprint="x")
        run = RunFactory(group=group, state="running", snapshot=snapshot, **facts)
        account_run = AccountRunFactory(run=run, account=north, state="queued")
        (claim,) = claims.claim_accounts("lane", 1, run.pk)
        known = None if None in rows else tuple(row for row in rows if row)
        real = [row for row in known or () if row["action"] != "extra"]
        equal = converged if converged is not None else known is not None and not real
        pen.finish(claim, replace(result("planned"), differences=known, converged=equal), [])
        run.state = "planned"
        run.save()
        assert type(account_run).objects.get(pk=account_run.pk).state == "planned"
        return Drift.objects.filter(account=north).first()  # type: ignore[return-value]

    return ended


def first_seen(found: Drift) -> dict[str, datetime]:
    return {row["key"]: datetime.fromisoformat(row["first_seen"]) for row in found.differences}


def test_a_run_tells_how_far_an_account_is_from_its_master(look) -> None:
    found = look(difference(), missing(cause="unknown"), difference("7/72", cause="both"), extra())
    assert (found.state, found.count, found.extras) == ("drifted", 3, 1)
    assert (found.by_master, found.by_slave, found.by_both, found.by_unknown) == (0, 1, 1, 1)
    assert found.since == found.checked_at
    assert found.converged_at is None
    assert found.run_id


def test_extras_are_no_drift(look) -> None:
    found = look(extra())
    assert (found.state, found.count, found.extras, found.since) == ("in_sync", 0, 1, None)
    assert found.converged_at


def test_what_is_not_known_changes_nothing(look) -> None:
    assert look(None) is None
    before = look(difference())
    after = look(None)
    assert (after.checked_at, after.differences) == (before.checked_at, before.differences)


@pytest.mark.parametrize("purpose", [RunPurpose.ROLLBACK, RunPurpose.PROMOTION])
def test_a_run_that_compares_with_something_else_than_the_master_tells_nothing(look, purpose) -> None:
    assert look(difference(), purpose=purpose) is None


def test_a_difference_keeps_the_moment_when_it_was_first_seen_whatever_its_value_becomes(look) -> None:
    first = look(difference())
    second = look(difference(theirs="#98cbff", cause="both"), missing())
    assert first_seen(second)["7/71"] == first.checked_at == second.since
    assert first_seen(second)["leads/12"] == second.checked_at


def test_another_action_on_the_same_item_is_another_difference(look) -> None:
    first = look(difference())
    second = look(difference(action="create", attribute=""))
    assert first_seen(second)["7/71"] > first.checked_at


def test_what_comes_back_is_seen_anew(look) -> None:
    look(difference())
    look()
    back = look(difference())
    assert back.since == back.checked_at


@pytest.mark.parametrize(("scope", "gone"), [("pipelines", "7/71"), ("custom_fields", "leads/12")])
def test_a_run_of_one_part_replaces_only_what_it_covers(look, scope: str, gone: str) -> None:
    look(difference(), missing())
    found = look(scope=scope)
    assert {row["key"] for row in found.differences} == {"7/71", "leads/12"} - {gone}
    assert (found.state, found.converged_at) == ("drifted", None)


def test_what_the_policy_covers_no_more_is_forgotten(look, north: Account) -> None:
    look(difference(), missing())
    SyncGroup.objects.filter(pk=north.group_id).update(sync_custom_fields=False)
    assert look(scope="pipelines").differences == []


def test_the_base_is_the_master_of_the_run_that_found_them_equal_part_by_part(look) -> None:
    look(difference())
    assert Drift.objects.get().base_pipelines is None
    full = look()
    assert full.base_pipelines == full.base_fields == full.run.snapshot
    pipelines = look(scope="pipelines")
    assert (pipelines.base_pipelines, pipelines.base_fields) == (pipelines.run.snapshot, full.run.snapshot)
    drifted = look(difference())
    assert (drifted.base_pipelines, drifted.base_fields) == (pipelines.base_pipelines, full.base_fields)
    assert drifted.converged_at == pipelines.checked_at


def test_the_master_of_another_group_is_no_base(look, north: Account) -> None:
    base = look().base_fields
    group, other = north.group_id, GroupFactory(name="Others").pk
    assert drift.bases_of([north.pk], group) == {north.pk: (base.pk, base.pk)}
    assert drift.bases_of([north.pk], other) == {north.pk: (None, None)}


def test_a_conflict_alone_is_not_told_to_be_in_sync(look) -> None:
    assert look(converged=False).state == "conflict"
    assert look(scope="pipelines").state == "conflict"  # it may lie in the fields
    assert look(difference(), converged=False).state == "drifted"
    found = look()
    assert (found.state, found.base_fields) == ("in_sync", found.run.snapshot)


def test_the_history_tells_what_appeared_and_what_went(look) -> None:
    look(difference())
    look(difference())
    look(difference(theirs="#98cbff"), missing())
    look()
    told = [
        ([row["name"] for row in change.appeared], [row["theirs"] for row in change.gone])
        for change in DriftChange.objects.order_by("pk")
    ]
    assert told == [(["Offer"], []), (["Offer", "Budget"], ["#ff8f92"]), ([], ["#98cbff", None])]
    assert all(change.run_id for change in DriftChange.objects.all())


def test_of_very_many_that_appear_at_once_the_history_keeps_some_and_the_number(look) -> None:
    look(*[difference(f"7/{number}") for number in range(drift.HISTORY_LENGTH + 5)])
    change = DriftChange.objects.get()
    assert (len(change.appeared), change.appeared_count) == (drift.HISTORY_LENGTH + 1, drift.HISTORY_LENGTH + 5)
    assert (change.gone, change.gone_count) == ([], 0)


def test_nothing_differs_at_the_first_look_and_the_history_stays_empty(look) -> None:
    look()
    assert not DriftChange.objects.exists()


def test_what_was_accepted_meanwhile_does_not_come_back_with_the_end_of_a_run(look, north: Account) -> None:
    accepted = AcceptedDifference.objects.create(account=north, kind="stage", key="7/71", attribute="color")
    AcceptedDifference.objects.create(account=north, kind="pipeline", key="8")
    rows = [difference(), difference(attribute="name"), difference("8/1"), difference("8", kind="pipeline")]
    assert [row["attribute"] for row in look(*rows).differences] == ["name"]
    accepted.withdrawn_at = timezone.now()
    accepted.save()
    assert [row["attribute"] for row in look(*rows).differences] == ["color", "name"]


def test_odd_characters_are_stored_without_what_a_database_cannot_keep(look) -> None:
    (row,) = look(difference(name="Of\0fer", theirs=["a\ud800"])).differences
    assert (row["name"], row["theirs"]) == ("Offer", ["a?"])


def test_a_lane_stores_drift_in_the_commit_that_ends_the_account(pen: Recorder, north: Account) -> None:
    """What cannot be stored leaves the account open: its end is not told without its drift."""
    snapshot = MasterSnapshot.objects.create(group=north.group, type="full", document={}, fingerprint="x")
    run = RunFactory(group=north.group, state="running", snapshot=snapshot)
    account_run = AccountRunFactory(run=run, account=north, state="queued")
    (claim,) = claims.claim_accounts("lane", 1, run.pk)
    with pytest.raises(TypeError):
        pen.finish(claim, replace(result(), differences=(difference(ours=object()),)), [])
    account_run.refresh_from_db()
    assert account_run.state == "running"
    assert not Drift.objects.exists()


def test_the_oldest_changes_of_an_account_go_when_there_are_too_many(north: Account) -> None:
    conf_keep = conf.KEEP_DRIFT_CHANGES
    now = timezone.now()
    DriftChange.objects.bulk_create(
        DriftChange(account=north, at=now + timedelta(seconds=n)) for n in range(conf_keep + 3)
    )
    other = DriftChange.objects.create(account=AccountFactory(), at=now)
    assert retention.prune_drift_changes() == 3
    kept = DriftChange.objects.filter(account=north).order_by("at")
    assert (kept.count(), kept[0].at) == (conf_keep, now + timedelta(seconds=3))
    assert DriftChange.objects.filter(pk=other.pk).exists()
    assert retention.prune_drift_changes() == 0


def test_the_master_that_slaves_were_last_equal_to_is_kept(look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "KEEP_LOGS_OF", 1)
    base = look().base_fields
    for _ in range(3):
        look(difference())
    reap()
    kept = set(MasterSnapshot.objects.values_list("pk", flat=True))
    assert base.pk in kept
    assert len(kept) == 2
