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
MOST_MEMORY = 400  # MB
MOST_CPU = 4.0  # ms of the worker per request of a first sync
FIRST_RATIO, NO_CHANGE_RATIO = 4, 3

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


def one_ip(directory: Path, say: Say, *, slaves: int) -> Iterator[ScenarioResult]:
    """Times all slaves behind one limit of 7 requests per second for the IP."""
    with Lab(directory / "ip", slaves=slaves, pace=PER_IP) as lab:
        lab.prepare(worker=True)
        say(f"{slaves} slaves at 7/s for the IP (about {slaves * 20 / 6.7 / 60:.0f} min)")
        measured = lab.run("--queue")
    most = round(1.05 * measured.requests / 7 + 5, 1)
    wall = Limit("wall s", round(measured.wall, 1), most, exact=False)
    yield ScenarioResult(f"{slaves} slaves, first sync, one IP", measured, [wall, *_limits(measured)])
