"""Waves as people and machines see them: the page of a run, the Continue button, the command, the REST API."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import Account, SyncGroup
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing.models import AuditEntry, SyncRun
from syncing.selectors.documents import run_document
from syncing.selectors.waves import waves_of
from syncing.services.actors import COMMAND
from syncing.services.keys import create_key
from syncing.services.runs import waves
from syncing.services.runs.start import cancel_run
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db

UNPAID = {"code": "unpaid", "message": "Not paid.", "remedy": "Pay."}


@pytest.fixture
def cast() -> dict[str, Account]:
    accounts = AccountFactory.cast()
    Account.objects.filter(subdomain="north").update(is_pilot=True)
    return accounts


@pytest.fixture
def run(cast: dict[str, Account]) -> SyncRun:
    """Three waves: north is done, south and west wait for Continue, east waits for them."""
    run = RunFactory(group=cast["north"].group, state="running", wave=1, wave_held=True)
    for name, state, wave in (("north", "changed", 0), ("south", "queued", 1), ("west", "queued", 1)):
        AccountRunFactory(run=run, account=cast[name], state=state, wave=wave)
    AccountRunFactory(run=run, account=cast["east"], state="queued", wave=2)
    return run


def url(run: SyncRun, name: str = "") -> str:
    return reverse(f"syncing:{name}", args=[run.pk]) if name else reverse("admin:syncing_syncrun_change", args=[run.pk])


def states_on(response: Any) -> list[str]:
    return [wave.state for wave in response.context["waves"]]


# -- the page --


def test_the_page_shows_each_wave_with_its_state_progress_and_limit(admin_client, run) -> None:
    response = admin_client.get(url(run))
    html = response.content.decode()

    assert states_on(response) == ["done", "held", "queued"]
    assert "1 pilot" in html
    assert "0/1 (0 %)" in html
    assert "at most 10 % of the one before it" in html
    assert "Wave 1 is done. Wave 2 starts when somebody continues the run." in html
    assert 'form="ks-continue" name="wave" value="2"' in html


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"wave_held": False}, ["done", "running", "queued"]),
        ({"wave_held": False, "wave_due_at": timezone.now() + timedelta(hours=1)}, ["done", "paused", "queued"]),
        ({"wave_held": False, "wave": 0}, ["done", "queued", "queued"]),
        ({"wave_held": False, "state": "queued", "wave": 0}, ["done", "queued", "queued"]),
    ],
)
def test_the_state_of_a_wave_is_where_the_run_is(admin_client, run, facts, expected) -> None:
    SyncRun.objects.update(**facts)

    assert states_on(admin_client.get(url(run))) == expected


def test_a_run_that_was_stopped_shows_which_wave_failed_and_which_were_not_touched(admin_client, run) -> None:
    run.account_runs.filter(wave__lt=2).update(state="changed")
    run.account_runs.filter(account__subdomain="west").update(state="failed", reason="unpaid", error=UNPAID)
    SyncRun.objects.update(wave_held=False)
    assert waves.advance_or_close(run.pk)

    response = admin_client.get(url(run))

    html = response.content.decode()
    assert states_on(response) == ["done", "failed", "skipped"]
    assert "1/2 (50 %)" in html
    assert "1 of 2 accounts of wave 2 of 3 failed (50.00%; 10% are allowed)" in html
    assert "west (unpaid): Not paid" in html
    assert 'id="ks-continue"' not in html


def test_many_waves_are_paged_beginning_where_the_run_is(admin_client, run) -> None:
    for wave, account in enumerate(AccountFactory.create_batch(42, group=run.group), start=3):
        AccountRunFactory(run=run, account=account, wave=wave, state="queued")
    SyncRun.objects.update(wave=21)

    shown = admin_client.get(url(run)).context["waves"]
    assert [wave.number for wave in shown] == list(range(21, 41))
    html = admin_client.get(url(run), {"w": 3}).content.decode()
    assert "Wave 45" in html
    assert "?w=2" in html


def test_a_cancelled_run_shows_what_was_cancelled(admin_client, run) -> None:
    run.account_runs.filter(wave__gt=0).update(state="cancelled", reason="cancelled")
    SyncRun.objects.update(state="cancelled", wave_held=False)

    assert states_on(admin_client.get(url(run))) == ["done", "cancelled", "cancelled"]


def test_the_question_before_a_sync_says_which_waves_there_will_be(admin_client, cast) -> None:
    def asked(mode: str = "apply") -> str:
        html = admin_client.get(reverse("syncing:start", args=[cast["north"].group_id, mode])).content.decode()
        return " ".join(html.split())

    SyncGroup.objects.update(wave_size=2, wave_hold=True)
    Account.objects.filter(subdomain="east").update(paused=True)
    assert "It goes in 2 waves, of 1, 2 accounts." in asked()
    assert "press Continue before each" in asked()
    assert "waves" not in asked("plan")
    Account.objects.update(is_pilot=False)
    SyncGroup.objects.update(wave_size=0)
    assert "waves" not in asked()


def test_the_dashboard_says_that_a_run_waits_for_somebody(admin_client, run) -> None:
    assert "The next wave starts when somebody continues the run." in admin_client.get("/").content.decode()


def test_a_run_of_one_wave_shows_none(admin_client, cast) -> None:
    run = RunFactory(group=cast["north"].group)
    AccountRunFactory(run=run, account=cast["north"])

    response = admin_client.get(url(run))

    assert not response.context["waves"]
    assert 'id="ks-continue"' not in response.content.decode()


def test_the_accounts_can_be_narrowed_to_a_wave_and_a_state_of_it(admin_client, run) -> None:
    def shown(**query: Any) -> list[str]:
        account_runs = admin_client.get(url(run), query).context["account_runs"]
        return [account_run.account.subdomain for account_run in account_runs]

    assert shown(wave=2) == ["south", "west"]
    assert shown(wave=1, state="changed") == ["north"]
    assert shown(wave=3, state="changed") == []
    assert len(shown(wave="nine")) == len(shown(wave=9)) == 4
    html = admin_client.get(url(run), {"wave": 2}).content.decode()
    assert "?state=queued&amp;wave=2" in html
    assert '<input type="hidden" name="wave" value="2">' in html


def test_the_waves_are_renewed_while_the_run_is_open(admin_client, run) -> None:
    first = admin_client.get(url(run, "run_live")).json()["parts"]["ks-waves"]
    again = admin_client.get(url(run, "run_live")).json()["parts"]["ks-waves"]

    assert "Continue" in first
    assert again == first  # or the button would be renewed under the pointer


def test_the_waves_cost_the_same_for_few_and_many(run, django_assert_num_queries) -> None:
    for account in AccountFactory.create_batch(50, group=run.group):
        AccountRunFactory(run=run, account=account, wave=2)

    with django_assert_num_queries(1):
        assert len(waves_of(run)) == 3


# -- the button --


def test_the_button_continues_the_run(admin_client, run) -> None:
    response = admin_client.post(url(run, "continue"), {"wave": "2"}, follow=True)

    run.refresh_from_db()
    assert (run.wave, run.wave_held) == (1, False)
    assert "Wave 2 starts." in response.content.decode()
    entry = AuditEntry.objects.get(action="continued")
    assert (entry.actor, entry.via, entry.run) == ("admin", "admin", run.pk)


def test_the_button_of_an_old_page_says_that_it_is_too_late(admin_client, run) -> None:
    response = admin_client.post(url(run, "continue"), {"wave": "1"}, follow=True)

    run.refresh_from_db()
    assert run.wave_held
    assert "does not wait to be continued" in response.content.decode()


def test_continuing_needs_the_permission_to_start_a_sync(client, run) -> None:
    clerk = User.objects.create_user("clerk", password="-", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    client.force_login(clerk)

    assert 'id="ks-continue"' not in client.get(url(run)).content.decode()
    assert client.post(url(run, "continue")).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="start_sync"))
    assert 'id="ks-continue"' in client.get(url(run)).content.decode()
    assert client.get(url(run, "continue")).status_code == 405
    assert client.post(url(run, "continue")).status_code == 302
    assert not SyncRun.objects.get().wave_held


# -- the command --


def command(*args: str) -> tuple[int, str, str]:
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command("continue_run", *args, stdout=out, stderr=errors)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), errors.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_command_continues_a_run_calls_lanes_and_says_that_no_worker_lives(run) -> None:
    code, out, errors = command(str(run.pk))

    assert (code, out) == (0, f"Run {run.pk} goes on with wave 2 of 3.\n")
    assert "manage.py worker" in errors
    assert OrmQ.objects.count() == 2
    assert AuditEntry.objects.get(action="continued").via == "command"


def test_the_command_says_what_there_is_not_to_continue(run) -> None:
    SyncRun.objects.update(wave_held=False)

    code, _, errors = command(str(run.pk))
    assert (code, f"Run {run.pk} does not wait" in errors) == (2, True)
    code, _, errors = command("99999")
    assert (code, "no run 99999" in errors) == (2, True)


# -- the REST API --


def post(client, run_id: int, body: object = None, *scopes: str):
    headers = {"Authorization": f"Bearer {create_key(name=f'bot {scopes}', scopes=scopes or ['trigger'])[1]}"}
    path = f"/api/sync/runs/{run_id}/continue"
    return client.post(path, json.dumps(body or {}), content_type="application/json", headers=headers)


def test_the_api_continues_a_run_and_notes_the_key(client, run) -> None:
    response = post(client, run.pk, {"wave": 2})

    assert response.status_code == 202
    assert response.json() == {
        "run": run.pk,
        "wave": 2,
        "status_url": f"http://testserver/api/sync/runs/{run.pk}",
    }
    assert not SyncRun.objects.get().wave_held
    entry = AuditEntry.objects.get(action="continued")
    assert (entry.actor, entry.via) == ("bot ()", "api")


@pytest.mark.parametrize(
    ("body", "scopes", "status", "code"),
    [
        ({"wave": 3}, (), 409, "nothing_to_continue"),
        ({"wave": "2"}, (), 400, "bad_wave"),
        ({"wave": True}, (), 400, "bad_wave"),
        ({"waves": 2}, (), 400, "unknown_key"),
        ({}, ("read",), 403, "no_scope"),
    ],
)
def test_the_api_says_why_it_does_not_continue(client, run, body, scopes, status, code) -> None:
    response = post(client, run.pk, body, *scopes)

    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert SyncRun.objects.get().wave_held


def test_the_api_knows_no_other_run(client, run) -> None:
    assert post(client, 99999).json()["error"]["code"] == "no_such_run"


def test_the_document_of_a_run_says_where_it_is_and_what_it_waits_for(run) -> None:
    document = json.loads(json.dumps(run_document(run)))
    assert document["waves"] == {"wave": 2, "waves": 3, "waits_for": "continue", "due_at": None}
    assert {account["subdomain"]: account["wave"] for account in document["accounts"]} == {
        **{"north": 1, "south": 2, "west": 2, "east": 3},
    }

    run.wave_held, run.wave_due_at = False, timezone.now() + timedelta(hours=1)
    SyncRun.objects.update(wave_held=False, wave_due_at=run.wave_due_at)
    document = json.loads(json.dumps(run_document(run)))
    assert (document["waves"]["waits_for"], document["waves"]["due_at"]) == ("time", run.wave_due_at.isoformat())


# -- sync_all --


@pytest.mark.django_db(transaction=True)
def test_sync_all_shows_the_wave_waits_and_goes_on(simulator: RunningServer, world: World, cast) -> None:
    for name, account in cast.items():
        account.token = world.add_account(name).token
        account.is_pilot = name == "north"
        account.save()
    SyncGroup.objects.update(wave_hold=True)
    press = {"continue_run": lambda: waves.continue_run(SyncRun.objects.get(), by=COMMAND)}
    out, errors = io.StringIO(), Said(press)

    call_command("sync_all", stdout=out, stderr=errors)

    assert "succeeded" in out.getvalue()
    number = SyncRun.objects.get().pk
    assert errors.getvalue().count(f"waiting for 'continue_run {number}' or Continue on its page") == 1
    assert f"run {number}: wave 2 of 2, 4/4" in errors.getvalue()


@pytest.mark.django_db(transaction=True)
def test_sync_all_that_left_it_to_the_workers_says_what_the_run_waits_for(cast) -> None:
    def hold() -> None:
        run = SyncRun.objects.get()
        run.account_runs.filter(wave=0).update(state="changed")
        SyncRun.objects.update(state="running", wave=1, wave_held=True)

    errors = Said({"No worker is alive": hold, "continue_run": lambda: cancel_run(SyncRun.objects.get(), by=COMMAND)})

    with pytest.raises(SystemExit):
        call_command("sync_all", "--queue", stdout=io.StringIO(), stderr=errors)

    assert "wave 1 of 2 is done; waiting for 'continue_run" in errors.getvalue()


class Said(io.StringIO):
    """A stream whose reader does something when it is told of something."""

    def __init__(self, acts: dict[str, Any]) -> None:
        super().__init__()
        self._acts = acts

    def write(self, text: str) -> int:
        for sign, act in self._acts.items():
            if sign in text:
                act()
        return super().write(text)
