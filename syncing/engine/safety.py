"""Safety: refuses readings and plans before the first write, with a sentence that says why."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from syncing.engine.changes import Action
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, field_key, group_key, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.engine.resources.field_groups import DEFAULT_GROUP, PREDEFINED_GROUPS
from syncing.engine.resources.pipelines import MAX_PIPELINES
from syncing.engine.resources.stages import LOST, MAX_STAGES, WON
from syncing.engine.rules import Limits
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot, refs_in

OVERRIDE = gettext_noop("If that is intended, run again with --force --reason, or raise the limit of the group.")
TOO_MANY = gettext_noop("%(count)s items would be deleted; %(most)s are allowed in one run.")
UPDATED = gettext_noop(
    "%(count)s of %(total)s items kept in step (%(percent)s%%) would be updated; %(allowed)s%% are allowed."
)
DELETED = gettext_noop(
    "%(count)s of %(total)s items of the account (%(percent)s%%) would be deleted; %(allowed)s%% are allowed."
)
NO_ROOM = gettext_noop(
    "The account has %(count)s pipelines and %(new)s more are needed; Kommo allows %(most)s. Delete or merge some that "
    "only this account has."
)
NO_ROOM_FOR_STAGES = gettext_noop(
    "The pipeline %(name)r has %(count)s stages and %(new)s more are needed; Kommo allows %(most)s. Delete or merge "
    "some that only this account has."
)
SHRUNK = gettext_noop(
    "The master lost %(lost)s of %(total)s %(which)s (%(percent)s%%) since the last accepted reading; %(allowed)s%% "
    "are allowed, and never all. If that is intended, run again with --force --reason."
)
SMALLEST_ENTITY = 3  # fields of one entity that may go altogether without a question


def kommo_limits(plan: Plan, existing: Snapshot) -> str | None:
    """Returns the sentence that refuses an account which would pass Kommo's limits; None if it may be written."""
    creates = [change.ref for change in plan.changes if change.action is Action.CREATE]
    new_pipelines = sum(ref.kind is Kind.PIPELINE for ref in creates)
    held = Counter((each.kind, each.within) for each in existing.held)
    pipelines = len(existing.pipelines) + held[Kind.PIPELINE, ""]
    if new_pipelines and pipelines + new_pipelines > MAX_PIPELINES:
        return NO_ROOM % {"count": pipelines, "new": new_pipelines, "most": MAX_PIPELINES}
    new_stages = Counter(ref.key.partition("/")[0] for ref in creates if ref.kind is Kind.STAGE)
    keys = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    present = {key: len(pipeline.stages) + held[Kind.STAGE, key] for key, pipeline in keys.items()}
    stages = (ref for ref, item in plan.desired.items.items() if ref.kind is Kind.STAGE and item.system)
    system = Counter(ref.key.partition("/")[0] for ref in stages)
    for parent, new in new_stages.items():
        ref = Ref(Kind.PIPELINE, parent)
        before = present.get(plan.match.keys.get(ref, ""), system[parent])  # Kommo adds those to a new pipeline
        if before + new > MAX_STAGES:
            name = plan.desired.items[ref].name
            return NO_ROOM_FOR_STAGES % {"name": name, "count": before, "new": new, "most": MAX_STAGES}
    return None


def thresholds(plan: Plan, existing: Snapshot, known: Mapping[Ref, str], limits: Limits) -> str | None:
    """Returns the sentence that refuses an account in which too much would happen at once; None if it may be written.

    Updates are counted of the items that were kept in step before (`known`): what is met for the first time is
    adopted, and that is meant to change much. Deletions are counted of all items of the account that are its own; a
    pipeline counts with its stages.
    """
    system = {ref for ref, item in plan.desired.items.items() if item.system}
    in_step = {ref for ref in plan.match.keys if ref in known and ref.kind is not Kind.ENUM} - system
    updated = {change.ref for change in plan.changes if change.action is Action.UPDATE}
    deleted = [change for change in plan.changes if change.action is Action.DELETE]
    options = sum(change.ref.kind is Kind.ENUM for change in deleted)
    gone = len(deleted) - options + sum(len(change.fields.get("stages", ((), None))[0]) for change in deleted)
    by_kommo = [stage.is_system for _, stage in existing.stages()]
    by_kommo += [group.is_predefined for group in existing.groups or ()]
    by_kommo += [item.is_predefined for item in existing.fields or ()]
    total = len(existing.pipelines) + by_kommo.count(False)
    if gone + options > limits.max_deletes:
        return f"{TOO_MANY % {'count': gone + options, 'most': limits.max_deletes}} {OVERRIDE}"
    updates = _share(UPDATED, len(updated & in_step), len(in_step), limits.max_update_share, limits)
    return updates or _share(DELETED, gone, total, limits.max_delete_share, limits)


def _share(sentence: str, count: int, total: int, allowed: int, limits: Limits) -> str | None:
    if total < limits.minimum_items or count * 100 <= allowed * total:
        return None
    facts = {"count": count, "total": total, "percent": f"{count * 100 / total:.2f}", "allowed": allowed}
    return f"{sentence % facts} {OVERRIDE}"


def inconsistency(master: Snapshot) -> str | None:
    """Returns the sentence that forbids deletions after this reading of the master; None if its parts agree.

    Half a list looks like a short one. But pipelines have won and lost and one of them is the main one, groups name
    their members, fields their group and the stages that require them: what is named and missing was not read. What is
    held back is no doubt: it is known to be there.
    """
    held_pipelines = any(each.kind is Kind.PIPELINE for each in master.held)
    if not any(pipeline.is_main for pipeline in master.pipelines) and not held_pipelines:
        return gettext_noop("the main pipeline is missing")
    visible = set(refs_in(master))

    def is_missing(kind: Kind, key: str) -> bool:
        return Ref(kind, key) not in visible and not master.hides(Ref(kind, key))

    for pipeline in master.pipelines:
        system = (stage_key(pipeline.id, WON), stage_key(pipeline.id, LOST))
        if not pipeline.is_archive and any(is_missing(Kind.STAGE, key) for key in system):
            return gettext_noop("the pipeline %(name)r lacks its system stages") % {"name": pipeline.name}
    for group in master.groups or ():
        if any(is_missing(Kind.CUSTOM_FIELD, field_key(group.entity, number)) for number in group.fields):
            return gettext_noop("the field group %(name)r of %(entity)s names fields that are missing") % {
                "name": group.name,
                "entity": group.entity,
            }
    for item in master.fields or ():
        group_id = item.group_id or DEFAULT_GROUP
        if group_id not in PREDEFINED_GROUPS and is_missing(Kind.FIELD_GROUP, group_key(item.entity, group_id)):
            return gettext_noop("the field group of the field %(name)r of %(entity)s is missing") % {
                "name": item.name,
                "entity": item.entity,
            }
        statuses = (*item.required_statuses, *(item.hidden_statuses or ()))
        if any(is_missing(Kind.PIPELINE, pipeline_key(pipeline)) for pipeline, _ in statuses):
            return gettext_noop("a pipeline that requires or hides the field %(name)r of %(entity)s is missing") % {
                "name": item.name,
                "entity": item.entity,
            }
    return None


def incomplete_reading(desired: Snapshot, existing: Snapshot, known: Mapping[Ref, str]) -> str | None:
    """Returns the sentence that disbelieves a slave's reading; None if it may be true. `known` are the id mappings.

    Kommo answers 204 for an empty list, and that must never look like "nothing there, make it all again": every
    account has a pipeline, every pipeline won and lost; where the master has a main group, the slave has one too;
    fields name their groups, and groups their members.
    """
    held = {(each.kind, each.within) for each in existing.held}
    if not existing.pipelines and (Kind.PIPELINE, "") not in held:
        return gettext_noop("the list of pipelines came empty, but every Kommo account has one")
    odd = [each.path.endswith("_embedded.statuses") for each in existing.held if each.kind is Kind.PIPELINE]
    if not existing.pipelines and all(odd):
        return gettext_noop("no pipeline came with its stages, but every pipeline has won and lost")
    for item in existing.pipelines:
        if not (item.stages or item.is_archive or (Kind.STAGE, pipeline_key(item.id)) in held):
            return gettext_noop("the pipeline %(name)r came without any stage, but every pipeline has won and lost") % {
                "name": item.name
            }
    for entity in ENTITIES if existing.groups is not None and existing.fields is not None else ():
        mapped = {ref.kind for ref, key in known.items() if key.startswith(f"{entity}/")}
        reason = _incomplete_lists(entity, desired, existing, mapped)
        if reason:
            return reason
    return None


def _incomplete_lists(entity: str, desired: Snapshot, existing: Snapshot, mapped: Collection[Kind]) -> str | None:
    """Looks at the groups and fields of one entity; `mapped`: the kinds that its id mappings know of."""
    held = {each.kind for each in existing.held if each.within == entity}
    groups = [group for group in existing.groups or () if group.entity == entity]
    fields = [item for item in existing.fields or () if item.entity == entity]
    has_main = any(group.entity == entity and group.is_predefined for group in desired.groups or ())
    has_other = any(item.group_id not in (None, *PREDEFINED_GROUPS) for item in fields)
    if not groups and Kind.FIELD_GROUP not in held and (has_main or has_other or Kind.FIELD_GROUP in mapped):
        return gettext_noop("the list of field groups of %(entity)s came empty, but there is one") % {"entity": entity}
    has_members = any(group.fields for group in groups)
    if not fields and Kind.CUSTOM_FIELD not in held and (has_members or Kind.CUSTOM_FIELD in mapped):
        return gettext_noop("the list of custom fields of %(entity)s came empty, but there were some") % {
            "entity": entity
        }
    return None


def master_losses(previous: Snapshot, current: Snapshot, max_percent: int, minimum: int) -> str | None:
    """Returns the sentence that refuses a master which lost too much since `previous`; None if it may be copied.

    Refused: more than `max_percent` of any kind that had at least `minimum` items, or everything of a kind.
    """
    after = dict(_kinds(current))
    for label, before in _kinds(previous):
        if not before or label not in after:
            continue
        lost = sum(not current.hides(ref) for ref in before - after[label])
        everything = lost == len(before) and (" of " not in label or lost >= SMALLEST_ENTITY)
        if everything or (len(before) >= minimum and lost * 100 > max_percent * len(before)):
            percent = f"{lost * 100 / len(before):.2f}"
            facts = {"lost": lost, "total": len(before), "which": label, "percent": percent, "allowed": max_percent}
            return SHRUNK % facts
    return None


def empty_master(current: Snapshot) -> str | None:
    """Returns the sentence that refuses a master without a pipeline: every account has one, so it was not read."""
    if any(not pipeline.is_archive for pipeline in current.pipelines):
        return None
    if any(each.kind is Kind.PIPELINE for each in current.held):
        return None
    return gettext_noop(
        "The master has no pipeline at all. Every Kommo account has one, so this reading is not accepted."
    )


def _kinds(snapshot: Snapshot) -> Iterator[tuple[str, frozenset[Ref]]]:
    """Yields what was read and what is held back, by a label for people.

    Without what Kommo makes itself; of fields that counts as well.
    """
    held = [Ref(each.kind, each.key) for each in snapshot.held if each.key]
    pipelines = [Ref(Kind.PIPELINE, pipeline_key(pipeline.id)) for pipeline in snapshot.pipelines]
    yield gettext_noop("pipelines"), frozenset(pipelines + [ref for ref in held if ref.kind is Kind.PIPELINE])
    ordinary = ((pipeline, stage) for pipeline, stage in snapshot.stages() if not stage.is_system)
    yield (
        gettext_noop("stages"),
        frozenset(Ref(Kind.STAGE, stage_key(pipeline.id, stage.id)) for pipeline, stage in ordinary),
    )
    if snapshot.groups is not None:
        people = (group for group in snapshot.groups if not group.is_predefined)
        yield (
            gettext_noop("field groups"),
            frozenset(Ref(Kind.FIELD_GROUP, group_key(group.entity, group.id)) for group in people),
        )
    if snapshot.fields is not None:
        refs = [*refs_in(Snapshot((), None, snapshot.fields)), *(ref for ref in held if ref.kind is Kind.CUSTOM_FIELD)]
        yield gettext_noop("custom fields"), frozenset(ref for ref in refs if ref.kind is Kind.CUSTOM_FIELD)
        yield gettext_noop("options"), frozenset(ref for ref in refs if ref.kind is Kind.ENUM)
        for entity in sorted({item.entity for item in snapshot.fields} | set(ENTITIES)):
            mine = (ref for ref in refs if ref.kind is Kind.CUSTOM_FIELD and ref.key.startswith(f"{entity}/"))
            yield gettext_noop("custom fields of %(entity)s") % {"entity": entity}, frozenset(mine)
