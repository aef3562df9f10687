"""One switch for every client."""

import gc

import pytest

from accounts.kommo.stopping import Stop, Stopped


def test_a_run_stops_with_its_process_and_not_with_its_neighbour() -> None:
    process = Stop()
    north, south = Stop(process), Stop(process)
    north.set("cancelled")
    assert north.is_set
    assert not south.is_set
    process.set("ip_blocked")
    assert (north.reason, south.reason) == ("cancelled", "ip_blocked")


def test_a_blocked_ip_stops_the_whole_process_from_wherever_it_is_noticed() -> None:
    process = Stop()
    north, south = Stop(process), Stop(process)
    north.set_all("ip_blocked")
    with pytest.raises(Stopped, match="ip_blocked"):
        south.check()


def test_a_run_that_starts_after_the_stop_is_stopped_too() -> None:
    process = Stop()
    process.set("ip_blocked")
    assert Stop(process).is_set


def test_a_process_that_outlives_the_reason_may_go_on() -> None:
    process = Stop()
    process.set("ip_blocked")
    process.clear()
    process.check()
    Stop(process).check()


def test_a_finished_run_is_not_kept_in_memory() -> None:
    process = Stop()
    Stop(process)
    gc.collect()
    process.set("cancelled")
    assert len(process._children) == 0


def test_what_a_stop_watches_is_asked_at_every_check_also_by_its_children() -> None:
    reasons = iter(["", "lost_claim"])
    parent = Stop(watch=lambda: next(reasons))
    child = Stop(parent)

    child.check()
    with pytest.raises(Stopped, match="lost_claim"):
        child.check()
    assert parent.is_set


def test_a_wait_looks_when_it_is_over() -> None:
    stop = Stop(watch=lambda: "lost_claim")

    with pytest.raises(Stopped, match="lost_claim"):
        stop.sleep(0)
