"""Usage: whether anything in the account hangs on what is to be deleted, counted before it is too late.

Kommo moves the leads of a deleted stage without a word and forgets the values of a deleted field or option
(kommo-api.md 4.6, 5.4). What cannot be counted counts as used.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from accounts.kommo.errors import BadAnswer, Forbidden, NotFound, Validation
from accounts.kommo.pages import Params, Value
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.engine.changes import Change
from syncing.engine.refs import Kind, Ref, pipeline_key
from syncing.engine.resources.custom_fields import StageId
from syncing.engine.snapshot import Snapshot

PAGE = 250
MAX_PAGES = 100  # of leads, contacts or companies: 25,000 of each
UNCOUNTABLE = (NotFound, Forbidden, Validation)
UNREADABLE = "Kept: Kommo does not let us count what is in it ({error})."
INCOMING = "Kept: there are incoming leads, and Kommo does not show what they, and who came with them, hold."
TRASH: Params = {"with": "only_deleted"}


@dataclass
class _Counted:
    """What a scan has found of one field or option."""

    ref: Ref
    key: str
    holders: int = 0


def in_use(api: Api, deletions: Iterable[Change], own: Mapping[Ref, str], existing: Snapshot) -> dict[Ref, str]:
    """Ref -> why it must stay, for those of `deletions` that something hangs on; `own`: ref -> the account's key."""
    doomed = {change.ref: own[change.ref] for change in deletions}
    found: dict[Ref, str] = {}
    pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    for ref, key in doomed.items():
        if ref.kind is Kind.STAGE:
            pipeline, stage = map(int, key.split("/"))
            found |= _named(ref, _leads(api, [(pipeline, stage)]))
        elif ref.kind is Kind.PIPELINE:
            stages = [(int(key), stage.id) for stage in pipelines[key].stages]
            found |= _named(ref, _leads(api, stages) or _unsorted(api, int(key)))
    return found | _Values(api, doomed).found()


def _named(ref: Ref, reason: str) -> dict[Ref, str]:
    return {ref: reason} if reason else {}


# -- leads in stages --


def _leads(api: Api, stages: Sequence[StageId]) -> str:
    """Why the stages must stay: leads in them, in the trash as well. "" when there is none."""
    asked: dict[str, Value] = {"limit": PAGE}
    for at, (pipeline, stage) in enumerate(stages):
        asked[f"filter[statuses][{at}][pipeline_id]"] = pipeline
        asked[f"filter[statuses][{at}][status_id]"] = stage
    try:
        for where, extra in (("", {}), (" in the trash", TRASH)):
            leads = _items(api.get(endpoints.LEADS, {**asked, **extra}), "leads")
            if leads:
                return _told(leads, stages, where)
    except UNCOUNTABLE as error:
        return UNREADABLE.format(error=error.code)
    return ""


def _told(leads: Sequence[Json], stages: Sequence[StageId], where: str) -> str:
    """A filter that Kommo did not heed shows leads of other stages: then nothing was counted. The trash may be bare."""
    if any("status_id" in lead and (lead.get("pipeline_id"), lead["status_id"]) not in stages for lead in leads):
        return UNREADABLE.format(error="it shows leads of other stages")
    more = " or more" if len(leads) == PAGE else ""
    return f"Kept: {len(leads)}{more} lead{'s are' if len(leads) > 1 else ' is'} in it{where}."


def _unsorted(api: Api, pipeline: int) -> str:
    return "Kept: there are incoming leads in it." if _are_waiting(api, {"filter[pipeline_id]": pipeline}) else ""


def _are_waiting(api: Api, where: Params) -> bool:
    try:
        return bool(_items(api.get(endpoints.UNSORTED, {**where, "limit": 1}), "unsorted"))
    except UNCOUNTABLE:
        return False  # incoming leads are a feature; Kommo itself refuses to delete a pipeline that holds some


def _items(answer: Json | None, key: str) -> list[Json]:
    if answer is None:
        return []
    items = (answer.get("_embedded") or {}).get(key)
    if not isinstance(items, list):
        raise BadAnswer(f"the answer has no list of {key}")
    return items


# -- values of fields and options --


@dataclass
class _Values:
    """Reads through the entities once, until every field and option in question has shown up, or to the end."""

    api: Api
    doomed: Mapping[Ref, str]
    reasons: dict[Ref, str] = field(default_factory=dict)

    def found(self) -> dict[Ref, str]:
        entities: dict[str, list[_Counted]] = {}
        for ref, key in self.doomed.items():
            if ref.kind in (Kind.CUSTOM_FIELD, Kind.ENUM):
                entities.setdefault(key.partition("/")[0], []).append(_Counted(ref, key))
        for entity, counted in entities.items():
            self._scan(entity, counted)
        return self.reasons

    def _scan(self, entity: str, counted: list[_Counted]) -> None:
        try:
            for number, items in enumerate(self._everything(entity), start=1):
                if number > MAX_PAGES:
                    self._keep(counted, f"Kept: there are more {entity} than are looked through ({MAX_PAGES * PAGE}).")
                    return
                for item in items:
                    _count(entity, item, counted)
                if all(each.holders for each in counted):
                    break
        except UNCOUNTABLE as error:
            self._keep(counted, UNREADABLE.format(error=error.code))
            return
        used = [each for each in counted if each.holders]
        self.reasons |= {each.ref: f"Kept: {entity} have values in it." for each in used}
        if len(used) < len(counted) and self.has_incoming:
            self._keep([each for each in counted if not each.holders], INCOMING)

    @cached_property
    def has_incoming(self) -> bool:
        return _are_waiting(self.api, {})

    def _keep(self, counted: Iterable[_Counted], reason: str) -> None:
        self.reasons |= {each.ref: reason for each in counted}

    def _everything(self, entity: str) -> Iterator[list[Json]]:
        """Page by page, never all at once; of leads those in the trash too."""
        path = endpoints.entities(entity)
        yield from _pages(lambda query: self.api.get(path, query), entity)
        if entity == "leads":
            yield from _pages(lambda query: self.api.get(path, {**query, **TRASH}), entity)


def _pages(get: Callable[[dict[str, Value]], Json | None], key: str) -> Iterator[list[Json]]:
    page = 1
    while True:
        answer = get({"limit": PAGE, "page": page, "order[id]": "asc"})
        items = _items(answer, key)
        if items:
            yield items
        if answer is None or not (answer.get("_links") or {}).get("next"):
            return
        page += 1


def _count(entity: str, item: Json, counted: Iterable[_Counted]) -> None:
    held = _held(entity, item.get("custom_fields_values") or ())
    for each in counted:
        each.holders += each.key in held


def _held(entity: str, values: Iterable[Mapping[str, Any]]) -> set[str]:
    """The keys of the fields and options that an item has values of."""
    keys = set()
    for value in values:
        field_id = value.get("field_id")
        keys.add(f"{entity}/{field_id}")
        for each in value.get("values") or ():
            if isinstance(each, dict) and each.get("enum_id"):
                keys.add(f"{entity}/{field_id}/{each['enum_id']}")
    return keys
