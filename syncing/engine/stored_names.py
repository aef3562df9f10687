"""Stored names: what an account shows under another name than it was sent, told apart from what was renamed.

An account may escape a name, cut it at an emoji, trim or recase it. It is read as it was sent: so nothing is written
a second time, and what is written back is what makes the account show the same again.
"""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from syncing.engine.changes import Action, Change
from syncing.engine.name_pairing import is_spelling
from syncing.engine.plan import Plan
from syncing.engine.refs import Kind, Ref, enum_key, field_key, group_key, parent_of, pipeline_key, stage_key
from syncing.engine.resources.custom_fields import CustomField
from syncing.engine.snapshot import Snapshot

ItemKey = tuple[Kind, str]  # an item by the account's own key
Rename = Callable[[Kind, str, str], str]  # kind, key, name -> name

NOT_ESCAPED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#0*39|#x27);)|[<>]")


@dataclass(frozen=True)
class ShownName:
    """The name that was sent for an item, and the name that the account shows instead."""

    sent: str
    shown: str


def names_of(snapshot: Snapshot) -> dict[ItemKey, str]:
    """Returns every name of an account; an option whose value reads null has none."""
    names: dict[ItemKey, str] = {}
    for pipeline in snapshot.pipelines:
        names[Kind.PIPELINE, pipeline_key(pipeline.id)] = pipeline.name
        for stage in pipeline.stages:
            names[Kind.STAGE, stage_key(pipeline.id, stage.id)] = stage.name
    for group in snapshot.groups or ():
        names[Kind.FIELD_GROUP, group_key(group.entity, group.id)] = group.name
    for field in snapshot.fields or ():
        names[Kind.CUSTOM_FIELD, field_key(field.entity, field.id)] = field.name
        for enum in field.enums:
            if enum.value is not None:
                names[Kind.ENUM, enum_key(field.entity, field.id, enum.id)] = enum.value
    return names


def as_sent(snapshot: Snapshot, stored: Mapping[ItemKey, ShownName]) -> Snapshot:
    """Returns the account as it would read if it showed what it was sent; `snapshot` itself where nothing is known.

    An account that is known to escape what it is sent is taken to have escaped everything that looks like it.
    """
    if not stored:
        return snapshot
    name, groups, fields = _sent_words(stored), snapshot.groups, snapshot.fields
    pipelines = []
    for item in snapshot.pipelines:
        stages = tuple(
            replace(stage, name=name(Kind.STAGE, stage_key(item.id, stage.id), stage.name)) for stage in item.stages
        )
        own = name(Kind.PIPELINE, pipeline_key(item.id), item.name)
        pipelines.append(replace(item, name=own, stages=stages))
    return replace(
        snapshot,
        pipelines=tuple(pipelines),
        groups=None if groups is None else tuple(
            replace(group, name=name(Kind.FIELD_GROUP, group_key(group.entity, group.id), group.name))
            for group in groups
        ),
        fields=None if fields is None else tuple(_renamed_field(item, name) for item in fields),
    )  # fmt: skip


def field_as_sent(item: CustomField, stored: Mapping[ItemKey, ShownName]) -> CustomField:
    """Returns one field, as `as_sent` does."""
    return _renamed_field(item, _sent_words(stored)) if stored else item


def _sent_words(stored: Mapping[ItemKey, ShownName]) -> Rename:
    escaped = any(
        html.unescape(name.shown) != name.shown and html.unescape(name.sent) == name.sent for name in stored.values()
    )

    def sent(kind: Kind, key: str, name: str) -> str:
        known = stored.get((kind, key))
        if known is not None and known.shown == name:
            return known.sent
        return html.unescape(name) if escaped and not NOT_ESCAPED.search(name) else name

    return sent


def _renamed_field(item: CustomField, name: Rename) -> CustomField:
    enums = tuple(
        enum  # a value that reads null is unknown
        if enum.value is None
        else replace(enum, value=name(Kind.ENUM, enum_key(item.entity, item.id, enum.id), enum.value))
        for enum in item.enums
    )
    return replace(item, name=name(Kind.CUSTOM_FIELD, field_key(item.entity, item.id), item.name), enums=enums)


# -- what a round of writes has changed --


@dataclass(frozen=True)
class NameObservation:
    """`stored`: what the account is now known to show otherwise (None: not any more).

    `spoiled`: own options that were only written back and read otherwise since: key -> (was, is).
    """

    stored: Mapping[ItemKey, ShownName | None]
    spoiled: Mapping[str, tuple[str, str]]


def observe_names(
    plan: Plan, written: Iterable[Change], keys: Mapping[Ref, str],
    first: Snapshot, before: Snapshot, after: Snapshot, stored: Mapping[ItemKey, ShownName],
) -> NameObservation:  # fmt: skip
    """Compares what `written` changes sent with the account as it was at `first`, `before` these and `after`.

    `keys`: the ids as they are known now. A name that reads as before although another was sent was not taken,
    unless it may be a spelling of that.
    """
    was, now, at_first = names_of(before), names_of(after), names_of(first)
    observed: dict[ItemKey, ShownName | None] = {}
    spoiled: dict[str, tuple[str, str]] = {}
    changes = list(written)
    for key, sent in _sent_names(plan, changes, keys):
        shown, known = now.get(key), stored.get(key)
        if shown == sent:
            observed |= {key: None} if known else {}
        elif shown is not None and (known or shown != was.get(key) or is_spelling(sent, shown)):
            observed[key] = ShownName(sent, shown)
    written_back = names_of(as_sent(before, stored))
    for key in _own_options_sent(plan, changes, keys):
        old, shown = at_first.get(key), now.get(key)
        if old is None or shown is None:
            continue
        if shown != old:  # the next write sends what an account that escapes shows as `old`
            spoiled[key[1]] = old, shown
            observed[key] = ShownName(html.unescape(old), shown)
        elif written_back[key] != old:
            observed[key] = ShownName(written_back[key], old)
    return NameObservation({key: name for key, name in observed.items() if stored.get(key) != name}, spoiled)


def _sent_names(plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str]) -> Iterable[tuple[ItemKey, str]]:
    """Yields the names that these changes have sent, by the account's keys; of fields only if it is about them."""
    for change in changes:
        item = plan.desired.items.get(change.ref)
        if item is None or change.ref not in keys:
            continue
        of_field, is_new = change.ref.kind is Kind.CUSTOM_FIELD, change.action is Action.CREATE
        if "name" in item.attributes and (is_new or not of_field or "name" in change.fields):
            yield (change.ref.kind, keys[change.ref]), item.attributes["name"]
        if is_new or _writes_options(change):
            for ref, value in item.attributes.get("enums", {}).items():
                if ref in keys:
                    yield (Kind.ENUM, keys[ref]), value


def _own_options_sent(plan: Plan, changes: Iterable[Change], keys: Mapping[Ref, str]) -> Iterable[ItemKey]:
    """Yields the options of the account itself that were written back beside the master's."""
    fields = {keys[change.ref] for change in changes if _writes_options(change) and change.ref in keys}
    for ref, key in plan.slave_only.items():
        if ref.kind is Kind.ENUM and key.rpartition("/")[0] in fields:
            yield Kind.ENUM, key


def _writes_options(change: Change) -> bool:
    return change.action is Action.UPDATE and bool({"enums", "enum_codes"} & set(change.fields))


def restore_options(plan: Plan, changes: Iterable[Change], spoiled: Mapping[str, tuple[str, str]]) -> list[Change]:
    """Returns `changes` and those that write spoiled options once more; `spoiled` as in `NameObservation`."""
    wanted = {change.ref: change for change in changes}
    fields = {key.rpartition("/")[0] for key in spoiled}
    for ref, key in plan.match.keys.items():
        if ref.kind is Kind.CUSTOM_FIELD and key in fields:
            mine = [pair for option, pair in spoiled.items() if option.rpartition("/")[0] == key]
            item = plan.desired.items[ref]
            change = wanted.get(ref, Change(Action.UPDATE, ref, item.name, item.parent, {}))
            fields_too = {"enums": ([shown for _, shown in mine], [was for was, _ in mine]), **change.fields}
            wanted[ref] = replace(change, fields=fields_too)
    return list(wanted.values())


def unrestored_options(plan: Plan, spoiled: Mapping[str, tuple[str, str]]) -> list[Change]:
    """Returns what is left of `spoiled`, as changes that nothing is written for."""
    changes = []
    for ref, key in plan.slave_only.items():
        parent = parent_of(ref)
        if ref.kind is Kind.ENUM and parent is not None and key in spoiled:
            was, shown = spoiled[key]
            changes.append(Change(Action.UPDATE, ref, was, plan.desired.items[parent].name, {"name": (shown, was)}))
    return changes
