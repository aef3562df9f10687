"""Delete what the plan says, children first; what came into use since it was planned stays."""

from collections.abc import Callable, Sequence
from functools import partial

from accounts.kommo.errors import BadAnswer, Forbidden, NetworkError, NotFound, ServerError, Validation
from syncing.adapters import endpoints
from syncing.adapters.bodies import always_sent, present_enums
from syncing.adapters.context import WriteContext
from syncing.adapters.existence import item_exists
from syncing.adapters.parsing import MALFORMED
from syncing.adapters.usage import in_use
from syncing.engine.changes import Action, Change
from syncing.engine.deletions import LAST_OPTION, LAST_STAGE, MAIN, MEMBERS, UNKNOWN_OPTION
from syncing.engine.refs import Kind, Ref, local_id, stage_key

TRIES = 2


def write(context: WriteContext) -> None:
    """Counts once more, right before: between planning and here minutes may have passed, and writes have failed."""
    changes = [change for change in context.plan.changes if change.action is Action.DELETE]
    if not changes:
        return
    used = in_use(context.api, changes, context.plan.slave_only, context.existing)
    used |= _stages_not_replaced(context, [change for change in changes if change.ref not in used])
    options: dict[str, list[Change]] = {}  # by the key of their field
    items: list[Change] = []
    for change in changes:
        if change.ref in used:
            context.skip([change], used[change.ref])
        elif change.ref.kind is Kind.ENUM:
            options.setdefault(context.plan.slave_only[change.ref].rpartition("/")[0], []).append(change)
        else:
            items.append(change)
    for key, mine in options.items():
        _attempt(context, mine, partial(_delete_options, context, key, mine))
    for change in items:
        _attempt(context, [change], partial(_delete_item, context, change))


def _stages_not_replaced(context: WriteContext, changes: Sequence[Change]) -> dict[Ref, str]:
    """Returns the stages that were to be replaced by others which were not created."""
    doomed = {context.plan.slave_only[change.ref]: change.ref for change in changes if change.ref.kind is Kind.STAGE}
    kept: dict[Ref, str] = {}
    for pipeline in context.existing.pipelines:
        before = {stage_key(pipeline.id, stage.id): stage for stage in pipeline.stages}
        mine = [key for key in before if key in doomed]
        created = context.known_keys(Kind.STAGE, f"{pipeline.id}/") - before.keys()
        staying = [key for key, stage in before.items() if not stage.is_system and key not in doomed]
        if mine and not created and not staying:
            kept |= {doomed[key]: LAST_STAGE for key in mine}
    return kept


def _delete_item(context: WriteContext, change: Change) -> str:
    """Sends the deletion; returns why it stays after all, or ""."""
    kind, path = change.ref.kind, endpoints.item(change.ref.kind, context.plan.slave_only[change.ref])
    if kind in (Kind.FIELD_GROUP, Kind.PIPELINE):  # what the plan counted on may have failed
        item = context.api.get(path) or {}
        if item.get("fields"):
            return MEMBERS
        if item.get("is_main"):
            return MAIN
    context.api.delete(path)
    return ""


def _delete_options(context: WriteContext, key: str, changes: Sequence[Change]) -> str:
    """Sends the options without those that go; returns why they stay after all, or "".

    They are read first, also before another try: a list with an option missing that came meanwhile would delete that
    one too (docs/kommo.md 5.4).
    """
    entity, field_id = key.split("/")
    doomed = {int(local_id(context.plan.slave_only[change.ref])) for change in changes}
    for _ in range(TRIES):
        field = context.reader.field(entity, field_id)
        kept = present_enums(field)
        if kept is None:
            return UNKNOWN_OPTION
        enums = [body for body in kept if body["id"] not in doomed]
        if len(enums) == len(field.enums):
            return ""  # they are gone already
        if not enums:
            return LAST_OPTION
        try:
            context.api.patch(endpoints.custom_field(entity, field_id), {"enums": enums, **always_sent(field)})
        except (ServerError, NetworkError, BadAnswer) as error:
            if not error.outcome_unknown:
                raise
            lost = error
            context.settle()
        else:
            return ""
    raise lost


def _attempt(context: WriteContext, changes: Sequence[Change], act: Callable[[], str]) -> None:
    """Sends one request for `changes`. Whatever is answered: gone is gone, and what is still there has failed."""
    try:
        reason = act()
    except (Validation, NotFound, Forbidden, ServerError, NetworkError, BadAnswer) as error:
        no_account = isinstance(error, NotFound) and error.no_account
        way = isinstance(error, Forbidden | NetworkError)  # about the account, or the way to it, not about the item
        if no_account or (way and not error.outcome_unknown):
            raise
        # Each item itself is asked for; once more after a pause, if the deletion may have happened or be under way.
        there = [change for change in changes if _is_there(context, change)]
        if there and error.outcome_unknown:
            context.settle()
            there = [change for change in there if _is_there(context, change)]
        if gone := [change for change in changes if change not in there]:
            context.report([context.succeeded(change) for change in gone])
        if there and way:
            raise
        for change in there:
            context.fail(change, error)
    else:
        if reason:
            context.skip(changes, reason)
        else:
            context.report([context.succeeded(change) for change in changes])


def _is_there(context: WriteContext, change: Change) -> bool:
    """Tells if the item is still there; one that cannot be asked for by itself counts as there."""
    try:
        return item_exists(context.api, Ref(change.ref.kind, context.plan.slave_only[change.ref]))
    except (Validation, ServerError, BadAnswer, *MALFORMED):
        return True
