"""The pages of drift: what they show and cost, who may see and decide, what is asked before."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AcceptedDifference, Drift, DriftChange, Exclusion, RunMode, RunPurpose, SyncRun
from syncing.tests.factories import DriftFactory, RunFactory, difference, extra, missing

pytestmark = pytest.mark.django_db

LIST = reverse("syncing:drift")
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def cast() -> dict[str, Account]:
    """North was edited, south is behind, west is in sync, nobody looked at east."""
    cast = AccountFactory.cast()
    DriftFactory(account=cast["north"], rows=[difference(), difference(attribute="name", cause="both"), extra()])
    DriftFactory(account=cast["south"], rows=[missing()])
    DriftFactory(account=cast["west"], rows=[], converged_at=timezone.now())
    return cast


@pytest.fixture
def clerk(client):
    """A client of staff that may look at drift; `allow` gives more."""
    client.force_login(User.objects.create_user("clerk", password="-", is_staff=True))
    allow("view_drift")
    return client


def allow(*codenames: str) -> None:
    clerk = User.objects.get(username="clerk")
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def url(name: str, account: Account) -> str:
    return reverse(f"syncing:{name}", args=[account.pk])


def listed(client, **asked: str) -> list[str]:
    return [account.subdomain for account in client.get(LIST, asked).context["accounts"]]


# -- the list --


def test_every_slave_is_listed_the_ones_that_differ_most_first(admin_client, cast) -> None:
    assert listed(admin_client) == ["north", "south", "west", "east"]
    html = admin_client.get(LIST).content.decode()
    for words in (
        "Drifted (2)",
        "Edited in the account: 1",
        "Both changed: 1",
        "Changed in the master: 1",
        "Never checked",
    ):
        assert words in html


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": " NOR\0"}, ["north"]),
        ({"state": "drifted"}, ["north", "south"]),
        ({"state": "in_sync"}, []),
        ({"state": "not_known"}, ["west"]),
        ({"state": "never"}, ["east"]),
        ({"cause": "master"}, ["south"]),
        ({"cause": "edited"}, ["north"]),
        ({"cause": "both", "state": "drifted"}, ["north"]),
        ({"cause": "unknown"}, []),
        ({"state": "nonsense", "cause": "nonsense", "group": "nonsense"}, ["north", "south", "west", "east"]),
    ],
)
def test_the_list_is_searched_and_filtered(admin_client, cast, asked, found) -> None:
    assert listed(admin_client, **asked) == found


def test_the_list_of_one_group_counts_its_own_accounts_only(admin_client, cast) -> None:
    other = AccountFactory(group=GroupFactory(name="Others"))
    assert listed(admin_client, group=str(other.group_id)) == [other.subdomain]
    response = admin_client.get(LIST, {"group": str(other.group_id)})
    assert response.context["summary"].states == [("never", 1)]


def test_the_list_costs_a_fixed_few_queries_and_reads_no_difference(admin_client, django_assert_num_queries) -> None:
    master = AccountFactory(master=True)
    for slave in AccountFactory.create_batch(119, group=master.group):
        DriftFactory(account=slave, rows=[difference(name="Not in the list")])
        AcceptedDifference.objects.create(account=slave, kind="stage", key="7/72")
    with django_assert_num_queries(7) as spent:
        response = admin_client.get(LIST)
    assert len(response.context["accounts"]) == 100
    assert "Page 1 of 2" in response.content.decode()
    assert not any('"syncing_drift"."differences"' in query["sql"] for query in spent.captured_queries)
    assert listed(admin_client, p="2", cause="slave") == listed(admin_client, p="2")


def test_why_a_scheduled_check_could_not_begin_is_said(admin_client, cast) -> None:
    SyncGroup.objects.update(drift_problem="The master master is paused. Resume it first.")
    assert "Resume it first." in admin_client.get(LIST).content.decode()


# -- one account --


def test_the_page_of_an_account_tells_every_difference_field_by_field(admin_client, cast) -> None:
    html = admin_client.get(url("drift_account", cast["north"])).content.decode()
    for words in ("Offer", "Sales", "Colour", "#fffeb2", "#ff8f92", "Edited in the account", "Only in this account"):
        assert words in html
    south = admin_client.get(url("drift_account", cast["south"])).content.decode()
    assert "The master has it, this account does not." in south
    assert "missing here" in south
    assert "has not been checked" in admin_client.get(url("drift_account", cast["east"])).content.decode()


def test_differences_are_searched_by_name_place_and_value(admin_client, cast) -> None:
    def found(text: str) -> list[str]:
        context = admin_client.get(url("drift_account", cast["north"]), {"q": text}).context
        return [row.attribute for row in (*context["differences"], *context["extras"])]

    assert found("offer") == ["color", "name"]
    assert found("FF8F92") == ["color", "name"]
    assert found("old") == [""]
    assert found("nothing") == []


def test_many_differences_come_in_pages_that_keep_the_search(admin_client, cast) -> None:
    Drift.objects.filter(account=cast["west"]).delete()
    DriftFactory(account=cast["west"], rows=[difference(f"7/{number}") for number in range(120)])
    response = admin_client.get(url("drift_account", cast["west"]), {"q": "offer", "p": "2"})
    assert (len(response.context["differences"]), response.context["differences"].paginator.count) == (50, 120)
    assert "?q=offer&amp;p=3" in response.content.decode()


def test_the_page_of_an_account_costs_a_fixed_few_queries(admin_client, cast, django_assert_num_queries) -> None:
    Drift.objects.filter(account=cast["west"]).delete()
    run = RunFactory(group=cast["west"].group)
    DriftFactory(account=cast["west"], rows=[difference(f"7/{number}") for number in range(500)], run=run)
    for number in range(30):
        DriftChange.objects.create(account=cast["west"], run=run, at=timezone.now(), appeared=[difference()])
        AcceptedDifference.objects.create(account=cast["west"], kind="stage", key=f"8/{number}", reason="So.")
    with django_assert_num_queries(9):
        admin_client.get(url("drift_account", cast["west"]))


def test_the_history_is_told_the_youngest_first_in_pages(admin_client, cast) -> None:
    now = timezone.now()
    for number in range(12):
        rows = [difference(name=f"Stage {number}")]
        DriftChange.objects.create(account=cast["north"], at=now + timedelta(hours=number), gone=rows)
    first = admin_client.get(url("drift_account", cast["north"])).context["changes"]
    assert [change.gone[0]["name"] for change in first][:2] == ["Stage 11", "Stage 10"]
    assert len(admin_client.get(url("drift_account", cast["north"]), {"h": "2"}).context["changes"]) == 2


def test_exclusions_and_exceptions_are_shown_with_their_reason(admin_client, cast) -> None:
    Exclusion.objects.create(account=cast["north"], kind="pipeline", name="Events")
    AcceptedDifference.objects.create(account=cast["north"], kind="stage", key="7/73", name="Demo", reason="Their own.")
    AcceptedDifference.objects.create(
        account=cast["north"], kind="stage", key="7/74", name="Gone", reason="-", withdrawn_at=timezone.now()
    )
    html = admin_client.get(url("drift_account", cast["north"])).content.decode()
    assert all(words in html for words in ("Events", "Demo", "Their own.", "Withdraw"))
    assert "Gone" not in html


def test_names_and_values_never_become_markup(admin_client, cast) -> None:
    Account.objects.filter(subdomain="west").update(name=EVIL)
    Drift.objects.all().delete()
    rows = [difference(EVIL, name=EVIL, parent=EVIL, ours=EVIL, theirs=EVIL), extra(EVIL, name=EVIL)]
    DriftFactory(account=cast["west"], rows=rows)
    AcceptedDifference.objects.create(account=cast["west"], kind="stage", key="x", name=EVIL, reason=EVIL)
    DriftChange.objects.create(account=cast["west"], at=timezone.now(), appeared=rows)
    pages = [LIST, url("drift_account", cast["west"]), url("revert", cast["west"]), "/"]
    pages.append(f"{url('accept', cast['west'])}?kind=stage&key=%3Cscript%3Ealert(1)%3C/script%3E")
    for page in pages:
        html = admin_client.get(page).content.decode()
        assert EVIL not in html, page
        assert "&lt;script&gt;" in html, page


# -- who may --


@pytest.mark.parametrize("name", ["drift_account", "revert", "accept"])
def test_a_master_has_no_page_of_drift(admin_client, cast, name) -> None:
    assert admin_client.get(url(name, cast["master"])).status_code == 404


def test_looking_needs_a_permission(client, cast) -> None:
    client.force_login(User.objects.create_user("nobody", password="-", is_staff=True))
    assert client.get(LIST).status_code == 403
    assert client.get(url("drift_account", cast["north"])).status_code == 403
    client.logout()
    assert "/login/" in client.get(LIST).url


def test_who_may_only_look_sees_no_button(clerk, cast) -> None:
    for page in (LIST, url("drift_account", cast["north"])):
        html = clerk.get(page).content.decode()
        assert not any(word in html for word in ("Check now", "Revert", "Accept<", "Withdraw", "Promote"))


@pytest.mark.parametrize(
    ("name", "granted", "more"),
    [
        ("drift_check_account", "plan_sync", {}),
        ("revert", "start_sync", {}),
        ("accept", "accept_drift", {"kind": "stage", "key": "7/71", "attribute": "color", "reason": "Theirs."}),
    ],
)
def test_each_decision_needs_its_own_permission(clerk, cast, name, granted, more) -> None:
    others = {"plan_sync", "start_sync", "accept_drift"} - {granted}
    allow(*others)
    assert clerk.post(url(name, cast["north"]), more).status_code == 403
    assert not SyncRun.objects.exists()
    assert not AcceptedDifference.objects.exists()
    allow(granted)
    assert clerk.post(url(name, cast["north"]), more).status_code == 302
    assert SyncRun.objects.exists() or AcceptedDifference.objects.exists()


def test_nothing_changes_by_looking(admin_client, cast) -> None:
    accepted = AcceptedDifference.objects.create(account=cast["north"], kind="stage", key="7/73")
    assert admin_client.get(reverse("syncing:withdraw", args=[accepted.pk])).status_code == 405
    assert admin_client.get(reverse("syncing:drift_check")).status_code == 405
    assert admin_client.get(url("drift_check_account", cast["north"])).status_code == 405
    admin_client.get(url("revert", cast["north"]))
    assert not SyncRun.objects.exists()


# -- checking and reverting --


def test_a_group_is_checked_by_a_plan_for_drift(admin_client, cast) -> None:
    group = cast["north"].group
    response = admin_client.post(reverse("syncing:drift_check"), {"group": group.pk})
    run = SyncRun.objects.get()
    assert response.url == reverse("admin:syncing_syncrun_change", args=[run.pk])
    assert (run.purpose, run.mode, run.whole_group) == (RunPurpose.DRIFT, RunMode.PLAN, True)
    assert admin_client.post(reverse("syncing:drift_check"), {"group": "x"}).status_code == 404


def test_one_account_is_checked_alone(admin_client, cast) -> None:
    admin_client.post(url("drift_check_account", cast["north"]))
    run = SyncRun.objects.get()
    assert (run.purpose, list(run.account_runs.values_list("account", flat=True))) == ("drift", [cast["north"].pk])


def test_a_check_that_cannot_begin_says_why(admin_client, cast) -> None:
    Account.objects.filter(subdomain="master").update(paused=True)
    response = admin_client.post(reverse("syncing:drift_check"), {"group": cast["north"].group_id}, follow=True)
    assert "Resume it first." in response.content.decode()


def test_reverting_names_all_that_goes_back_before(admin_client, cast) -> None:
    html = admin_client.get(url("revert", cast["north"])).content.decode()
    assert "Offer" in html
    assert "Old" not in html  # an extra is kept
    admin_client.post(url("revert", cast["north"]))
    assert SyncRun.objects.get().mode == RunMode.APPLY


def test_reverting_asks_for_a_plan_where_plans_need_approval(clerk, cast) -> None:
    SyncGroup.objects.update(requires_approval=True)
    allow("start_sync")
    assert clerk.post(url("revert", cast["north"])).status_code == 403
    allow("plan_sync")
    assert "requires approval" in clerk.get(url("revert", cast["north"])).content.decode()
    clerk.post(url("revert", cast["north"]))
    assert SyncRun.objects.get().mode == RunMode.PLAN


# -- exceptions --


def test_accepting_shows_what_is_meant_and_asks_for_the_reason(admin_client, cast) -> None:
    page = url("accept", cast["north"])
    one = admin_client.get(page, {"kind": "stage", "key": "7/71", "attribute": "color"})
    assert [row.attribute for row in one.context["differences"]] == ["color"]
    whole = admin_client.get(page, {"kind": "stage", "key": "7/71"})
    assert [row.attribute for row in whole.context["differences"]] == ["color", "name"]
    again = admin_client.post(page, {"kind": "stage", "key": "7/71", "attribute": "color", "reason": " "})
    assert "This field is required." in again.content.decode()
    assert not AcceptedDifference.objects.exists()


def test_an_accepted_difference_leaves_the_page_and_may_be_withdrawn_there(admin_client, cast) -> None:
    what = {"kind": "stage", "key": "7/71", "attribute": "color", "reason": "Their own colours."}
    response = admin_client.post(url("accept", cast["north"]), what, follow=True)
    accepted = AcceptedDifference.objects.get()
    assert accepted.accepted_by.username == "admin"
    assert [row.attribute for row in response.context["differences"]] == ["name"]
    assert list(response.context["exceptions"]) == [accepted]
    again = admin_client.post(reverse("syncing:withdraw", args=[accepted.pk]), follow=True)
    assert list(again.context["exceptions"]) == []
    assert "The exception is withdrawn." in again.content.decode()
    twice = admin_client.post(reverse("syncing:withdraw", args=[accepted.pk]), follow=True)
    assert "was already withdrawn" in twice.content.decode()


@pytest.mark.parametrize("asked", [{}, {"kind": "stage", "key": "7/99"}, {"kind": "stage", "key": "7/71\0"}])
def test_what_does_not_differ_cannot_be_accepted(admin_client, cast, asked) -> None:
    response = admin_client.get(url("accept", cast["north"]), asked, follow=True)
    assert "This difference no longer exists." in response.content.decode()
    admin_client.post(url("accept", cast["north"]), {**asked, "reason": "So."}, follow=True)
    assert not AcceptedDifference.objects.exists()


def test_what_can_be_brought_to_the_master_leads_there_ticked(admin_client, cast) -> None:
    promote = url("promote", cast["north"])
    html = admin_client.get(url("drift_account", cast["north"])).content.decode()
    for pick in ("stage%7C9%2F91%7Ccolor", "pipeline%7C99%7C"):
        assert f'href="{promote}?pick={pick}"' in html
    ticked = admin_client.get(promote, {"pick": "stage|9/91|color"}).context["ticked"]
    assert ticked == {"stage|9/91|color"}
    south = admin_client.get(url("drift_account", cast["south"])).content.decode()
    assert "?pick=" not in south  # the master has it already


# -- where it is linked --


def test_the_account_list_shows_and_filters_drift(admin_client, cast, django_assert_max_num_queries) -> None:
    accounts = reverse("admin:accounts_account_changelist")
    with django_assert_max_num_queries(14):
        html = admin_client.get(accounts).content.decode()
    assert url("drift_account", cast["north"]) in html
    assert url("drift_account", cast["master"]) not in html

    def filtered(value: str) -> list[str]:
        found = admin_client.get(accounts, {"drift": value}).context["cl"].result_list
        return sorted(account.subdomain for account in found)

    assert filtered("drifted") == ["north", "south"]
    assert filtered("edited") == filtered("both") == ["north"]
    assert filtered("never") == ["east"]
    assert filtered("master") == ["south"]


def test_the_page_of_a_slave_leads_to_its_drift(admin_client, cast) -> None:
    page = reverse("admin:accounts_account_change", args=[cast["north"].pk])
    assert url("drift_account", cast["north"]) in admin_client.get(page).content.decode()
    page = reverse("admin:accounts_account_change", args=[cast["master"].pk])
    assert url("drift_account", cast["master"]) not in admin_client.get(page).content.decode()


def test_the_menu_of_the_admin_shows_the_same_pages(admin_client, cast) -> None:
    menu = reverse("admin:syncing_drift_changelist")
    page = reverse("admin:syncing_drift_change", args=[cast["north"].pk])
    assert len(admin_client.get(menu).context["accounts"]) == 4
    assert admin_client.get(page).context["account"] == cast["north"]
    assert admin_client.get(reverse("admin:syncing_drift_change", args=[0])).status_code == 404


def test_exceptions_are_a_list_that_nobody_edits(admin_client, cast) -> None:
    now = timezone.now()
    for name, end in (("Demo", None), ("Offer", now)):
        AcceptedDifference.objects.create(
            account=cast["north"], kind="stage", key=name, name=name, reason="Theirs.", withdrawn_at=end
        )
    page = reverse("admin:syncing_accepteddifference_changelist")
    assert len(admin_client.get(page, {"q": "demo"}).context["cl"].result_list) == 1
    assert [each.name for each in admin_client.get(page, {"active": "yes"}).context["cl"].result_list] == ["Demo"]
    assert [each.name for each in admin_client.get(page, {"active": "no"}).context["cl"].result_list] == ["Offer"]
    assert admin_client.post(reverse("admin:syncing_accepteddifference_add")).status_code == 403


def test_an_account_is_deleted_with_its_drift(admin_client, cast) -> None:
    AcceptedDifference.objects.create(account=cast["north"], kind="stage", key="7/73")
    Exclusion.objects.create(account=cast["north"], kind="pipeline")
    DriftChange.objects.create(account=cast["north"], at=timezone.now())
    page = reverse("admin:accounts_account_delete", args=[cast["north"].pk])
    admin_client.post(page, {"post": "yes"})
    assert not Account.objects.filter(subdomain="north").exists()
    assert not AcceptedDifference.objects.exists()


def test_the_list_is_told_in_the_order_of_what_is_clicked(admin_client) -> None:
    cast = AccountFactory.cast()
    for name, rows in (("west", [difference()]), ("north", [difference(), missing()])):
        DriftFactory(account=cast[name], rows=rows)

    def order(**query: str) -> list[str]:
        return [each.subdomain for each in admin_client.get(reverse("syncing:drift"), query).context["accounts"]]

    assert order()[:2] == ["north", "west"]
    assert order(sort="name") == ["east", "north", "south", "west"]
    assert order(sort="since")[:2] == ["west", "north"]
    assert order(sort="checked")[2:] == ["west", "north"]
