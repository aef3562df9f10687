"""Pipelines, with their stages."""

from dataclasses import dataclass

from syncing.engine.resources.stages import Stage

MAX_PIPELINES = 50  # per account, docs/kommo.md 2


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as one account has it. `sort` is the account's own number; only the order counts."""

    id: int
    name: str
    sort: int
    is_main: bool
    is_unsorted_on: bool
    is_archive: bool
    stages: tuple[Stage, ...]


def display_order(pipeline: Pipeline) -> tuple[int, bool, int]:
    """Returns the sort key of the order that people see; of equal numbers the main one is first (docs/kommo.md 4.1)."""
    return pipeline.sort, not pipeline.is_main, pipeline.id
