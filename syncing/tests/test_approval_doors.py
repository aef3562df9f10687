"""The doors of approvals and of the audit: what they refuse, with which sentence, and whom they let in."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.engine.grouping import content_digest
from syncing.models import AuditAction, AuditEntry, RunMode, SyncRun
from syncing.selectors.fleet import fleet_accounts
from syncing.selectors.needs import needs
from syncing.services import approvals, audit
from syncing.services.actors import COMMAND
from syncing.tests.commands import command
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.management.test_approve import bearer, post
from syncing.tests.plans import change, document, planned
from syncing.views.solutions import solution_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> SyncGroup:
    """The usual cast, in a group that wants approvals."""
    group = GroupFactory(requires_approval=True)
    AccountFactory.cast(group)
    return group


@pytest.fixture
def ben(db: None) -> User:
    """Who may approve."""
    user = User.objects.create_user("ben", password="-", is_staff=True)
    codes = ("approve_plan", "plan_sync", "view_syncrun")
    user.user_permissions.add(*Permission.objects.filter(codename__in=codes))
    return user


def planned_run() -> int:
    """A plan run that ended: every slave has the same plan."""
    run = RunFactory(mode=RunMode.PLAN, state="planned", group=SyncGroup.objects.get())
    for account in run.group.accounts.filter(role="slave"):
        planned(run, account, document(change("create", "Offer")))
    return run.pk


# -- the command --


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--by", "nobody"], "nobody"),
        (["--by", "clerk"], "syncing.approve_plan"),
        (["--by", "ben", "--account", "nowhere"], "nowhere"),
        (["--by", "ben", "--account", "master"], "master"),
        (["--by", "ben", "--no-wait"], "--queue"),
    ],
)
def test_a_wrong_approval_ends_in_2_with_a_sentence_and_a_document(
    group: SyncGroup, ben: User, args: list[str], said: str
) -> None:
    User.objects.create_user("clerk")
    plan = planned_run()

    code, out, errors = command("approve", str(plan), *args, "--json")

    assert code == 2
    assert said in errors
    found = json.loads(out)
    assert (found["run"], found["state"]) == (None, "failed")
    assert SyncRun.objects.count() == 1


def test_a_run_that_is_not_there_is_named_with_the_newest(group: SyncGroup, ben: User) -> None:
    plan = planned_run()

    code, _, errors = command("approve", "4711", "--by", "ben")

    assert code == 2
    assert "4711" in errors
    assert str(plan) in errors


def test_the_workers_can_be_left_to_it(group: SyncGroup, ben: User) -> None:
    plan = planned_run()

    code, out, _ = command("approve", str(plan), "--by", "ben", "--queue", "--no-wait", "--json")
    said = json.loads(out)

    run = SyncRun.objects.get(pk=said["run"])
    assert (code, said["state"], run.queued_to_workers, run.requested_by) == (0, "queued", True, ben)


@pytest.mark.parametrize(("since", "lines"), [("2000-01-31", 2), ("2199-01-01T10:00", 1)])
def test_the_audit_can_begin_on_a_day(since: str, lines: int) -> None:
    audit.note(AuditAction.STARTED, by=COMMAND)

    assert len(command("audit", "--since", since)[1].splitlines()) == lines


@pytest.mark.parametrize("since", ["yesterday", "2026-02-30", ""])
def test_what_is_no_day_ends_in_2(db: None, since: str) -> None:
    code, _, errors = command("audit", f"--since={since}")

    assert (code, "2026-01-31" in errors) == (2, True) if since else (0, False)


# -- the page --


@pytest.fixture
def page(ben: User) -> Client:
    client = Client()
    client.force_login(ben)
    return client


def test_the_page_shows_equal_plans_together_and_applies_what_is_ticked(group: SyncGroup, page: Client) -> None:
    plan = planned_run()
    other = document(change("update", "New"))
    digests = {"content_digest": content_digest(other), "plan_digest": "1" * 64}
    SyncRun.objects.get().account_runs.filter(account__subdomain="west").update(created=0, updated=1, **digests)
    run_page = page.get(reverse("admin:syncing_syncrun_change", args=[plan])).content.decode()
    url = reverse("syncing:approve", args=[plan])
    assert url in run_page

    shown = page.get(url)
    bundles = shown.context["bundles"]
    assert [[member.subdomain for member in bundle.members] for bundle in bundles] == [
        ["east", "north", "south"],
        ["west"],
    ]
    answer = page.post(url, {"plan": [bundles[0].digest], "reason": "Looks right"})

    run = SyncRun.objects.first()
    assert run is not None
    assert answer.url == reverse("admin:syncing_syncrun_change", args=[run.pk])
    approved = dict(run.account_runs.values_list("account__subdomain", "approved_digest"))
    assert approved == dict.fromkeys(("east", "north", "south"), "0" * 64)
    assert run.approved_plan_id == plan
    assert AuditEntry.objects.get(action="approved").reason == "Looks right"


def test_the_page_names_what_each_plan_deletes_and_in_how_many_accounts(group: SyncGroup, page: Client) -> None:
    plan = SyncRun.objects.get(pk=planned_run())
    other = document(change("delete", "Lost contact"), change("create", "Offer"))
    for name in ("p1", "p2"):
        planned(plan, AccountFactory(group=group, subdomain=name), other)

    shown = page.get(reverse("syncing:approve", args=[plan.pk])).content.decode()

    red = " ".join(shown.split('<div class="ks-notice ks-bad">')[1].split("</div>")[0].split())
    assert "Stage <strong>Lost contact</strong> (Sales)" in red
    assert "In 2 accounts." in red
    assert "0 leads" in red
    assert shown.count("ks-notice ks-bad") == 1


def approved_by(run: SyncRun | None) -> set[str]:
    assert run is not None
    return set(run.account_runs.values_list("account__subdomain", flat=True))


def test_single_accounts_are_approved_without_the_others_of_their_plan(group: SyncGroup, page: Client) -> None:
    url = reverse("syncing:approve", args=[planned_run()])
    accounts = [account.pk for account in group.accounts.filter(subdomain__in=["north", "west"])]

    page.post(url, {"account": accounts})

    assert approved_by(SyncRun.objects.exclude(approved_plan=None).get()) == {"north", "west"}


def test_an_account_beside_its_whole_plan_is_asked_about_instead_of_guessed(group: SyncGroup, page: Client) -> None:
    url = reverse("syncing:approve", args=[planned_run()])
    digest, account = page.get(url).context["bundles"][0].digest, group.accounts.get(subdomain="north")

    answer = page.post(url, {"plan": [digest], "account": [account.pk]}).content.decode()

    assert "Tick either the plan or the accounts." in answer
    assert f'name="account" value="{account.pk}" checked' in answer
    assert SyncRun.objects.count() == 1


def test_nothing_ticked_approves_nothing_and_ticks_nothing(group: SyncGroup, page: Client) -> None:
    answer = page.post(reverse("syncing:approve", args=[planned_run()]), {"reason": "Yes"}).content.decode()

    assert "Choose at least one plan, or one account." in answer
    assert " checked" not in answer
    assert SyncRun.objects.count() == 1


def test_an_account_that_the_page_does_not_list_is_not_approved_by_its_number(group: SyncGroup, page: Client) -> None:
    url = reverse("syncing:approve", args=[planned_run()])
    stranger = AccountFactory(group=group, subdomain="stranger")

    assert "Choose at least one plan" in page.post(url, {"account": [stranger.pk]}).content.decode()


def test_the_page_draws_the_first_plans_with_the_same_number_of_queries(group: SyncGroup, page: Client) -> None:
    plan = SyncRun.objects.get(pk=planned_run())
    url = reverse("syncing:approve", args=[plan.pk])
    costs = []
    for number in range(40):
        planned(plan, AccountFactory(group=group), document(change("create", f"Stage {number}")))
        if number in (5, 39):
            with CaptureQueriesContext(connection) as queries:
                page.get(url)
            costs.append(len(queries))

    assert costs[0] == costs[1] <= 14


# -- sent back --


def send_back(page: Client, plan: int, comment: str = "Keep the old colours.") -> Any:
    return page.post(reverse("syncing:send_back", args=[plan]), {"comment": comment}, follow=True)


def test_a_plan_that_was_sent_back_says_so_and_is_approved_by_nobody(group: SyncGroup, page: Client, ben: User) -> None:
    plan = planned_run()

    answer = send_back(page, plan).content.decode()

    assert "ben sent this plan back" in answer
    assert "Keep the old colours." in answer
    assert reverse("syncing:approve", args=[plan]) not in answer
    entry = AuditEntry.objects.get(action=AuditAction.SENT_BACK)
    assert (entry.actor, entry.via, entry.run, entry.reason) == ("ben", "admin", plan, "Keep the old colours.")
    code, _, errors = command("approve", str(plan), "--by", "ben")
    assert (code, "sent back by ben: Keep the old colours." in errors) == (2, True)
    assert SyncRun.objects.count() == 1


def test_every_page_of_a_plan_that_was_sent_back_has_the_comment(
    group: SyncGroup, page: Client, admin_client: Client
) -> None:
    plan = planned_run()
    send_back(page, plan)
    account_run = SyncRun.objects.get(pk=plan).account_runs.all()[0]
    pages = [
        reverse("syncing:runs"),
        reverse("admin:syncing_syncrun_change", args=[plan]),
        reverse("syncing:plan", args=[plan, account_run.content_digest]),
        reverse("admin:syncing_accountrun_change", args=[account_run.pk]),
        reverse("syncing:dashboard"),
    ]
    assert [url for url in pages if "Keep the old colours." not in admin_client.get(url).content.decode()] == []
    history = admin_client.get(reverse("syncing:dashboard")).content.decode().split('id="ks-history"')[1]
    assert "Sent back</span>" in history


def test_a_plan_is_sent_back_once_and_with_a_comment(group: SyncGroup, page: Client) -> None:
    plan = planned_run()

    assert "This field is required." in send_back(page, plan, " ").content.decode()
    assert not AuditEntry.objects.filter(action=AuditAction.SENT_BACK).exists()
    send_back(page, plan)
    send_back(page, plan, "Another one.")

    assert SyncRun.objects.get().sent_back_comment == "Keep the old colours."
    assert AuditEntry.objects.filter(action=AuditAction.SENT_BACK).count() == 1


def test_the_overview_says_that_a_plan_was_sent_back_instead_of_that_it_waits(group: SyncGroup, page: Client) -> None:
    plan = planned_run()
    assert {need.concern.label for need in needs(fleet_accounts())} == {"Waits for approval"}

    send_back(page, plan)

    (need,) = needs(fleet_accounts())
    assert (need.concern.label, need.concern.text) == ("Plan sent back", "ben: Keep the old colours.")
    solution = solution_of(need, lambda permission: False)
    assert solution is not None
    assert solution.url == reverse("admin:syncing_syncrun_change", args=[plan])


def test_what_was_approved_before_a_plan_is_sent_back_goes_on(group: SyncGroup, page: Client) -> None:
    plan = planned_run()
    account = group.accounts.get(subdomain="north")
    page.post(reverse("syncing:approve", args=[plan]), {"account": [account.pk]})
    SyncRun.objects.filter(approved_plan=plan).update(state="succeeded")

    send_back(page, plan)

    assert SyncRun.objects.get(pk=plan).sent_back_by == "ben"
    assert approved_by(SyncRun.objects.get(approved_plan=plan)) == {"north"}


def test_the_command_line_sends_a_plan_back_in_the_name_of_somebody_who_may(group: SyncGroup, ben: User) -> None:
    User.objects.create_user("clerk")
    plan = str(planned_run())

    refused = command("send_back", plan, "--by", "clerk", "--comment", "No.")
    done = command("send_back", plan, "--by", "ben", "--comment", "Keep the colours.")

    assert (refused[0], "syncing.approve_plan" in refused[2]) == (2, True)
    assert (done[0], done[1].strip()) == (0, f"The plan of run {plan} was sent back.")
    assert SyncRun.objects.get().sent_back_by == "ben"


def test_a_program_sends_a_plan_back(group: SyncGroup, client: Client) -> None:
    url = f"/api/sync/runs/{planned_run()}/send_back"
    asked = [("read", "No."), ("approve", " "), ("approve", "Keep the colours."), ("approve", "Once more.")]
    keys = {scope: bearer(scope) for scope in ("read", "approve")}

    answers = [client.post(url, {"comment": said}, "application/json", headers=keys[scope]) for scope, said in asked]

    assert [answer.status_code for answer in answers] == [403, 409, 200, 409]
    assert answers[2].json()["sent_back"]["comment"] == "Keep the colours."
    assert answers[3].json()["error"]["code"] == "sent_back"
    document = client.get(f"/api/sync/runs/{SyncRun.objects.get().pk}", headers=keys["read"]).json()
    (row,) = client.get("/api/sync/runs", headers=keys["read"]).json()["runs"]
    assert document["sent_back"] == row["sent_back"]
    assert row["sent_back"]["comment"] == "Keep the colours."


def test_the_document_of_a_run_has_what_people_said_about_it(group: SyncGroup, client: Client) -> None:
    asked = {"mode": "plan", "name": "Summer", "reason": "New fields"}
    keys = {scope: bearer(scope) for scope in ("read", "trigger")}
    number = client.post("/api/sync/trigger", asked, "application/json", headers=keys["trigger"]).json()["run"]
    document = client.get(f"/api/sync/runs/{number}", headers=keys["read"]).json()
    (row,) = client.get("/api/sync/runs", headers=keys["read"]).json()["runs"]
    for told in (document, row):
        assert (told["name"], told["why"]) == ("Summer", "New fields")
        assert told["first_attempt"] is told["sent_back"] is None
        assert told["requested_by"]


def test_nobody_without_the_permission_sends_a_plan_back(group: SyncGroup, client: Client) -> None:
    clerk = User.objects.create_user("clerk", password="-", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    client.force_login(clerk)
    plan = planned_run()

    assert send_back(client, plan).status_code == 403
    assert SyncRun.objects.get().sent_back_at is None
    with pytest.raises(Refusal, match="may not approve"):
        approvals.send_back(SyncRun.objects.get(), by=Actor.of_user(clerk, "admin"), comment="No.")


def test_a_search_narrows_what_is_approved(group: SyncGroup, page: Client) -> None:
    url = reverse("syncing:approve", args=[planned_run()])
    digest = page.get(url).context["bundles"][0].digest

    page.post(f"{url}?q=NORTH", {"plan": [digest]})

    run = SyncRun.objects.first()
    assert run is not None
    assert list(run.account_runs.values_list("account__subdomain", flat=True)) == ["north"]


def test_nothing_ticked_approves_nothing(group: SyncGroup, page: Client) -> None:
    url = reverse("syncing:approve", args=[planned_run()])

    answer = page.post(url, {"reason": "Looks right"})

    assert "at least one plan" in answer.content.decode()
    assert SyncRun.objects.count() == 1


def test_the_page_warns_of_accounts_that_were_written_since(group: SyncGroup, page: Client) -> None:
    plan = planned_run()
    written = RunFactory(group=SyncGroup.objects.get())
    AccountRunFactory(run=written, account=written.group.accounts.get(subdomain="north"), state="changed")

    html = page.get(reverse("syncing:approve", args=[plan])).content.decode()

    assert "written since" in html


def test_the_doors_of_the_page_are_shut_without_the_permission(group: SyncGroup, client: Client) -> None:
    plan = planned_run()
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    client.force_login(clerk)
    url = reverse("syncing:approve", args=[plan])

    assert url not in client.get(reverse("admin:syncing_syncrun_change", args=[plan])).content.decode()
    assert client.get(url).status_code == client.post(url, {"plan": ["x"]}).status_code == 403
    assert client.post(reverse("syncing:review", args=[plan])).status_code == 403
    client.logout()
    assert client.get(url).status_code == 302
    assert SyncRun.objects.count() == 1


def test_who_asked_is_told_that_another_one_has_to_approve(group: SyncGroup, page: Client, ben: User) -> None:
    SyncGroup.objects.update(approver_must_differ=True)
    plan = planned_run()
    SyncRun.objects.update(requested_by=ben)

    answer = page.get(reverse("syncing:approve", args=[plan]), follow=True)

    assert "cannot approve it" in answer.content.decode()


def test_a_group_that_wants_approvals_offers_no_sync(group: SyncGroup, admin_client: Client) -> None:
    group = SyncGroup.objects.get()
    url = reverse("syncing:start", args=[group.pk, "apply"])
    pages = [reverse("admin:index"), reverse("admin:accounts_syncgroup_change", args=[group.pk])]

    assert not [page for page in pages if url in admin_client.get(page).content.decode()]
    answer = admin_client.post(url, {"type": "full"}, follow=True)
    assert "planned and approved" in answer.content.decode()
    assert not SyncRun.objects.exists()


# -- REST --


@pytest.mark.parametrize(
    ("body", "code", "allowed"),
    [
        ({"force": True}, "unknown_key", "accounts, reason"),
        ({"accounts": "north"}, "bad_accounts", "north"),
        ({"accounts": []}, "bad_accounts", "north"),
        ({"accounts": ["nobody"]}, "unknown_account", "north"),
        ({"accounts": [None]}, "unknown_account", "north"),
        ({"reason": 7}, "bad_reason", "500"),
        ({"reason": "x" * 501}, "bad_reason", "500"),
    ],
)
def test_a_wrong_body_approves_nothing(group: SyncGroup, client: Client, body: Any, code: str, allowed: str) -> None:
    answer = post(client, planned_run(), bearer("approve"), body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert allowed in answer.json()["error"]["remedy"]
    assert SyncRun.objects.count() == 1


def test_keys_of_other_scopes_approve_nothing(group: SyncGroup, client: Client) -> None:
    plan = planned_run()

    assert post(client, plan, bearer("read", "trigger")).status_code == 403
    assert post(client, plan, {}).status_code == 401
    assert SyncRun.objects.count() == 1


def test_what_cannot_be_approved_is_a_conflict_with_the_remedy(group: SyncGroup, client: Client) -> None:
    plan, may_approve = planned_run(), bearer("approve")
    assert post(client, plan, may_approve).status_code == 202

    answer = post(client, plan, may_approve)

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_approved")
    assert post(client, 4711, may_approve).status_code == 404


def test_a_trigger_that_would_write_is_told_how_to_get_there(group: SyncGroup, client: Client) -> None:
    answer = client.post("/api/sync/trigger", "{}", content_type="application/json", headers=bearer("trigger"))

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "approval_needed"


def test_the_audit_comes_in_pages_the_newest_first(client: Client) -> None:
    for _ in range(2):
        audit.note(AuditAction.STARTED, by=COMMAND)
    may_read = bearer("read")

    first = client.get("/api/audit?limit=2", headers=may_read).json()
    rest = client.get(f"/api/audit?limit=2&before={first['next']}", headers=may_read).json()

    assert [entry["action"] for entry in first["entries"] + rest["entries"]] == ["key_made", "started", "started"]
    ids = [entry["id"] for entry in first["entries"] + rest["entries"]]
    assert ids == sorted(ids, reverse=True)
    assert rest["next"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "before=x", "before=-1"])
def test_a_wrong_page_of_the_audit_is_told_what_is_allowed(client: Client, query: str) -> None:
    answer = client.get(f"/api/audit?{query}", headers=bearer("read"))

    assert answer.status_code == 400
    assert answer.json()["error"]["remedy"]


def test_the_audit_needs_a_key_that_may_read(client: Client) -> None:
    assert client.get("/api/audit").status_code == 401
    assert client.get("/api/audit", headers=bearer("approve")).status_code == 403
