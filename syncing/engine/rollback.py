"""Rollback: what a plan has to be about so that an account is again as it was before a run, and what may go again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syncing.engine.changes import Action
from syncing.engine.refs import Kind, Ref, enum_key, field_key, parent_of, pipeline_key, stage_key
from syncing.engine.rules import WHOLE_ITEM, Rules, Unmatched
from syncing.engine.snapshot import Snapshot, refs_in

OPTIONS = frozenset({"enums", "enum_codes"})
STATUSES = frozenset({"required_statuses", "hidden_statuses"})
PLACE = frozenset({"group", "position"})
DELETE_WHAT_IT_MADE = dict.fromkeys(Kind, Unmatched.DELETE_CREATED)


@dataclass(frozen=True)
class LoggedChange:
    """One thing that a run did in an account: to which item, by the account's own key, and to which attributes."""

    action: Action
    kind: Kind
    key: str
    attributes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RollbackInput:
    """The rules and the id mappings of the plan back: every item of the account stands for itself."""

    rules: Rules
    known: dict[Ref, str]


def rollback_input(before: Snapshot, logged: Iterable[LoggedChange], options: Iterable[str] = ()) -> RollbackInput:
    """Works it out from what a run did to an account that was `before`; `options` are the keys of those it made.

    The plan is about what the run changed and about what hung on it; nothing else of the account is looked at.
    """
    logged = list(logged)
    created = {(change.kind, change.key) for change in logged if change.action is Action.CREATE}
    created |= {(Kind.ENUM, key) for key in options}
    only: dict[Ref, frozenset[str]] = {}
    for ref, attributes in _Reach(before).of(logged):
        known = only.get(ref)
        only[ref] = WHOLE_ITEM if known == WHOLE_ITEM or not attributes else attributes | (known or WHOLE_ITEM)
    only |= {Ref(kind, key): WHOLE_ITEM for kind, key in created}
    rules = Rules(unmatched=DELETE_WHAT_IT_MADE, created=frozenset(created), only=only)
    held = [Ref(each.kind, each.key) for each in before.held if each.key]
    return RollbackInput(rules, {ref: ref.key for ref in {*refs_in(before), *held, *(Ref(*item) for item in created)}})


class _Reach:
    """Everything that the change of one item concerns: refs, and the attributes concerned (none: the whole item)."""

    def __init__(self, before: Snapshot) -> None:
        self.refs = list(refs_in(before))
        self.pipelines = before.pipelines
        self.fields = {Ref(Kind.CUSTOM_FIELD, field_key(item.entity, item.id)): item for item in before.fields or ()}

    def of(self, logged: Iterable[LoggedChange]) -> Iterator[tuple[Ref, frozenset[str]]]:
        for change in logged:
            ref = Ref(change.kind, change.key)
            if change.kind is Kind.ENUM:
                yield Ref(Kind.CUSTOM_FIELD, change.key.rpartition("/")[0]), OPTIONS
                continue
            yield ref, WHOLE_ITEM
            if change.action is not Action.UPDATE or PLACE & change.attributes:
                # For want of room between two numbers, any of the same list may have been numbered anew.
                inside = change.key.rpartition("/")[0]
                siblings = (
                    each for each in self.refs if each.kind is ref.kind and each.key.rpartition("/")[0] == inside
                )
                yield from ((each, frozenset({"position"})) for each in siblings)
            if change.kind is Kind.PIPELINE and "is_main" in change.attributes:  # it took that from another
                mains = (pipeline_key(pipeline.id) for pipeline in self.pipelines if pipeline.is_main)
                yield from ((Ref(Kind.PIPELINE, key), frozenset({"is_main"})) for key in mains)
            if change.kind is Kind.CUSTOM_FIELD and ref in self.fields:
                field = self.fields[ref]
                keys = (enum_key(field.entity, field.id, enum.id) for enum in field.enums)
                yield from ((Ref(Kind.ENUM, key), WHOLE_ITEM) for key in keys)
            if change.action is Action.DELETE:
                yield from self._of_deletion(ref)

    def _of_deletion(self, ref: Ref) -> Iterator[tuple[Ref, frozenset[str]]]:
        """Yields the stages of a pipeline, the fields that named a stage, those of a group: Kommo gave them another."""
        stages = [ref] if ref.kind is Kind.STAGE else []
        if ref.kind is Kind.PIPELINE:
            stages = [each for each in self.refs if parent_of(each) == ref]
        yield from ((stage, WHOLE_ITEM) for stage in stages)
        gone = {stage.key for stage in stages}
        for field, item in self.fields.items():
            statuses = (*item.required_statuses, *(item.hidden_statuses or ()))
            if any(stage_key(*status) in gone for status in statuses):
                yield field, STATUSES
            if ref.kind is Kind.FIELD_GROUP and item.group_key == ref.key:
                yield field, PLACE
