"""Usage: count what in the account hangs on what is to be deleted, before it is too late.

Kommo moves the leads of a deleted stage without a word and forgets the values of a deleted field or option
(docs/kommo.md 4.6, 5.4). What cannot be counted counts as used.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain

from accounts.kommo.answer_shapes import items_of
from accounts.kommo.errors import BadAnswer, Forbidden, NotFound, Validation
from accounts.kommo.pages import Params, Value, read_pages
from syncing.adapters import endpoints
from syncing.adapters.api import Api, Json
from syncing.engine.changes import Change
from syncing.engine.refs import Kind, Ref, pipeline_key
from syncing.engine.resources.custom_fields import StageId
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

PAGE = 250
MAX_PAGES = 100  # of leads, contacts or companies: 25,000 of each
REFUSED = (NotFound, Forbidden, Validation)
UNCOUNTABLE = (*REFUSED, BadAnswer)  # a list that does not add up hides something
UNREADABLE = gettext_noop("Kept: Kommo does not let us count what is in it (%(why)s).")
INCOMING = gettext_noop(
    "Kept: there are incoming leads, and Kommo does not show what they, and who came with them, hold."
)
# Counted, and of a full page: so many or more.
LEADS = (gettext_noop("Kept: leads in it: %(count)s."), gettext_noop("Kept: leads in it: %(count)s or more."))
LEADS_IN_TRASH = (
    gettext_noop("Kept: leads of it in the trash: %(count)s."),
    gettext_noop("Kept: leads of it in the trash: %(count)s or more."),
)
TRASH: Params = {"with": "only_deleted"}


@dataclass
class _Counted:
    """One field or option, and how many items have a value of it."""

    ref: Ref
    key: str
    holders: int = 0


def in_use(api: Api, deletions: Iterable[Change], own: Mapping[Ref, str], existing: Snapshot) -> dict[Ref, str]:
    """Returns ref -> why it must stay, for `deletions` that something hangs on; `own`: ref -> the account's key."""
    doomed = {change.ref: own[change.ref] for change in deletions}
    reasons: dict[Ref, str] = {}
    pipelines = {pipeline_key(pipeline.id): pipeline for pipeline in existing.pipelines}
    for ref, key in doomed.items():
        if ref.kind is Kind.STAGE:
            pipeline, stage = map(int, key.split("/"))
            reasons[ref] = _leads(api, [(pipeline, stage)])
        elif ref.kind is Kind.PIPELINE:
            reasons[ref] = _leads(api, [(int(key), stage.id) for stage in pipelines[key].stages], of_pipeline=int(key))
    return {ref: reason for ref, reason in reasons.items() if reason} | _Values(api, doomed).in_use()


# -- leads in stages --


def _leads(api: Api, stages: Sequence[StageId], of_pipeline: int | None = None) -> str:
    """Returns why the stages must stay: leads in them, in the trash as well, or incoming ones; "" if there are none.

    A filter that Kommo did not heed shows leads of other stages: then nothing was counted. The trash may be bare.
    """
    asked: dict[str, Value] = {"limit": PAGE}
    for at, (pipeline, stage) in enumerate(stages):
        asked[f"filter[statuses][{at}][pipeline_id]"] = pipeline
        asked[f"filter[statuses][{at}][status_id]"] = stage
    try:
        for sentences, extra in ((LEADS, {}), (LEADS_IN_TRASH, TRASH)):
            leads = _first_page(api, endpoints.LEADS, "leads", {**asked, **extra})
            with_stage = (each for each in leads if isinstance(each, dict) and "status_id" in each)
            if any((each.get("pipeline_id"), each["status_id"]) not in stages for each in with_stage):
                return UNREADABLE % {"why": gettext_noop("it shows leads of other stages")}
            if leads:
                return sentences[len(leads) == PAGE] % {"count": len(leads)}
        if of_pipeline is not None and _has_incoming(api, {"filter[pipeline_id]": of_pipeline}):
            return gettext_noop("Kept: there are incoming leads in it.")
    except UNCOUNTABLE as error:
        return UNREADABLE % {"why": error.code}
    return ""


def _has_incoming(api: Api, where: Params) -> bool:
    try:
        return bool(_first_page(api, endpoints.UNSORTED, "unsorted", {**where, "limit": 1}))
    except REFUSED:
        return False  # incoming leads are a feature; Kommo itself refuses to delete a pipeline that holds some


def _pages(api: Api, path: str, key: str, query: Params) -> Iterator[list[Json]]:
    return read_pages(partial(api.get, path), key, query, account=api.account, path=path)


def _first_page(api: Api, path: str, key: str, query: Params) -> list[Json]:
    return next(_pages(api, path, key, query), [])


# -- values of fields and options --


@dataclass
class _Values:
    """Reads through the entities once, until every field and option in question has shown up, or to the end."""

    api: Api
    doomed: Mapping[Ref, str]
    reasons: dict[Ref, str] = field(default_factory=dict)

    def in_use(self) -> dict[Ref, str]:
        """Returns ref -> why it must stay."""
        entities: dict[str, list[_Counted]] = {}
        for ref, key in self.doomed.items():
            if ref.kind in (Kind.CUSTOM_FIELD, Kind.ENUM):
                entities.setdefault(key.partition("/")[0], []).append(_Counted(ref, key))
        for entity, counted in entities.items():
            try:
                self._count(entity, counted)
            except UNCOUNTABLE as error:
                self._retain(counted, UNREADABLE % {"why": error.code})
        return self.reasons

    def _count(self, entity: str, counted: list[_Counted]) -> None:
        """Reads page by page, never all at once; of leads those in the trash too."""
        query: Params = {"limit": PAGE, "page": 1, "order[id]": "asc"}
        queries = ({**query, **extra} for extra in (({}, TRASH) if entity == "leads" else ({},)))
        pages = chain.from_iterable(_pages(self.api, endpoints.entities(entity), entity, each) for each in queries)
        for number, items in enumerate(pages, start=1):
            if number > MAX_PAGES:
                self._retain(
                    counted,
                    gettext_noop("Kept: there are more %(entity)s than are looked through (%(most)s).")
                    % {"entity": entity, "most": MAX_PAGES * PAGE},
                )
                return
            for item in items:
                keys = _keys_with_values(entity, item)
                for each in counted:
                    unknown = each.ref.kind is Kind.ENUM and f"{each.key.rpartition('/')[0]}/None" in keys
                    each.holders += unknown or each.key in keys
            if all(each.holders for each in counted):
                break
        self._retain(
            [each for each in counted if each.holders],
            gettext_noop("Kept: %(entity)s have values in it.") % {"entity": entity},
        )
        unused = [each for each in counted if not each.holders]
        if unused and self.has_incoming:
            self._retain(unused, INCOMING)

    @cached_property
    def has_incoming(self) -> bool:
        return _has_incoming(self.api, {})

    def _retain(self, counted: Iterable[_Counted], reason: str) -> None:
        self.reasons |= {each.ref: reason for each in counted}


def _keys_with_values(entity: str, item: Json) -> set[str]:
    """Returns the keys of fields and options that an item has values of; `.../None` where it does not tell the option.

    Raises BadAnswer for an item of an odd shape.
    """
    keys = set()
    try:
        for value in _listed(item.get("custom_fields_values")):
            field_key = f"{entity}/{value['field_id']}"
            chosen = (each for each in _listed(value.get("values")) if isinstance(each, dict))
            keys |= {field_key, *(f"{field_key}/{each.get('enum_id')}" for each in chosen)}
    except (AttributeError, TypeError, KeyError) as error:
        raise BadAnswer(gettext_noop("one of the %(entity)s has an unexpected shape") % {"entity": entity}) from error
    return keys


def _listed(value: object) -> list[Json]:
    """Returns a list however it comes; raises TypeError for something else, as what is in that cannot be counted."""
    items = [] if value is None else items_of(value)
    if items is None:
        raise TypeError
    return items
