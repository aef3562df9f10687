"""A button that was pressed too late says so: never that something was done that was not."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ConnectionCheck
from syncing.models import RunMode, RunState, SyncRun
from syncing.services import pauses
from syncing.services.actors import COMMAND
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.test_roles import Scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def scene() -> Scene:
    return Scene()


def told(client: Client, url: str, **data: Any) -> str:
    """Returns what the page says after the button."""
    return str(client.post(url, data, follow=True).content.decode())


def test_a_run_that_has_ended_is_not_called_stopping(admin_client: Client, scene: Scene) -> None:
    html = told(admin_client, reverse("syncing:cancel", args=[scene.plan.pk]))
    assert "Nothing was stopped: the run has ended." in html
    assert "The run is stopping" not in html


def test_a_run_is_stopped_once(admin_client: Client, scene: Scene) -> None:
    AccountRunFactory(run=scene.open, account=scene.north, state="running")
    url = reverse("syncing:cancel", args=[scene.open.pk])
    assert "The run is stopping" in told(admin_client, url)
    assert "somebody has stopped the run already" in told(admin_client, url)


def test_a_pause_ends_once(admin_client: Client, scene: Scene) -> None:
    pauses.pause([scene.group], reason="Audit", hours=1, by=COMMAND)
    url = scene.url("syncing:automation_resume")
    assert "The pause has ended." in told(admin_client, url, group=scene.group.pk)
    html = told(admin_client, url, group=scene.group.pk)
    assert "the pause had ended already" in html
    assert "The pause has ended." not in html


@pytest.mark.parametrize("only", [":", ":unpaid", "failed", "failed:no such reason", "nonsense"])
def test_a_retry_of_some_is_never_one_of_all(admin_client: Client, only: str) -> None:
    """A form that names failures that are not there retries nothing."""
    run = RunFactory(mode=RunMode.APPLY, state=RunState.FAILED)
    AccountRunFactory(run=run, state="failed", reason="unpaid")
    html = told(admin_client, reverse("syncing:retry", args=[run.pk]), only=only)
    assert "ended like this" in html
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize("accounts", ["abc", ",", "1,abc", "²", "9" * 30])
def test_a_check_of_no_account_that_is_one_is_none_at_all(admin_client: Client, accounts: str) -> None:
    assert admin_client.post(reverse("accounts:check_start"), {"accounts": accounts}).status_code == 404
    assert not ConnectionCheck.objects.exists()
