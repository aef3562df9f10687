"""Saved views: made from what a list shows, seen by whom they are for, and the one that a list is opened with."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import AuditEntry, RunState, SavedView, SyncRun
from syncing.services.roles import make_roles
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory

pytestmark = pytest.mark.django_db

RUNS, ACCOUNTS = reverse("syncing:runs"), reverse("syncing:accounts")
SAVE = reverse("syncing:save_view")


@pytest.fixture
def cast() -> dict[str, Account]:
    cast = AccountFactory.cast()
    AccountRunFactory(run=RunFactory(group=cast["north"].group, state=RunState.FAILED), account=cast["north"])
    DriftFactory(account=cast["north"])
    return cast


def logged_in(name: str, role: str) -> Client:
    make_roles()
    client = Client()
    person = User.objects.create_user(name, is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    client.force_login(person)
    return client


@pytest.fixture
def ana() -> Client:
    """An operator, who may share."""
    return logged_in("ana", "operator")


@pytest.fixture
def rui() -> Client:
    """A viewer, who may not."""
    return logged_in("rui", "viewer")


def save(client: Client, name: str = "Failed", list_name: str = "runs", query: str = "state=failed", **more: str):
    return client.post(SAVE, {"list": list_name, "name": name, "query": query, "back": RUNS, **more}, follow=True)


def names(client: Client, url: str = f"{RUNS}?all=yes") -> list[str]:
    return [each.view.name for each in client.get(url).context["saved"].views]


def test_what_a_list_shows_is_saved_under_a_name_and_opened_by_it(ana, cast) -> None:
    assert "Save this view" not in ana.get(RUNS).content.decode()
    html = ana.get(f"{RUNS}?state=failed&q=&p=2").content.decode()
    assert '<input type="hidden" name="query" value="state=failed">' in html
    html = save(ana, "My <failed>").content.decode()
    assert '<a href="?state=failed">My &lt;failed&gt;' in html
    html = ana.get(f"{RUNS}?state=failed").content.decode()
    assert '<a href="?state=failed" aria-current="page">' in html
    assert "Save this view" not in html  # it is one


def test_only_parameters_that_the_list_knows_are_stored(ana, cast) -> None:
    save(ana, query="state=failed&sort=oldest&p=7&next=//evil&group=x&__proto__=1")
    assert SavedView.objects.get().parameters == {"state": "failed", "sort": "oldest"}


def test_a_view_that_says_what_the_list_no_longer_knows_still_opens(ana, cast) -> None:
    save(ana)
    SavedView.objects.update(parameters={"gone": "1", "state": "vanished"})
    (listed,) = ana.get(f"{RUNS}?all=yes").context["saved"].views
    assert listed.query == "?state=vanished"
    assert (
        "Ignored, because this list has no such filter: state=vanished" in ana.get(RUNS + listed.query).content.decode()
    )
    SavedView.objects.update(parameters={"gone": "1"}, is_default=True)
    assert ana.get(RUNS, follow=True).redirect_chain == [(f"{RUNS}?all=yes", 302)]


def test_own_views_are_ones_own_and_shared_ones_everybodys(ana, rui, cast) -> None:
    save(ana, "Hers")
    save(ana, "Ours", shared="on")
    assert (names(ana), names(rui)) == (["Hers", "Ours"], ["Ours"])
    assert names(ana, f"{ACCOUNTS}?all=yes") == []
    hers, ours = SavedView.objects.get(name="Hers"), SavedView.objects.get(name="Ours")
    for view in (hers, ours):
        for name, sent in (("change_view", {"name": "x", "default": "on"}), ("delete_view", {})):
            rui.post(reverse(f"syncing:{name}", args=[view.pk]), sent)
    assert set(SavedView.objects.values_list("name", "is_default")) == {("Hers", False), ("Ours", False)}
    User.objects.get(username="ana").delete()
    assert names(rui) == ["Ours"]


def test_sharing_needs_its_permission_and_is_written_down(ana, rui, cast) -> None:
    assert "may not do this" in save(rui, shared="on").content.decode()
    assert not SavedView.objects.exists()
    assert 'name="shared"' not in rui.get(f"{RUNS}?state=failed").content.decode()
    save(ana, "Ours", shared="on")
    save(ana, "Hers")
    ana.post(reverse("syncing:delete_view", args=[SavedView.objects.get(name="Ours").pk]))
    assert [(entry.actor, entry.details["what"]) for entry in AuditEntry.objects.filter(action="view")] == [
        ("ana", "deleted"),
        ("ana", "saved"),
    ]


def test_a_list_is_opened_with_its_default_and_there_is_a_way_back_to_all(ana, rui, cast) -> None:
    RunFactory(group=cast["north"].group, state=RunState.SUCCEEDED)
    save(ana, "Ours", shared="on", default="on")
    assert ana.get(RUNS)["Location"] == rui.get(RUNS)["Location"] == f"{RUNS}?state=failed"
    save(ana, "Hers", query="state=succeeded", default="on")  # goes before that of everybody
    assert (ana.get(RUNS)["Location"], rui.get(RUNS)["Location"]) == (f"{RUNS}?state=succeeded", f"{RUNS}?state=failed")
    html = ana.get(RUNS, follow=True).content.decode()
    assert '<a href="?all=yes">All</a>' in html
    assert len(ana.get(f"{RUNS}?all=yes").context["runs"]) == 2
    assert ana.get(f"{RUNS}?q=&state=").status_code == 200  # the form, emptied
    save(ana, "Other", query="state=open", default="on")
    assert list(SavedView.objects.filter(is_default=True, owner__isnull=False).values_list("name")) == [("Other",)]


def test_views_are_renamed_replaced_and_deleted(ana, cast) -> None:
    save(ana, "A")
    save(ana, "A", query="state=open")
    save(ana, "B", query="q=x")
    first, second = SavedView.objects.order_by("pk")
    assert first.parameters == {"state": "open"}
    change = reverse("syncing:change_view", args=[first.pk])
    assert (
        "There is a view called B already."
        in ana.post(change, {"name": "B", "back": RUNS}, follow=True).content.decode()
    )
    ana.post(change, {"name": "  C ", "default": "on"})
    ana.post(reverse("syncing:delete_view", args=[second.pk]))
    assert list(SavedView.objects.values_list("name", "is_default")) == [("C", True)]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ({"name": " "}, "A view needs a name."),
        ({"query": ""}, "nothing to save"),
        ({"query": "state=nonsense"}, "nothing to save"),
        ({"list_name": "elsewhere"}, "nothing to save"),
    ],
)
def test_what_is_no_view_is_refused_with_a_reason(ana, cast, sent, told) -> None:
    assert told in save(ana, **sent).content.decode()
    assert not SavedView.objects.exists()


def test_nobody_is_led_elsewhere_by_a_form(ana, cast) -> None:
    for back in ("https://evil.example/", "//evil.example/", ""):
        assert ana.post(SAVE, {"back": back}).url == "/"


@pytest.mark.parametrize(
    ("list_name", "url", "query"),
    [
        ("accounts", "/accounts/", "sort=token&health=bad"),
        ("drift", "/drift/", "state=drifted"),
        ("drift_items", "/drift/?by=item", "cause=slave"),
        ("todo", "/todo/", "what=manual"),
        ("run_log", "log", "level=error"),
    ],
)
def test_every_list_has_views(ana, cast, list_name, url, query) -> None:
    if url == "log":
        url = reverse("syncing:run_log", args=[SyncRun.objects.get().pk])
    save(ana, "Mine", list_name, query, default="on")
    answer = ana.get(url, follow=True)
    assert answer.redirect_chain == [(url.partition("?")[0] + ("?by=item&" if "?" in url else "?") + query, 302)]
    (listed,) = answer.context["saved"].views
    assert listed.is_here


def test_views_cost_a_list_one_query(ana, cast, django_assert_num_queries) -> None:
    with django_assert_num_queries(10):
        ana.get(f"{RUNS}?all=yes")
    for number in range(20):
        save(ana, f"View {number}", query=f"q={number}")
    with django_assert_num_queries(10):
        ana.get(f"{RUNS}?all=yes")
