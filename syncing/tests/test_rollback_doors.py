"""The doors of rolling back: the page, the command, the REST endpoint; whom they let in and what they say."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import SyncGroup
from accounts.simulator import edits
from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.engine.snapshot import Snapshot, packed
from syncing.models import AccountRun, AuditEntry, LogEntry, SlaveSnapshot, SyncRun
from syncing.records.snapshots import store_snapshot
from syncing.tests.commands import command
from syncing.tests.engine.items import pipeline, snapshot, stage
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.management.test_approve import bearer
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


def wrote(run: SyncRun, subdomain: str, *rows: tuple[str, str, str, str, dict[str, Any]]) -> AccountRun:
    """Creates the account run that did `rows` (action, kind, name, key, fields) to a slave, with its snapshot."""
    account = run.group.accounts.get(subdomain=subdomain)
    account_run = AccountRunFactory(run=run, account=account, state="changed", updated=len(rows))
    for action, kind, name, key, fields in rows:
        LogEntry.objects.create(
            run=run,
            account_run=account_run,
            code="done",
            action=action,
            kind=kind,
            name=name,
            details={"parent": "Sales", "key": key, "fields": fields},
        )
    store_snapshot(account_run.pk, account.pk, packed(Snapshot(())))
    return account_run


@pytest.fixture
def run(db: None) -> SyncRun:
    """A run that changed a stage in north, deleted one in south, and wrote nothing in west."""
    group = GroupFactory()
    AccountFactory.cast(group)
    made = RunFactory(group=group)
    wrote(made, "north", ("update", "stage", "Offer", "1/2", {"name": ["Old", "Offer"]}))
    wrote(made, "south", ("delete", "stage", EVIL, "1/3", {}))
    AccountRunFactory(run=made, account=group.accounts.get(subdomain="west"), state="in_sync")
    return made


@pytest.fixture
def clerk(client: Client) -> Client:
    client.force_login(User.objects.create_user("clerk", password="-", is_staff=True))
    allow("view_syncrun")
    return client


def allow(*codenames: str) -> None:
    clerk = User.objects.get(username="clerk")
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def page_of(run: SyncRun) -> str:
    return reverse("syncing:roll_back", args=[run.pk])


# -- the page --


def test_it_is_offered_on_the_page_of_the_run_to_those_who_may(clerk: Client, run: SyncRun) -> None:
    url = reverse("admin:syncing_syncrun_change", args=[run.pk])
    assert page_of(run) not in clerk.get(url).content.decode()

    allow("roll_back")

    assert page_of(run) in clerk.get(url).content.decode()
    AccountRun.objects.all().delete()
    assert page_of(run) not in clerk.get(url).content.decode()


def test_nobody_else_is_let_in(clerk: Client, run: SyncRun) -> None:
    for method in (clerk.get, clerk.post):
        assert method(page_of(run)).status_code == 403


def test_it_shows_beforehand_what_comes_back_what_not_and_why(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")

    html = clerk.get(page_of(run)).content.decode()

    assert "comes back with a new id" in html
    assert "The run wrote nothing in this account." in html
    assert EVIL not in html
    assert "alert(1)" in html
    assert html.index("south") < html.index("west")
    assert not SyncRun.objects.exclude(pk=run.pk).exists()


def test_it_is_searched(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")

    found = [each.account.subdomain for each in clerk.get(page_of(run), {"q": "NOR"}).context["forecasts"]]

    assert found == ["north"]


def test_the_number_of_queries_does_not_grow_with_the_accounts(
    clerk: Client, run: SyncRun, django_assert_max_num_queries: Any
) -> None:
    allow("roll_back")
    for number in range(20):
        account = AccountFactory(group=run.group, subdomain=f"more-{number}")
        wrote(run, account.subdomain, ("update", "stage", "Offer", "1/2", {}))
    with django_assert_max_num_queries(14):
        clerk.get(page_of(run))


@pytest.mark.parametrize(
    ("body", "accounts", "mode"),
    [
        ({"which": "all", "mode": "plan"}, {"north", "south"}, "plan"),
        ({"which": "ticked", "mode": "apply", "account": "north"}, {"north"}, "apply"),
    ],
)
def test_it_plans_or_does_it_for_the_accounts_that_are_chosen(
    clerk: Client, run: SyncRun, body: dict[str, str], accounts: set[str], mode: str
) -> None:
    allow("roll_back")
    if "account" in body:
        body = {**body, "account": str(run.group.accounts.get(subdomain=body["account"]).pk)}

    answer = clerk.post(page_of(run), {**body, "reason": "Wrong master."})

    made = SyncRun.objects.latest("pk")
    assert answer.url == reverse("admin:syncing_syncrun_change", args=[made.pk])
    assert (made.purpose, made.mode, made.reverts_id, made.requested_by.username) == (
        *("rollback", mode, run.pk, "clerk"),
    )
    assert set(made.account_runs.values_list("account__subdomain", flat=True)) == accounts
    assert AuditEntry.objects.get(action="rolled_back").reason == "Wrong master."


def test_a_search_narrows_what_all_means(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")

    clerk.post(f"{page_of(run)}?q=south", {"which": "all", "mode": "plan"})

    (account_run,) = SyncRun.objects.latest("pk").account_runs.all()
    assert account_run.account.subdomain == "south"


def test_ticks_and_all_at_once_are_asked_about(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")
    north = run.group.accounts.get(subdomain="north")

    html = clerk.post(page_of(run), {"which": "all", "mode": "apply", "account": str(north.pk)}).content.decode()

    assert "Choose one of the two" in html
    assert f'value="{north.pk}" checked' in html
    assert SyncRun.objects.count() == 1


def test_without_a_tick_nothing_starts(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")

    html = clerk.post(page_of(run), {"which": "ticked", "mode": "apply"}).content.decode()

    assert "Choose at least one account" in html
    assert SyncRun.objects.count() == 1


def test_where_plans_need_approval_it_can_only_be_planned(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")
    SyncGroup.objects.update(requires_approval=True)

    assert 'value="apply"' not in clerk.get(page_of(run)).content.decode()
    clerk.post(page_of(run), {"which": "all", "mode": "apply"})

    assert SyncRun.objects.count() == 1
    clerk.post(page_of(run), {"which": "all", "mode": "plan"})
    assert SyncRun.objects.latest("pk").mode == "plan"


def test_a_run_that_cannot_be_rolled_back_says_why_on_its_own_page(clerk: Client, run: SyncRun) -> None:
    allow("roll_back")
    SyncRun.objects.update(mode="plan")

    answer = clerk.get(page_of(run), follow=True)

    assert "only planned" in answer.content.decode()


# -- REST --


def post(client: Client, run: SyncRun, body: object, *scopes: str) -> Any:
    data = json.dumps(body)
    url = reverse("syncing:api_rollback", args=[run.pk])
    return client.post(url, data, content_type="application/json", headers=bearer(*scopes))


def test_the_endpoint_starts_it_for_a_key_with_the_scope(client: Client, run: SyncRun) -> None:
    assert post(client, run, {}, "read").status_code == 403

    answer = post(client, run, {"accounts": ["north"], "mode": "plan", "reason": "x"}, "trigger")

    made = SyncRun.objects.latest("pk")
    assert answer.status_code == 202
    assert answer.json()["run"] == made.pk
    assert (made.mode, made.reverts_id) == ("plan", run.pk)
    assert AuditEntry.objects.get(action="rolled_back").actor == "trigger"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"account": ["north"]}, 400, "unknown_key"),
        ({"accounts": []}, 400, "bad_accounts"),
        ({"accounts": ["nowhere"]}, 400, "unknown_account"),
        ({"accounts": ["west"]}, 409, "cannot_roll_back"),
        ({"mode": "now"}, 400, "bad_mode"),
        ({"mode": []}, 400, "bad_mode"),
        ({"reason": 7}, 400, "bad_reason"),
    ],
)
def test_the_endpoint_refuses_with_a_sentence(
    client: Client, run: SyncRun, body: dict[str, Any], status: int, code: str
) -> None:
    answer = post(client, run, body, "trigger")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert SyncRun.objects.count() == 1


# -- the command, with real accounts --


@pytest.fixture
def master(transactional_db: None, simulator: RunningServer, world: World) -> SimAccount:
    """Every slave has been brought to a master that then changed a stage."""
    for name, account in AccountFactory.cast().items():
        account.token = world.add_account(name).token
        account.save()
    found = world.accounts["master"]
    found.add_pipeline("Sales", stages=["New", "Offer"])
    assert command("sync_all")[0] == 0
    edits.change(found, "stage", [found.pipeline("Sales").id, found.stage("Sales", "Offer").id], name="Proposal")
    assert command("sync_all")[0] == 0
    return found


def test_the_command_takes_a_run_back_here_and_ends_with_a_table(master: SimAccount, world: World) -> None:
    number = SyncRun.objects.latest("pk").pk

    code, out, _errors = command("rollback", str(number), "--account", "north", "--reason", "Wrong.")

    assert code == 0
    assert "north    changed" in out
    assert world.accounts["north"].stage("Sales", "Offer")
    assert world.accounts["south"].stage("Sales", "Proposal")


def test_the_command_plans_it_as_a_document(master: SimAccount, world: World) -> None:
    number = SyncRun.objects.latest("pk").pk

    code, out, _ = command("rollback", str(number), "--plan", "--json")

    document = json.loads(out)
    assert (code, document["state"], document["master"]["requests"]) == (0, "planned", 0)
    (change,) = document["accounts"][0]["changes"]
    assert change["fields"] == {"name": ["Proposal", "Offer"]}
    assert world.accounts["north"].stage("Sales", "Proposal")


def test_the_plan_back_is_drawn_as_the_account_was_before(master: SimAccount, admin_client: Client) -> None:
    number = SyncRun.objects.latest("pk").pk
    command("rollback", str(number), "--plan")
    plan = SyncRun.objects.latest("pk")
    account_run = plan.account_runs.first()
    assert account_run is not None

    page = admin_client.get(reverse("syncing:plan", args=[plan.pk, account_run.content_digest]))
    approval = admin_client.get(reverse("syncing:approve", args=[plan.pk]))

    for drawn in (page.context["drawn"], approval.context["boxes"][0][1]):
        (pair,) = drawn.pipelines
        sides = ((chip.name, chip.mark) for side in (pair.before, pair.after) for chip in side.stages if chip.mark)
        assert list(sides) == [("Proposal", "renamed"), ("Offer", "renamed")]
        assert not drawn.undrawn
    assert "as it was before run" in page.content.decode()
    assert reverse("syncing:choose", args=[plan.pk, account_run.content_digest]) not in page.content.decode()


def test_the_command_says_what_was_written_again(master: SimAccount) -> None:
    first = SyncRun.objects.earliest("pk").pk

    _, _, errors = command("rollback", str(first), "--plan", "--account", "north")

    assert f"north: changed later by run {SyncRun.objects.latest('pk').pk - 1}" in errors


@pytest.mark.parametrize(
    ("args", "said"),
    [(["4711"], "no run 4711"), (["1", "--no-wait"], "--queue"), (["1", "--account", "nowhere"], "nowhere")],
)
def test_a_wrong_command_ends_in_2(run: SyncRun, args: list[str], said: str) -> None:
    code, _, errors = command("rollback", *[arg.replace("1", str(run.pk), 1) if arg == "1" else arg for arg in args])

    assert code == 2
    assert said in errors


# -- the picture of a plan that several accounts share --


@pytest.fixture
def shared_plan(run: SyncRun) -> SyncRun:
    """The plan to roll back a new name of the stage Offer in north and south; south also has a stage of its own."""
    for name, *own in (("north",), ("south", stage(13, "Their own"))):
        account_run = run.account_runs.get(account__subdomain=name)
        before = snapshot(pipeline(1, "Sales", stage(12, "Old"), *own))
        SlaveSnapshot.objects.filter(pk=account_run.pk).update(document=packed(before))
    plan = RunFactory(group=run.group, mode="plan", state="planned", purpose="rollback", reverts=run)
    renamed = document(change("update", "Old", {"name": ["Offer", "Old"]}))
    for name in ("north", "south"):
        planned(plan, run.group.accounts.get(subdomain=name), renamed)
    AccountRun.objects.filter(run=plan).update(plan_digest="a" * 64)
    return plan


def test_a_shared_rollback_is_drawn_as_each_of_its_accounts_was(admin_client: Client, shared_plan: SyncRun) -> None:
    north, south = shared_plan.account_runs.order_by("account__subdomain")
    url = reverse("syncing:plan", args=[shared_plan.pk, north.content_digest])
    assert north.content_digest == south.content_digest
    drawn = {
        name: admin_client.get(url, asked).content.decode()
        for name, asked in {"first": {}, "south": {"as": south.account_id}, "odd": {"as": "x"}}.items()
    }
    assert ["Their own" in html for html in drawn.values()] == [False, True, False]
    assert "The picture shows North as it was before run" in drawn["first"]
    assert "The picture shows South as it was before run" in drawn["south"]


def test_who_approves_a_shared_rollback_is_told_whose_picture_it_is(admin_client: Client, shared_plan: SyncRun) -> None:
    html = admin_client.get(reverse("syncing:approve", args=[shared_plan.pk])).content.decode()
    assert "The picture shows North." in html
