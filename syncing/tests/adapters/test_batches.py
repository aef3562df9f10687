"""Batches: at most 50 a request, a bad item costs only itself, a lost answer is looked up before repeating."""

from collections.abc import Mapping, Sequence

import pytest

from accounts.kommo.errors import (
    BadAnswer,
    FieldError,
    ItemError,
    KommoError,
    NetworkError,
    NotFound,
    ServerError,
    Unauthorised,
    Validation,
)
from syncing.adapters.api import Json
from syncing.adapters.batch_writer import BatchWriter, Entry
from syncing.adapters.batches import create, update


class Kommo(BatchWriter[str]):
    """Takes bodies; refuses the names in `bad`, breaks on those in `broken`, names culprits if `names`."""

    def __init__(self, *, bad: str = "", broken: str = "", names: bool = True, lost: int = 0) -> None:
        self.bad, self.broken, self.names, self.lost = bad, broken, names, lost
        self.made: list[str] = []
        self.late: list[str] = []  # what Kommo makes after the gateway gave up
        self.requests: list[str] = []
        self.written: list[str] = []
        self.failures: list[tuple[str, str]] = []

    def send(self, bodies: list[Json]) -> Sequence[Json]:
        batch = [str(body["name"]) for body in bodies]
        self.requests.append("".join(batch) if len(batch) < 10 else str(len(batch)))
        culprits = [at for at, name in enumerate(batch) if name in self.bad]
        if culprits:
            items = [ItemError(str(at), (FieldError("TooLong", "name", batch[at]),)) for at in culprits]
            raise Validation("no", items=tuple(items) if self.names else ())
        if set(batch) & set(self.broken):
            raise ServerError("broken", outcome_unknown=True)
        self.made += batch
        if self.lost:
            self.lost -= 1
            raise NetworkError("reset", outcome_unknown=True)
        return [{"name": name} for name in batch]

    def find_created(self, chunk: Sequence[Entry[str]]) -> Mapping[int, Json]:
        return {at: {"name": entry.subject} for at, entry in enumerate(chunk) if entry.subject in self.made}

    def settle(self) -> None:
        self.made += self.late
        self.late = []

    def done(self, answered: Sequence[tuple[Entry[str], Json]]) -> None:
        for entry, item in answered:
            assert item.get("name", entry.subject) == entry.subject
            self.written.append(entry.subject)

    def failed(self, entry: Entry[str], error: KommoError) -> None:
        self.failures.append((entry.subject, str(error)))

    def create(self, names: Sequence[str]) -> None:
        entries = [Entry(name, {"name": name}) for name in names]
        create(entries, self)

    def update(self, names: Sequence[str]) -> None:
        update([Entry(name, {"name": name}) for name in names], self)


def test_at_most_50_items_go_into_a_request() -> None:
    kommo = Kommo()
    kommo.create([chr(200 + at) for at in range(120)])
    assert kommo.requests == ["50", "50", "20"]
    assert len(kommo.written) == len(kommo.made) == 120


@pytest.mark.parametrize("error", [NetworkError("timeout"), ServerError("gateway", status=504)])
def test_what_kommo_makes_after_the_gateway_gave_up_is_not_sent_twice(error: KommoError) -> None:
    kommo = Kommo()
    error.outcome_unknown = True

    def send(bodies: list[Json]) -> Sequence[Json]:
        kommo.requests.append("post")
        kommo.late = [str(body["name"]) for body in bodies]
        raise error

    kommo.send = send  # type: ignore[method-assign]
    kommo.create("ab")

    assert (kommo.requests, kommo.written, kommo.failures) == (["post"], ["a", "b"], [])


def test_nothing_to_do_is_no_request() -> None:
    kommo = Kommo()
    kommo.create("")
    kommo.update("")
    assert kommo.requests == []


def test_named_culprits_are_taken_out_and_the_rest_is_sent_once_more() -> None:
    kommo = Kommo(bad="bd")
    kommo.create("abcde")
    assert kommo.requests == ["abcde", "ace"]
    assert kommo.made == kommo.written == ["a", "c", "e"]
    assert [name for name, _ in kommo.failures] == ["b", "d"]


def test_each_culprit_is_told_its_own_complaints_only() -> None:
    kommo = Kommo(bad="bd")
    kommo.create("abcde")
    assert [("name: b" in text, "name: d" in text) for _, text in kommo.failures] == [(True, False), (False, True)]


def test_a_culprit_that_nobody_names_is_found_by_halving() -> None:
    kommo = Kommo(bad="f", names=False)
    kommo.create("abcdefgh")
    assert kommo.requests == ["abcdefgh", "abcd", "efgh", "ef", "e", "f", "gh"]
    assert (kommo.made, [name for name, _ in kommo.failures]) == (list("abcdegh"), ["f"])


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_after_a_lost_answer_what_is_there_is_adopted_and_never_sent_again(lost: int) -> None:
    kommo = Kommo(lost=lost)
    kommo.create("abcd")
    assert kommo.requests == ["abcd"]
    assert sorted(kommo.written) == sorted(kommo.made) == list("abcd")


def test_what_was_not_made_after_all_is_sent_again_in_halves_until_the_culprit_stands_alone() -> None:
    kommo = Kommo(broken="c")
    kommo.create("abcd")
    assert kommo.requests == ["abcd", "ab", "cd", "c", "d"]
    assert (sorted(kommo.made), [name for name, _ in kommo.failures]) == (["a", "b", "d"], ["c"])


def test_one_alone_is_tried_twice() -> None:
    kommo = Kommo(broken="a")
    kommo.create("a")
    assert kommo.requests == ["a", "a"]
    assert [name for name, _ in kommo.failures] == ["a"]


def test_a_hopeless_batch_takes_at_most_two_requests_an_item() -> None:
    kommo = Kommo(broken="abcdefghijklmnop")
    kommo.create("abcdefghijklmnop")
    assert len(kommo.requests) <= 2 * 16
    assert len(kommo.failures) == 16


@pytest.mark.parametrize("error", [Unauthorised("no"), ServerError("known", outcome_unknown=False)])
def test_what_concerns_the_whole_account_is_raised(error: KommoError) -> None:
    kommo = Kommo()
    kommo.send = lambda bodies: (_ for _ in ()).throw(error)  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        kommo.create("ab")
    assert (kommo.written, kommo.failures) == ([], [])


def test_a_refused_part_may_be_repaired_and_is_sent_again() -> None:
    kommo = Kommo(bad="b")

    def repair(entry: Entry[str], error: Validation) -> Entry[str]:
        return Entry("B", {"name": "B"})

    kommo.repair = repair  # type: ignore[method-assign]
    kommo.create("abc")
    assert kommo.requests == ["abc", "aBc"]
    assert kommo.written == ["a", "B", "c"]


def test_an_update_is_halved_on_a_server_error() -> None:
    kommo = Kommo(broken="c")
    kommo.update("abcd")
    assert kommo.requests == ["abcd", "ab", "cd", "c", "d"]
    assert (kommo.written, [name for name, _ in kommo.failures]) == (["a", "b", "d"], ["c"])


def test_an_update_whose_answer_makes_no_sense_is_left_to_the_re_reading() -> None:
    kommo = Kommo()
    kommo.send = lambda bodies: (_ for _ in ()).throw(BadAnswer("x", outcome_unknown=True))  # type: ignore[method-assign]
    kommo.update("ab")
    assert (kommo.written, kommo.failures) == (["a", "b"], [])


def test_an_unknown_account_is_raised_and_an_unknown_item_only_fails() -> None:
    kommo = Kommo()
    kommo.send = lambda bodies: (_ for _ in ()).throw(NotFound("gone", no_account=len(bodies) > 1))  # type: ignore[method-assign]
    with pytest.raises(NotFound):
        kommo.update("ab")
    kommo.update("a")
    assert [name for name, _ in kommo.failures] == ["a"]
