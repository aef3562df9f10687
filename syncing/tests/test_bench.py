"""The bench: its instruments on known ground, and the exact counts on a small world."""

import io
import json
import os
import subprocess
import sys
import time

import pytest
from django.core.management import call_command

from syncing.operations.bench import measure
from syncing.operations.bench.lab import Measured, busiest_second
from syncing.operations.bench.report import Limit, Row, text


def measured(**facts: object) -> Measured:
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
    return Measured(**{**known, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "peak"),
    [([], 0), ([5.0], 1), ([0.0, 0.5, 0.999], 3), ([0.0, 1.0, 2.0], 1), ([2.0, 0.1, 1.05, 0.2], 3)],
)
def test_the_busiest_second_is_a_sliding_one(times: list[float], peak: int) -> None:
    assert busiest_second(times) == peak


def test_a_count_above_its_floor_fails_the_row_and_a_slow_machine_does_not() -> None:
    above = Row("first sync", measured(), [Limit("requests", 22, 21, exact=True)])
    slow = Row("119 slaves", measured(), [Limit("ratio", 4.2, 4, exact=False)])
    failed = Row("119 slaves", measured(document={"state": "partial", "accounts": []}))
    assert (above.good, slow.good, failed.good) == (False, True, False)
    said = text([above, slow, failed])
    assert "requests 22 > 21  MISSED" in said
    assert "119 slaves: the run ended partial" in said
    assert " 5.0 " in said  # 0.14 s of CPU for 28 requests


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
