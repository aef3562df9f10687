"""Delete what the plan says, children first; what came into use since it was planned stays."""

from collections.abc import Callable, Sequence
from functools import partial

from accounts.kommo.errors import BadAnswer, NotFound, ServerError, Validation
from syncing.adapters import endpoints
from syncing.adapters.bodies import always_sent, kept_enums
from syncing.adapters.reader import MALFORMED, parse_field
from syncing.adapters.usage import in_use
from syncing.adapters.work import Work
from syncing.engine.changes import Action, Change
from syncing.engine.deletions import LAST_OPTION, LAST_STAGE, MAIN, MEMBERS
from syncing.engine.refs import Kind, Ref, local_id, stage_key


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

    Read first: a list with an option missing that came meanwhile would delete that one too (kommo-api.md 5.4).
    """
    entity, field_id = key.split("/")
    answer = work.api.get(endpoints.custom_field(entity, field_id))
    try:
        field = parse_field(entity, answer or {})
    except MALFORMED as error:
        raise BadAnswer("the field has an unexpected shape", account=work.api.account) from error
    gone = {int(local_id(work.plan.own[change.ref])) for change in changes}
    enums = [body for body in kept_enums(field) if body["id"] not in gone]
    if not enums:
        return LAST_OPTION
    work.api.patch(endpoints.custom_field(entity, field_id), {"enums": enums, **always_sent(field)})
    return ""


def _attempt(work: Work, changes: Sequence[Change], act: Callable[[], str]) -> None:
    """One request for `changes`; gone already is as good as done, and the re-reading tells the rest."""
    try:
        if reason := act():
            work.skip(changes, reason)
            return
    except (Validation, ServerError) as error:
        for change in changes:
            work.fail(change, error)
        return
    except NotFound as error:
        if error.no_account:
            raise
    except BadAnswer:
        pass
    work.report([work.done(change) for change in changes])
