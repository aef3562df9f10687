"""The bench: its instruments on known ground, and the exact counts on a small world."""

import io
import json
import os
import subprocess
import sys
import time

import pytest
from django.core.management import call_command

from accounts.tests.laws import only_deep
from syncing.operations.bench import measure
from syncing.operations.bench.lab import Measurement, busiest_second
from syncing.operations.bench.report import Limit, ScenarioResult, text


def measured(**facts: object) -> Measurement:
    known: dict[str, object] = {
        "document": {"state": "succeeded", "accounts": []},
        "per_account": {"master": 7, "north": 21},
        "writes": {},
        "refused": 0,
        "peak": 7,
        "wall": 4.0,
        "memory": 120.0,
        "memory_in_all": 200.0,
        "cpu": 0.14,
    }
    return Measurement(**{**known, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "peak"),
    [([], 0), ([5.0], 1), ([0.0, 0.5, 0.999], 3), ([0.0, 1.0, 2.0], 1), ([2.0, 0.1, 1.05, 0.2], 3)],
)
def test_the_busiest_second_is_a_sliding_one(times: list[float], peak: int) -> None:
    assert busiest_second(times) == peak


def test_a_count_above_its_floor_fails_the_row_and_a_slow_machine_does_not() -> None:
    above = ScenarioResult("first sync", measured(), [Limit("requests", 22, 21, exact=True)])
    slow = ScenarioResult("119 slaves", measured(), [Limit("ratio", 4.2, 4, exact=False)])
    failed = ScenarioResult("119 slaves", measured(document={"state": "partial", "accounts": []}))
    assert (above.good, slow.good, failed.good) == (False, True, False)
    said = text([above, slow, failed])
    assert "requests 22 > 21  MISSED" in said
    assert "119 slaves: the run ended partial" in said
    assert " 5.0 " in said  # 0.14 s of CPU for 28 requests


def test_the_cpu_of_a_request_is_the_workers_alone() -> None:
    row = ScenarioResult("40 slaves, first sync", measured(cpu=0.28, worker_cpu=0.14))
    assert "CPU per request: 5.0 ms (the worker alone, without its start; 40 slaves, first sync, 28 requests)" in text(
        [row]
    )
    assert row.as_dict()["worker_cpu_ms_per_request"] == 5
    assert row.as_dict()["cpu_ms_per_request"] == 10
    without = ScenarioResult("counts", measured())
    assert "CPU per request" not in text([without])
    assert without.as_dict()["worker_cpu_ms_per_request"] is None


def test_a_busy_machine_is_named_beside_the_ratios() -> None:
    ratio = [Limit("ratio", 4.2, 4, exact=False)]
    quiet = ScenarioResult("1 slave", measured(others=0.04, load=0.2), ratio)
    busy = ScenarioResult("119 slaves", measured(others=0.38, load=3.1), ratio)
    assert "The machine was quiet: other processes took at most 4% of the CPU (load 0.2 before)." in text([quiet])
    assert "4.20 busy" not in text([quiet])
    both = text([quiet, busy])
    assert "The machine was BUSY: other processes took at most 38% of the CPU (load 3.1 before)." in both
    assert both.count("4.20 busy") == 1
    assert "say little of: 119 slaves." in both
    assert (quiet.as_dict()["busy_machine"], busy.as_dict()["busy_machine"]) == (False, True)
    assert busy.good, "a busy machine decides nothing"


@pytest.mark.parametrize(
    ("used", "ours", "available", "share"),
    [(5, 5, 10, 0.0), (8, 5, 10, 0.3), (4, 5, 10, 0.0), (10, 0, 10, 1.0), (0, 0, 0, 0.0)],
)
def test_the_share_of_others_is_what_neither_we_used_nor_nobody(
    used: float, ours: float, available: float, share: float
) -> None:
    before = measure.CpuTimes(100, 50, 1000)
    after = measure.CpuTimes(100 + used, 50 + ours, 1000 + available)
    assert measure.share_of_others(before, after) == pytest.approx(share)


@pytest.mark.skipif(sys.platform != "linux", reason="CPU is read from /proc, which only Linux has")
def test_a_process_of_somebody_else_takes_a_share_of_the_machine() -> None:
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        before, as_ours = measure.cpu_times([]), measure.cpu_times([spinning.pid])
        deadline = time.monotonic() + 20
        while measure.cpu_seconds([spinning.pid]) < 0.5 and time.monotonic() < deadline:
            time.sleep(0.05)
        apart = measure.share_of_others(before, measure.cpu_times([]))
        assert apart > 0
        assert measure.share_of_others(as_ours, measure.cpu_times([spinning.pid])) < apart
    finally:
        spinning.kill()
        spinning.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="memory and CPU are read from /proc, which only Linux has")
def test_memory_and_cpu_count_the_children_of_a_process() -> None:
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'h = bytearray(range(250)) * 120_000; input()'])"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 60
        with measure.Sampler([child.pid]) as sampler:
            while sampler.peak < 30 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert sampler.peak >= 30
        assert child.pid in measure.family([os.getpid()])
        assert len(measure.family([child.pid])) == 2
    finally:
        child.communicate(b"\n")
    assert measure.cpu_seconds([child.pid]) == 0


@only_deep
def test_the_requests_per_slave_are_at_their_floors() -> None:
    said = io.StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("bench", "--counts-only", "--json", stdout=said, stderr=io.StringIO())
    document = json.loads(said.getvalue())
    assert end.value.code == 0, document
    requests = {row["scenario"]: row["limits"][0]["value"] for row in document["rows"]}
    assert requests["no change (per slave)"] == 7
    assert requests["no change, pipelines (per slave)"] == 1
    assert requests["first sync (per slave)"] <= 14 + 7
    assert requests["one stage added (per slave)"] <= 7 + 1 + 1
    assert requests["one stage added, delta (per slave)"] == 3
    assert requests["no change, delta (per slave)"] == 0
