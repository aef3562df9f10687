"""Measures runs: against a simulated Kommo with latency, which logs every request, with an empty database."""

import csv
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncing.operations import envfile
from syncing.operations.bench.measure import BUSY, Sampler, cpu_seconds, cpu_times, share_of_others, wait_until_idle
from syncing.operations.workspace import Workspace

GROUP = "Bench"
LATENCY_MS = 40
PAGE = 10_000  # records per answer of the simulator's log


@dataclass(frozen=True)
class Pace:
    """Requests per second: what we are told to keep (0 for the IP: no common limit), and what the simulator counts."""

    per_account: float
    per_ip: float
    limit_key: str  # ip | account | none
    limit: int = 7


@dataclass(frozen=True)
class Measurement:
    """One run, as the simulator's log and the system measured it."""

    document: dict[str, Any]
    per_account: dict[str, int]  # requests by subdomain
    writes: dict[str, int]
    refused: int  # answers 429
    peak: int  # most requests in one sliding second: of the busiest account, or of the IP
    wall: float  # seconds
    memory: float  # MB, all processes of KommoSync together
    memory_in_all: float  # MB, with the simulator and the bench
    cpu: float  # seconds of our own processes, the start of commands included
    worker_cpu: float = 0.0  # seconds of the worker's processes alone, which had started before
    others: float = 0.0  # share of the machine's CPU that processes other than the bench's took
    load: float = 0.0  # processes that wanted to run, in the minute before

    @property
    def requests(self) -> int:
        return sum(self.per_account.values())

    @property
    def is_on_busy_machine(self) -> bool:
        """Tells whether others took so much of the CPU that times and ratios say little."""
        return self.others > BUSY

    @property
    def ms_per_request(self) -> float:
        """Returns the CPU time of our processes; 0 without requests."""
        return 1000 * self.cpu / self.requests if self.requests else 0.0

    @property
    def worker_ms_per_request(self) -> float:
        """Returns the CPU time of the worker's processes alone, without any start; 0 without a worker."""
        return 1000 * self.worker_cpu / self.requests if self.requests else 0.0

    @property
    def good(self) -> bool:
        return self.document.get("state") == "succeeded"

    def of_slaves(self, counts: dict[str, int]) -> list[int]:
        return [counts.get(account["subdomain"], 0) for account in self.document["accounts"]]


def busiest_second(times: Sequence[float]) -> int:
    """Returns the most of these moments within any sliding second."""
    ordered, peak, first = sorted(times), 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 1.0:
            first += 1
        peak = max(peak, last - first + 1)
    return peak


def _ended() -> float:
    """Returns the CPU seconds of all commands that have ended."""
    times = os.times()
    return times.children_user + times.children_system


class Lab(Workspace):
    """A Workspace with the bench's master and fresh slaves, imported, without any run yet."""

    def __init__(self, directory: Path, *, slaves: int, pace: Pace) -> None:
        super().__init__(directory)
        self.slaves = slaves
        self.pace = pace

    def prepare(self, *, worker: bool) -> None:
        self.configure(
            {
                "KOMMO_RATE_PER_ACCOUNT": str(self.pace.per_account),
                "KOMMO_RATE_PER_IP": str(self.pace.per_ip),
                **{name: make() for name, make in envfile.SECRETS.items()},
            }
        )
        self.manage("migrate", "--verbosity", "0")
        self.start_simulator(
            *("--seed", "bench", "--accounts", str(self.slaves), "--latency-ms", str(LATENCY_MS)),
            *("--limit-key", self.pace.limit_key, "--rate", str(self.pace.limit)),
        )
        self.manage("import_accounts", str(self.csv), "--group", GROUP)
        if worker:
            self.start_worker()

    def run(self, *options: str) -> Measurement:
        """Runs one `sync_all` with these options, and measures it."""
        return self._measured("sync_all", "--group", GROUP, "--json", *options)

    def run_delta(self) -> Measurement:
        """Runs one sync as the watcher starts it, and measures it."""
        code = f"from syncing.operations.bench import delta_run; delta_run.main({GROUP!r})"
        return self._measured("shell", "--no-imports", "--command", code)

    def _measured(self, *command: str) -> Measurement:
        """Runs a command that prints the document of a run, and measures it."""
        self.ask_simulator("POST", "/_sim/reset-log")
        worker = [child.pid for name, child in self.children.items() if name != "simulator"]
        if worker:
            wait_until_idle(worker)
        load = os.getloadavg()[0]
        before, ended, work = cpu_times([os.getpid()]), _ended(), cpu_seconds(worker)
        with Sampler(self.pids(), apart=[os.getpid(), self.children["simulator"].pid]) as sampler:
            document = self.document(*command)
        ended, work = _ended() - ended, cpu_seconds(worker) - work
        others = share_of_others(before, cpu_times([os.getpid()]))
        return self._measurement(document, sampler, cpu=ended + work, worker_cpu=work, others=others, load=load)

    def _measurement(self, document: dict[str, Any], sampler: Sampler, **machine: float) -> Measurement:
        """Counts the requests in the simulator's log, and adds what was measured of the `machine`."""
        requests: list[dict[str, Any]] = []
        page = self.ask_simulator("GET", "/_sim/log?since=0")
        while page:
            requests += page
            page = self.ask_simulator("GET", f"/_sim/log?since={page[-1]['number']}") if len(page) >= PAGE else []
        times: dict[str, list[float]] = defaultdict(list)
        for request in requests:
            times[request["subdomain"]].append(request["at"])
        every = [request["at"] for request in requests]
        span = max(every) - min(every) + LATENCY_MS / 1000 if every else 0.0
        return Measurement(
            document=document,
            per_account={subdomain: len(each) for subdomain, each in times.items()},
            writes=dict(Counter(request["subdomain"] for request in requests if request["method"] != "GET")),
            refused=sum(request["status"] == 429 for request in requests),
            peak=max(map(busiest_second, [every] if self.pace.limit_key == "ip" else times.values()), default=0),
            wall=max(span, document.get("duration_s") or 0.0),
            memory=sampler.own_peak,
            memory_in_all=sampler.peak,
            **machine,
        )

    def add_stage_to_master(self) -> None:
        """Adds one more stage to the master's first pipeline, as a person would in its interface."""
        with self.csv.open(encoding="utf-8", newline="") as file:
            master = next(row for row in csv.DictReader(file) if row["role"] == "master")
        subdomain, headers = master["subdomain"], {"Authorization": f"Bearer {master['token']}"}
        answer = self.ask_simulator("GET", f"/{subdomain}/api/v4/leads/pipelines", headers=headers)
        pipeline = answer["_embedded"]["pipelines"][0]["id"]
        edit = {"subdomain": subdomain, "op": "add", "kind": "stage", "pipeline_id": pipeline, "name": "Bench"}
        self.ask_simulator("POST", "/_sim/edit", edit)
