"""Many askers, one worker."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from accounts.batcher import Batcher


@pytest.fixture
def make() -> Iterator[Callable[..., Batcher[int, int]]]:
    made: list[Batcher[int, int]] = []

    def build(process: Callable[[Sequence[int]], Sequence[int | BaseException]], **more: float) -> Batcher[int, int]:
        made.append(Batcher(process, **more))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for batcher in made:
        batcher.close()


def double(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


def test_every_asker_gets_its_own_result(make: Callable[..., Batcher[int, int]]) -> None:
    batcher = make(double)
    futures = [batcher.submit(number) for number in range(500)]
    assert [future.result(60) for future in futures] == [2 * number for number in range(500)]


def test_what_waits_is_done_together_up_to_the_largest_batch(make: Callable[..., Batcher[int, int]]) -> None:
    sizes: list[int] = []
    first, go = threading.Event(), threading.Event()

    def process(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        first.set()
        go.wait(60)
        return double(items)

    batcher = make(process, max_items=10)
    futures = [batcher.submit(0)]
    assert first.wait(60)
    futures += [batcher.submit(number) for number in range(25)]
    go.set()
    assert [future.result(60) for future in futures]
    assert sizes == [1, 10, 10, 5]


def test_a_window_collects_and_a_full_batch_does_not_wait_for_it(make: Callable[..., Batcher[int, int]]) -> None:
    sizes: list[int] = []

    def process(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return double(items)

    batcher = make(process, window=60.0, max_items=3)
    started = time.monotonic()
    assert [future.result(60) for future in [batcher.submit(number) for number in (1, 2, 3)]] == [2, 4, 6]
    assert sizes == [3]
    assert time.monotonic() - started < 50


def test_an_error_of_one_item_is_raised_to_its_asker_alone(make: Callable[..., Batcher[int, int]]) -> None:
    batcher = make(lambda items: [ValueError(item) if item == 2 else item for item in items], window=0.05)
    good, bad = batcher.submit(1), batcher.submit(2)
    assert good.result(60) == 1
    with pytest.raises(ValueError, match="2"):
        bad.result(60)


def test_an_error_of_the_whole_batch_is_raised_to_all_and_the_next_batch_works(
    make: Callable[..., Batcher[int, int]],
) -> None:
    def process(items: Sequence[int]) -> list[int]:
        if 0 in items:
            raise OSError("disk full")
        return double(items)

    batcher = make(process, window=0.05)
    futures = [batcher.submit(0), batcher.submit(1)]
    for future in futures:
        with pytest.raises(OSError, match="disk full"):
            future.result(60)
    assert batcher.call(3) == 6


def test_a_missing_result_is_an_error_not_a_wait_for_ever(make: Callable[..., Batcher[int, int]]) -> None:
    with pytest.raises(RuntimeError, match="1 items gave 0 results"):
        make(lambda items: []).submit(1).result(60)


def test_it_does_what_waits_before_it_closes_and_starts_again_when_asked(
    make: Callable[..., Batcher[int, int]],
) -> None:
    batcher = make(double, window=0.2)
    future = batcher.submit(1)
    batcher.close()
    assert future.done()
    assert batcher.call(2) == 4


def test_a_cancelled_asker_is_left_out(make: Callable[..., Batcher[int, int]]) -> None:
    batcher = make(double, window=0.1)
    gone, there = batcher.submit(1), batcher.submit(2)
    gone.cancel()
    assert there.result(60) == 4


def test_a_forked_child_has_a_thread_of_its_own(make: Callable[..., Batcher[int, int]]) -> None:
    batcher = make(double)
    assert batcher.call(1) == 2
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        answer = batcher.submit(21).result(60)
        os.write(sender, str(answer).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        answer = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert answer == b"42"
    assert batcher.call(2) == 4
