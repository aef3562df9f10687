"""The page of a run shows what was not done first, by reason, with the buttons that lead out of it."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import Account, Integration
from accounts.services.connecting.attempts import obstacle
from accounts.tests.factories import AccountFactory, IntegrationFactory
from syncing.models import AccountState, RunState, SyncRun
from syncing.presentation.explanations import reason_remedy
from syncing.selectors.credentials import credentials_of
from syncing.selectors.failures import NAMED, failures_of
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db
State = AccountState


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


@pytest.fixture
def run(cast) -> SyncRun:
    return RunFactory(group=cast["north"].group, state=RunState.PARTIAL)


def error(code: str, message: str = "It did.", remedy: str = "Mend it.") -> dict[str, str]:
    return {"code": code, "message": message, "remedy": remedy}


def ended(run: SyncRun, account: Account, state: str, reason: str = "", message: str = "It did.") -> None:
    document = error(reason, message) if reason else None
    AccountRunFactory(run=run, account=account, state=state, reason=reason, error=document)


def connect_by(integration: Integration, *accounts: Account) -> None:
    pks = [account.pk for account in accounts]
    Account.objects.filter(pk__in=pks).update(credential_kind="oauth", integration=integration)


def page_of(client: Client, run: SyncRun) -> str:
    return client.get(reverse("admin:syncing_syncrun_change", args=[run.pk])).content.decode()


def clerk(*codenames: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    names = ("view_syncrun", *codenames)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def test_failures_are_grouped_by_reason_the_worst_and_most_frequent_first(cast, run) -> None:
    ended(run, cast["north"], State.REFUSED, "guard")
    ended(run, cast["south"], State.FAILED, "unpaid", "South is not paid.")
    ended(run, cast["west"], State.FAILED, "unpaid", "West is not paid.")
    ended(run, cast["east"], State.CHANGED)
    unpaid, guard = failures_of(run)
    assert (unpaid.reason, unpaid.count, unpaid.message) == ("unpaid", 2, "")
    assert [account.message for account in unpaid.accounts] == ["South is not paid.", "West is not paid."]
    assert (guard.reason, guard.message, guard.remedy) == ("guard", "It did.", reason_remedy("guard"))


def test_the_page_says_in_words_what_failed_and_how_to_mend_it(admin_client, cast, run) -> None:
    ended(run, cast["north"], State.FAILED, "unauthorised", "<b>401</b>")
    html = page_of(admin_client, run)
    assert "Not done in 1 of 1 accounts" in html
    assert "Kommo does not accept the token of this account" in html
    assert "&lt;b&gt;401&lt;/b&gt;" in html
    assert f"{reverse('admin:accounts_account_change', args=[cast['north'].pk])}#id_new_token" in html
    assert reverse("accounts:connect", args=[cast["north"].pk]) not in html  # there is no integration to connect with
    assert reverse("accounts:invite_many") not in html


def test_accounts_of_an_integration_are_connected_or_invited(admin_client, cast, run) -> None:
    connect_by(IntegrationFactory(is_public=True), cast["north"], cast["south"])
    Account.objects.filter(pk=cast["west"].pk).update(credential_kind="oauth")
    for name in ("north", "south", "west", "east"):
        ended(run, cast[name], State.FAILED, "unauthorised")
    (only,) = shown(admin_client, run)
    labels = {account.name: way.label for account, way in only.accounts}
    assert labels == {
        "North": "Connect", "South": "Connect", "West": "Set up an integration", "East": "Store a new token"
    }  # fmt: skip
    ids = f"{cast['north'].pk},{cast['south'].pk}"
    assert [action.url for action in only.actions if action.url] == [f"{reverse('accounts:invite_many')}?ids={ids}"]


@pytest.mark.parametrize(
    ("facts", "others", "is_connectable"),
    [
        ({"is_public": True}, 1, True),
        ({"is_public": False}, 0, True),
        ({"is_public": False}, 1, False),
        ({"is_public": True, "client_secret": ""}, 0, False),
    ],
)
def test_the_page_of_a_run_offers_what_the_page_of_the_connection_can_do(cast, facts, others, is_connectable) -> None:
    integration = IntegrationFactory(**facts)
    connect_by(integration, *[cast["north"], cast["south"]][: 1 + others])
    assert credentials_of([cast["north"].pk])[cast["north"].pk].is_connectable == is_connectable
    assert (obstacle(cast["north"], integration) is None) == is_connectable


@pytest.mark.parametrize("reason", ["ip_not_allowed", "ip_blocked"])
def test_our_address_is_shown_or_how_to_find_it(admin_client, cast, run, settings, reason) -> None:
    ended(run, cast["north"], State.FAILED, reason)
    assert "curl https://api.ipify.org" in page_of(admin_client, run)
    settings.OUTGOING_ADDRESS = ["203.0.113.7"]
    html = page_of(admin_client, run)
    assert "Our address is 203.0.113.7." in html
    assert "api.ipify.org" not in html


def test_accounts_that_the_run_did_not_come_to_are_not_said_to_have_its_trouble(admin_client, cast, run) -> None:
    ended(run, cast["north"], State.SKIPPED, "unauthorised")
    html = page_of(admin_client, run)
    assert "Not touched" in html
    assert "Kommo does not accept the token of this account" not in html
    assert reverse("accounts:connect", args=[cast["north"].pk]) not in html


def test_a_master_that_lets_nobody_in_is_connected_from_the_run(admin_client, cast, run) -> None:
    SyncRun.objects.update(state=RunState.FAILED, reason="token_expired", error=error("token_expired", "Expired."))
    ended(run, cast["north"], State.SKIPPED, "token_expired")
    new_token = f"{reverse('admin:accounts_account_change', args=[cast['master'].pk])}#id_new_token"
    assert new_token in page_of(admin_client, run)
    assert new_token not in page_of(clerk("start_sync"), run)
    connect_by(IntegrationFactory(), cast["master"])
    assert reverse("accounts:connect", args=[cast["master"].pk]) in page_of(admin_client, run)


def test_an_error_that_all_accounts_have_is_told_once(admin_client, cast, run) -> None:
    SyncRun.objects.update(state=RunState.FAILED, reason="unpaid", error=error("unpaid", "Nobody paid."))
    ended(run, cast["north"], State.FAILED, "unpaid", "Nobody paid.")
    assert '<p class="ks-error">' not in page_of(admin_client, run)


def test_only_the_first_accounts_are_named_and_the_others_are_one_click_away(admin_client, run) -> None:
    for account in AccountFactory.create_batch(NAMED + 3, group=run.group):
        ended(run, account, State.FAILED, "unreachable")
    assert "and 3 more" in page_of(admin_client, run)
    url = reverse("admin:syncing_syncrun_change", args=[run.pk])
    found = admin_client.get(url, {"state": "failed", "reason": "unreachable"})
    assert found.context["account_runs"].paginator.count == NAMED + 3
    assert admin_client.get(url, {"reason": "guard"}).context["account_runs"].paginator.count == 0


def test_one_failure_is_retried_alone(admin_client, cast, run) -> None:
    ended(run, cast["north"], State.FAILED, "unreachable")
    ended(run, cast["south"], State.FAILED, "unpaid")
    ended(run, cast["west"], State.SKIPPED, "unreachable")
    admin_client.post(reverse("syncing:retry", args=[run.pk]), {"only": "failed:unreachable"})
    started = SyncRun.objects.exclude(pk=run.pk).get()
    assert [each.account for each in started.account_runs.all()] == [cast["north"]]


def test_nothing_is_started_for_a_failure_that_is_not_there(admin_client, cast, run) -> None:
    ended(run, cast["north"], State.FAILED, "unpaid")
    answer = admin_client.post(reverse("syncing:retry", args=[run.pk]), {"only": "failed:guard"}, follow=True)
    assert SyncRun.objects.get() == run
    assert "ended like this" in answer.content.decode()


def test_the_buttons_obey_the_permissions(cast, run) -> None:
    ended(run, cast["north"], State.FAILED, "unauthorised")
    ended(run, cast["south"], State.REFUSED, "guard")
    ended(run, cast["west"], State.REFUSED, "stale_plan")
    assert all(not each.actions and not any(way for _, way in each.accounts) for each in shown(clerk(), run))
    User.objects.all().delete()
    ended(run, cast["east"], State.REFUSED, "needs_review")
    connect_by(IntegrationFactory(), cast["north"])
    allowed = clerk("connect_account", "start_sync", "plan_sync", "override_limits")
    labels = {each.failure.reason: [action.label for action in each.actions] for each in shown(allowed, run)}
    assert labels == {
        "unauthorised": ["Connect", "Make invite links", "Retry these"],
        "guard": ["Run again with a reason", "Retry these"],
        "stale_plan": ["Review again"],
        "needs_review": ["See the plans that wait", "Retry these"],
    }


def shown(client: Client, run: SyncRun) -> list:
    return client.get(reverse("admin:syncing_syncrun_change", args=[run.pk])).context["failures"]


def test_while_the_run_is_open_failures_are_shown_without_buttons(admin_client, cast, run) -> None:
    SyncRun.objects.update(state=RunState.RUNNING)
    ended(run, cast["north"], State.FAILED, "unpaid")
    ended(run, cast["south"], State.RUNNING)
    (only,) = shown(admin_client, run)
    assert not only.actions
    parts = admin_client.get(reverse("syncing:run_live", args=[run.pk])).json()["parts"]
    assert "Not paid in Kommo" in parts["ks-failures"]


def test_bad_accounts_are_all_listed_and_good_ones_after_the_first_twenty_on_demand(admin_client, run) -> None:
    for number in range(30):
        account = AccountFactory(group=run.group, subdomain=f"good-{number:02}")
        ended(run, account, State.CHANGED)
    ended(run, AccountFactory(group=run.group, subdomain="zoo"), State.FAILED, "unpaid", "Zoo is not paid.")
    page = page_of(admin_client, run)
    assert page.count(">good-") == 19
    assert ">zoo" in page
    assert "Show all 31 accounts" in page
    assert "30 Changed" in page
    whole = admin_client.get(reverse("admin:syncing_syncrun_change", args=[run.pk]), {"all": "yes"}).content.decode()
    assert whole.count(">good-") == 30
    assert "Show all 31 accounts" not in whole


def test_what_is_to_be_done_about_a_failure_is_said_once(admin_client, cast, run) -> None:
    SyncRun.objects.update(mode="plan")
    for name in ("north", "south", "west"):
        ended(run, cast[name], State.FAILED, "unpaid", "Kommo says 402.")
    page = page_of(admin_client, run)
    assert page.count(reason_remedy("unpaid")) == 1
    assert page.count("Kommo says 402.") == 1
    assert page.count("Mend it.") == 0
