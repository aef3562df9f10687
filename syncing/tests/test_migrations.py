"""Migrations of data: no row is lost, and runs that wait are worked afterwards as before."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from accounts import clock
from accounts.kommo.stopping import Stopped, StopReason
from accounts.models import SyncGroup
from accounts.tests.laws import only_deep
from accounts.tests.tables import connected, postgres_database
from syncing import replication
from syncing.execution import ip_block
from syncing.models import IpBlock, MasterSnapshot, PromotionProposal, SyncRun
from syncing.models.snapshots import part_digest
from syncing.selectors.promotion import candidates
from syncing.services import promotion
from syncing.services.approvals import approve
from syncing.services.audit import Actor
from syncing.tests.crm import ANNA, account_runs, planned, synced, work
from syncing.tests.house import House

own_names = import_module("syncing.migrations.0003_own_items_by_exact_name")
BEFORE = (("accounts", "0008_plain_labels"), ("syncing", "0008_pending_creations"))
MOMENT = datetime(2026, 11, 30, 12, 0, 0, 250000, UTC)


@pytest.mark.parametrize(("before", "name", "after"), [
    ("=old pipeline", "Old  Pipeline", "=Old  Pipeline"),
    ("7/=new: hot#2", "New: Hot", "7/=New: Hot#2"),
    ("leads/=text:status", "STATUS", "leads/=text:STATUS"),
    ("leads/=text:a:b", "A:B", "leads/=text:A:B"),
    ("leads/12/=a##b#3", "A#B", "leads/12/=A##B#3"),
    ("7/71", "Old", "7/71"),
])  # fmt: skip
def test_accepted_items_of_a_slave_keep_their_exception_under_their_exact_name(
    before: str, name: str, after: str
) -> None:
    assert own_names.exact(before, name) == after


# -- 0009, 0010, and 0009 of accounts: tables by their names --


def migrated(alias: str, *nodes: tuple[str, str]) -> Any:
    """The models after the migration to `nodes`; without, to the newest."""
    executor = MigrationExecutor(connections[alias])
    targets = list(nodes) or executor.loader.graph.leaf_nodes()
    executor.migrate(targets)
    return executor.loader.project_state(targets).apps


class Rows:
    """The rows of a database by the models of a time."""

    def __init__(self, alias: str, *nodes: tuple[str, str]) -> None:
        self.alias, self.apps = alias, migrated(alias, *nodes)

    def __getattr__(self, model: str) -> Any:
        app = "accounts" if model in ("SyncGroup", "RequestSlot", "WriteProbe") else "syncing"
        return self.apps.get_model(app, model).objects.using(self.alias)


def check_rows(database: str) -> None:
    """Every row of before is in the table of its name, and goes back with all that it was."""
    old = Rows(database, *BEFORE)
    group = old.SyncGroup.create(name="Branches")
    taken = {}
    for document, accepted in (({"pipelines": [1]}, True), ({"only": [2]}, False), ({"only": [3]}, False)):
        row = old.MasterSnapshot.create(
            group=group, type="pipelines", document=document, fingerprint="x", accepted=accepted
        )
        old.MasterSnapshot.filter(pk=row.pk).update(taken_at=MOMENT)
        taken[str(document)] = row
    reading, proposed, other = taken.values()
    facts = {"group": group, "trigger": "command", "type": "pipelines"}
    sync = old.SyncRun.create(snapshot=reading, state="succeeded", **facts)
    promotions = [
        old.SyncRun.create(purpose="promotion", mode=mode, state=state, snapshot=snapshot, **facts).pk
        for mode, state, snapshot in (
            ("plan", "planned", proposed),
            ("apply", "running", other),
            ("apply", "queued", None),
        )
    ]
    beats = {"started_at": MOMENT, "heartbeat_at": MOMENT + timedelta(seconds=5)}
    for name, kind, run in (("w", "worker", None), ("l", "lane", None), ("f", "foreground", sync)):
        old.Lane.create(name=name, kind=kind, worker="w", run=run, **beats)
    old.RequestSlot.create(key="blocked_at", next_at=MOMENT.timestamp())
    old.RequestSlot.create(key="ready", written_at=MOMENT.timestamp())
    old.RequestSlot.create(key="north", next_at=7.0)

    def check_new() -> None:
        new = Rows(database)
        assert list(new.Process.order_by("name").values_list("name", "kind", "worker", "run")) == [
            ("f", "foreground", "w", sync.pk), ("l", "lane", "w", None), ("w", "worker", "w", None),
        ]  # fmt: skip
        assert new.Process.filter(**beats).count() == 3
        assert [block.at for block in new.IpBlock.all()] == [MOMENT]
        assert [probe.written_at for probe in new.WriteProbe.all()] == [MOMENT]
        assert list(new.RequestSlot.values_list("key", "next_at")) == [("north", 7.0)]
        assert [(row.pk, row.accepted) for row in new.MasterSnapshot.all()] == [(reading.pk, True)]
        digests = [(row.pipelines_digest, row.fields_digest) for row in new.MasterSnapshot.all()]
        assert digests == [(part_digest({"pipelines": [1]}, "pipelines"), part_digest({}, "groups", "fields"))]
        assert new.SyncRun.get(pk=sync.pk).snapshot_id == reading.pk
        runs = [new.SyncRun.select_related("proposal").get(pk=pk) for pk in promotions]
        assert [run.snapshot_id for run in runs] == [None] * 3
        assert [run.proposal and run.proposal.document for run in runs] == [{"only": [2]}, {"only": [3]}, None]
        assert [run.state for run in runs] == ["planned", "running", "queued"]
        assert new.PromotionProposal.filter(group=group.pk, type="pipelines", proposed_at=MOMENT).count() == 2

    check_new()

    back = Rows(database, *BEFORE)
    assert back.Lane.filter(**beats).count() == 3
    assert back.RequestSlot.get(key="blocked_at").next_at == MOMENT.timestamp()
    assert back.RequestSlot.get(key="ready").written_at == MOMENT.timestamp()
    documents = back.SyncRun.order_by("pk").values_list(
        "snapshot__document", "snapshot__accepted", "snapshot__taken_at"
    )
    assert list(documents) == [
        ({"pipelines": [1]}, True, MOMENT), ({"only": [2]}, False, MOMENT), ({"only": [3]}, False, MOMENT),
        (None, None, None),
    ]  # fmt: skip
    assert back.MasterSnapshot.count() == 3

    check_new()


@only_deep
@pytest.mark.django_db(transaction=True)
def test_rows_move_to_tables_of_their_own_and_back() -> None:
    try:
        check_rows(DEFAULT_DB_ALIAS)
    finally:
        migrated(DEFAULT_DB_ALIAS)


@only_deep
def test_rows_move_on_postgresql_too(postgres_url: str, postgres_tables: str, django_db_blocker: Any) -> None:
    name = f"{postgres_tables}_migrations"
    with (
        postgres_database(postgres_url, name, postgres_tables) as url,
        django_db_blocker.unblock(),
        connected(url) as alias,
    ):
        check_rows(alias)


@only_deep
@pytest.mark.django_db(transaction=True)
def test_who_might_see_lanes_may_see_processes() -> None:
    anna = User.objects.create(username="anna")
    anna.user_permissions.add(Permission.objects.get(codename="view_process"))
    of_both = Permission.objects.filter(codename__regex="_(lane|process)$")
    try:
        call_command("migrate", *BEFORE[1], verbosity=0)
        assert anna.user_permissions.get().codename == "view_lane"
        assert anna.user_permissions.get().content_type.model == "lane"
        assert not of_both.filter(codename__endswith="_process").exists()
    finally:
        call_command("migrate", verbosity=0)
    assert anna.user_permissions.get().codename == "view_process"
    assert anna.user_permissions.get().content_type.model == "process"
    assert of_both.count() == 4


@only_deep
def test_runs_that_wait_are_worked_after_the_migration(house: House) -> None:
    """Also promotions: one that waits for its approval, one that was approved, one whose master was read already.

    A block of our address from before is known still.
    """
    boss = User.objects.create(username="boss", is_superuser=True)
    SyncGroup.objects.update(max_update_share=100)
    synced(house)
    north = house.world.accounts["north"]
    for name in ("Alpha", "Beta", "Gamma", "Delta"):
        north.add_field("leads", name, "text")
    planned(house, accounts=[house.accounts["north"]])
    picks = {each.difference.name: [each.pick] for each in candidates(house.accounts["north"])}

    def proposed(name: str) -> SyncRun:
        return promotion.propose(house.accounts["north"], picks[name], by=ANNA).run

    def approved(plan: SyncRun) -> SyncRun:
        return approve(plan, by=Actor.of_user(boss, "admin")).run

    waiting, first, second = (work(house, proposed(name)) for name in ("Alpha", "Beta", "Gamma"))
    begun = approved(first)

    def handed_back(*args: Any) -> Any:
        house.stop.set()
        raise Stopped(StopReason.HANDED_BACK)

    house.work(handed_back, run_id=begun.pk)
    house.stop.clear()
    begun.refresh_from_db()
    assert (begun.state, begun.is_master_read) == ("running", True)
    queued = [approved(second), proposed("Delta"), house.start()]
    block = IpBlock.objects.create(at=clock.now() - timedelta(minutes=1))
    counts = (SyncRun.objects.count(), MasterSnapshot.objects.count(), PromotionProposal.objects.count())

    migrated(DEFAULT_DB_ALIAS, *BEFORE)
    migrated(DEFAULT_DB_ALIAS)

    assert counts == (SyncRun.objects.count(), MasterSnapshot.objects.count(), PromotionProposal.objects.count())
    assert ip_block.happened_since(block.at - timedelta(milliseconds=1))
    assert not ip_block.happened_since(block.at + timedelta(milliseconds=1))
    house.work(replication.replicate)
    for run in (begun, *queued):
        run.refresh_from_db()
    assert [run.state for run in (begun, *queued)] == ["succeeded", "succeeded", "planned", "succeeded"]
    last = work(house, approved(waiting))
    assert last.state == "succeeded"
    assert account_runs(last)["master"].created == 1
    names = [field.name for field in house.world.accounts["master"].fields["leads"].values()]
    assert [name for name in names if name in picks] == ["Beta", "Gamma", "Alpha"]
