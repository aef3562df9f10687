"""Measures exact counts without a limit, parallelism at a pace per account, and the pace of one IP."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from syncing.operations.bench.lab import Lab, Measurement, Pace
from syncing.operations.bench.report import Limit, ScenarioResult

FREE = Pace(per_account=1000, per_ip=0, limit_key="none")
PER_ACCOUNT = Pace(per_account=7, per_ip=0, limit_key="account")
PER_IP = Pace(per_account=7, per_ip=7, limit_key="ip")

FIRST_READS_AND_WRITES, FIRST_VERIFY = 14, 7
NO_CHANGE, PIPELINES_NO_CHANGE, ONE_STAGE = 7, 1, 7 + 1 + 1
DELTA_ONE_STAGE, DELTA_NO_CHANGE = 1 + 1 + 1, 0
MOST_MEMORY = 400  # MB
MOST_CPU = 4.0  # ms of the worker per request of a first sync
FIRST_RATIO, NO_CHANGE_RATIO = 4, 3
DELTA_ALLOWANCE = 0.2  # beside the share of requests: a run takes some time anyway
SECONDS_OF_A_SLAVE = 2  # at the pace of `deltas` each slave may send one request in so many seconds

Say = Callable[[str], None]


def counts(directory: Path, say: Say, *, slaves: int = 3) -> Iterator[ScenarioResult]:
    """Counts the requests per slave against the floors of the request budget; in the foreground: no times."""
    with Lab(directory / "counts", slaves=slaves, pace=FREE) as lab:
        lab.prepare(worker=False)
        say("requests per slave: first sync")
        yield _counted("first sync", lab.run(), FIRST_READS_AND_WRITES + FIRST_VERIFY, writes=FIRST_VERIFY)
        say("requests per slave: nothing changed")
        yield _counted("no change", lab.run(), NO_CHANGE, writes=0)
        yield _counted("no change, pipelines", lab.run("--type", "pipelines"), PIPELINES_NO_CHANGE, writes=0)
        say("requests per slave: one stage added")
        lab.add_stage_to_master()
        yield _counted("one stage added", lab.run(), ONE_STAGE, writes=1)
        say("requests per slave: one stage added, delta")
        lab.add_stage_to_master()
        yield _counted("one stage added, delta", lab.run_delta(), DELTA_ONE_STAGE, writes=1)
        yield _counted("no change, delta", lab.run_delta(), DELTA_NO_CHANGE, writes=0)


def _counted(name: str, measured: Measurement, floor: int, *, writes: int) -> ScenarioResult:
    arrived = measured.of_slaves(measured.per_account)
    counted = [account["requests"] for account in measured.document["accounts"]]
    miscounted = sum(a != b for a, b in zip(counted, arrived, strict=True))
    limits = [
        Limit("requests", max(arrived, default=0), floor, exact=True),
        Limit("writes", max(measured.of_slaves(measured.writes), default=0), writes, exact=True),
        # What the run document says must be what the simulator saw.
        Limit("miscounted slaves", miscounted, 0, exact=True),
    ]
    return ScenarioResult(f"{name} (per slave)", measured, limits)


def parallel(directory: Path, say: Say, *, slaves: int) -> Iterator[ScenarioResult]:
    """Times many slaves against one slave alone, 7 requests per second to each account, through the queue."""
    with Lab(directory / "alone", slaves=1, pace=PER_ACCOUNT) as lab:
        lab.prepare(worker=True)
        say("1 slave alone at 7/s per account")
        alone = [lab.run("--queue"), lab.run("--queue")]
    yield from (
        ScenarioResult(f"1 slave, {name}", each) for name, each in zip(("first sync", "no change"), alone, strict=True)
    )
    with Lab(directory / "many", slaves=slaves, pace=PER_ACCOUNT) as lab:
        lab.prepare(worker=True)
        say(f"{slaves} slaves at 7/s per account")
        first = _ratio(f"{slaves} slaves, first sync", lab.run("--queue"), alone[0], FIRST_RATIO)
        cpu = Limit("CPU ms/request", round(first.measured.worker_ms_per_request, 1), MOST_CPU, exact=False)
        yield replace(first, limits=[*first.limits, cpu])
        yield _ratio(f"{slaves} slaves, no change", lab.run("--queue"), alone[1], NO_CHANGE_RATIO)


def _ratio(name: str, measured: Measurement, alone: Measurement, most: float) -> ScenarioResult:
    ratio = measured.wall / alone.wall if alone.wall else 0.0
    return ScenarioResult(name, measured, [Limit("ratio", round(ratio, 2), most, exact=False), *_limits(measured)])


def _limits(measured: Measurement) -> list[Limit]:
    return [
        Limit("peak/s", measured.peak, 7, exact=True),
        Limit("429", measured.refused, 0, exact=True),
        Limit("MB", round(measured.memory), MOST_MEMORY, exact=False),
    ]


def deltas(directory: Path, say: Say, *, slaves: int) -> Iterator[ScenarioResult]:
    """Times a stage that is added in the master: a delta against a full run without and with that change.

    All behind one limit for the IP. The pace is scaled, so that a full run takes as long for few slaves as for many; at
    6 requests per second 119 slaves take ten times as long.
    """
    rate = max(1, slaves // SECONDS_OF_A_SLAVE)
    pace = Pace(per_account=rate, per_ip=rate, limit_key="ip", limit=rate + 1 + rate // 6)
    with Lab(directory / "deltas", slaves=slaves, pace=pace) as lab:
        lab.prepare(worker=False)
        say(f"{slaves} slaves at {rate}/s for the IP: first sync, full runs and a delta (about 2 min)")
        lab.run()
        full = lab.run()
        lab.add_stage_to_master()
        whole = lab.run()
        lab.add_stage_to_master()
        delta = lab.run_delta()
    yield _behind_one_ip(f"{slaves} slaves, no change, full run", full, NO_CHANGE, pace)
    yield _behind_one_ip(f"{slaves} slaves, stage added, full run", whole, ONE_STAGE, pace)
    row = _behind_one_ip(f"{slaves} slaves, stage added, delta", delta, DELTA_ONE_STAGE, pace)
    ratio = delta.wall / full.wall if full.wall else 0.0
    most = delta.requests / max(1, full.requests) + DELTA_ALLOWANCE
    yield replace(row, limits=[*row.limits, Limit("ratio", round(ratio, 2), round(most, 2), exact=False)])


def _behind_one_ip(name: str, measured: Measurement, floor: int, pace: Pace) -> ScenarioResult:
    limits = [
        Limit("requests", max(measured.of_slaves(measured.per_account), default=0), floor, exact=True),
        Limit("peak/s", measured.peak, pace.limit, exact=True),
        Limit("429", measured.refused, 0, exact=True),
    ]
    return ScenarioResult(name, measured, limits)


def one_ip(directory: Path, say: Say, *, slaves: int) -> Iterator[ScenarioResult]:
    """Times all slaves behind one limit of 7 requests per second for the IP."""
    with Lab(directory / "ip", slaves=slaves, pace=PER_IP) as lab:
        lab.prepare(worker=True)
        say(f"{slaves} slaves at 7/s for the IP (about {slaves * 20 / 6.7 / 60:.0f} min)")
        measured = lab.run("--queue")
    most = round(1.05 * measured.requests / 7 + 5, 1)
    wall = Limit("wall s", round(measured.wall, 1), most, exact=False)
    yield ScenarioResult(f"{slaves} slaves, first sync, one IP", measured, [wall, *_limits(measured)])
