"""One expired pair, many who need it: one refresh, nobody fails; over threads, processes and a killed winner."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import Account, Integration, SyncGroup, TokenPair
from accounts.simulator.faults import Fault
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.laws import ONLY_DEEP, only_deep
from accounts.tests.tables import connected

PROCESSES, THREADS = 4, 50
TOKEN_PATH = "/oauth2/access_token"


class Crew:
    """Processes that share one database and one simulated Kommo."""

    def __init__(self, database_url: str, server: RunningServer, blocker: DjangoDbBlocker, **env: str) -> None:
        self.world = server.world
        self.blocker = blocker
        self.environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "kommosync.settings_test",
            "KOMMO_URL_TEMPLATE": server.url_template,
            "KOMMO_OAUTH_URL": f"{server.url}/oauth",
            **env,
        }

    def start(self, threads: int) -> "subprocess.Popen[str]":
        command = [sys.executable, "-W", "error", "-m", "accounts.tests.tokens_process", str(threads)]
        return subprocess.Popen(command, env=self.environment, cwd=settings.BASE_DIR, text=True, stdout=subprocess.PIPE)

    def prepare(self, ours: SimIntegration, *, lives: float, accounts: int = 1) -> None:
        """Connected accounts in Kommo and in the database; `lives`: seconds that we believe the access token has."""
        now = timezone.now()
        with self.blocker.unblock(), connected(self.environment["DATABASE_URL"]) as alias:
            group = SyncGroup.objects.using(alias).create(name="Branches")
            integration = Integration.objects.using(alias).create(is_public=True, **_columns(ours))
            for number in range(accounts):
                simulated = self.world.add_account(f"unit-{number}")
                pair = simulated.grants.issue(ours.client_id)
                account = Account.objects.using(alias).create(
                    group=group, subdomain=simulated.subdomain, credential_kind="oauth", integration=integration
                )
                TokenPair.objects.using(alias).create(
                    account=account,
                    integration=integration,
                    obtained_at=now - timedelta(days=1),
                    access_expires_at=now + timedelta(seconds=lives),
                    access_token=pair.access,
                    refresh_token=pair.refresh,
                )

    def use(self, processes: int, threads: int) -> list[str]:
        children = [self.start(threads) for _ in range(processes)]
        answers = [child.communicate(timeout=90)[0] for child in children]
        assert [child.returncode for child in children] == [0] * processes
        return [outcome for answer in answers for outcome in json.loads(answer)]

    @property
    def refreshes(self) -> int:
        return sum(record.path == TOKEN_PATH for record in self.world.log)


def _columns(integration: SimIntegration) -> dict[str, str]:
    return {
        "name": integration.name,
        "client_id": integration.client_id,
        "client_secret": integration.client_secret,
        "redirect_uri": integration.redirect_uri,
    }


@pytest.fixture
def integration(world: World) -> SimIntegration:
    return world.add_integration(redirect_uri="https://sync.example/oauth/callback")


@pytest.mark.parametrize(
    "lives",
    [pytest.param(-10, id="known to be expired"), pytest.param(3600, id="refused by Kommo", marks=ONLY_DEEP)],
)
def test_of_200_threads_in_4_processes_one_refreshes_and_nobody_fails(
    database_url: str,
    simulator: RunningServer,
    world: World,
    integration: SimIntegration,
    django_db_blocker: DjangoDbBlocker,
    lives: float,
) -> None:
    crew = Crew(database_url, simulator, django_db_blocker)
    crew.prepare(integration, lives=lives)
    world.accounts["unit-0"].grants.expire()
    world.variants.refresh_rotation = "strict"  # a second refresh with the old token would be the end
    world.faults.add(Fault("slow", path=TOKEN_PATH, seconds=0.5))
    outcomes = crew.use(PROCESSES, THREADS)
    assert outcomes == ["ok"] * PROCESSES * THREADS
    assert crew.refreshes == 1


@only_deep
def test_a_winner_that_is_killed_between_answer_and_store_costs_nothing_but_time(
    database_url: str,
    simulator: RunningServer,
    world: World,
    integration: SimIntegration,
    django_db_blocker: DjangoDbBlocker,
) -> None:
    """The new pair is lost, but was never used: the old refresh token still works (docs/kommo.md 1.3)."""
    crew = Crew(database_url, simulator, django_db_blocker, KOMMO_TIMEOUT="3")
    crew.prepare(integration, lives=-10)
    fault = world.faults.add(Fault("slow", path=TOKEN_PATH, seconds=1.5))
    child = crew.start(1)
    _wait(lambda: fault.hits == 1)
    with written_by_nobody_else(database_url):
        _wait(lambda: crew.refreshes == 1)  # the answer is on its way
        time.sleep(0.5)
        assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
    assert len(world.accounts["unit-0"].grants.pairs) == 2
    let_the_lease_end(database_url)
    assert crew.use(1, 3) == ["ok"] * 3
    assert crew.refreshes == 2


def connected_to(database_url: str) -> Any:
    if database_url.startswith("sqlite"):
        return contextlib.closing(sqlite3.connect(database_url.removeprefix("sqlite:///")))
    return psycopg.connect(database_url)


@contextlib.contextmanager
def written_by_nobody_else(database_url: str) -> Iterator[None]:
    """Whoever wants to store a pair has to wait."""
    is_sqlite = database_url.startswith("sqlite")
    with connected_to(database_url) as connection:
        connection.execute("BEGIN IMMEDIATE" if is_sqlite else "SELECT * FROM accounts_tokenpair FOR UPDATE")
        yield


def let_the_lease_end(database_url: str) -> None:
    """As if the lease of the dead had run out by itself."""
    sentence = "UPDATE accounts_tokenpair SET lease_until = '2001-01-01' WHERE lease_until IS NOT NULL"
    with connected_to(database_url) as connection:
        assert connection.execute(sentence).rowcount == 1
        connection.commit()


def _wait(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
