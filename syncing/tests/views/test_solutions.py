"""The one button of each line of "needs you", and what it does."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, ConnectionCheck, SyncGroup
from accounts.tests.factories import AccountFactory, IntegrationFactory
from syncing.models import AccountState, RunState, SyncRun
from syncing.selectors.fleet import fleet_accounts
from syncing.selectors.needs import held_needs, needs
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory
from syncing.views.solutions import Solution, solution_of

pytestmark = pytest.mark.django_db

CONFLICT = {"kind": "custom_field", "name": "Plan", "parent": "leads", "message": "Two of this name."}


@pytest.fixture
def cast() -> dict[str, Account]:
    return AccountFactory.cast()


def may_all(permission: str) -> bool:
    return True


def solution(may: Callable[[str], bool] = may_all) -> Solution | None:
    (need,) = needs(fleet_accounts())
    return solution_of(need, may)


def without(permission: str) -> Callable[[str], bool]:
    return lambda asked: asked != permission


def fail(cast, *names: str, mode: str = "apply", **facts: object) -> SyncRun:
    run = RunFactory(group=cast["north"].group, mode=mode, state=RunState.FAILED)
    for name in names:
        facts = {"state": AccountState.FAILED, "reason": "unreachable", "error": {"message": "No answer."}, **facts}
        AccountRunFactory(run=run, account=cast[name], **facts)
    return run


@pytest.mark.parametrize(
    ("facts", "label", "url_name"),
    [
        ({"health": "token_revoked"}, "Store a new token", "admin:accounts_account_change"),
        ({"health": "not_admin"}, "Store a new token", "admin:accounts_account_change"),
        ({"health": "reconnect", "credential_kind": "oauth"}, "Connect", "accounts:connect"),
    ],
)
def test_a_lost_connection_leads_to_its_new_credential(cast, facts, label, url_name) -> None:
    integration = IntegrationFactory() if "credential_kind" in facts else None
    Account.objects.filter(subdomain="west").update(**facts, integration=integration)
    found = solution()
    assert found is not None
    assert (found.label, found.fields) == (label, ())
    assert found.url.startswith(reverse(url_name, args=[cast["west"].pk]))
    assert solution(lambda permission: False) is None


def test_several_lost_connections_lead_to_invite_links_or_to_the_list_of_them(cast) -> None:
    Account.objects.filter(role="slave").update(health="token_revoked")
    assert solution() == Solution("Show these accounts", "/accounts/?health=token_revoked")
    Account.objects.update(credential_kind="oauth")
    assert solution() == Solution("Set up an integration", reverse("syncing:integrations"))
    assert solution(without("accounts.view_integration")) is None
    Account.objects.update(integration=IntegrationFactory(is_public=True))
    slaves = Account.objects.filter(role="slave").order_by("name")
    ids = ",".join(str(account.pk) for account in slaves)
    assert solution() == Solution("Make invite links", f"{reverse('accounts:invite_many')}?ids={ids}")


def test_tokens_that_end_soon_lead_to_the_list_of_them_and_pairs_that_did_not_renew_to_a_check(cast) -> None:
    Account.objects.filter(subdomain__in=["west", "east"]).update(token_expires_at=timezone.now() + timedelta(days=20))
    assert solution() == Solution("Show these accounts", "/accounts/?token=soon")
    Account.objects.update(credential_kind="oauth")
    found = solution()
    assert found is not None
    assert (found.label, found.url) == ("Check these", reverse("accounts:check_start"))


def test_accounts_out_of_reach_are_checked_again_and_only_they(cast, admin_client) -> None:
    Account.objects.filter(subdomain__in=["west", "east"]).update(health="unreachable")
    found = solution()
    assert found is not None
    assert found.label == "Check again"
    admin_client.post(found.url, dict(found.fields))
    items = ConnectionCheck.objects.get().items.values_list("account__subdomain", flat=True)
    assert set(items) == {"west", "east"}
    assert solution(without("accounts.check_account")) is None


def test_what_failed_is_tried_again_in_these_accounts_alone(cast, admin_client) -> None:
    fail(cast, "north", "south", "west")
    AccountRunFactory(run=RunFactory(group=cast["north"].group), account=cast["west"])  # well since
    found = solution()
    assert found is not None
    assert found.label == "Try again"
    answer = admin_client.post(found.url, dict(found.fields))
    started = SyncRun.objects.latest("pk")
    assert answer["Location"] == reverse("admin:syncing_syncrun_change", args=[started.pk])
    assert (started.mode, started.account_runs.count()) == ("apply", 2)


def test_accounts_of_several_runs_are_tried_again_by_a_run_for_each(cast, admin_client) -> None:
    fail(cast, "north")
    fail(cast, "south", mode="plan")
    found = solution()
    assert found is not None
    assert admin_client.post(found.url, dict(found.fields))["Location"] == "/"
    assert set(SyncRun.objects.filter(state=RunState.QUEUED).values_list("mode", flat=True)) == {"plan", "apply"}


def test_who_may_not_write_sees_why_instead_and_is_refused(cast, client) -> None:
    run = fail(cast, "north")
    found = solution(without("syncing.start_sync"))
    assert found == Solution("See why", reverse("admin:syncing_syncrun_change", args=[run.pk]))
    user = User.objects.create_user("clerk", password="-", is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=["view_syncrun", "plan_sync"]))
    client.force_login(user)
    ids = str(run.account_runs.get().pk)
    assert client.post(reverse("syncing:try_again"), {"account_runs": ids}).status_code == 403
    assert SyncRun.objects.count() == 1


def test_nothing_to_try_again_is_said(cast, admin_client) -> None:
    run = fail(cast, "north")
    ids = str(run.account_runs.get().pk)
    run.account_runs.update(state=AccountState.CHANGED)
    answer = admin_client.post(reverse("syncing:try_again"), {"account_runs": f"{ids},x,"}, follow=True)
    assert "Nothing is left to try again" in answer.content.decode()


def test_an_account_that_the_limits_refused_leads_to_a_run_without_them_with_a_reason(cast) -> None:
    run = fail(cast, "north", state=AccountState.REFUSED, reason="guard")
    assert solution() == Solution("Raise the limit once", reverse("syncing:force", args=[run.pk]))
    found = solution(without("syncing.override_limits"))
    assert found is not None
    assert found.label == "See why"


def test_an_edit_leads_to_where_somebody_decides(cast) -> None:
    DriftFactory(account=cast["north"])
    assert solution() == Solution("Compare and decide", reverse("syncing:drift_account", args=[cast["north"].pk]))
    DriftFactory(account=cast["south"])
    found = solution()
    assert found is not None
    assert found.url.startswith(reverse("syncing:drift"))
    assert solution(without("syncing.view_drift")) is None


def test_a_conflict_leads_to_what_to_do_and_a_plan_to_its_review(cast) -> None:
    shown = AccountRunFactory(account=cast["north"], document={"conflicts": [CONFLICT]})
    found = solution()
    assert found is not None
    assert (found.label, found.url) == ("See what to do", reverse("admin:syncing_accountrun_change", args=[shown.pk]))
    shown.document = {"manual": [CONFLICT]}
    shown.save()
    assert solution() == Solution("See what to do", reverse("syncing:todo"))
    SyncGroup.objects.update(requires_approval=True)
    run = RunFactory(group=cast["north"].group, mode="plan", state=RunState.PLANNED)
    waiting = AccountRunFactory(run=run, account=cast["north"], state=AccountState.PLANNED, plan_digest="d")
    found = solution()
    assert found is not None
    assert found.url == reverse("admin:syncing_syncrun_change", args=[waiting.run_id])


def test_a_run_between_waves_is_continued_from_the_overview(cast, admin_client) -> None:
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING, wave=1, wave_held=True)
    AccountRunFactory(run=run, account=cast["north"])
    AccountRunFactory(run=run, account=cast["south"], state=AccountState.QUEUED, wave=1)
    (need,) = held_needs([run])
    found = solution_of(need, may_all)
    assert found == Solution("Continue", reverse("syncing:continue", args=[run.pk]), (("wave", "2"),))
    assert f'action="{found.url}"' in admin_client.get("/").content.decode()
    assert "Wave 2 starts." in admin_client.post(found.url, dict(found.fields), follow=True).content.decode()
    run.refresh_from_db()
    assert not run.wave_held
    assert held_needs([run]) == []
    assert solution_of(need, lambda permission: False) == Solution(
        "See why", reverse("admin:syncing_syncrun_change", args=[run.pk])
    )


def test_a_paused_group_is_resumed_by_the_button_of_its_banner(cast, admin_client) -> None:
    SyncGroup.objects.update(paused=True, pause_reason="Audit")
    url = reverse("syncing:automation_resume")
    assert f'action="{url}"' in admin_client.get("/").content.decode()
    assert (
        "The pause has ended."
        in admin_client.post(url, {"group": cast["north"].group_id}, follow=True).content.decode()
    )
    assert not SyncGroup.objects.get().is_paused
