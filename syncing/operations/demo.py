"""The demo: a simulated Kommo with drifted slaves, the first full sync through the queue, and its result."""

import fcntl
import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts.refusals import Refusal
from syncing.operations.child_processes import address, free_port, wait_for_http, web_server
from syncing.operations.setup_steps import ADMIN, PASSWORD_LINE
from syncing.operations.supervisor import Program, ProgramSupervisor
from syncing.operations.workspace import HOST, Workspace
from syncing.presentation.tables import table

Say = Callable[[str], None]
GOOD = {"in_sync": "in sync", "changed": "changed and verified"}
COUNTS = ("created", "updated", "adopted", "requests")
EXAMPLES = 8  # slaves shown one by one
GROUP = "Demo"
# As nobody would set it for the real Kommo: the watcher looks all the time and waits for little. Deletions are planned,
# so that there is a plan to approve.
BRISK = ("look_seconds=1", "quiet_seconds=10", "retry_minutes=1", "unmatched_stages=delete_created")


@dataclass(frozen=True)
class DemoState:
    """The facts that a demo keeps from one run to the next."""

    slaves: int
    port: int | None = None

    @classmethod
    def read(cls, path: Path) -> "DemoState | None":
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Raises Refusal while another demo uses the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            message = "Another demo is running in this checkout; stop it first (Ctrl-C there)."
            raise Refusal("demo_not_possible", message) from error
        yield


class Demo:
    """Each step may be repeated; together they lead from nothing to 119 slaves that equal their master."""

    def __init__(self, workspace: Workspace, say: Say) -> None:
        self.workspace = workspace
        self.say = say
        self.password: str | None = None
        self.port = 0
        self._state_file = workspace.directory / "demo.json"

    def prepare(self, *, slaves: int | None, new_password: bool, port: int) -> int:
        """Sets up environment, database, simulated Kommo and accounts; returns the number of slaves.

        `port` is that of the dashboard, if it is free: the simulated Kommo has links to it.
        """
        before = DemoState.read(self._state_file)
        if before and slaves not in (None, before.slaves):
            remedy = f"To start over with {slaves}: --reset --slaves {slaves}"
            raise Refusal("demo_not_possible", f"The demo of before has {before.slaves} slaves.", remedy)
        count = before.slaves if before else (slaves or 119)
        # The simulated Kommo counts per account, so no common limit: 119 accounts take seconds instead of minutes.
        rates = {"KOMMO_RATE_PER_ACCOUNT": "6", "KOMMO_RATE_PER_IP": "0"}
        self.workspace.configure({**rates, "SYNC_TICK": "1"}, port=before.port if before else None)
        self.port = free_port(port, HOST)
        self._state_file.write_text(json.dumps({"slaves": count, "port": self.workspace.simulator_port}))
        self.say("Setting up the demo's own database and keys")
        printed = self.workspace.setup(*(["--new-password"] if new_password else []))
        passwords = [line for line in printed.splitlines() if line.startswith(PASSWORD_LINE)]
        self.password = passwords[0].removeprefix(PASSWORD_LINE) if passwords else None
        self._start_kommo(count)
        return count

    def _start_kommo(self, count: int) -> None:
        """Starts the simulated Kommo and imports its accounts."""
        state = "as the last demo left it" if self.workspace.state.exists() else "freshly made"
        self.say(f"Starting a simulated Kommo: 1 master and {count} slaves, {state}")
        self.workspace.start_simulator(
            *("--seed", "demo", "--accounts", str(count), "--state", str(self.workspace.state)),
            *("--limit-key", "account", "--rate", "7", "--latency-ms", "20"),
            *("--kommosync", address(HOST, self.port)),
        )
        self.workspace.set_environment(DEMO_PLAY_URL=self.play_url)
        self.workspace.manage("import_accounts", str(self.workspace.csv), "--group", GROUP)
        self.workspace.manage("policy", "--group", GROUP, *BRISK)

    def sync(self) -> dict[str, Any]:
        """Syncs everything through the queue, with its progress on stderr, then lets the master be watched.

        Returns the run document.
        """
        self.say("Starting the worker, then syncing everything")
        self.workspace.start_worker()
        document = self.workspace.document("sync_all", "--group", GROUP, "--queue", "--json", show_progress=True)
        self.workspace.manage("policy", "--group", GROUP, "watch=apply")
        return document

    @property
    def play_url(self) -> str:
        """Returns the page on which a person plays in the simulated Kommo."""
        return f"{address(HOST, self.workspace.simulator_port)}/play"

    def serve(self, port: int) -> None:
        """Serves the dashboard until Ctrl-C or SIGTERM; the worker runs on."""
        if self.port != port:
            self.say(f"Port {port} is in use; the dashboard takes {self.port} instead.")
        web = Program("web server", lambda: self.workspace.start("web", *web_server(HOST, self.port)))
        web.start()
        url = address(HOST, self.port)
        log = self.workspace.logs / "web.log"
        wait_for_http(f"{url}/healthz", self.workspace.children["web"], what="The dashboard", log=log, seconds=30)
        self.say(f"\nDashboard: {url}   user: {ADMIN}   password: {self.describe_password()}")
        self.say(f"Play with the simulated Kommo: {self.play_url}")
        self.say("  The master is being watched. Add a stage there, and see it arrive in every slave within a minute.")
        self.say("  Then break a slave, edit another, delete a stage: the page leads to what KommoSync makes of it.")
        self.say("Ctrl-C stops everything; the next demo goes on where this one ended.")
        worker = Program("worker", self.workspace.start_worker, self.workspace.children.get("worker"))
        supervisor = ProgramSupervisor([worker, web], self.say)
        supervisor.stop_on_signals()
        supervisor.run()

    def describe_password(self) -> str:
        """Returns the password if it is new and was not shown yet, else how to get another."""
        password, self.password = self.password, None
        if password:
            return f"{password}   (shown only this once)"
        return "the one of the first run (another: make demo DEMO_ARGS=--new-password)"


def remove_demo(directory: Path) -> None:
    """Removes the demo of before, with its database, keys and simulated Kommo."""
    shutil.rmtree(directory, ignore_errors=True)


def result_table(document: dict[str, Any]) -> str:
    """Returns the result of a run document: per state, then some slaves one by one, then the line that sums up."""
    accounts = document["accounts"]
    by_state: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for account in accounts:
        by_state[account["state"]].append(account)
    states = [
        (GOOD.get(state, state), len(group), *(sum(each.get(count, 0) for each in group) for count in COUNTS))
        for state, group in by_state.items()
    ]
    bad = [account for account in accounts if account["state"] not in GOOD]
    slaves = []
    for account in (bad or accounts)[:EXAMPLES]:
        reason = (account.get("error") or {}).get("message") or account.get("reason") or ""
        created, updated, requests = (account.get(count, 0) for count in ("created", "updated", "requests"))
        state = GOOD.get(account["state"], account["state"])
        slaves.append((account["subdomain"], state, created, updated, requests, reason[:80]))
    rest = len(accounts) - len(slaves)
    parts = [
        table(("state", "accounts", *COUNTS), states),
        table(("slave", "state", "created", "updated", "requests", "reason"), slaves)
        + (f"\n... and {rest} more" if rest > 0 else ""),
        summary(accounts, document.get("duration_s")),
    ]
    return "\n\n".join(parts)


def summary(accounts: list[dict[str, Any]], seconds: float | None) -> str:
    """Returns a line as `119 of 119 slaves changed and verified, in 9.1 s`."""
    total = len(accounts)
    counts = {state: sum(a["state"] == state for a in accounts) for state in GOOD}
    phrases = [f"{number} of {total} slaves {GOOD[state]}" for state, number in counts.items() if number]
    if wrong := total - sum(counts.values()):
        phrases.append(f"{wrong} of {total} slaves NOT in sync")
    return ", ".join(phrases or ["no slave was synced"]) + (f" ({seconds:.1f} s)" if seconds else "")
