"""The plan grid: every distinct plan once, who has it, how it differs; searched, in pages, and to take along."""

import csv
import io
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.engine.grouping import content_digest
from syncing.engine.snapshot import to_document
from syncing.models import AccountRun, AccountState, LogEntry, MasterSnapshot, RunMode, RunState, SyncRun
from syncing.presentation.explanations import reason_label
from syncing.selectors.documents import run_document
from syncing.selectors.grid import grid
from syncing.services.keys import create_key
from syncing.tests.engine.items import pipeline, snapshot, stage
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.plans import change, document, item, planned

pytestmark = pytest.mark.django_db

COMMON = document(
    change("create", "Contract", {"color": [None, "#99ccff"]}),
    change("update", "Offer", {"color": ["#ffffff", "#99ccff"]}),
    change("delete", "Old stage"),
    extras=[item("Own way", "Kept: leads in it: 12.")],
)
OTHER = document(COMMON["changes"][0], change("update", "Wörk", {"name": ["Work", "Wörk"]}))
FAILURE = {"code": "unpaid", "message": "Not <paid>.", "remedy": "Pay for it."}


@pytest.fixture
def run(db) -> SyncRun:
    group = AccountFactory(master=True).group
    return RunFactory(group=group, mode=RunMode.PLAN, state=RunState.PLANNED)


@pytest.fixture
def planned_run(run) -> SyncRun:
    """119 accounts: 100 with one plan, 7 with another, 11 in sync, 1 that failed."""
    accounts = AccountFactory.create_batch(119, group=run.group)
    for number, account in enumerate(accounts):
        what = COMMON if number < 100 else OTHER if number < 107 else document()
        if number < 118:
            planned(run, account, what)
    AccountRunFactory(run=run, account=accounts[118], state=AccountState.FAILED, reason="unpaid", error=FAILURE)
    return run


def page_of(run: SyncRun) -> str:
    return reverse("admin:syncing_syncrun_change", args=[run.pk])


def plan_url(run: SyncRun, what: dict[str, Any]) -> str:
    return reverse("syncing:plan", args=[run.pk, content_digest(what)])


def account(run: SyncRun, name: str) -> Account:
    return AccountFactory(group=run.group, subdomain=name)


def text_of(response: Any) -> str:
    """The page with every run of white space as one blank."""
    return " ".join(response.content.decode().split())


# -- the grid --


def test_each_distinct_plan_is_a_card_the_most_common_first(admin_client, planned_run) -> None:
    response = admin_client.get(page_of(planned_run))
    html = text_of(response)

    assert [card.size for card in response.context["grid"].cards] == [100, 7]
    assert "100 accounts: the same 3 changes" in html
    assert "7 accounts: the same 2 changes" in html
    for said in ("100 accounts: the same plan", "7 differ", "11 in sync", "1 without a plan"):
        assert said in html
    assert "11 accounts are in sync: nothing to do" in html


def test_a_card_shows_every_kind_of_row_field_by_field(admin_client, planned_run) -> None:
    html = text_of(admin_client.get(page_of(planned_run)))

    assert "1 item will be deleted:" in html
    assert "<del>Old stage</del>" in html
    assert html.count('</svg></del> → <ins><svg class="ks-swatch" role="img" aria-label="#') == 2
    assert "Kept: leads in it: 12." in html
    assert "These numbers are those of" in html


def test_a_plan_says_how_it_differs_from_the_most_common_one(admin_client, planned_run) -> None:
    response = admin_client.get(page_of(planned_run))
    first, second = response.context["grid"].cards

    assert first.plan.differs is None
    assert [row["name"] for _, row in second.plan.differs.here] == ["Wörk"]
    assert [row["name"] for _, row in second.plan.differs.missing] == ["Offer", "Old stage", "Own way"]
    assert "Unlike the plan of most accounts: 1 only here, 3 not here" in text_of(response)


def test_accounts_without_a_plan_are_counted_and_what_went_wrong_is_said_once(admin_client, planned_run) -> None:
    html = text_of(admin_client.get(page_of(planned_run)))

    assert "1 account has no plan" in html
    assert html.count("Not &lt;paid&gt;.") == 1


def test_one_document_is_loaded_for_each_plan_that_is_shown(planned_run, django_assert_num_queries) -> None:
    loaded: list[str] = []
    read = AccountRun._meta.get_field("document").from_db_value

    with pytest.MonkeyPatch.context() as patch, django_assert_num_queries(5):
        patch.setattr(
            type(AccountRun._meta.get_field("document")),
            "from_db_value",
            lambda field, value, *rest: loaded.append(value) or read(value, *rest),
        )
        found = grid(planned_run)

    assert [card.size for card in found.cards] == [100, 7]
    assert len([value for value in loaded if "Contract" in (value or "")]) == 2


def test_the_page_costs_the_same_for_few_and_many_plans(admin_client, run) -> None:
    costs = []
    for number in range(45):
        if number in (2, 44):
            with CaptureQueriesContext(connection) as queries:
                admin_client.get(page_of(run))
            costs.append(len(queries))
        planned(run, account(run, f"a{number}"), document(change("create", f"Stage {number}")))

    response = admin_client.get(page_of(run))

    assert costs[0] == costs[1]
    assert len(response.context["grid"].cards) == 20
    assert "Page 1 of 3" in text_of(response)
    third = admin_client.get(page_of(run), {"g": 3})
    assert len(third.context["grid"].cards) == 5


def test_a_big_plan_is_on_a_page_of_its_own(admin_client, run) -> None:
    big = document(*(change("create", f"Stage {number}") for number in range(500)))
    for name in ("north", "south"):
        planned(run, account(run, name), big)

    html = text_of(admin_client.get(page_of(run)))

    assert "Show all 500 items" in html
    assert "Stage 7" not in html
    assert plan_url(run, big) in html


def test_what_accounts_have_for_themselves_makes_no_other_plan_and_none_in_sync(admin_client, run) -> None:
    for name in ("north", "south"):
        made = document(change("create", "Stage"), extras=[item(f"Own way of {name}")])
        planned(run, account(run, name), made)
    planned(run, account(run, "east"), document(extras=[item("Own way")]))

    response = admin_client.get(page_of(run))

    (card,) = response.context["grid"].cards
    assert [member.subdomain for member in card.shown] == ["north", "south"]
    assert "Own way" not in text_of(response)
    assert "are shown on the page of that account" in text_of(response)


def test_accounts_in_sync_with_a_remark_are_a_card_after_the_others(admin_client, run) -> None:
    for name in ("east", "north", "south"):
        planned(run, account(run, name), document(extras=[item("Own way", "Kept: leads in it: 1.")]))
    planned(run, account(run, "west"), document(change("create", "Contract")))

    response = admin_client.get(page_of(run))

    assert [card.size for card in response.context["grid"].cards] == [1, 3]
    assert "3 accounts: no changes" in text_of(response)
    assert "3 in sync" in text_of(response)
    assert response.context["grid"].cards[1].plan.differs is None


@pytest.mark.parametrize("reason", ["guard", "stale_plan"])
def test_refused_accounts_of_a_run_that_writes_have_a_grid(admin_client, run, reason) -> None:
    SyncRun.objects.update(mode=RunMode.APPLY)
    planned(run, account(run, "north"), COMMON, state=AccountState.CHANGED)
    planned(run, account(run, "south"), COMMON, state=AccountState.REFUSED, reason=reason)

    response = admin_client.get(page_of(run))

    (card,) = response.context["grid"].cards
    assert [member.subdomain for member in card.shown] == ["south"]
    assert reason_label(reason) in text_of(response)


def test_a_run_that_writes_and_refused_nobody_has_no_grid(admin_client, run) -> None:
    SyncRun.objects.update(mode=RunMode.APPLY)
    planned(run, account(run, "north"), COMMON, state=AccountState.CHANGED)

    response = admin_client.get(page_of(run))

    assert response.context["grid"] is None
    assert "plan.csv" not in text_of(response)


def test_plans_from_before_there_was_a_grid_are_listed(admin_client, run) -> None:
    planned(run, account(run, "north"), COMMON, content_digest="")

    response = admin_client.get(page_of(run))

    assert [member.subdomain for member in response.context["grid"].without] == ["north"]


# -- search --


@pytest.mark.parametrize(
    ("text", "cards", "rows"),
    [
        ("WÖRK", [7], 7),
        ("contract", [100, 7], 107),
        ("sales", [100, 7], 107),
        ("nothing like it", [], 0),
    ],
)
def test_the_search_finds_plans_by_their_items(admin_client, planned_run, text, cards, rows) -> None:
    response = admin_client.get(page_of(planned_run), {"q": text})

    assert [len(card.shown) for card in response.context["grid"].cards] == cards
    assert response.context["account_runs"].paginator.count == rows


def test_the_search_finds_accounts_by_their_names(admin_client, planned_run) -> None:
    mine = planned_run.account_runs.select_related("account").order_by("pk")[3].account
    Account.objects.filter(pk=mine.pk).update(name="Überall", subdomain="uberall")

    response = admin_client.get(page_of(planned_run), {"q": "über"})

    (card,) = response.context["grid"].cards
    assert [member.subdomain for member in card.shown] == ["uberall"]
    assert "(1 of 100)" in text_of(response)
    assert [account_run.account_id for account_run in response.context["account_runs"]] == [mine.pk]
    assert not response.context["grid"].quiet
    assert not response.context["grid"].without


# -- one plan --


def test_the_page_of_a_plan_names_its_accounts_and_shows_all_of_it_in_pages(admin_client, run) -> None:
    big = document(*(change("create", f"Stage {number}") for number in range(150)), change("delete", "Old"))
    for name in ("north", "south"):
        planned(run, account(run, name), big)

    html = text_of(admin_client.get(plan_url(run, big)))
    second = text_of(admin_client.get(plan_url(run, big), {"p": 2}))

    assert "2 accounts: the same 151 changes" in html
    assert all(name in html for name in ("North", "South"))
    assert "Changes (151)" in html
    assert "Page 1 of 2" in html
    assert "<strong>Stage 149</strong>" not in html
    assert "<strong>Stage 149</strong>" in second


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "offer"}, ["Offer"]),
        ({"action": "delete"}, ["Old stage"]),
        ({"action": "extras"}, ["Own way"]),
        ({"q": "offer", "action": "delete"}, []),
    ],
)
def test_the_rows_of_a_plan_are_narrowed_by_name_and_by_what_is_done(admin_client, run, query, names) -> None:
    planned(run, account(run, "north"), COMMON)

    response = admin_client.get(plan_url(run, COMMON), query)

    assert [row["name"] for _, row in response.context["rows"].page] == names


def with_master(run: SyncRun, *pipelines: Any) -> SyncRun:
    """The run, with the master that it has read."""
    what = MasterSnapshot.objects.create(group=run.group, document=to_document(snapshot(*pipelines)), accepted=True)
    SyncRun.objects.filter(pk=run.pk).update(snapshot=what)
    return run


def test_the_page_of_a_plan_draws_the_funnel_before_and_after(admin_client, run) -> None:
    sales = pipeline(1, "Sales", stage(11, "Contract", color="#98cbff"), stage(12, "Offer"))
    with_master(run, sales, pipeline(2, "Care", stage(21, "Call")))
    planned(run, account(run, "north"), COMMON)

    html = text_of(admin_client.get(plan_url(run, COMMON)))
    before, after = re.findall(r'<ol class="ks-funnel".*?</ol>', html)

    assert [re.findall(r'class="ks-chip-name">([^<]+)', side) for side in (before, after)] == [
        ["Incoming leads", "Offer", "Old stage", "Closed - won", "Closed - lost"],
        ["Incoming leads", "Contract", "Offer", "Closed - won", "Closed - lost"],
    ]
    assert "is deleted" in before
    assert "Care" not in html
    assert "Every change in words" in html


def test_what_stays_as_it_is_is_shown_on_demand(admin_client, run) -> None:
    with_master(run, pipeline(1, "Sales", stage(11, "Contract"), stage(12, "Offer")), pipeline(2, "Care"))
    planned(run, account(run, "north"), COMMON)

    html = text_of(admin_client.get(plan_url(run, COMMON)))
    assert "?rest=yes" in html
    assert "<h3>Care</h3>" in text_of(admin_client.get(plan_url(run, COMMON), {"rest": "yes"}))


def test_the_page_of_a_plan_costs_the_same_for_few_and_many_accounts(
    admin_client, run, django_assert_max_num_queries
) -> None:
    with_master(run, pipeline(1, "Sales", stage(11, "Contract"), stage(12, "Offer")))
    for number in range(60):
        planned(run, account(run, f"a{number}"), COMMON)

    with django_assert_max_num_queries(11):
        admin_client.get(plan_url(run, COMMON))


def test_items_of_a_plan_are_ticked_and_planned_alone(admin_client, run) -> None:
    with_master(run, pipeline(1, "Sales", stage(11, "Contract"), stage(12, "Offer")))
    planned(run, account(run, "north"), COMMON)
    url = reverse("syncing:choose", args=[run.pk, content_digest(COMMON)])
    assert url in text_of(admin_client.get(plan_url(run, COMMON)))

    html = text_of(admin_client.get(url))
    values = re.findall(r'name="item" value="([^"]+)"', html)
    assert values == ["stage:1/11", "stage:1/12"]  # nothing that is deleted
    assert "No item was chosen" in text_of(admin_client.post(url, follow=True))
    admin_client.post(url, {"item": values[:1]})

    made = SyncRun.objects.exclude(pk=run.pk).get()
    north = made.account_runs.get().account_id
    pick = {"account": north, "kind": "stage", "key": "1/11", "attribute": "", "chosen": True}
    assert (made.mode, made.picked) == (RunMode.PLAN, [pick])


def test_who_may_not_plan_chooses_nothing(client, run) -> None:
    planned(run, account(run, "north"), COMMON)
    clerk = User.objects.create_user("clerk", password="-", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    client.force_login(clerk)
    url = reverse("syncing:choose", args=[run.pk, content_digest(COMMON)])

    assert [client.get(url).status_code, client.post(url, {"item": ["stage:1/11"]}).status_code] == [403, 403]
    assert url not in text_of(client.get(plan_url(run, COMMON)))


def test_a_plan_that_no_account_has_is_not_there(admin_client, run) -> None:
    assert admin_client.get(plan_url(run, COMMON)).status_code == 404


def test_the_page_of_an_account_tells_who_else_has_its_plan_and_leads_to_its_drift(admin_client, run) -> None:
    account_run = planned(run, account(run, "north"), COMMON)
    planned(run, account(run, "south"), COMMON)

    html = text_of(admin_client.get(reverse("admin:syncing_accountrun_change", args=[account_run.pk])))

    assert "1 other account has this plan" in html
    assert reverse("syncing:drift_account", args=[account_run.account_id]) in html
    assert "<del>Old stage</del>" in html
    assert "Kept: leads in it: 12." in html


def test_the_page_of_an_account_leads_to_its_lines_in_the_log(admin_client, run) -> None:
    account_run = planned(run, account(run, "north"), COMMON)
    for other in (account_run, AccountRunFactory(run=run, account=account(run, "south"))):
        LogEntry.objects.create(run=run, account_run=other, message=f"of {other.account.subdomain}")

    html = text_of(admin_client.get(reverse("admin:syncing_accountrun_change", args=[account_run.pk])))
    (link,) = re.findall(r'href="([^"]+)">Search in the log', html)

    assert [entry.message for entry in admin_client.get(link).context["entries"]] == ["of north"]


# -- to take along --


def lines(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_csv_has_a_row_for_each_change_of_each_account(admin_client, planned_run) -> None:
    response = admin_client.get(reverse("syncing:plan_csv", args=[planned_run.pk]))
    rows = lines(response)

    assert "attachment" in response["Content-Disposition"]
    assert len(rows) == 100 * 4 + 7 * 2 + 11 + 1
    whats = [row["what"] for row in rows if row["account"] == rows[0]["account"]]
    assert whats == ["create", "update", "delete", "extra"]
    assert rows[1]["fields"] == 'color: "#ffffff" -> "#99ccff"'
    assert [row["message"] for row in rows if row["state"] == "failed"] == ["Not <paid>. Pay for it."]


def test_no_cell_of_the_csv_is_a_formula(admin_client, run) -> None:
    planned(run, account(run, "north"), document(change("create", "=1+1", parent="@SUM")))

    (row,) = lines(admin_client.get(reverse("syncing:plan_csv", args=[run.pk])))

    assert (row["item"], row["parent"]) == ("'=1+1", "'@SUM")


def test_the_text_is_what_the_command_line_prints(admin_client, planned_run) -> None:
    response = admin_client.get(reverse("syncing:plan_text", args=[planned_run.pk]))
    text = response.content.decode()

    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert "100 accounts: the same 3 changes; 7 differ; 11 in sync" in text
    assert text.count("- delete stage 'Old stage' in Sales") == 2  # of the plan, and of what the others lack


def test_the_text_of_a_run_that_writes_has_the_plans_that_it_refused(admin_client, run) -> None:
    SyncRun.objects.update(mode=RunMode.APPLY)
    error = {"code": "stale_plan", "message": "The account has changed.", "remedy": "Review it again."}
    for name in ("east", "north"):
        planned(run, account(run, name), COMMON, state=AccountState.REFUSED, reason="stale_plan", error=error)
    failed = document(change("create", "Broken", outcome="failed", message="Kommo said no."))
    planned(run, account(run, "west"), failed, state=AccountState.PARTIAL)

    text = admin_client.get(reverse("syncing:plan_text", args=[run.pk])).content.decode()

    assert "2 accounts: the same 3 changes\n    east, north\n  + create stage 'Contract' in Sales" in text
    assert "north: The account has changed. Review it again." in text
    assert "west:\n  failed: create stage 'Broken' in Sales Kommo said no." in text


@pytest.mark.parametrize("name", ["plan_csv", "plan_text", "plan"])
def test_plans_are_for_those_who_may_look_at_runs(client, run, name) -> None:
    planned(run, account(run, "north"), COMMON)
    clerk = User.objects.create_user("clerk", password="-", is_staff=True)
    url = plan_url(run, COMMON) if name == "plan" else reverse(f"syncing:{name}", args=[run.pk])
    assert "/login/" in client.get(url).url
    client.force_login(clerk)
    assert client.get(url).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 405


# -- the API --


@pytest.fixture
def may_read(db) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='reader', scopes=['read'])[1]}"}


def test_the_api_answers_each_plan_once_with_its_accounts(client, planned_run, may_read) -> None:
    found = client.get(f"/api/sync/runs/{planned_run.pk}/plan", headers=may_read).json()

    assert [len(plan["accounts"]) for plan in found["plans"]] == [100, 7, 11]
    first = found["plans"][0]
    counts = {name: first[name] for name in ("created", "updated", "deleted")}
    assert (counts, first["changes"]) == ({"created": 1, "updated": 1, "deleted": 1}, COMMON["changes"])
    assert first["extras"] == COMMON["extras"]
    assert [each["error"] for each in found["without_plan"]] == [FAILURE]


def test_the_plan_of_a_run_needs_the_scope_to_read(client, run) -> None:
    url = f"/api/sync/runs/{run.pk}/plan"
    starter = {"Authorization": f"Bearer {create_key(name='starter', scopes=['trigger'])[1]}"}
    assert client.get(url).status_code == 401
    assert client.get(url, headers=starter).status_code == 403


def test_the_plan_of_an_unknown_run_is_not_found(client, may_read) -> None:
    assert client.get("/api/sync/runs/1/plan", headers=may_read).status_code == 404


def test_the_document_of_a_run_names_the_plan_of_each_account_and_counts_each_once(client, run, may_read) -> None:
    account_runs = {name: planned(run, account(run, name), COMMON) for name in ("north", "south")}
    AccountRunFactory(run=run, account=account(run, "west"), state=AccountState.FAILED)

    found = client.get(f"/api/sync/runs/{run.pk}", headers=may_read).json()

    digest = account_runs["north"].content_digest
    assert [each["plan"] for each in found["accounts"]] == [digest, digest, None]
    assert found["plans"] == [
        {
            **{"plan": digest, "accounts": ["north", "south"], "created": 1, "updated": 1, "deleted": 1},
            **{"extras": 1, "conflicts": 0, "manual": 0},
        }
    ]


def test_the_text_of_a_run_costs_the_same_for_few_and_many_accounts_without_a_plan(run) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            run_document(run, shared=True)
        return len(seen)

    planned(run, account(run, "east"), COMMON)
    few = queries()
    for name in ("north", "south", "west"):
        AccountRunFactory(run=run, account=account(run, name), state=AccountState.SKIPPED)

    assert queries() == few
