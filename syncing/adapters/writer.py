"""Carry out a plan: parents before children, every kind by its own writer; deletions last."""

from syncing.adapters.context import WriteContext
from syncing.adapters.writers import custom_fields, deletions, field_groups, pipelines, stages


def apply_plan(context: WriteContext) -> None:
    """Writes the changes of `context.plan`; each ends in one report. Raises KommoError only for the whole account."""
    pipelines.write(context)
    stages.write(context)
    field_groups.write(context)
    custom_fields.write(context)
    deletions.write(context)
