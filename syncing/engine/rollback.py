"""Rollback: what has to be looked at so that an account is again as it was before a run, and what may go again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from syncing.engine.changes import Action
from syncing.engine.refs import Kind, Ref, enum_key, field_key, pipeline_key, stage_key
from syncing.engine.rules import Rules, Unmatched
from syncing.engine.snapshot import Snapshot, refs_in

WHOLE_ITEM: frozenset[str] = frozenset()
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


def rollback_input(before: Snapshot, touches: Iterable[LoggedChange], options: Iterable[str] = ()) -> RollbackInput:
    """From what a run did to an account that was `before`; `options` are the keys of those it made.

    The plan is about what the run touched and about what hung on it; nothing else of the account is looked at.
    """
    touches = list(touches)
    made = {(touch.kind, touch.key) for touch in touches if touch.action is Action.CREATE}
    made |= {(Kind.ENUM, key) for key in options}
    only: dict[Ref, frozenset[str]] = {}
    for ref, attributes in _Reach(before).of(touches):
        known = only.get(ref)
        only[ref] = WHOLE_ITEM if known == WHOLE_ITEM or not attributes else attributes | (known or WHOLE_ITEM)
    only |= {Ref(kind, key): WHOLE_ITEM for kind, key in made}
    rules = Rules(unmatched=DELETE_WHAT_IT_MADE, created=frozenset(made), only=only)
    held = [Ref(each.kind, each.key) for each in before.held if each.key]
    return RollbackInput(rules, {ref: ref.key for ref in {*refs_in(before), *held, *(Ref(*item) for item in made)}})


class _Reach:
    """How far the touch of one item reaches: refs, and the attributes concerned (none: the whole item)."""

    def __init__(self, before: Snapshot) -> None:
        self.items = list(refs_in(before))
        self.pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in before.pipelines}
        self.fields = {field_key(item.entity, item.id): item for item in before.fields or ()}

    def of(self, touches: Iterable[LoggedChange]) -> Iterator[tuple[Ref, frozenset[str]]]:
        for touch in touches:
            if touch.kind is Kind.ENUM:
                yield Ref(Kind.CUSTOM_FIELD, touch.key.rpartition("/")[0]), OPTIONS
                continue
            yield Ref(touch.kind, touch.key), WHOLE_ITEM
            if touch.action is not Action.UPDATE or PLACE & touch.attributes:
                yield from ((ref, frozenset({"position"})) for ref in self._beside(touch))
            if touch.kind is Kind.PIPELINE:
                yield from self._pipeline(touch)
            elif touch.kind is Kind.STAGE and touch.action is Action.DELETE:
                yield from self._requiring({touch.key})
            elif touch.kind is Kind.FIELD_GROUP and touch.action is Action.DELETE:
                yield from self._members(touch.key)
            elif touch.kind is Kind.CUSTOM_FIELD:
                yield from self._options(touch.key)

    def _beside(self, touch: LoggedChange) -> list[Ref]:
        """Those in the same list: for want of room between two numbers, any of them may have been numbered anew."""
        parent = touch.key.rpartition("/")[0]
        return [ref for ref in self.items if ref.kind is touch.kind and ref.key.rpartition("/")[0] == parent]

    def _pipeline(self, touch: LoggedChange) -> Iterator[tuple[Ref, frozenset[str]]]:
        """The main one takes that from another; what goes takes its stages with it."""
        if "is_main" in touch.attributes:
            yield from ((Ref(Kind.PIPELINE, key), frozenset({"is_main"})) for key in self._main())
        pipeline = self.pipelines.get(touch.key)
        if pipeline is not None and touch.action is Action.DELETE:
            stages = {stage_key(pipeline.id, stage.id) for stage in pipeline.stages}
            yield from ((Ref(Kind.STAGE, key), WHOLE_ITEM) for key in stages)
            yield from self._requiring(stages)

    def _main(self) -> list[str]:
        return [key for key, pipeline in self.pipelines.items() if pipeline.is_main]

    def _requiring(self, stages: set[str]) -> Iterator[tuple[Ref, frozenset[str]]]:
        """The fields that were required, or hidden, in a stage that went."""
        for key, item in self.fields.items():
            if any(stage_key(*status) in stages for status in (*item.required_statuses, *(item.hidden_statuses or ()))):
                yield Ref(Kind.CUSTOM_FIELD, key), STATUSES

    def _members(self, group: str) -> Iterator[tuple[Ref, frozenset[str]]]:
        """The fields of a group that went: Kommo put them into the main one."""
        for key, item in self.fields.items():
            if item.group_key == group:
                yield Ref(Kind.CUSTOM_FIELD, key), PLACE

    def _options(self, field: str) -> Iterator[tuple[Ref, frozenset[str]]]:
        item = self.fields.get(field)
        if item is not None:
            yield from ((Ref(Kind.ENUM, enum_key(item.entity, item.id, enum.id)), WHOLE_ITEM) for enum in item.enums)
