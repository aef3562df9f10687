"""Leads, contacts and companies of one account, and what deletions in its configuration took from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.simulator.model import SimContact, SimEnum, SimField, SimLead, SimPipeline, SimStage

Holder = SimLead | SimContact


@dataclass(frozen=True, slots=True)
class DataLoss:
    """One lead that the deletion of a stage moved, or one value that the deletion of a field or an option took.

    `cause` is "stage", "field" or "enum" and `cause_id` was its id; `value` is as it was stored (an option is its id).
    """

    cause: str
    cause_id: int
    entity: str
    holder_id: int
    in_trash: bool
    at: int
    field_id: int | None = None
    value: Any = None
    pipeline_id: int | None = None
    moved_to: int | None = None


class Records:
    """All that can hold a value, and the list of what was done to them; `clock` dates the losses."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.leads: dict[int, SimLead] = {}
        self.contacts: dict[int, SimContact] = {}
        self.companies: dict[int, SimContact] = {}
        self.losses: list[DataLoss] = []

    def of(self, entity: str) -> Mapping[int, Holder]:
        """Returns the leads, contacts or companies by id; raises KeyError for another entity."""
        holders: dict[str, Mapping[int, Holder]] = {
            "leads": self.leads,
            "contacts": self.contacts,
            "companies": self.companies,
        }
        return holders[entity]

    def move(self, pipeline: SimPipeline, gone: SimStage, to: SimStage) -> int:
        """Moves the leads of a stage that is gone, those in the trash too; returns how many."""
        moved = [lead for lead in self.leads.values() if (lead.pipeline_id, lead.status_id) == (pipeline.id, gone.id)]
        for lead in moved:
            lead.status_id = to.id
            self._note("stage", gone.id, "leads", lead, pipeline_id=pipeline.id, moved_to=to.id)
        return len(moved)

    def remove_field(self, gone: SimField) -> int:
        """Removes every value of a field that is gone; returns how many."""
        holders = [holder for holder in self.of(gone.entity).values() if gone.id in holder.values]
        for holder in holders:
            value = holder.values.pop(gone.id)
            self._note("field", gone.id, gone.entity, holder, field_id=gone.id, value=value)
        return len(holders)

    def remove_option(self, field: SimField, gone: SimEnum) -> int:
        """Removes every value that is an option that is gone, out of several chosen ones too; returns how many."""
        lost = 0
        for holder in self.of(field.entity).values():
            value = holder.values.get(field.id)
            chosen = value if isinstance(value, list) else [value]
            if gone.id not in chosen:
                continue
            left = [each for each in chosen if each != gone.id]
            if left:
                holder.values[field.id] = left
            else:
                del holder.values[field.id]
            self._note("enum", gone.id, field.entity, holder, field_id=field.id, value=gone.id)
            lost += 1
        return lost

    def _note(self, cause: str, cause_id: int, entity: str, holder: Holder, **facts: Any) -> None:
        at = int(self.clock())
        self.losses.append(DataLoss(cause, cause_id, entity, holder.id, in_trash=holder.is_deleted, at=at, **facts))
