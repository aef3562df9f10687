"""In which stages fields are required, or hidden, as far as a plan changes it: a small table for each funnel."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Place = tuple[str, str]  # funnel and stage, as the master calls them
ATTRIBUTES = ("required_statuses", "hidden_statuses")
BETWEEN = " / "  # as `engine.normalise` names stages


@dataclass(frozen=True)
class MatrixRow:
    """A field; `cells`: for each stage "" (neither before nor after), "same", "added" or "removed"."""

    name: str
    parent: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class StageMatrix:
    """The stages of one funnel in which something changes for a field, or stays beside a change."""

    attribute: str
    pipeline: str
    stages: tuple[str, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True)
class StageNames:
    """The stages as documents name them: in the master, and in the account before the run."""

    master: Mapping[str, Place]
    account: Mapping[str, Place]

    def places(self, row: Row, attribute: str) -> tuple[list[Place], list[Place]]:
        """Returns where the field is required, or hidden, before and after."""
        old, new = row["fields"][attribute]
        return [_place(each, self.account) for each in old or ()], [_place(each, self.master) for each in new or ()]


def _place(label: str, names: Mapping[str, Place]) -> Place:
    """Finds the stage by its label; what the master does not have is told apart at the first separator."""
    pipeline, _between, stage = label.partition(BETWEEN)
    return names.get(label, (pipeline, stage))


def matrices(rows: Sequence[Row], names: StageNames) -> Iterator[StageMatrix]:
    """Yields a table for each attribute and funnel in which something changes."""
    order = {place: number for number, place in enumerate(names.master.values())}
    for attribute in ATTRIBUTES:
        changed = [(row, *names.places(row, attribute)) for row in rows if attribute in (row.get("fields") or {})]
        every = {place for _row, old, new in changed for place in (*old, *new)}
        sorted_places = sorted(every, key=lambda place: (order.get(place, len(order)), place))
        for pipeline in dict.fromkeys(pipeline for pipeline, _stage in sorted_places):
            concerned = [
                (row, _inside(pipeline, old), _inside(pipeline, new))
                for row, old, new in changed
                if _inside(pipeline, old) != _inside(pipeline, new)
            ]
            concerned_stages = {stage for _row, old, new in concerned for stage in old | new}
            stages = tuple(stage for each, stage in sorted_places if each == pipeline and stage in concerned_stages)
            matrix_rows = tuple(
                MatrixRow(row["name"], row.get("parent") or "", tuple(_cell(stage, old, new) for stage in stages))
                for row, old, new in concerned
            )
            if concerned:
                yield StageMatrix(attribute, pipeline, stages, matrix_rows)


def _inside(pipeline: str, places: Sequence[Place]) -> set[str]:
    return {stage for each, stage in places if each == pipeline}


def _cell(stage: str, before: set[str], after: set[str]) -> str:
    """Returns what becomes of a field in a stage, in the words of `MatrixRow`."""
    if stage in after:
        return "same" if stage in before else "added"
    return "removed" if stage in before else ""
