"""What the tests of both apps need: a simulated Kommo over real HTTP, and the services that may be there."""

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import connection, connections
from django.utils import translation
from pytest_django import Settings

from accounts.services.credentials import database_thread
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World
from accounts.tests import flushing
from accounts.tests.tables import make_tables, shared_postgres_tables

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
POSTGRES = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")  # the first database that tests may use
flushing.install()
gc.disable()  # until all tests are collected
# The same examples in every run, however slow the machine is just then; `accounts.tests.laws` looks further.
hypothesis.settings.register_profile("always the same", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("always the same")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(autouse=True)
def _no_language_of_another_test() -> Iterator[None]:
    """A request in another language leaves it active in the thread; the next test must not see it."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _no_database_thread_of_another_test() -> Iterator[None]:
    """Its connection would keep the database of the tests from being dropped."""
    yield
    database_thread.close()


@pytest.fixture
def world() -> World:
    """A simulated Kommo without accounts and without a rate limit."""
    made = World()
    made.limits.key = "none"
    return made


@pytest.fixture
def simulator(world: World, settings: Settings) -> Iterator[RunningServer]:
    """The world, served; the settings point at it."""
    with serve(world) as running:
        settings.KOMMO_URL_TEMPLATE = running.url_template
        yield running


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A PostgreSQL server on loopback where databases may be made; skips without."""
    if not listens(5432):
        pytest.skip("needs PostgreSQL on 127.0.0.1:5432 (user postgres, trusted); .ci/run starts an installed one")
    return POSTGRES


@pytest.fixture(scope="session")
def postgres_tables(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database without data, for others to be copies of; the processes of a run share it."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with shared_postgres_tables(postgres_url, f"kommosync_tables_{run}") as name:
        yield name


@pytest.fixture(scope="session")
def redis_server() -> str:
    """A Redis server on loopback, for `redis_database`; skips without."""
    if not listens(6379):
        pytest.skip("needs Redis on 127.0.0.1:6379; .ci/run starts an installed one")
    return REDIS


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> Iterator[None]:
    """The tests' own database begins as a copy, too."""
    if connection.vendor != "sqlite":
        yield
        return
    file = Path(connection.settings_dict["TEST"]["NAME"])
    make_tables(file)
    yield
    for each in file.parent.glob(f"{file.name}*"):
        each.unlink()


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """A database that is there is taken as it is: the copy."""
    return django_db_keepdb or connection.vendor == "sqlite"


# Without these the browser asks the outside world for updates at every start.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests of a process, with the event loop in which it is asked; skips without."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: make venv-dev")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}: apt-get install chromium, or set CHROMIUM")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)  # other tests of this process know of no event loop
        yield launched, loop
        asyncio._set_running_loop(loop)
        launched.close()


@pytest.fixture
def screens(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens contexts of the browser, each without cookies of another. At the end no page must have complained."""
    launched, loop = chromium
    asyncio._set_running_loop(loop)
    complaints: list[str] = []

    def watch(page: Any) -> None:
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def open_(base_url: str, **facts: Any) -> Any:
        context = launched.new_context(base_url=base_url, **facts)
        context.set_default_timeout(60_000)  # a machine may be busy
        context.on("page", watch)
        context.complaints = complaints
        opened.append(context)
        return context

    opened: list[Any] = []
    yield open_
    for context in opened:
        context.close()
    asyncio._set_running_loop(None)
    assert complaints == []


@pytest.fixture
def browser(screens: Callable[..., Any], live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A context of the browser for the pages of this process."""
    # While Playwright is used its event loop runs in this thread, where Django would refuse every query.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    yield screens(live_server.url)
    connections.close_all()  # a running event loop has its own, which nobody sees afterwards


@pytest.fixture
def page(browser: Any, admin_user: Any) -> Any:
    """A page of the browser whose user is logged in."""
    made = browser.new_page()
    made.goto("/")
    made.fill("#id_username", "admin")
    made.fill("#id_password", "password")
    made.click("[type=submit]")
    return made


PROCESSES = (
    "test_end_to_end",
    "test_demo",
    "test_bench",
    "test_worker",
    "test_messenger_supervisor",
    "test_transport",
    "test_slots",
    "test_token_winner",
    "test_browser",
    "test_setup",
)


def pytest_collection_finish() -> None:
    """What is loaded by now lives to the end: the collector need not look at it again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start processes of their own come first, so that none of them is what everybody waits for last."""
    items.sort(key=lambda item: not item.path.stem.startswith(PROCESSES))


@pytest.fixture(autouse=True)
def _no_item_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that follows at once would wait for readings that lag behind, where a test has taken something away."""
    monkeypatch.setattr("syncing.conf.FRESH", 0.0)
