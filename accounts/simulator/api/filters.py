"""The filters of one list of leads, contacts or companies: those that are understood, and the rest."""

from __future__ import annotations

import re

from accounts.simulator.messages import Call
from accounts.simulator.model import StatusKey
from accounts.simulator.problems import ProblemAnswer

STATUS = re.compile(r"filter\[statuses\]\[(\d+)\]\[(pipeline_id|status_id)\]")
PAIR = {"pipeline_id", "status_id"}


class Filters:
    """Each method takes out the filters that it understands; `finish` deals with those that nobody took.

    Kommo ignores what it does not understand, so that a list may be longer than its reader thinks.
    """

    def __init__(self, call: Call) -> None:
        self.variants = call.variants
        given: dict[tuple[str, int], tuple[str, str]] = {}
        for at, (key, value) in enumerate(call.query if call.variants.filters_enabled else []):
            if key == "filter" or key.startswith("filter["):
                # As PHP reads a query: of a key that is given twice the last counts, unless it ends with [].
                given[key, at if key.endswith("[]") else 0] = (key, value)
        self.left = list(given.values())

    def numbers(self, name: str, *, many: bool = True) -> set[int]:
        """Returns the numbers of filter[name], if `many` of filter[name][] and [name][0] too; empty: no filter."""
        pattern = re.compile(rf"filter\[{name}\]" + (r"(\[\d*\])?" if many else ""))
        taken = [(key, value) for key, value in self.left if pattern.fullmatch(key) and value.isdecimal()]
        self._take(taken)
        return {int(value) for _, value in taken}

    def statuses(self) -> set[StatusKey]:
        """Returns the whole pairs of filter[statuses][n][pipeline_id] and [status_id]; half a pair is ignored."""
        pairs: dict[str, dict[str, tuple[str, str]]] = {}
        for key, value in self.left:
            match = STATUS.fullmatch(key)
            if match and value.isdecimal():
                pairs.setdefault(match[1], {})[match[2]] = (key, value)
        whole = [pair for pair in pairs.values() if set(pair) == PAIR]
        for pair in whole:
            self._take(list(pair.values()))
        return {(int(pair["pipeline_id"][1]), int(pair["status_id"][1])) for pair in whole}

    def finish(self) -> None:
        """Raises ProblemAnswer for what is left, if the variant says so."""
        if self.left and self.variants.unknown_filter == "400":
            raise ProblemAnswer(400, f"Unknown filter {self.left[0][0]}")

    def _take(self, taken: list[tuple[str, str]]) -> None:
        self.left = [each for each in self.left if each not in taken]
