"""Rounds of writing: what of a plan is worth trying in each of them."""

from collections.abc import Mapping
from dataclasses import replace

from syncing.engine.changes import Action, Change
from syncing.engine.plan import Plan
from syncing.engine.stored_names import restore_options
from syncing.replication.id_map import IdMap
from syncing.replication.ledger import Ledger

ROUNDS = 4  # apply and re-read at most so often: the order may need more than one, everything else has two
PUT_BACK_IN = 2  # the round in which options that a write has spoiled are put back
REWRITES_ORDER_IN = (3, 4)  # the rounds in which moving single items has not led to the order


def worth_trying(plan: Plan, turn: int, ledger: Ledger, id_map: IdMap, spoiled: Mapping[str, tuple[str, str]]) -> Plan:
    """Returns `plan` with the changes that are worth trying in this round.

    A create is never repeated here (the writer looks up lost ones); an update once, a move in every round. Stages that
    their new pipeline was made without have not been sent yet.

    Of a field whose new options do not show yet nothing is repeated: they would be made again under other ids. Options
    of the account's own that read otherwise since they were written back (`spoiled`) are put back, once.
    """
    if turn == 1:
        return plan

    def is_worth_it(change: Change) -> bool:
        is_move = set(change.fields) == {"position"}
        if change.action is not Action.UPDATE or ledger.is_given_up(change.ref):
            return False
        if not is_move and not (turn == 2 and ledger.worth_another_try(change.ref)):
            return False
        options = plan.desired.items[change.ref].attributes.get("enums", ())
        return not any(option in id_map.arrived and option not in plan.match.keys for option in options)

    late = [change for change in plan.changes if turn == 2 and ledger.was_left_out(change)]
    changes = late + [change for change in plan.changes if is_worth_it(change)]
    if turn == PUT_BACK_IN:
        changes = restore_options(plan, changes, spoiled)
    return replace(plan, changes=tuple(changes))
