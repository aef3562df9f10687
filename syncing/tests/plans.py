"""Plans of account runs for tests."""

from typing import Any

from accounts.models import Account
from syncing.engine.grouping import content_digest, plan_counts
from syncing.models import AccountRun, AccountState, SyncRun
from syncing.tests.factories import AccountRunFactory


def change(action: str, name: str, fields: dict[str, list[Any]] | None = None, **facts: Any) -> dict[str, Any]:
    """A change of a stage in the pipeline Sales."""
    row = {"action": action, "kind": "stage", "name": name, "parent": "Sales", "fields": fields or {}}
    return {**row, "outcome": "planned", **facts}


def item(name: str, message: str = "", **facts: Any) -> dict[str, Any]:
    """An extra, a conflict or a manual item."""
    row = {"kind": "stage", "name": name, "parent": "Sales", **facts}
    return {**row, "message": message} if message else row


def document(*changes: dict[str, Any], **lists: list[dict[str, Any]]) -> dict[str, Any]:
    return {"changes": list(changes), "extras": [], "conflicts": [], "manual": [], **lists}


def planned(run: SyncRun, account: Account, what: dict[str, Any], **facts: Any) -> AccountRun:
    """The part of `run` for `account`, as the writer ends it."""
    counts = plan_counts(what)
    state = AccountState.PLANNED if counts.changes else AccountState.IN_SYNC
    columns = {"created": counts.created, "updated": counts.updated, "deleted": counts.deleted}
    digests = {"content_digest": content_digest(what), "plan_digest": "0" * 64}
    return AccountRunFactory(run=run, account=account, document=what, **{"state": state, **columns, **digests, **facts})
