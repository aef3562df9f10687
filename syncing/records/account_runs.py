"""Columns of an account run whose attempt has ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from accounts import clock
from syncing.adapters.outcomes import DONE, Outcome
from syncing.engine.grouping import content_digest
from syncing.error_boundary import INTERNAL_REMEDY
from syncing.leases.claims import Claim
from syncing.models import ACCOUNT_GOOD, AccountState
from syncing.records.outcomes import changes_of, counts_of, lasting
from syncing.records.text import clean, error_document, short
from syncing.replication.contract import Result

STOPPED = gettext_noop("stopped after %(requests)s requests: %(done)s. Last: %(last)s")
NOTHING = gettext_noop("nothing was written")
BEGUN = gettext_noop("it had just begun")
COUNTED = {
    "created": gettext_noop("created: %(count)s"),
    "updated": gettext_noop("updated: %(count)s"),
    "deleted": gettext_noop("deleted: %(count)s"),
    "adopted": gettext_noop("adopted: %(count)s"),
}


@dataclass(frozen=True)
class Progress:
    """The progress of an attempt that did not end in a result."""

    outcomes: Sequence[Outcome]
    requests: int
    note: str
    failing: int = 0  # requests that the server failed at, those of earlier attempts included


def final_columns(claim: Claim, result: Result, earlier: Sequence[Outcome]) -> dict[str, Any]:
    """Returns the columns of an account run that ended with `result` after `earlier` attempts did their part."""
    before = counts_of(earlier)
    done_before = any(before[column] for column in ("created", "updated", "deleted"))
    state = AccountState(result.state)
    if state == AccountState.IN_SYNC and done_before:
        state = AccountState.CHANGED  # by this run, though not by its last attempt
    document = dict(result.document)
    changes = list(document.get("changes", ()))
    done = lasting(earlier, changes)
    if state in ACCOUNT_GOOD:  # what failed before is all right now, by whatever way
        done = [outcome for outcome in done if outcome.state == DONE]
    document["changes"] = changes_of(done) + changes
    document = clean(document)
    return {
        "state": state,
        "reason": result.reason or "",
        "error": clean(result.error),
        "document": document,
        "plan_digest": result.digest,
        "content_digest": content_digest(document) if result.digest else "",  # without a plan it is like nobody's
        "finished_at": clock.now(),
        "requests": claim.requests + result.requests,
        "delta": result.part is not None,
        **{column: getattr(result, column) + before[column] for column in before},
    }


def so_far(claim: Claim, progress: Progress) -> dict[str, Any]:
    """Returns the columns that stay of an attempt that did not end in a result."""
    return {
        "requests": claim.requests + progress.requests,
        "failing": progress.failing,
        "document": clean({"changes": changes_of(lasting(progress.outcomes))}),
        **counts_of(progress.outcomes),
    }


def cancelled(progress: Progress | None) -> dict[str, Any]:
    return {
        "state": AccountState.CANCELLED,
        "reason": "cancelled",
        "note": how_far(progress),
        "finished_at": clock.now(),
    }


def handed_back(progress: Progress | None) -> dict[str, Any]:
    return {"state": AccountState.QUEUED, "note": how_far(progress)}


def failed_inside(text: str) -> dict[str, Any]:
    return {
        "state": AccountState.FAILED,
        "reason": "internal",
        "error": error_document("internal", text, INTERNAL_REMEDY),
        "note": "",
        "finished_at": clock.now(),
    }


def how_far(progress: Progress | None) -> str:
    """Returns how far an account came that was stopped; "" when it was not begun."""
    if progress is None:
        return ""
    counts = counts_of(progress.outcomes)
    done = "; ".join(COUNTED[column] % {"count": count} for column, count in counts.items() if count)
    return short(STOPPED % {"requests": progress.requests, "done": done or NOTHING, "last": progress.note or BEGUN})
