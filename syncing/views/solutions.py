"""The one button of each line of "needs you": the shortest way to solve it that the person may go."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import HEALTH_NEEDS_CONNECTING, Account
from syncing.models import AccountState, RunMode
from syncing.presentation.links import run_url
from syncing.selectors.needs import Concern, ConcernedAccount, Need
from syncing.services.runs.retry import FORCE, GUARD, STALE
from syncing.services.runs.start import PERMISSION

May = Callable[[str], bool]


@dataclass(frozen=True)
class Solution:
    """A link; with `fields` a form that is sent at once."""

    label: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SolvableNeed:
    need: Need
    solution: Solution | None


def solvable(needs: Sequence[Need], may: May) -> list[SolvableNeed]:
    return [SolvableNeed(need, solution_of(need, may)) for need in needs]


def solution_of(need: Need, may: May) -> Solution | None:
    """Returns the button of a need; None where there is nothing to press, or the person may not."""
    state, accounts = need.concern.state, need.accounts
    if state == "held":
        return _continue(need.concern, may)
    if not accounts:
        automation = Solution(_("See the automation"), reverse("syncing:automation"))
        return automation if may("accounts.view_syncgroup") else None
    if state in HEALTH_NEEDS_CONNECTING or state in ("expires_now", "expires_soon"):
        return _of_credentials(state, accounts, may)
    if state in Account.Health.values:
        return _check(accounts, may, _("Check again"))
    if state in (AccountState.PARTIAL, AccountState.FAILED, AccountState.REFUSED):
        return _of_failure(need, may)
    if state in (AccountState.PLANNED, "sent_back"):
        label = _("Read the comment") if state == "sent_back" else _("Review the plan")
        return Solution(label, run_url(accounts[0].run_id or 0))
    if state in ("edited", "given_up"):
        one = reverse("syncing:drift_account", args=[accounts[0].account_id])
        page = one if len(accounts) == 1 else f"{reverse('syncing:drift')}?by=item"
        return Solution(_("Compare and decide"), page) if may("syncing.view_drift") else None
    return _of_document(state, accounts, may)


def _continue(concern: Concern, may: May) -> Solution:
    run_id = concern.run_id or 0
    if not may(PERMISSION[RunMode.APPLY]):
        return Solution(_("See why"), run_url(run_id))
    return Solution(_("Continue"), reverse("syncing:continue", args=[run_id]), (("wave", str(concern.wave)),))


def _of_credentials(state: str, accounts: Sequence[ConcernedAccount], may: May) -> Solution | None:
    """Leads to a new credential; a connection by OAuth that did not renew itself is checked first."""
    by_oauth = any(each.uses_oauth for each in accounts)
    if by_oauth and state.startswith("expires"):
        return _check(accounts, may, _("Check these"))
    if by_oauth and may("accounts.connect_account"):
        if len(accounts) == 1:
            return Solution(_("Connect"), reverse("accounts:connect", args=[accounts[0].account_id]))
        return Solution(_("Make invite links"), reverse("accounts:invite_many"))
    if by_oauth or not may("accounts.change_account"):
        return None
    if len(accounts) == 1:
        page = reverse("admin:accounts_account_change", args=[accounts[0].account_id])
        return Solution(_("Store a new token"), f"{page}#id_new_token")
    filtered = "token=soon" if state.startswith("expires") else f"health={state}"
    return Solution(_("Show these accounts"), f"{reverse('syncing:accounts')}?{filtered}")


def _check(accounts: Sequence[ConcernedAccount], may: May, label: str) -> Solution | None:
    if not may("accounts.check_account"):
        return None
    ids = ",".join(str(each.account_id) for each in accounts)
    return Solution(label, reverse("accounts:check_start"), (("accounts", ids),))


def _of_failure(need: Need, may: May) -> Solution | None:
    """Leads to trying again, by force if the limits refused it; else to the run."""
    first = need.accounts[0]
    if need.concern.reason == GUARD and may(FORCE) and first.run_id:
        return Solution(_("Raise the limit once"), reverse("syncing:force", args=[first.run_id]))
    modes = {each.run_mode for each in need.accounts}
    if need.concern.reason in (GUARD, STALE) or not all(may(PERMISSION[RunMode(mode)]) for mode in modes):
        return Solution(_("See why"), run_url(first.run_id or 0))
    ids = ",".join(str(each.account_run_id) for each in need.accounts)
    return Solution(_("Try again"), reverse("syncing:try_again"), (("account_runs", ids),))


def _of_document(state: str, accounts: Sequence[ConcernedAccount], may: May) -> Solution:
    """Leads to what is to be done by hand, or to the account runs with a conflict."""
    account = accounts[0]
    if state == "manual" and may("syncing.view_accountrun"):
        return Solution(_("See what to do"), reverse("syncing:todo"))
    if len(accounts) > 1 and may("syncing.view_drift"):
        return Solution(_("See what to do"), f"{reverse('syncing:drift')}?state=conflict")
    return Solution(_("See what to do"), reverse("admin:syncing_accountrun_change", args=[account.account_run_id]))
