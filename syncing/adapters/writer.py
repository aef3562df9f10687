"""Carry out a plan: parents before children, every kind by its own writer; deletions last."""

from syncing.adapters.work import Work
from syncing.adapters.writers import custom_fields, deletions, field_groups, pipelines, stages


def apply(work: Work) -> None:
    """Write the changes of `work.plan`; each ends in one report. Raises KommoError only for the whole account."""
    pipelines.write(work)
    stages.write(work)
    field_groups.write(work)
    custom_fields.write(work)
    deletions.write(work)
