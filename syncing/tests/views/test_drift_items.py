"""Drift by item: what differs in how many accounts, accepted or reverted in several at once."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AcceptedDifference, Drift, RunMode, SyncRun
from syncing.tests.factories import DriftFactory, difference, extra, missing

pytestmark = pytest.mark.django_db

LIST = reverse("syncing:drift")
ACCEPT, REVERT = reverse("syncing:accept_items"), reverse("syncing:revert_items")


def renamed(**facts):
    return difference(**{"attribute": "name", "ours": "Offer", "theirs": "Quote", **facts})


@pytest.fixture
def cast() -> dict[str, Account]:
    """Three renamed a stage, one of them otherwise; one lacks a field, one has a pipeline of its own."""
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"], rows=[renamed(), extra()])
    DriftFactory(account=cast["south"], rows=[renamed(), missing()])
    DriftFactory(account=cast["west"], rows=[renamed(theirs="Deal", cause="both")])
    return cast


def what(cast, **facts):
    return {
        "group": cast["north"].group_id,
        "kind": "stage",
        "key": "7/71",
        "attribute": "name",
        "action": "update",
    } | facts


def ids(cast, *names):
    return [cast[name].pk for name in names]


def listed(client, **query):
    lines = client.get(LIST, {"by": "item", **query}).context["items"]
    return [(line["item"].name, line["sentence"]) for line in lines]


def test_each_item_is_listed_once(admin_client, cast) -> None:
    assert listed(admin_client) == [("Offer", "renamed in 3 accounts"), ("Budget", "missing in 1 account")]
    item = admin_client.get(LIST, {"by": "item"}).context["items"][0]["item"]
    assert [(edit.theirs, count) for edit, count in item.variants] == [("Quote", 2), ("Deal", 1)]
    assert dict(item.causes) == {"slave": 2, "both": 1}
    assert listed(admin_client, only="there") == [("Old", "only in 1 account")]
    assert listed(admin_client, cause="master") == [("Budget", "missing in 1 account")]
    assert listed(admin_client, cause="edited") == [("Offer", "renamed in 3 accounts")]
    assert listed(admin_client, q="deal") == [("Offer", "renamed in 3 accounts")]
    assert listed(admin_client, q="zzz") == []


def test_lists_are_drawn_and_switches_are_told_in_words(admin_client, cast) -> None:
    facts = {"kind": "custom_field", "name": "Size", "parent": "leads/Data"}
    rows = [
        difference("leads/12", attribute="enums", ours=["S", "M"], theirs=["S", "XL"], **facts),
        difference("leads/12", attribute="is_api_only", ours=True, theirs=None, **facts),
    ]
    DriftFactory(account=cast["east"], rows=rows)
    html = " ".join(admin_client.get(LIST, {"by": "item", "q": "size"}).content.decode().split())
    assert 'Editable by API only: — here, yes in the master. <span class="ks-small">(1 account)</span>' in html
    assert "changed in 1 account: options" in html
    assert "Leads, group Data" in html
    assert "S, XL" not in html
    assert html.count('<span class="ks-chip ks-marked ks-is-renamed') == 2


def test_two_groups_are_two_decisions(admin_client, cast) -> None:
    other = AccountFactory(group=GroupFactory(name="Other"))
    DriftFactory(account=other, rows=[renamed()])
    assert [sentence for _, sentence in listed(admin_client)][:2] == ["renamed in 3 accounts", "missing in 1 account"]
    assert listed(admin_client, group=str(other.group_id)) == [("Offer", "renamed in 1 account")]


def test_it_costs_as_much_with_many_accounts(admin_client, cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(LIST, {"by": "item"}).status_code == 200
        return len(queries)

    cost()
    before = cost()
    for number in range(60):
        DriftFactory(account=AccountFactory(group=cast["north"].group), rows=[renamed(), difference(f"7/{number}")])
    assert cost() == before <= 8


def test_one_difference_is_accepted_in_the_ticked_accounts(admin_client, cast) -> None:
    page = admin_client.get(ACCEPT, what(cast))
    assert [account.subdomain for account, _row, _ticked in page.context["lines"]] == ["north", "south", "west"]
    admin_client.post(ACCEPT, what(cast) | {"account": ids(cast, "north", "west"), "reason": "Their words."})
    accepted = AcceptedDifference.objects.order_by("account__subdomain")
    assert [each.account.subdomain for each in accepted] == ["north", "west"]
    assert {(each.kind, each.key, each.attribute, each.reason) for each in accepted} == {
        ("stage", "7/71", "name", "Their words.")
    }
    assert listed(admin_client)[-1] == ("Offer", "renamed in 1 account")


def test_accepting_needs_a_reason_and_an_account(admin_client, cast) -> None:
    again = admin_client.post(ACCEPT, what(cast) | {"account": ids(cast, "north")})
    assert "This field is required." in again.content.decode()
    assert [ticked for _account, _row, ticked in again.context["lines"]] == [True, False, False]
    again = admin_client.post(ACCEPT, what(cast) | {"reason": "So."})
    assert "Choose at least one account." in again.content.decode()
    assert not AcceptedDifference.objects.exists()


def test_only_where_it_differs_now(admin_client, cast) -> None:
    """East is ticked by hand and differs in nothing; an account of another group is none of these."""
    stranger = AccountFactory(group=GroupFactory(name="Other"))
    DriftFactory(account=stranger, rows=[renamed()])
    sent = {"account": [*ids(cast, "east", "north"), stranger.pk], "reason": "So."}
    admin_client.post(ACCEPT, what(cast) | sent)
    assert [each.account.subdomain for each in AcceptedDifference.objects.all()] == ["north"]
    response = admin_client.get(ACCEPT, what(cast, key="7/99"), follow=True)
    assert "This difference no longer exists." in response.content.decode()
    assert admin_client.get(ACCEPT, what(cast, group="0")).status_code == 404


def test_reverting_is_a_run_about_this_item_alone(admin_client, cast) -> None:
    admin_client.get(REVERT, what(cast))
    assert not SyncRun.objects.exists()
    admin_client.post(REVERT, what(cast) | {"account": ids(cast, "north", "south")})
    run = SyncRun.objects.get()
    assert (run.mode, run.requested_by.username, run.name) == (RunMode.APPLY, "admin", "Revert Offer")
    assert run.picked == [
        {"account": pk, "kind": "stage", "key": "7/71", "attribute": "name"} for pk in ids(cast, "north", "south")
    ]
    assert sorted(run.account_runs.values_list("account", flat=True)) == sorted(ids(cast, "north", "south"))


def test_one_account_may_be_meant(admin_client, cast) -> None:
    lines = admin_client.get(REVERT, what(cast, account=cast["south"].pk)).context["lines"]
    assert [account.subdomain for account, _row, ticked in lines if ticked] == ["south"]


def test_an_account_without_the_place_of_the_item_is_left_out(admin_client, cast) -> None:
    pipeline = missing("7", kind="pipeline", name="Sales", parent="")
    Drift.objects.filter(account=cast["south"]).delete()
    DriftFactory(account=cast["south"], rows=[missing("7/71", kind="stage", name="Offer", parent="Sales"), pipeline])
    gone = what(cast, attribute="", action="create")
    response = admin_client.post(REVERT, gone | {"account": ids(cast, "south")}, follow=True)
    assert "Revert all of the account instead." in response.content.decode()
    assert not SyncRun.objects.exists()


def test_reverting_only_plans_where_plans_need_approval(admin_client, cast) -> None:
    SyncGroup.objects.update(requires_approval=True)
    assert "requires approval" in admin_client.get(REVERT, what(cast)).content.decode()
    admin_client.post(REVERT, what(cast) | {"account": ids(cast, "north")})
    assert SyncRun.objects.get().mode == RunMode.PLAN


def test_each_decision_needs_its_permission(client, cast) -> None:
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(clerk)
    assert client.get(LIST, {"by": "item"}).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_drift"))
    html = client.get(LIST, {"by": "item"}).content.decode()
    assert "renamed in 3 accounts" in html
    assert ACCEPT not in html
    assert REVERT not in html
    sent = what(cast) | {"account": ids(cast, "north"), "reason": "So."}
    assert client.post(ACCEPT, sent).status_code == 403
    assert client.post(REVERT, sent).status_code == 403
    assert not AcceptedDifference.objects.exists()
    assert not SyncRun.objects.exists()


@pytest.mark.parametrize(
    ("causes", "label", "all_of_it"),
    [
        (["slave"], "Revert", "Revert all"),
        (["master"], "Bring to the account", "Bring all to the account"),
        (["both"], "Make as in the master", "Make all as in the master"),
        (["slave", "master"], "Make as in the master", "Make all as in the master"),
    ],
)
def test_what_makes_accounts_equal_is_named_by_its_effect(admin_client, causes, label, all_of_it) -> None:
    account = AccountFactory(subdomain="north", name="North", group=AccountFactory(master=True).group)
    rows = [renamed(key=f"7/7{place}", cause=cause) for place, cause in enumerate(causes)]
    DriftFactory(account=account, rows=rows)
    for name in ("syncing:account", "syncing:drift_account", "syncing:revert"):
        assert all_of_it in admin_client.get(reverse(name, args=[account.pk])).content.decode(), name
    if len(causes) == 1:
        by_item = admin_client.get(LIST, {"by": "item"}).content.decode()
        question = admin_client.get(REVERT, what({"north": account}, key="7/70")).content.decode()
        for page in (
            by_item,
            question,
            admin_client.get(reverse("syncing:drift_account", args=[account.pk])).content.decode(),
        ):
            assert f">{label}<" in page


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ({}, "only in 1 account, and deleted by the next run"),
        ({"requires_approval": True}, "only in 1 account, and deleted once a person starts or approves it"),
        ({"watch": "apply"}, "only in 1 account, and deleted once a person starts or approves it"),
    ],
)
def test_a_deletion_is_said_to_come_by_itself_only_where_it_does(admin_client, cast, policy, sentence) -> None:
    SyncGroup.objects.update(**policy)
    Drift.objects.all().delete()
    DriftFactory(account=cast["north"], rows=[extra(action="delete", cause="slave")])
    assert listed(admin_client) == [("Old", sentence)]
