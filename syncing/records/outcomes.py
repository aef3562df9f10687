"""Outcomes of account runs as log entries, and read back from them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from syncing.adapters.outcomes import ADOPT, DONE, Outcome
from syncing.engine.refs import Kind
from syncing.models import LogEntry
from syncing.records.bulk import insert, json_value
from syncing.records.text import NAME_LENGTH, clean, short
from syncing.replication.contract import Mapped

WRITES = {"create": "created", "update": "updated", "delete": "deleted", ADOPT: "adopted"}
OPTION = (
    "option"  # as the code of a log entry: an option that was created with or in its field, which has its own entry
)


def log_outcomes(run_id: int, account_run_id: int, outcomes: Sequence[Outcome]) -> None:
    """Adds one log row per object touched."""
    insert(
        LogEntry,
        {"run": run_id, "account_run": account_run_id, "at": timezone.now()},
        ("level", "code", "action", "kind", "name", "message", "details"),
        [
            (
                (LogEntry.Level.INFO if outcome.state == DONE else LogEntry.Level.WARNING).value,
                outcome.state[:30],
                outcome.action,
                str(outcome.kind),
                clean(outcome.name)[:NAME_LENGTH],
                short(outcome.message),
                json_value(
                    LogEntry,
                    "details",
                    {"parent": outcome.parent, "fields": dict(outcome.fields)}
                    | ({"key": outcome.key} if outcome.key else {}),
                ),
            )
            for outcome in outcomes
        ],
    )


def log_options(run_id: int, account_run_id: int, mapped: Sequence[Mapped]) -> None:
    """Adds the options that we created: a rollback asks for them one by one."""
    created = [item for item in mapped if item.created_by_us and item.ref.kind is Kind.ENUM]
    insert(
        LogEntry,
        {"run": run_id, "account_run": account_run_id, "at": timezone.now(), "level": "info", "code": OPTION},
        ("action", "kind", "name", "message", "details"),
        [
            (
                "",
                item.ref.kind.value,
                clean(item.name)[:NAME_LENGTH],
                "",
                json_value(LogEntry, "details", {"parent": item.parent, "key": item.slave_key}),
            )
            for item in created
        ],
    )


def outcomes_so_far(account_run_ids: Iterable[int]) -> dict[int, list[Outcome]]:
    """Returns the outcomes of earlier attempts of these account runs, in order."""
    by_account_run: dict[int, list[Outcome]] = {pk: [] for pk in account_run_ids}
    rows = LogEntry.objects.filter(account_run_id__in=list(by_account_run)).exclude(action="").order_by("pk")
    for row in rows:
        if row.account_run_id is not None:
            by_account_run[row.account_run_id].append(
                Outcome(
                    action=row.action,
                    kind=row.kind,
                    name=row.name,
                    parent=row.details.get("parent", ""),
                    state=row.code,
                    message=row.message,
                    fields=row.details.get("fields", {}),
                    key=row.details.get("key", ""),
                )
            )
    return by_account_run


def lasting(outcomes: Sequence[Outcome], later: Iterable[Mapping[str, Any]] = ()) -> list[Outcome]:
    """Returns `outcomes` without failures that a later attempt at the same thing replaced, there or in `later` changes.

    What was done stays: it was written, however often.
    """
    seen = {(change["action"], change["kind"], change["name"], change["parent"]) for change in later}
    latest = []
    for outcome in reversed(outcomes):
        what = (outcome.action, str(outcome.kind), outcome.name, outcome.parent)
        if outcome.state == DONE or what not in seen:
            latest.append(outcome)
        seen.add(what)
    return latest[::-1]


def changes_of(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Returns outcomes as the `changes` of the run document; an adoption is no change."""
    return [outcome.as_change() for outcome in outcomes if outcome.action != ADOPT]


def counts_of(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Counts the items done, by column of the account run."""
    counts = dict.fromkeys(WRITES.values(), 0)
    for outcome in outcomes:
        if outcome.state == DONE and outcome.action in WRITES:
            counts[WRITES[outcome.action]] += 1
    return counts
