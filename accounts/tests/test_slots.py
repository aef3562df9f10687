"""One pace over threads and processes, counted exactly, on both databases."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.conf import settings
from django.db.models import F

from accounts import clock, slots
from accounts.kommo.pacing import Turn
from accounts.models import RequestSlot
from accounts.tests.laws import only_deep

PROCESSES = 4
THREADS = 5


SECOND = 0.9  # a thread that the machine wakes late shortens the gap to the next one; the slots themselves are exact


def peak_per_second(times: list[float]) -> int:
    """The most sendings in any sliding second, less what a busy machine adds."""
    ordered = sorted(times)
    first = peak = 0
    for last, at in enumerate(ordered):
        while at - ordered[first] >= SECOND:
            first += 1
        peak = max(peak, last - first + 1)
    return peak


def send_from_processes(database_url: str, *, requests: int, per_account: int, per_ip: int) -> list[tuple[str, float]]:
    environment = {**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "kommosync.settings_test"}
    command = [sys.executable, "-W", "error", "-m", "accounts.tests.slots_process"]
    arguments = [str(number) for number in (THREADS, requests, per_account, per_ip)]
    children = [
        subprocess.Popen(
            [*command, f"p{number}", *arguments],
            env=environment,
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    answers = [child.communicate(timeout=90)[0] for child in children]
    assert [child.returncode for child in children] == [0] * PROCESSES
    return [(account, at) for answer in answers for account, at in json.loads(answer)]


def test_four_processes_never_send_more_than_the_rate_of_the_ip_in_any_second(database_url: str) -> None:
    sent = send_from_processes(database_url, requests=4, per_account=50, per_ip=20)
    times = [at for _, at in sent]
    assert len(times) == PROCESSES * THREADS * 4
    assert peak_per_second(times) <= 20


@only_deep
def test_every_account_keeps_its_own_pace_beside_the_others(database_url: str) -> None:
    sent = send_from_processes(database_url, requests=10, per_account=7, per_ip=0)
    by_account: defaultdict[str, list[float]] = defaultdict(list)
    for account, at in sent:
        by_account[account].append(at)
    assert len(by_account) == PROCESSES * THREADS
    assert max(peak_per_second(times) for times in by_account.values()) <= 7
    times = [at for _, at in sent]
    one_after_the_other = len(times) / 7
    assert max(times) - min(times) < one_after_the_other / 2, "the accounts must not wait for each other"


@pytest.fixture
def own_connection() -> Iterator[None]:
    yield
    slots.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_connection")
class TestSqlSlots:
    def test_it_makes_missing_rows_and_spaces_by_the_step(self) -> None:
        table = slots.SqlSlots()
        waits = [table.take([("north", 2.0), ("ip", 1.0)]).wait for _ in range(3)]
        assert [round(second - first) for first, second in pairwise(waits)] == [2, 2]
        assert set(RequestSlot.objects.values_list("key", flat=True)) == {"north", "ip"}

    def test_it_holds_a_key_and_grants_nothing_beyond_the_patience(self) -> None:
        table = slots.SqlSlots()
        table.hold("north", 30)
        wait, granted = table.take([("north", 0.1)], patience=10)
        assert not granted
        assert 29 < wait <= 30
        assert table.take([("south", 0.1)], patience=10).granted

    def test_a_held_account_does_not_push_the_common_key_ahead(self) -> None:
        table = slots.SqlSlots()
        table.hold("north", 30)
        refused: Turn = table.take([("north", 0.1), ("ip", 0.1)])
        assert not refused.granted
        assert table.take([("south", 0.1), ("ip", 0.1)]).wait < 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_connection")
class TestAClockThatWasSetBack:
    """Rows that are further ahead than they can have been written are due now."""

    KEYS = (("north", 0.2), ("ip", 0.2))

    @pytest.mark.parametrize("seconds", [100, 3600, 864_000])
    def test_what_was_written_later_than_now_is_no_reason_to_wait(
        self, seconds: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = slots.SqlSlots()
        later = datetime.now(UTC) + timedelta(seconds=seconds)
        with monkeypatch.context() as patched:
            patched.setattr(clock, "now", lambda: later)
            table.take(self.KEYS, patience=60)
            table.hold("north", 30)

        wait, granted = table.take(self.KEYS, patience=60)

        assert granted
        assert wait < 1
        assert table.take(self.KEYS, patience=60).wait < 2

    @pytest.mark.parametrize("seconds", [100, 3600, 864_000])
    def test_a_line_that_nobody_can_stand_in_is_none(self, seconds: float) -> None:
        table = slots.SqlSlots()
        table.take(self.KEYS, patience=60)
        RequestSlot.objects.filter(key="north").update(next_at=F("next_at") + seconds)
        RequestSlot.objects.filter(key="ip").update(next_at=F("next_at") + max(seconds, 3600))

        wait, granted = table.take(self.KEYS, patience=60)

        assert granted
        assert wait < 1

    def test_a_pause_that_kommo_asked_for_is_kept(self) -> None:
        """It is no line: as long as it can have been asked for, it counts."""
        table = slots.SqlSlots()
        table.hold("north", 3600)
        assert not table.take(self.KEYS, patience=60).granted
        RequestSlot.objects.filter(key="north").update(held_until=F("held_until") + 100)
        assert table.take(self.KEYS, patience=60).granted
