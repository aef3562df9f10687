"""Promotion: chosen items of one slave, laid over the master as it is, so that a plan brings them and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncing.engine.match import match
from syncing.engine.overlay.fields import FieldOverlay
from syncing.engine.overlay.pipelines import PipelineOverlay
from syncing.engine.overlay.result import OverlayResult
from syncing.engine.refs import Kind, Ref
from syncing.engine.resources.custom_fields import CustomField, Enum
from syncing.engine.resources.field_groups import FieldGroup
from syncing.engine.resources.pipelines import Pipeline
from syncing.engine.resources.stages import Stage
from syncing.engine.rules import WHOLE
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Resource, Snapshot, from_document, refs_in, resources_of, to_document

POSITION = "position"
# The attributes of each kind that can be brought to an item of the master; its place in a list is never changed.
ATTRIBUTES: Mapping[Kind, tuple[str, ...]] = {
    Kind.PIPELINE: ("name", "is_unsorted_on", "is_main"),
    Kind.STAGE: ("name", "color", "descriptions"),
    Kind.FIELD_GROUP: ("name",),
    Kind.CUSTOM_FIELD: (
        *("name", "group", "is_api_only", "currency", "remind", "tracking_callback"),
        *("enums", "enum_codes", "required_statuses", "hidden_statuses"),
    ),
    Kind.ENUM: (),
}
ORDER = (Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM)  # parents before children


@dataclass(frozen=True, order=True)
class Pick:
    """The choice of a person: an item by the slave's own key, or one attribute of it."""

    kind: Kind
    key: str
    attribute: str = WHOLE

    @property
    def own(self) -> Ref:
        """Returns the item under the slave's own key."""
        return Ref(self.kind, self.key)


@dataclass(frozen=True)
class Proposal:
    """The desired state of a master to which items of a slave are promoted.

    `desired`: the master with the picks in it; new items come last in their lists, under ids that no account has.
    `only`: what the plan is about, as in `Rules`. `origins`: ref of a new item -> the slave's own key of it.
    `problems`: sentences about picks that cannot be brought; `remarks`: what stays behind of those that can.
    """

    desired: Snapshot
    only: Mapping[Ref, frozenset[str]]
    origins: Mapping[Ref, str]
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def known(self) -> dict[Ref, str]:
        """Returns the id mappings of the plan: what the master has stands for itself."""
        return {ref: ref.key for ref in refs_in(self.desired) if ref not in self.origins}


def propose(source: Snapshot, master: Snapshot, known: Mapping[Ref, str], picks: Iterable[Pick]) -> Proposal:
    """Lays `picks` of `source` over `master`. `known`: the item under the slave's own key -> the master's key."""
    result = OverlayResult(match(source, master, known))
    pipelines = PipelineOverlay(result, source, master)
    fields = FieldOverlay(result, source, master, pipelines)
    resources = resources_of(source)
    places = {ref: place for place, ref in enumerate(resources)}
    conflicts = {conflict.ref: conflict.message for conflict in result.matched.conflicts}
    problems: list[str] = []
    for pick in sorted(set(picks), key=lambda pick: (ORDER.index(pick.kind), places.get(pick.own, -1), pick)):
        resource = resources.get(pick.own)
        reason = conflicts.get(pick.own) or _bring(pipelines, fields, resource, pick)
        if reason:
            name = (
                (resource.value or pick.key) if isinstance(resource, Enum) else resource.name if resource else pick.key
            )
            problems.append(f"{pick.kind} {name!r}: {reason}")
    desired = Snapshot(
        tuple(pipelines.ours.values()),
        None if master.groups is None else tuple(fields.groups.values()),
        None if master.fields is None else tuple(fields.fields.values()),
    )
    return Proposal(desired, result.only, result.origins, tuple(problems), tuple(dict.fromkeys(result.remarks)))


def _bring(pipelines: PipelineOverlay, fields: FieldOverlay, resource: Resource | None, pick: Pick) -> str:
    """Lays one pick over the master; returns why not, or ""."""
    if resource is None:
        return gettext_noop("it is not in the account any more.")
    if pick.attribute == POSITION:
        return gettext_noop("nothing is moved in the master; do that in Kommo.")
    attributes: Sequence[str] = ATTRIBUTES[pick.kind] if pick.attribute == WHOLE else (pick.attribute,)
    if isinstance(resource, Pipeline):
        return pipelines.bring(resource, attributes)
    if isinstance(resource, Stage):
        return pipelines.bring_stage(resource, pick.own, attributes)
    if isinstance(resource, FieldGroup):
        return fields.bring_group(resource, attributes)
    if isinstance(resource, CustomField):
        return fields.bring(resource, attributes)
    return fields.bring_option(resource, pick.own)


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """Returns it as JSON; it can be read as a snapshot, too: that is what the master is to become."""
    only = [[ref.kind.value, ref.key, sorted(attributes)] for ref, attributes in proposal.only.items()]
    origins = [[ref.kind.value, ref.key, key] for ref, key in proposal.origins.items()]
    return {**to_document(proposal.desired), "only": only, "origins": origins}


def proposal_from(document: Mapping[str, Any]) -> Proposal:
    """Reads that JSON again; problems and remarks are not in it, they were shown when it was made."""
    return Proposal(
        from_document(dict(document)),
        {Ref(Kind(kind), key): frozenset(attributes) for kind, key, attributes in document["only"]},
        {Ref(Kind(kind), key): own for kind, key, own in document["origins"]},
    )
