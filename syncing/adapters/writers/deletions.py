"""Delete what the plan says, children first; what came into use since it was planned stays."""

from collections.abc import Callable, Sequence
from functools import partial

from accounts.kommo.errors import BadAnswer, Forbidden, KommoError, NetworkError, NotFound, ServerError, Validation
from syncing.adapters import endpoints
from syncing.adapters.asking import is_there
from syncing.adapters.bodies import always_sent, kept_enums
from syncing.adapters.reader import MALFORMED, parse_field
from syncing.adapters.usage import in_use
from syncing.adapters.work import Work
from syncing.engine.changes import Action, Change
from syncing.engine.deletions import LAST_OPTION, LAST_STAGE, MAIN, MEMBERS, UNKNOWN_OPTION
from syncing.engine.refs import Kind, Ref, local_id, stage_key
from syncing.engine.resources.custom_fields import CustomField

TRIES = 2


def write(work: Work) -> None:
    """Counts once more, right before: between planning and here minutes may have passed, and writes have failed."""
    changes = [change for change in work.plan.changes if change.action is Action.DELETE]
    if not changes:
        return
    used = in_use(work.api, changes, work.plan.own, work.existing)
    used |= _last_stages(work, [change for change in changes if change.ref not in used])
    for change in changes:
        if change.ref in used:
            work.skip([change], used[change.ref])
    going = [change for change in changes if change.ref not in used]
    _options(work, [change for change in going if change.ref.kind is Kind.ENUM])
    for change in going:
        if change.ref.kind is not Kind.ENUM:
            _attempt(work, [change], partial(_delete, work, change))


def _last_stages(work: Work, changes: Sequence[Change]) -> dict[Ref, str]:
    """Those that were to be replaced by others which were not made."""
    doomed = {work.plan.own[change.ref]: change.ref for change in changes if change.ref.kind is Kind.STAGE}
    kept: dict[Ref, str] = {}
    for pipeline in work.existing.pipelines:
        before = {stage_key(pipeline.id, stage.id): stage for stage in pipeline.stages}
        mine = [key for key in before if key in doomed]
        made = work.made(Kind.STAGE, f"{pipeline.id}/") - before.keys()
        staying = [key for key, stage in before.items() if not stage.is_system and key not in doomed]
        if mine and not made and not staying:
            kept |= {doomed[key]: LAST_STAGE for key in mine}
    return kept


def _delete(work: Work, change: Change) -> str:
    """Why it stays after all, or ""."""
    kind, path = change.ref.kind, _path(change.ref.kind, work.plan.own[change.ref])
    if kind in (Kind.FIELD_GROUP, Kind.PIPELINE):  # what the plan counted on may have failed
        item = work.api.get(path) or {}
        if item.get("fields"):
            return MEMBERS
        if item.get("is_main"):
            return MAIN
    work.api.delete(path)
    return ""


def _path(kind: Kind, key: str) -> str:
    if kind is Kind.PIPELINE:
        return endpoints.pipeline(key)
    parent, _, own = key.partition("/")
    if kind is Kind.STAGE:
        return endpoints.status(parent, own)
    return endpoints.field_group(parent, own) if kind is Kind.FIELD_GROUP else endpoints.custom_field(parent, own)


def _options(work: Work, changes: Sequence[Change]) -> None:
    """The list of options without those that go, field by field."""
    fields: dict[str, list[Change]] = {}
    for change in changes:
        fields.setdefault(work.plan.own[change.ref].rpartition("/")[0], []).append(change)
    for key, mine in fields.items():
        _attempt(work, mine, partial(_patch_field, work, key, mine))


def _patch_field(work: Work, key: str, changes: Sequence[Change]) -> str:
    """Why they stay after all, or "".

    Read first, also before another try: a list with an option missing that came meanwhile would delete that one too
    (docs/kommo.md 5.4).
    """
    entity, field_id = key.split("/")
    doomed = {int(local_id(work.plan.own[change.ref])) for change in changes}
    for _ in range(TRIES):
        field = _read_field(work, entity, field_id)
        kept = kept_enums(field)
        if kept is None:
            return UNKNOWN_OPTION
        enums = [body for body in kept if body["id"] not in doomed]
        if len(enums) == len(field.enums):
            return ""  # they are gone already
        if not enums:
            return LAST_OPTION
        try:
            work.api.patch(endpoints.custom_field(entity, field_id), {"enums": enums, **always_sent(field)})
        except (ServerError, NetworkError, BadAnswer) as error:
            if not error.outcome_unknown:
                raise
            lost = error
            work.settle()
        else:
            return ""
    raise lost


def _read_field(work: Work, entity: str, field_id: str) -> CustomField:
    answer = work.api.get(endpoints.custom_field(entity, field_id))
    try:
        return parse_field(entity, answer or {})
    except MALFORMED as error:
        raise BadAnswer("the field has an unexpected shape", account=work.api.account) from error


def _attempt(work: Work, changes: Sequence[Change], act: Callable[[], str]) -> None:
    """One request for `changes`. Whatever was answered: gone is gone, and what is still there has failed."""
    try:
        reason = act()
    except (Validation, NotFound, Forbidden, ServerError, NetworkError, BadAnswer) as error:
        if not _may_be_gone(error):
            raise
        _settle_deletion(work, changes, error)
    else:
        if reason:
            work.skip(changes, reason)
        else:
            work.report([work.done(change) for change in changes])


def _may_be_gone(error: KommoError) -> bool:
    """The error is about the item; not about the account or the way to it, unless a lost answer came before."""
    if isinstance(error, NotFound) and error.no_account:
        return False
    return error.outcome_unknown or not isinstance(error, Forbidden | NetworkError)


def _settle_deletion(work: Work, changes: Sequence[Change], error: KommoError) -> None:
    """Asks for each item itself; once more after a pause, if the deletion may have happened or be under way."""
    there = [change for change in changes if _is_there(work, change)]
    if there and error.outcome_unknown:
        work.settle()
        there = [change for change in there if _is_there(work, change)]
    if gone := [change for change in changes if change not in there]:
        work.report([work.done(change) for change in gone])
    if there and isinstance(error, Forbidden | NetworkError):
        raise error
    for change in there:
        work.fail(change, error)


def _is_there(work: Work, change: Change) -> bool:
    """What cannot be asked for by itself counts as there."""
    try:
        return is_there(work.api, Ref(change.ref.kind, work.plan.own[change.ref]))
    except (Validation, ServerError, BadAnswer, *MALFORMED):
        return True
