"""Choice: a new plan about some items of a plan alone, for the accounts that have that plan; it deletes nothing."""

from collections.abc import Collection

from django.utils.translation import gettext as _

from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing.engine.choice import ChoosableItem, choosable_items
from syncing.engine.rules import WHOLE
from syncing.models import RunMode, SyncRun
from syncing.purposes import purpose_of
from syncing.selectors.plans import desired_of
from syncing.services import approvals
from syncing.services.runs.create import Started
from syncing.services.runs.retry import still_there
from syncing.services.runs.start import start_run

MOST = 5000  # items times accounts, as the row of the run has them all


def choosable(plan: SyncRun, digest: str) -> list[ChoosableItem]:
    """Returns the items of one distinct plan that can be chosen; none where nothing is left to approve."""
    if not purpose_of(plan.purpose).compares_with_master or plan.picked:
        return []
    document = approvals.approvable(plan).filter(content_digest=digest).values_list("document", flat=True).first()
    master = desired_of(plan)
    return choosable_items(document.get("changes", ()), master) if document and master else []


def plan_chosen(plan: SyncRun, digest: str, values: Collection[str], *, by: Actor, to_workers: bool = True) -> Started:
    """Starts a plan run about the items with these `values` alone, for the accounts with this plan; raises Refusal.

    It reads and plans them anew; `plan` itself stays as it is.
    """
    chosen = [item for item in choosable(plan, digest) if item.value in set(values)]
    if not chosen:
        raise Refusal("nothing_picked", _("No item was chosen."), _("Choose at least one item."))
    members = still_there(plan, approvals.approvable(plan).filter(content_digest=digest))
    refs = sorted({ref for item in chosen for ref in item.refs})
    if len(refs) * len(members) > MOST:
        raise Refusal(
            "too_much",
            _("These are more than %(most)d items in all accounts together.") % {"most": MOST},
            _("Choose fewer items, or exclude the others in the policy of the accounts."),
        )
    picked = [
        {"account": account.pk, "kind": str(ref.kind), "key": ref.key, "attribute": WHOLE, "chosen": True}
        for account in members
        for ref in refs
    ]
    return start_run(
        group=plan.group,
        type=plan.type,
        mode=RunMode.PLAN,
        by=by,
        accounts=members,
        picked=picked,
        to_workers=to_workers,
    )
