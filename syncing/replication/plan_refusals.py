"""Why a plan is not carried out: limits of Kommo and of the group, another plan than the approved one, deletions."""

from collections.abc import Mapping

from syncing.engine.delta import deletes
from syncing.engine.plan import Plan
from syncing.engine.refs import Ref
from syncing.engine.rules import Rules
from syncing.engine.safety import kommo_limits, thresholds
from syncing.engine.sentences import gettext_noop
from syncing.engine.snapshot import Snapshot

LIMIT_REMEDY = gettext_noop("Make room in the account; the message says where.")
PLAN_REMEDY = gettext_noop("Look at the plan. If it is intended, run this account again with --force --reason TEXT.")
STALE = gettext_noop("The account has changed since its plan was approved, so nothing was written.")
STALE_REMEDY = gettext_noop("Look at the new plan and approve that one.")
REVIEW = gettext_noop(
    "Items to delete: %(count)s. A run that nobody attends to deletes nothing, so it stops before this account."
)
REVIEW_REMEDY = gettext_noop("Look at the plan and approve it, or run this account again by hand.")


def why_refused(
    plan: Plan, existing: Snapshot, known: Mapping[Ref, str], rules: Rules, approved_digest: str
) -> dict[str, str] | None:
    """Returns the error of an account whose plan must not be carried out, before the first write; None: go."""
    if sentence := kommo_limits(plan, existing):
        return problem("limit_reached", sentence, LIMIT_REMEDY)
    if approved_digest and approved_digest != plan.digest and plan.changes:
        return problem("stale_plan", STALE, STALE_REMEDY)
    if rules.deletes_after_review and (count := deletes(plan)):
        return problem("needs_review", REVIEW % {"count": count}, REVIEW_REMEDY)
    if rules.limits and (sentence := thresholds(plan, existing, known, rules.limits)):
        return problem("guard", sentence, PLAN_REMEDY)
    return None


def problem(code: str, message: str, remedy: str) -> dict[str, str]:
    """Returns the error of an account, as in the run document."""
    return {"code": code, "message": message[:500], "remedy": remedy}
