"""Two people decide: who asked for a plan is known again after keys and users were renamed or deleted."""

import json

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.laws import only_deep
from syncing.models import ApiKey, AuditEntry, RunMode, RunPurpose, SyncRun, Trigger
from syncing.services import promotion
from syncing.services.actors import of_key
from syncing.services.approvals import approve
from syncing.services.keys import create_key
from syncing.services.runs.create import requester_columns
from syncing.services.runs.start import start_run
from syncing.tests.factories import RunFactory

pytestmark = pytest.mark.django_db

ALL = ("approve_plan", "plan_sync", "start_sync", "promote", "view_syncrun")


def person(name: str) -> User:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=ALL))
    return User.objects.get(pk=user.pk)  # without the permissions that were looked up before


@pytest.fixture
def group() -> SyncGroup:
    group = GroupFactory(requires_approval=True, approver_must_differ=True)
    AccountFactory.cast(group)
    return group


@pytest.fixture
def ana() -> User:
    return person("ana")


@pytest.fixture
def ben() -> User:
    return person("ben")


@pytest.fixture
def key(ana: User) -> ApiKey:
    """Made by ana in the admin."""
    return create_key(name="bot", scopes=["trigger", "approve"], maker=ana)[0]


def planned_by(group: SyncGroup, by: Actor) -> SyncRun:
    run = start_run(group=group, mode=RunMode.PLAN, by=by).run
    run.account_runs.update(state="planned", plan_digest="a" * 64)
    SyncRun.objects.filter(pk=run.pk).update(state="planned")
    run.refresh_from_db()
    return run


def by_person(run: SyncRun, user: User, via: str = Trigger.ADMIN) -> SyncRun:
    return approve(run, by=Actor.of_user(user, via)).run


def by_key(run: SyncRun, key: ApiKey) -> SyncRun:
    return approve(run, by=of_key(key)).run


def assert_same_person(act: object) -> None:
    with pytest.raises(Refusal) as found:
        act()  # type: ignore[operator]
    assert found.value.code == "same_person"


# -- keys --


def test_a_key_and_who_made_it_are_one_person(group: SyncGroup, key: ApiKey, ana: User, ben: User) -> None:
    hers = create_key(name="hers", scopes=["approve"], maker=ana)[0]
    run = planned_by(group, of_key(key))

    assert_same_person(lambda: by_key(run, key))
    assert_same_person(lambda: by_key(run, hers))
    assert_same_person(lambda: by_person(run, ana))
    assert_same_person(lambda: by_person(run, ana, Trigger.COMMAND))
    assert by_person(run, ben).requester_user_id == ben.pk


def test_what_a_person_planned_their_own_key_cannot_approve(group: SyncGroup, key: ApiKey, ana: User) -> None:
    run = planned_by(group, Actor.of_user(ana, Trigger.ADMIN))

    assert_same_person(lambda: by_key(run, key))


def test_renaming_the_key_makes_nobody_else(group: SyncGroup, key: ApiKey, ana: User) -> None:
    run = planned_by(group, of_key(key))
    ApiKey.objects.update(name="robot")
    create_key(name="bot", scopes=["read"])  # another key under the old name
    key.refresh_from_db()

    assert_same_person(lambda: by_person(run, ana))
    assert_same_person(lambda: by_key(run, key))


def test_deleting_the_key_makes_nobody_else(group: SyncGroup, key: ApiKey, ana: User, ben: User) -> None:
    run = planned_by(group, of_key(key))
    key.delete()

    assert_same_person(lambda: by_person(run, ana))
    assert by_person(run, ben).approved_plan == run


def test_a_key_of_the_command_line_is_known_by_its_number(group: SyncGroup, ana: User) -> None:
    """Nobody knows who holds it; who has a shell here could approve in any name anyhow."""
    mine, other = (create_key(name=name, scopes=["approve"])[0] for name in ("mine", "other"))
    run = planned_by(group, of_key(mine))
    ApiKey.objects.filter(pk=mine.pk).update(name="renamed")
    mine.refresh_from_db()

    assert_same_person(lambda: by_key(run, mine))
    assert by_key(run, other).trigger == Trigger.API


# -- people --


def test_renaming_the_person_makes_nobody_else(group: SyncGroup, ana: User) -> None:
    run = planned_by(group, Actor.of_user(ana, Trigger.ADMIN))
    User.objects.filter(pk=ana.pk).update(username="anastasia")
    cara = person("ana")  # somebody else under the old name, while the first is still here

    assert_same_person(lambda: by_person(run, User.objects.get(pk=ana.pk)))
    assert by_person(run, cara).approved_plan == run


@pytest.mark.parametrize("name", ["ana", "Ana"])
def test_who_was_deleted_and_made_again_is_the_same_person(group: SyncGroup, ana: User, ben: User, name: str) -> None:
    run = planned_by(group, Actor.of_user(ana, Trigger.ADMIN))
    ana.delete()
    run.refresh_from_db()

    assert run.requested_by is None
    assert run.asked_by == "ana"
    assert_same_person(lambda: by_person(run, person(name)))
    assert by_person(run, ben).approved_plan == run


def test_the_run_that_follows_a_promotion_was_asked_for_by_who_approved_it(
    group: SyncGroup, key: ApiKey, ana: User
) -> None:
    north = group.accounts.get(subdomain="north")
    columns = requester_columns(of_key(key))
    facts = {"mode": RunMode.APPLY, "purpose": RunPurpose.PROMOTION, "state": "succeeded", "trigger": Trigger.API}
    run = RunFactory(group=group, source=north, **facts, **columns)
    run.account_runs.create(account=group.accounts.get(role="master"), state="changed", created=1)

    assert promotion.follow_up() == 1

    follower = SyncRun.objects.get(mode=RunMode.PLAN)
    follower.account_runs.update(state="planned", plan_digest="a" * 64)
    SyncRun.objects.filter(pk=follower.pk).update(state="planned")
    assert_same_person(lambda: by_person(follower, ana))


# -- by every door --


@pytest.fixture
def plan_of_her_deleted_key(group: SyncGroup, key: ApiKey) -> SyncRun:
    run = planned_by(group, of_key(key))
    key.delete()
    return run


def test_the_page_refuses_her(client: Client, plan_of_her_deleted_key: SyncRun, ana: User) -> None:
    client.force_login(ana)
    url = reverse("syncing:approve", args=[plan_of_her_deleted_key.pk])

    answer = client.post(url, {"plan": ["a" * 64], "reason": ""}, follow=True)

    assert ["ana asked for the plan" in str(message) for message in answer.context["messages"]] == [True]
    assert SyncRun.objects.count() == 1


def test_the_endpoint_refuses_her_other_key(client: Client, plan_of_her_deleted_key: SyncRun, ana: User) -> None:
    secret = create_key(name="another", scopes=["approve"], maker=ana)[1]
    url = f"/api/sync/runs/{plan_of_her_deleted_key.pk}/approve"

    answer = client.post(url, "{}", content_type="application/json", headers={"Authorization": f"Bearer {secret}"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "same_person")


def test_the_command_refuses_her(plan_of_her_deleted_key: SyncRun, ana: User, capsys) -> None:
    with pytest.raises(CommandError, match="cannot approve it"):
        call_command("approve", str(plan_of_her_deleted_key.pk), "--by", "ana", "--queue", "--no-wait", "--json")

    assert json.loads(capsys.readouterr().out)["error"]["code"] == "same_person"


# -- what was there before --


@only_deep
@pytest.mark.django_db(transaction=True)
def test_an_upgrade_knows_who_asked_for_the_plans_that_wait() -> None:
    ana = User.objects.create_user("ana")
    key = create_key(name="bot", scopes=["trigger"], maker=ana)[0]
    group = GroupFactory()
    hers = RunFactory(group=group, requested_by=ana)
    of_key, of_nobody = RunFactory(group=group, trigger=Trigger.API), RunFactory(group=group, trigger=Trigger.COMMAND)
    for action, run, actor in (("started", of_key, "bot"), ("started", of_nobody, "command line")):
        via = Trigger.API if actor == "bot" else Trigger.COMMAND
        AuditEntry.objects.create(action=action, run=run.pk, actor=actor, via=via)
    executor = MigrationExecutor(connection)
    last = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "syncing"]
    executor.migrate([("syncing", "0003_own_items_by_exact_name")])

    MigrationExecutor(connection).migrate(last)

    asked = {run.pk: (run.requester_name, run.requester_user_id, run.requester_key_id) for run in SyncRun.objects.all()}
    assert asked == {hers.pk: ("ana", ana.pk, None), of_key.pk: ("bot", ana.pk, key.pk), of_nobody.pk: ("", None, None)}
    assert ApiKey.objects.get().maker_name == "ana"
