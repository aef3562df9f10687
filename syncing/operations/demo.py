"""The demo: a simulated Kommo with drifted slaves, the first full sync through the queue, and what came of it."""

import fcntl
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncing.operations.firstrun import ADMIN, PASSWORD_LINE
from syncing.operations.processes import address, free_port, wait_for_http, web_server
from syncing.operations.simulation import HOST, Place
from syncing.operations.supervisor import Program, Supervisor
from syncing.operations.tables import table

Say = Callable[[str], None]
GOOD = {"in_sync": "in sync", "changed": "changed and verified"}
EXAMPLES = 8  # slaves shown one by one


class DemoRefused(Exception):
    """The demo cannot be run as asked; the message says what to do."""


@dataclass(frozen=True)
class Memory:
    """What a demo remembers from one run to the next."""

    slaves: int
    port: int | None = None

    @classmethod
    def of(cls, path: Path) -> "Memory | None":
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Raises DemoRefused while another demo uses the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoRefused("Another demo is running in this checkout; stop it first (Ctrl-C there).") from error
        yield


class Demo:
    """Each step may be repeated; together they lead from nothing to 119 slaves that equal their master."""

    def __init__(self, place: Place, say: Say) -> None:
        self.place = place
        self.say = say
        self.password: str | None = None
        self._memory = place.directory / "demo.json"

    def prepare(self, *, slaves: int | None, new_password: bool) -> int:
        """Environment, database, simulated Kommo, accounts; returns the number of slaves."""
        before = Memory.of(self._memory)
        if before and slaves not in (None, before.slaves):
            raise DemoRefused(
                f"The demo of before has {before.slaves} slaves. To start over with {slaves}: --reset --slaves {slaves}"
            )
        count = before.slaves if before else (slaves or 119)
        self._configure(before.port if before else None)
        self._memory.write_text(json.dumps({"slaves": count, "port": self.place.simulator_port}))
        self.say("Setting up the demo's own database and keys")
        said = self.place.setup(*(["--new-password"] if new_password else []))
        self.password = next(
            (line.removeprefix(PASSWORD_LINE) for line in said.splitlines() if line.startswith(PASSWORD_LINE)),
            None,
        )
        self._start_kommo(count)
        return count

    def _configure(self, port: int | None) -> None:
        # The simulated Kommo counts per account, so no common limit: 119 accounts take seconds instead of minutes.
        self.place.configure({"KOMMO_RATE_PER_ACCOUNT": "6", "KOMMO_RATE_PER_IP": "0"}, port=port)

    def _start_kommo(self, count: int) -> None:
        state = "as the last demo left it" if self.place.state.exists() else "freshly made"
        self.say(f"Starting a simulated Kommo: 1 master and {count} slaves, {state}")
        self.place.start_simulator(
            *("--seed", "demo", "--accounts", str(count), "--state", str(self.place.state)),
            *("--limit-key", "account", "--rate", "7", "--latency-ms", "20"),
        )
        self.place.manage("import_accounts", str(self.place.csv), "--group", "Demo")

    def sync(self) -> dict[str, Any]:
        """The full sync through the queue, with its progress on stderr; returns the run document."""
        self.say("Starting the worker, then syncing everything")
        self.place.start_worker()
        return self.place.document("sync_all", "--group", "Demo", "--queue", "--json", show_progress=True)

    def serve(self, port: int) -> None:
        """The dashboard, until Ctrl-C or SIGTERM; the worker goes on working."""
        chosen = free_port(port, HOST)
        if chosen != port:
            self.say(f"Port {port} is in use; the dashboard takes {chosen} instead.")
        web = Program("web server", lambda: self.place.start("web", *web_server(HOST, chosen)))
        web.start()
        url = address(HOST, chosen)
        log = self.place.logs / "web.log"
        wait_for_http(f"{url}/healthz", self.place.children["web"], what="The dashboard", log=log, seconds=30)
        self.say(f"\nDashboard: {url}   user: {ADMIN}   password: {self.tell_password()}")
        self.say("Ctrl-C stops everything; the next demo goes on where this one ended.")
        worker = Program("worker", self.place.start_worker, self.place.children.get("worker"))
        supervisor = Supervisor([worker, web], self.say)
        supervisor.stop_on_signals()
        supervisor.run()

    def tell_password(self) -> str:
        """The password if it was made just now and not told yet, else how to get another."""
        password, self.password = self.password, None
        if password:
            return f"{password}   (shown only this once)"
        return "the one of the first run (another: make demo DEMO_ARGS=--new-password)"


def forget(directory: Path) -> None:
    """Remove the demo of before, with its database, keys and simulated Kommo."""
    shutil.rmtree(directory, ignore_errors=True)


def result(document: dict[str, Any]) -> str:
    """The table of a run document: per state, then some slaves one by one, then the line that sums up."""
    accounts = document["accounts"]
    bad = [account for account in accounts if account["state"] not in GOOD]
    shown = (bad or accounts)[:EXAMPLES]
    rest = len(accounts) - len(shown)
    parts = [
        table(("state", "accounts", "created", "updated", "adopted", "requests"), _by_state(accounts)),
        table(("slave", "state", "created", "updated", "requests", "reason"), [_row(a) for a in shown])
        + (f"\n... and {rest} more" if rest > 0 else ""),
        summary(accounts, document.get("duration_s")),
    ]
    return "\n\n".join(parts)


def summary(accounts: list[dict[str, Any]], seconds: float | None) -> str:
    """As `119 of 119 slaves changed and verified, in 9.1 s`."""
    total = len(accounts)
    counts = {state: sum(a["state"] == state for a in accounts) for state in GOOD}
    said = [f"{number} of {total} slaves {GOOD[state]}" for state, number in counts.items() if number]
    if wrong := total - sum(counts.values()):
        said.append(f"{wrong} of {total} slaves NOT in sync")
    return ", ".join(said or ["no slave was synced"]) + (f" ({seconds:.1f} s)" if seconds else "")


def _by_state(accounts: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    by_state: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for account in accounts:
        by_state[account["state"]].append(account)
    counts = ("created", "updated", "adopted", "requests")
    return [
        (GOOD.get(state, state), len(group), *(sum(a.get(count, 0) for a in group) for count in counts))
        for state, group in by_state.items()
    ]


def _row(account: dict[str, Any]) -> tuple[object, ...]:
    error = account.get("error") or {}
    why = error.get("message") or account.get("reason") or ""
    counts = (account.get(count, 0) for count in ("created", "updated", "requests"))
    return (account["subdomain"], GOOD.get(account["state"], account["state"]), *counts, why[:80])
