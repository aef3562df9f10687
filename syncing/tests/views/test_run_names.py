"""A run has a name and a reason from its start, and its attempts stand side by side."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import AccountRun, AccountState, RunState, SyncRun
from syncing.selectors.attempts import attempts_of
from syncing.tests.commands import command
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db) -> dict[str, Account]:
    return AccountFactory.cast()


def page_of(client: Client, run: SyncRun) -> str:
    return client.get(reverse("admin:syncing_syncrun_change", args=[run.pk])).content.decode()


def test_name_and_reason_of_the_start_are_on_the_page_and_in_the_list(admin_client, cast) -> None:
    url = reverse("syncing:start", args=[cast["north"].group_id, "apply"])
    admin_client.post(url, {"type": "full", "name": " Summer <b> ", "wish": "New fields for the season"})
    run = SyncRun.objects.get()
    assert (run.name, run.wish) == ("Summer <b>", "New fields for the season")
    html = page_of(admin_client, run)
    assert "Summer &lt;b&gt;" in html
    assert "for the season" in html
    found = admin_client.get(reverse("syncing:runs"), {"q": "summer"})
    assert [each.pk for each in found.context["runs"]] == [run.pk]
    assert f">Sync #{run.pk} Summer &lt;b&gt;</a>" in found.content.decode()


@pytest.mark.parametrize(
    ("facts", "title"),
    [
        ({"name": "Summer"}, "Sync #{} Summer"),
        ({"mode": "plan"}, "Plan #{}"),
        ({"mode": "plan", "purpose": "drift"}, "Drift check #{}"),
        ({"mode": "plan", "purpose": "rollback"}, "Rollback #{}"),
    ],
)
def test_a_run_has_one_name_wherever_it_is_met(admin_client, cast, facts, title) -> None:
    run = RunFactory(group=cast["north"].group, **facts)
    AccountRunFactory(run=run, account=cast["north"])
    name = title.format(run.pk)
    account_page = reverse("syncing:account", args=[cast["north"].pk])
    for page in ("/", reverse("syncing:runs"), f"{reverse('syncing:search')}?q={run.pk}", account_page):
        html = admin_client.get(page).content.decode()
        assert re.search(rf"{name}\b", html), page
        assert f"#{run.pk} " not in html.replace(name, ""), page
    assert f"<h1>{name}</h1>" in " ".join(page_of(admin_client, run).split())


@pytest.mark.parametrize(("language", "title"), [("pt-br", "Plano #{}"), ("es", "Plan #{}")])
def test_a_plan_is_a_thing_in_other_languages_too(admin_client, cast, language, title) -> None:
    """English says "Plan" for the button and for what it makes."""
    run = RunFactory(group=cast["north"].group, mode="plan")
    html = admin_client.get(reverse("syncing:runs"), headers={"Accept-Language": language}).content.decode()
    assert f">{title.format(run.pk)}<" in html


@pytest.mark.parametrize(("rows", "offer"), [([difference()], "Revert these"), ([], "Bring to the accounts")])
def test_a_drift_check_offers_to_look_and_to_revert_instead_of_to_approve(admin_client, cast, rows, offer) -> None:
    run = RunFactory(group=cast["north"].group, mode="plan", purpose="drift", state=RunState.PLANNED)
    digest = planned(run, cast["north"], document(change("update", "Offer"))).content_digest
    DriftFactory(account=cast["north"], rows=rows)
    for page in (page_of(admin_client, run), admin_client.get(f"/runs/{run.pk}/plans/{digest}").content.decode()):
        buttons = re.findall(r'<a class="ks-button([^"]*)" href="[^"]*/approve[^"]*">([^<]*)<', page)
        assert buttons == [("", offer)]
    assert re.search(r'ks-primary" href="/drift/\?group=\d+">See the differences<', page_of(admin_client, run))


def test_a_command_gives_a_name_and_a_reason_too(cast) -> None:
    command("sync_all", "--queue", "--no-wait", "--name", "Nightly", "--why", "Before the fair")
    run = SyncRun.objects.get()
    assert (run.name, run.wish) == ("Nightly", "Before the fair")


def test_another_name_does_not_make_another_run(admin_client, cast) -> None:
    url = reverse("syncing:start", args=[cast["north"].group_id, "apply"])
    for name in ("First", "Second"):
        admin_client.post(url, {"type": "full", "name": name})
    assert SyncRun.objects.get().name == "First"


def tried(run: SyncRun, account: Account, state: str, reason: str = "") -> None:
    AccountRunFactory(run=run, account=account, state=state, reason=reason)


def test_every_retry_of_a_retry_is_an_attempt_of_the_first(admin_client, cast) -> None:
    first = RunFactory(group=cast["north"].group, state=RunState.PARTIAL, name="Summer")
    for name in ("north", "south"):
        tried(first, cast[name], AccountState.FAILED, "unreachable")
    tried(first, cast["east"], AccountState.CHANGED)
    assert attempts_of(first) is None
    runs = [first]
    for _number in range(2):
        admin_client.post(reverse("syncing:retry", args=[runs[-1].pk]))
        runs.append(SyncRun.objects.exclude(pk__in=[run.pk for run in runs]).get())
        SyncRun.objects.filter(pk=runs[-1].pk).update(state=RunState.PARTIAL)
        runs[-1].account_runs.filter(account=cast["south"]).update(state=AccountState.CHANGED)
        runs[-1].account_runs.exclude(state=AccountState.CHANGED).update(state=AccountState.FAILED)
    assert [(run.first_attempt, run.name) for run in runs[1:]] == [(first, "Summer")] * 2
    found = attempts_of(runs[1])
    assert [run.pk for run in found.runs] == [run.pk for run in runs]
    states = {account.name: [each and each.state for each in account.attempts] for account in found.accounts}
    assert states == {"North": ["failed", "failed", "failed"], "South": ["failed", "changed", None]}
    assert "Attempts" in page_of(admin_client, first)


def test_attempts_list_only_the_accounts_that_were_tried_again(cast) -> None:
    first = RunFactory(group=cast["north"].group, state=RunState.PARTIAL)
    for name in ("north", "south", "west"):
        tried(first, cast[name], AccountState.FAILED, "unreachable")
    second = RunFactory(group=first.group, first_attempt=first, state=RunState.SUCCEEDED)
    tried(second, cast["north"], AccountState.CHANGED)
    attempts = attempts_of(first)
    assert attempts is not None
    assert [account.name for account in attempts.accounts] == ["North"]
    AccountRun.objects.filter(run=second).delete()
    tried(second, cast["east"], AccountState.FAILED, "unreachable")
    assert attempts_of(first) is None


def test_the_page_of_an_account_run_shows_its_attempts_and_the_way_on(admin_client, cast) -> None:
    first = RunFactory(group=cast["north"].group, state=RunState.FAILED)
    for name in ("north", "south"):
        tried(first, cast[name], AccountState.FAILED, "unauthorised")
    again = RunFactory(group=first.group, first_attempt=first, state=RunState.SUCCEEDED)
    tried(again, cast["north"], AccountState.CHANGED)
    bad, good = cast["north"].account_runs.order_by("pk")
    answer = admin_client.get(reverse("admin:syncing_accountrun_change", args=[bad.pk]))
    (account,) = answer.context["attempts"].accounts
    assert [attempt.state for attempt in account.attempts] == ["failed", "changed"]
    urls = [action.url for action in answer.context["actions"]]
    assert urls == [
        f"{reverse('admin:accounts_account_change', args=[cast['north'].pk])}#id_new_token",
        f"{reverse('syncing:start', args=[first.group_id, 'apply'])}?account={cast['north'].pk}",
    ]
    assert not admin_client.get(reverse("admin:syncing_accountrun_change", args=[good.pk])).context["actions"]


def test_a_forced_run_is_an_attempt_too(admin_client, cast) -> None:
    first = RunFactory(group=cast["north"].group, state=RunState.REFUSED)
    tried(first, cast["north"], AccountState.REFUSED, "guard")
    admin_client.post(reverse("syncing:force", args=[first.pk]), {"reason": "It is meant."})
    assert SyncRun.objects.exclude(pk=first.pk).get().first_attempt == first
