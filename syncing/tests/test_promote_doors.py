"""The doors of promoting: the page, the command, the REST endpoint; whom they let in and what they say."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing.models import AuditEntry, SyncRun
from syncing.tests.commands import command
from syncing.tests.factories import DriftFactory, difference, extra, missing
from syncing.tests.management.test_approve import bearer

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def north(db: None) -> Account:
    """Somebody changed a stage's colour and name, and made two pipelines and a field; a field is missing."""
    account = AccountFactory.cast()["north"]
    rows = [
        difference(),
        difference(attribute="name", ours="Offer", theirs="Proposal"),
        difference(attribute="position", ours=1, theirs=2),
        difference(key="7/72", slave_key="9/92", name="Won soon", cause="master"),
        missing(),
        extra(),
        extra(key="=evil", slave_key="98", name=EVIL),
        extra(key="leads/=text:size", kind="custom_field", slave_key="leads/5", name="Size", parent="leads/Main"),
        extra(key="contacts/=text:size", kind="custom_field", slave_key="contacts/6", name="Size", parent="contacts"),
    ]
    DriftFactory(account=account, rows=rows)
    return account


@pytest.fixture
def clerk(client: Client) -> Client:
    client.force_login(User.objects.create_user("clerk", password="-", is_staff=True))
    allow("view_syncrun", "view_drift")
    return client


def allow(*codenames: str) -> None:
    clerk = User.objects.get(username="clerk")
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def page_of(account: Account) -> str:
    return reverse("syncing:promote", args=[account.pk])


def listed(client: Client, account: Account, **asked: str) -> list[tuple[str, str]]:
    rows = [candidate.difference for candidate in client.get(page_of(account), asked).context["candidates"]]
    return [(row.slave_key, row.attribute) for row in rows]


# -- the page --


def test_only_those_who_may_promote_are_let_in(clerk: Client, north: Account) -> None:
    for method in (clerk.get, clerk.post):
        assert method(page_of(north)).status_code == 403
    allow("promote")
    assert clerk.get(page_of(north)).status_code == 200
    master = Account.objects.get(subdomain="master")
    assert clerk.get(page_of(master)).status_code == 404


def test_it_lists_what_the_slave_has_beyond_or_unlike_the_master(clerk: Client, north: Account) -> None:
    allow("promote")

    assert listed(clerk, north) == [
        ("9/91", "color"),
        ("9/91", "name"),
        ("99", ""),
        ("98", ""),
        ("leads/5", ""),
        ("contacts/6", ""),
    ]
    html = clerk.get(page_of(north)).content.decode()
    assert EVIL not in html
    assert "alert(1)" in html


def test_it_is_searched_and_a_link_ticks_an_item_and_puts_it_first(clerk: Client, north: Account) -> None:
    allow("promote")

    assert listed(clerk, north, q="size") == [("leads/5", ""), ("contacts/6", "")]
    assert listed(clerk, north, pick="custom_field|contacts/6|")[0] == ("contacts/6", "")
    html = clerk.get(page_of(north), {"pick": "custom_field|contacts/6|"}).content.decode()
    assert html.count(" checked") == 1


def test_the_number_of_queries_does_not_grow_with_the_items(
    clerk: Client, north: Account, django_assert_max_num_queries: Any
) -> None:
    allow("promote")
    other = Account.objects.get(subdomain="south")
    DriftFactory(account=other, rows=[extra(key=f"={n}", slave_key=str(n)) for n in range(300)])
    with django_assert_max_num_queries(9):
        answer = clerk.get(page_of(other))
    assert len(answer.context["candidates"]) == 100
    assert "Page 1 of 3" in answer.content.decode()


def test_what_is_ticked_is_proposed(clerk: Client, north: Account) -> None:
    allow("promote")

    answer = clerk.post(page_of(north), {"pick": ["pipeline|99|", "stage|9/91|name"], "reason": "Better."})

    run = SyncRun.objects.get()
    assert answer.url == reverse("admin:syncing_syncrun_change", args=[run.pk])
    assert (run.purpose, run.mode, run.source, run.requested_by.username) == ("promotion", "plan", north, "clerk")
    assert run.picked == [
        {"kind": "pipeline", "slave_key": "99", "attribute": ""},
        {"kind": "stage", "slave_key": "9/91", "attribute": "name"},
    ]
    (account_run,) = run.account_runs.all()
    assert account_run.account.subdomain == "master"
    entry = AuditEntry.objects.get(action="proposed")
    assert entry.details["items"] == ["pipeline Old", "stage Offer: name"]
    assert entry.reason == "Better."
    page = clerk.get(reverse("admin:syncing_syncrun_change", args=[run.pk])).content.decode()
    assert "Promotes from" in page


@pytest.mark.parametrize("picks", [[], ["pipeline|1|"], ["nonsense"], ["stage|9/91|position"]])
def test_what_is_not_on_the_list_starts_nothing(clerk: Client, north: Account, picks: list[str]) -> None:
    allow("promote")

    html = clerk.post(page_of(north), {"pick": picks, "reason": ""}).content.decode()

    assert "Choose at least one item" in html
    assert not SyncRun.objects.exists()


def test_an_account_that_nobody_looked_at_says_so(clerk: Client, north: Account) -> None:
    allow("promote")

    html = clerk.get(page_of(Account.objects.get(subdomain="east"))).content.decode()

    assert "This account has not been checked yet" in html


def test_a_refusal_is_shown_on_the_page(clerk: Client, north: Account) -> None:
    allow("promote")
    Account.objects.filter(subdomain="master").update(paused=True)

    html = clerk.post(page_of(north), {"pick": "pipeline|99|"}).content.decode()

    assert "is paused" in html
    assert not SyncRun.objects.exists()


# -- REST --


def post(client: Client, subdomain: str, body: object, *scopes: str) -> Any:
    url = f"/api/accounts/{subdomain}/promote"
    return client.post(url, json.dumps(body), content_type="application/json", headers=bearer(*scopes))


def test_the_endpoint_proposes_by_name_or_key_for_a_key_with_the_scope(client: Client, north: Account) -> None:
    body = {"items": [{"kind": "pipeline", "name": "old"}, {"kind": "custom_field", "slave_key": "leads/5"}]}
    assert post(client, "north", body, "read", "trigger", "approve").status_code == 403

    answer = post(client, "north", body, "promote")

    assert answer.status_code == 202
    run = SyncRun.objects.get(pk=answer.json()["run"])
    assert [pick["slave_key"] for pick in run.picked] == ["leads/5", "99"]
    assert AuditEntry.objects.get(action="proposed").via == "api"


@pytest.mark.parametrize(
    ("subdomain", "body", "status", "code"),
    [
        ("north", {}, 400, "bad_items"),
        ("north", {"items": []}, 400, "bad_items"),
        ("north", {"items": ["pipeline"]}, 400, "bad_items"),
        ("north", {"items": [{"kind": "pipeline"}]}, 400, "bad_items"),
        ("north", {"items": [{"kind": "pipeline", "name": 7}]}, 400, "bad_items"),
        ("north", {"items": [{"kind": "pipeline", "name": "x", "id": "7"}]}, 400, "bad_items"),
        ("north", {"item": []}, 400, "unknown_key"),
        ("north", {"items": [{"kind": "pipeline", "name": "Nowhere"}]}, 409, "no_such_item"),
        ("north", {"items": [{"kind": "custom_field", "name": "Size"}]}, 409, "ambiguous"),
        ("north", {"items": [{"kind": "lead", "slave_key": "7"}]}, 409, "bad_pick"),
        ("master", {"items": [{"kind": "pipeline", "name": "Old"}]}, 404, "no_such_account"),
        ("nowhere", {"items": [{"kind": "pipeline", "name": "Old"}]}, 404, "no_such_account"),
    ],
)
def test_the_endpoint_refuses_with_a_sentence(
    client: Client, north: Account, subdomain: str, body: dict[str, Any], status: int, code: str
) -> None:
    answer = post(client, subdomain, body, "promote")

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"]
    assert not SyncRun.objects.exists()


# -- the command --


@pytest.fixture
def accounts(transactional_db: None, simulator: RunningServer, world: World) -> dict[str, SimAccount]:
    """North has a pipeline whose name has a colon, and another colour of a stage."""
    for name, account in AccountFactory.cast().items():
        account.token = world.add_account(name).token
        account.save()
    world.accounts["master"].add_pipeline("Sales", stages=["New", "Offer"])
    assert command("sync_all")[0] == 0
    north = world.accounts["north"]
    north.stage("Sales", "Offer").color = "#ff8f92"
    north.add_pipeline("Care: new", stages=["Open"])
    command("sync_all", "--plan")
    return dict(world.accounts)


def test_the_command_proposes_by_name_and_prints_the_plan(accounts: dict[str, SimAccount], world: World) -> None:
    items = ("--item", "pipeline:Care: new", "--item", "stage:Sales/Offer:color")

    code, out, _ = command("promote", "--account", "north", *items, "--reason", "Better.")

    assert code == 0
    assert "+ create pipeline 'Care: new'" in out
    assert "~ update stage 'Offer'" in out
    assert "#ff8f92" in out
    assert {record.method for record in world.log.of("master")} == {"GET"}
    assert AuditEntry.objects.get(action="proposed").reason == "Better."


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--account", "nowhere", "--item", "pipeline:Old"], "nowhere"),
        (["--account", "master", "--item", "pipeline:Old"], "no pipeline 'Old'"),
        (["--account", "north", "--item", "Old"], "KIND:NAME"),
        (["--account", "north", "--item", "lead:Old"], "KIND:NAME"),
        (["--account", "north", "--item", "pipeline:Nobody"], "Nobody"),
        (["--account", "north", "--item", "custom_field:Size"], "leads/5, contacts/6"),
        (["--account", "north", "--item", "pipeline:Old", "--no-wait"], "--queue"),
    ],
)
def test_a_wrong_command_ends_in_2_with_a_sentence_and_a_document(north: Account, args: list[str], said: str) -> None:
    code, out, errors = command("promote", *args, "--json")

    assert code == 2
    assert said in errors
    assert json.loads(out)["run"] is None
    assert not SyncRun.objects.exists()
