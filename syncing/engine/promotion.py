"""Promotion: chosen items of one slave, laid over the master as it is, so that a plan brings them and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from syncing.engine.match import match
from syncing.engine.overlay import Overlay
from syncing.engine.refs import Kind, Ref
from syncing.engine.rules import WHOLE
from syncing.engine.snapshot import Snapshot, from_document, items, to_document

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
}  # fmt: skip
ORDER = (Kind.PIPELINE, Kind.STAGE, Kind.FIELD_GROUP, Kind.CUSTOM_FIELD, Kind.ENUM)


@dataclass(frozen=True, order=True)
class Pick:
    """What a person chose: an item by the slave's own key, or one attribute of it."""

    kind: Kind
    key: str
    attribute: str = WHOLE

    @property
    def own(self) -> Ref:
        """The item under the slave's own key."""
        return Ref(self.kind, self.key)


@dataclass(frozen=True)
class Proposal:
    """What the master is to become.

    `desired`: the master with the picks in it; new items come last in their lists, under keys that no account has.
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
        """The id mappings of the plan: what the master has stands for itself."""
        return {ref: ref.key for ref in items(self.desired) if ref not in self.origins}


def propose(source: Snapshot, master: Snapshot, known: Mapping[Ref, str], picks: Iterable[Pick]) -> Proposal:
    """Lay `picks` of `source` over `master`. `known`: the item under the slave's own key -> the master's key."""
    found = match(source, master, known)
    overlay = Overlay(source, master, found)
    conflicts = {conflict.ref: conflict.message for conflict in found.conflicts}
    problems: list[str] = []
    for pick in sorted(set(picks), key=lambda pick: (ORDER.index(pick.kind), overlay.place(pick.own), pick)):
        name = overlay.name(pick.own)
        if name is None:
            problems.append(f"The {pick.kind} {pick.key} is not in the account any more.")
        elif pick.own in conflicts:
            problems.append(f"The {pick.kind} {name!r}: {conflicts[pick.own]}")
        elif pick.attribute == POSITION:
            problems.append(f"The {pick.kind} {name!r}: nothing is moved in the master; do it in Kommo.")
        elif reason := overlay.bring(pick.own, _attributes(pick)):
            problems.append(f"The {pick.kind} {name!r}: {reason}")
    return Proposal(overlay.result(), overlay.only, overlay.origins, tuple(problems), tuple(overlay.remarks))


def _attributes(pick: Pick) -> tuple[str, ...]:
    return ATTRIBUTES[pick.kind] if pick.attribute == WHOLE else (pick.attribute,)


def proposal_document(proposal: Proposal) -> dict[str, Any]:
    """As JSON; readable as a snapshot too: that is what the master is to become."""
    only = [[ref.kind.value, ref.key, sorted(attributes)] for ref, attributes in proposal.only.items()]
    origins = [[ref.kind.value, ref.key, key] for ref, key in proposal.origins.items()]
    return {**to_document(proposal.desired), "only": only, "origins": origins}


def proposal_from(document: Mapping[str, Any]) -> Proposal:
    """The inverse; without problems and remarks, which were told when it was made."""
    return Proposal(
        from_document(dict(document)),
        {Ref(Kind(kind), key): frozenset(attributes) for kind, key, attributes in document["only"]},
        {Ref(Kind(kind), key): own for kind, key, own in document["origins"]},
    )
