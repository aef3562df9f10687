"""What an account run does about the part of the account that it assumes without reading it (`engine.delta`)."""

from dataclasses import replace

from syncing.engine.delta import PartRead
from syncing.engine.refs import Kind, Ref
from syncing.replication.contract import Doubt, Target
from syncing.replication.id_map import IdMap
from syncing.replication.remembered import Remembered


def raise_doubt(target: Target, reason: str) -> None:
    """Raises Doubt if something was assumed of the account, and it may be read whole instead."""
    if target.delta is not None and target.delta.may_widen:
        raise Doubt(reason)


def part_read(target: Target, id_map: IdMap) -> PartRead | None:
    """Returns what is read of the account, by the account's own keys; None: all of it."""
    if target.delta is None:
        return None
    keys = (id_map.known.get(Ref(Kind.PIPELINE, key)) for key in target.delta.part.described)
    return replace(target.delta.part, described=frozenset(key for key in keys if key is not None))


def read_whole(target: Target, id_map: IdMap, remembered: Remembered, *, is_begun: bool) -> Target:
    """Returns the target of the same account run begun anew, with all that it has learnt, and without assumptions.

    `is_begun`: it has written; what is left of an approved plan has another digest.
    """
    return replace(
        target,
        delta=None,
        known=dict(id_map.known),
        fresh=target.fresh | (id_map.arrived & id_map.known.keys()),
        stored_names=dict(remembered.stored),
        pending=None if target.pending is None else dict(remembered.pending),
        approved_digest="" if is_begun else target.approved_digest,
    )
