"""The admin of the synchronisation: who may start, look, cancel; what is shown once; what nobody may edit."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django_q.models import Schedule

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import (
    AccountRun,
    AccountState,
    ApiKey,
    IdMapping,
    LogEntry,
    MasterSnapshot,
    RunMode,
    RunState,
    RunType,
    SyncRun,
    Trigger,
)
from syncing.services.keys import group_for_webhook, key_for, make_webhook_token
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db

ACCOUNTS = reverse("admin:accounts_account_changelist")
GUARD = {"code": "guard", "message": "The master lost 40 %.", "remedy": "Force it."}


@pytest.fixture
def cast() -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def clerk(client):
    """A client of staff that may look at accounts, groups and runs; `allow` gives more."""
    client.force_login(User.objects.create_user("clerk", password="-", is_staff=True))
    allow("view_account", "view_syncgroup", "view_syncrun", "view_accountrun")
    return client


def allow(*codenames: str) -> None:
    clerk = User.objects.get(username="clerk")
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def start_url(group: SyncGroup, mode: str) -> str:
    return reverse("syncing:start", args=[group.pk, mode])


def run_url(run: SyncRun) -> str:
    return reverse("admin:syncing_syncrun_change", args=[run.pk])


def act(client, action: str, *accounts: Account, **more: str):
    data = {"action": action, "_selected_action": [account.pk for account in accounts], **more}
    return client.post(ACCOUNTS, data)


# -- plan and sync a group --


def test_planning_starts_at_once_and_leads_to_the_run(admin_client, cast) -> None:
    response = admin_client.post(start_url(cast["north"].group, "plan"))
    run = SyncRun.objects.get()
    assert response.url == run_url(run)
    assert (run.mode, run.type, run.trigger) == (RunMode.PLAN, RunType.FULL, Trigger.ADMIN)
    assert run.requested_by.username == "admin"


def test_syncing_asks_first_and_names_every_account(admin_client, cast) -> None:
    Account.objects.filter(subdomain="east").update(paused=True)
    html = admin_client.get(start_url(cast["north"].group, "apply")).content.decode()
    assert not SyncRun.objects.exists()
    before, paused = html.split("Paused, will be skipped")
    assert all(name in before for name in ("North", "South", "West"))
    assert "East" in paused


def test_a_confirmed_sync_runs_what_was_chosen(admin_client, cast) -> None:
    admin_client.post(start_url(cast["north"].group, "apply"), {"type": "pipelines"})
    run = SyncRun.objects.get()
    assert (run.mode, run.type, run.whole_group) == (RunMode.APPLY, RunType.PIPELINES, True)


@pytest.mark.parametrize(
    ("mode", "granted", "status"),
    [
        ("plan", "plan_sync", 302),
        ("plan", "start_sync", 403),
        ("apply", "start_sync", 302),
        ("apply", "plan_sync", 403),
        ("delete", "start_sync", 403),
    ],
)
def test_planning_and_syncing_need_a_permission_each(clerk, cast, mode, granted, status) -> None:
    allow(granted)
    assert clerk.post(start_url(cast["north"].group, mode)).status_code == status
    assert SyncRun.objects.exists() is (status == 302)


def test_strangers_are_sent_to_the_login(client, cast) -> None:
    assert "/login/" in client.post(start_url(cast["north"].group, "plan")).url
    assert not SyncRun.objects.exists()


def test_what_cannot_start_says_why(admin_client) -> None:
    group = GroupFactory()
    response = admin_client.post(start_url(group, "plan"), follow=True)
    assert "has no master" in response.content.decode()
    assert not SyncRun.objects.exists()


# -- actions on accounts --


def test_an_action_asks_first_and_leaves_the_master_out(admin_client, cast) -> None:
    response = act(admin_client, "sync_selected", cast["master"], cast["north"], cast["west"])
    html = response.content.decode()
    assert not SyncRun.objects.exists()
    assert "a sync never writes to a master" in html
    assert [account.subdomain for account in response.context["slaves"]] == ["north", "west"]


@pytest.mark.parametrize(("action", "mode"), [("plan_selected", RunMode.PLAN), ("sync_selected", RunMode.APPLY)])
def test_a_confirmed_action_runs_the_selected_slaves_only(admin_client, cast, action, mode) -> None:
    response = act(admin_client, action, cast["master"], cast["north"], cast["west"], confirmed="yes")
    run = SyncRun.objects.get()
    names = sorted(run.account_runs.values_list("account__subdomain", flat=True))
    assert (run.mode, run.whole_group, names) == (mode, False, ["north", "west"])
    assert response.url == run_url(run)


def test_no_action_reaches_accounts_that_are_not_selected_and_deleting_comes_last(admin_client, cast) -> None:
    actions = [name for name, _label in admin_client.get("/accounts/").context["actions"]]
    assert actions[-1] == "delete_selected"
    assert "sync_group" not in actions


def test_a_selection_over_two_groups_makes_a_run_each(admin_client, cast) -> None:
    other = GroupFactory(name="Others")
    AccountFactory(group=other, role="master", subdomain="second")
    far = AccountFactory(group=other, subdomain="far")
    act(admin_client, "sync_selected", cast["north"], far, confirmed="yes")
    assert {run.group.name for run in SyncRun.objects.all()} == {"Branches", "Others"}


def test_the_actions_are_offered_by_permission(clerk, cast) -> None:
    def offered() -> set[str]:
        html = clerk.get(ACCOUNTS).content.decode()
        return {name for name in ("plan_selected", "sync_selected") if f'value="{name}"' in html}

    assert offered() == set()
    allow("plan_sync")
    assert offered() == {"plan_selected"}
    act(clerk, "sync_selected", cast["north"], confirmed="yes")
    assert not SyncRun.objects.exists()
    allow("start_sync")
    assert offered() == {"plan_selected", "sync_selected"}


def test_the_account_list_shows_and_filters_the_last_run(admin_client, cast) -> None:
    AccountRunFactory(account=cast["north"], state=AccountState.FAILED)
    account_run = AccountRunFactory(account=cast["north"], state=AccountState.CHANGED)
    html = admin_client.get(ACCOUNTS).content.decode()
    assert reverse("admin:syncing_accountrun_change", args=[account_run.pk]) in html
    found = admin_client.get(f"{ACCOUNTS}?last_state=changed").context["cl"].queryset
    assert [account.subdomain for account in found] == ["north"]
    assert admin_client.get(f"{ACCOUNTS}?last_state=never").context["cl"].queryset.count() == 4


def test_the_account_list_costs_the_same_for_few_and_many(admin_client, django_assert_num_queries) -> None:
    group = AccountFactory(master=True).group
    for account in AccountFactory.create_batch(119, group=group):
        AccountRunFactory(account=account, run=RunFactory(group=group))
    with django_assert_num_queries(6):
        admin_client.get(ACCOUNTS)


def test_an_account_with_a_history_can_still_be_deleted(admin_client, cast) -> None:
    account_run = AccountRunFactory(account=cast["north"])
    LogEntry.objects.create(run=account_run.run, account_run=account_run)
    admin_client.post(reverse("admin:accounts_account_delete", args=[cast["north"].pk]), {"post": "yes"})
    assert not Account.objects.filter(subdomain="north").exists()


# -- a run --


def test_the_page_of_a_run_shows_every_account_with_reason_and_remedy(admin_client, cast) -> None:
    error = {"code": "unpaid", "message": "Not <paid>.", "remedy": "Pay for it."}
    run = RunFactory(group=cast["north"].group, state=RunState.PARTIAL)
    AccountRunFactory(run=run, account=cast["north"])
    AccountRunFactory(run=run, account=cast["east"], state=AccountState.FAILED, reason="unpaid", error=error)
    html = admin_client.get(run_url(run)).content.decode()
    assert "<strong>Not paid in Kommo.</strong>" in html
    assert "Not &lt;paid&gt;." in html
    assert "Renew the account in Kommo, then retry." in html
    assert "North" in html
    only = admin_client.get(f"{run_url(run)}?state=failed")
    assert [account_run.account.subdomain for account_run in only.context["account_runs"]] == ["east"]


def test_the_page_of_a_run_costs_the_same_for_few_and_many(admin_client, django_assert_num_queries) -> None:
    run = RunFactory(group=AccountFactory(master=True).group)
    for account in AccountFactory.create_batch(119, group=run.group):
        AccountRunFactory(run=run, account=account)
    with django_assert_num_queries(13):
        admin_client.get(run_url(run))


def test_the_live_parts_of_a_run_end_with_it(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.RUNNING, note="reads the fields")
    answer = admin_client.get(reverse("syncing:run_live", args=[run.pk])).json()
    assert answer["open"] is True
    assert "reads the fields" in answer["parts"]["ks-parts"]
    assert "ks-actions" not in answer["parts"]
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    answer = admin_client.get(reverse("syncing:run_live", args=[run.pk])).json()
    assert answer["open"] is False
    assert "Cancel the run" not in answer["parts"]["ks-actions"]


def test_the_page_of_a_run_at_work_offers_to_renew_itself_and_hides_no_failure_after_the_end(
    admin_client, cast
) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    AccountRunFactory(run=run, account=cast["north"], state=AccountState.FAILED, reason="unpaid")
    refresh = "Show how far it is now"
    at_work = admin_client.get(run_url(run)).content.decode()
    assert refresh in at_work
    assert '<details class="ks-outcome" open>' in at_work, "what fails is seen while it fails"
    SyncRun.objects.update(state=RunState.PARTIAL)
    ended = admin_client.get(run_url(run)).content.decode()
    assert refresh not in ended
    assert '<details class="ks-outcome" open>' in ended


def test_the_page_of_an_account_run_shows_changes_field_by_field(admin_client) -> None:
    change = {
        "action": "update",
        "kind": "stage",
        "name": "<b>Offer</b>",
        "parent": "Sales",
        "fields": {"color": ["#fff000", "#99ccff"], "is_editable": [True, False]},
        "outcome": "unverified",
    }
    item = {"kind": "custom_field", "name": "Plan", "parent": "leads", "message": "Two of this name."}
    document = {"changes": [change], "conflicts": [item], "manual": [], "extras": [{**item, "name": "Own"}]}
    account_run = AccountRunFactory(document=document, state=AccountState.PARTIAL)
    html = admin_client.get(reverse("admin:syncing_accountrun_change", args=[account_run.pk])).content.decode()
    assert 'fill="#fff000"/></svg></del> → <ins>' in html
    assert "Colour" in html
    assert "<del>yes</del> → <ins>no</ins>" in html
    assert "&lt;b&gt;Offer&lt;/b&gt;" in html
    assert "not verified" in html
    assert "Conflicts (1)" in html
    assert "Only in this account (kept) (1)" in html


def test_a_run_can_be_taken_along_as_json(admin_client) -> None:
    account_run = AccountRunFactory()
    response = admin_client.get(reverse("syncing:run_json", args=[account_run.run_id]))
    assert "attachment" in response["Content-Disposition"]
    assert response.json()["accounts"][0]["subdomain"] == account_run.account.subdomain


def test_cancelling_needs_its_permission_and_stops_what_waits(clerk, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.QUEUED)
    account_run = AccountRunFactory(run=run, account=cast["north"], state=AccountState.QUEUED)
    url = reverse("syncing:cancel", args=[run.pk])
    assert clerk.post(url).status_code == 403
    allow("cancel_sync")
    assert clerk.get(url).status_code == 405
    clerk.post(url)
    account_run.refresh_from_db()
    assert account_run.state == AccountState.CANCELLED


def test_a_retry_takes_only_what_is_not_good(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.PARTIAL)
    AccountRunFactory(run=run, account=cast["north"])
    AccountRunFactory(run=run, account=cast["west"], state=AccountState.FAILED)
    admin_client.post(reverse("syncing:retry", args=[run.pk]))
    again = SyncRun.objects.first()
    assert [account_run.account.subdomain for account_run in again.account_runs.all()] == ["west"]
    assert again.trigger == Trigger.ADMIN


def test_a_run_that_the_guard_refused_can_be_forced_with_a_reason_only(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.REFUSED, reason="guard", error=GUARD)
    url = reverse("syncing:force", args=[run.pk])
    assert url in admin_client.get(run_url(run)).content.decode()
    assert "The master lost 40 %." in admin_client.get(url).content.decode()
    admin_client.post(url, {"reason": "   "})
    assert SyncRun.objects.count() == 1
    admin_client.post(url, {"reason": "We closed a branch."})
    forced = SyncRun.objects.first()
    assert (forced.forced, forced.force_reason, forced.whole_group) == (True, "We closed a branch.", True)


@pytest.mark.parametrize(("state", "reason"), [(RunState.SUCCEEDED, ""), (RunState.REFUSED, "limit_reached")])
def test_nothing_but_the_guard_can_be_forced(admin_client, cast, state, reason) -> None:
    run = RunFactory(group=cast["north"].group, state=state, reason=reason)
    admin_client.post(reverse("syncing:force", args=[run.pk]), {"reason": "I want it."})
    assert SyncRun.objects.count() == 1


def test_forcing_needs_the_permission_to_sync(clerk, cast) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.REFUSED, reason="guard", error=GUARD)
    url = reverse("syncing:force", args=[run.pk])
    assert url not in clerk.get(run_url(run)).content.decode()
    assert clerk.post(url, {"reason": "I want it."}).status_code == 403


# -- what nobody edits --


@pytest.mark.parametrize("model", [SyncRun, AccountRun, IdMapping, LogEntry, MasterSnapshot, Schedule])
def test_history_and_queue_are_only_looked_at(rf, admin_user, model) -> None:
    request = rf.get("/")
    request.user = admin_user
    model_admin = admin.site.get_model_admin(model)
    assert model_admin.has_view_permission(request)
    assert not model_admin.has_add_permission(request)
    assert not model_admin.has_change_permission(request)
    assert not model_admin.has_delete_permission(request)
    assert model_admin.get_actions(request) == {}


@pytest.mark.parametrize("model", ["syncrun", "accountrun", "idmapping", "logentry", "mastersnapshot", "apikey"])
@pytest.mark.parametrize("query", ["", "north", "7", "é"])
def test_every_list_opens_and_can_be_searched(admin_client, cast, model, query) -> None:
    account_run = AccountRunFactory(account=cast["north"])
    LogEntry.objects.create(run=account_run.run, account_run=account_run, message="north")
    LogEntry.objects.create(run=account_run.run, message="the run itself")
    IdMapping.objects.create(account=cast["north"], kind="stage", master_key="7/1", slave_key="8/1")
    MasterSnapshot.objects.create(group=account_run.run.group, document={"pipelines": [{"stages": [1]}]})
    url = reverse(f"admin:syncing_{model}_changelist")
    assert admin_client.get(url, {"q": query} if query else {}).status_code == 200


def test_a_master_snapshot_opens_with_its_content(admin_client) -> None:
    snapshot = MasterSnapshot.objects.create(group=GroupFactory(), document={"pipelines": [{"name": "<b>"}]})
    html = admin_client.get(reverse("admin:syncing_mastersnapshot_change", args=[snapshot.pk])).content.decode()
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("model", ["syncrun", "accountrun"])
def test_those_who_may_not_look_are_refused(client, model) -> None:
    account_run = AccountRunFactory()
    row = {"syncrun": account_run.run_id, "accountrun": account_run.pk}[model]
    client.force_login(User.objects.create_user("guest", password="-", is_staff=True))
    assert client.get(reverse(f"admin:syncing_{model}_change", args=[row])).status_code == 403
    assert client.get(reverse(f"admin:syncing_{model}_change", args=[row + 1])).status_code == 403
    assert client.get(reverse("syncing:run_json", args=[account_run.run_id])).status_code == 403


def test_a_run_that_is_not_there_is_not_found(admin_client) -> None:
    assert admin_client.get(reverse("admin:syncing_syncrun_change", args=[404])).status_code == 404


# -- secrets that are shown once --


def test_a_new_api_key_is_shown_once_and_never_stored(admin_client) -> None:
    url = reverse("admin:syncing_apikey_add")
    response = admin_client.post(url, {"name": "bot", "scopes": ["read", "trigger"]})
    key = key_for(response.context["secret"])
    assert key is not None
    assert (key.name, key.scopes) == ("bot", ["read", "trigger"])
    assert response.context["secret"] in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    page = admin_client.get(reverse("admin:syncing_apikey_change", args=[key.pk]))
    assert response.context["secret"] not in page.content.decode()
    assert not list(page.context["messages"])


@pytest.mark.parametrize("data", [{"name": "bot"}, {"name": "", "scopes": ["read"]}, {"name": "bot", "scopes": ["x"]}])
def test_an_api_key_needs_a_name_and_a_known_scope(admin_client, data) -> None:
    admin_client.post(reverse("admin:syncing_apikey_add"), data)
    assert not ApiKey.objects.exists()


def test_editing_a_key_keeps_its_secret(admin_client) -> None:
    made = admin_client.post(reverse("admin:syncing_apikey_add"), {"name": "bot", "scopes": ["read"]})
    key = ApiKey.objects.get()
    url = reverse("admin:syncing_apikey_change", args=[key.pk])
    admin_client.post(url, {"name": "robot", "scopes": ["trigger"]})
    assert key_for(made.context["secret"]).name == "robot"
    admin_client.post(reverse("admin:syncing_apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    assert key_for(made.context["secret"]) is None


def test_the_webhook_address_is_shown_once_and_replaced_only_on_demand(admin_client) -> None:
    group = GroupFactory()
    old = make_webhook_token(group)
    url = reverse("syncing:webhook_token", args=[group.pk])
    assert "There is already an address" in admin_client.get(url).content.decode()
    assert group_for_webhook(old) == group
    secret = admin_client.post(url).context["secret"]
    assert secret.startswith("http://testserver/api/sync/webhook/")
    assert group_for_webhook(secret.rpartition("/")[2]) == group
    assert group_for_webhook(old) is None


def test_the_webhook_address_needs_the_right_to_change_the_group(clerk) -> None:
    url = reverse("syncing:webhook_token", args=[GroupFactory().pk])
    assert clerk.post(url).status_code == 403


def test_a_group_page_has_its_buttons(admin_client) -> None:
    group = GroupFactory()
    html = admin_client.get(reverse("admin:accounts_syncgroup_change", args=[group.pk])).content.decode()
    for url in (start_url(group, "plan"), start_url(group, "apply"), reverse("syncing:webhook_token", args=[group.pk])):
        assert f'href="{url}"' in html


# -- planning one account --


def test_one_slave_is_planned_from_its_own_page(admin_client) -> None:
    cast = AccountFactory.cast()
    url = f"{reverse('syncing:start', args=[cast['north'].group_id, 'plan'])}?account={cast['north'].pk}"
    page = admin_client.get(url).text
    assert "Plan North" in page
    assert "South" not in page
    admin_client.post(url)
    run = SyncRun.objects.get()
    assert (run.mode, run.whole_group) == (RunMode.PLAN, False)
    assert [account_run.account for account_run in run.account_runs.all()] == [cast["north"]]


@pytest.mark.parametrize("account", ["master", "abc", "999999", "9" * 30])
def test_what_is_no_slave_of_the_group_is_not_planned(account, admin_client) -> None:
    cast = AccountFactory.cast()
    number = cast["master"].pk if account == "master" else account
    url = f"{reverse('syncing:start', args=[cast['north'].group_id, 'plan'])}?account={number}"
    assert admin_client.get(url).status_code == 404
    assert admin_client.post(url).status_code == 404
    assert not SyncRun.objects.exists()
