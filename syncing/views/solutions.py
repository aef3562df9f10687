"""The one button of each line of "needs you": the shortest way to solve it that the person may go.

How an account gets a new credential is told here for all pages.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import HEALTH_NEEDS_CONNECTING, Account
from syncing.models import ACCOUNT_BAD, AccountState, RunMode
from syncing.presentation.links import run_url
from syncing.selectors.account_list import BAD_HEALTH
from syncing.selectors.needs import Concern, ConcernedAccount, Need
from syncing.services.runs.retry import FORCE, GUARD, STALE
from syncing.services.runs.start import PERMISSION

May = Callable[[str], bool]
MOST_IDS = 200  # accounts that one address names
# What a new credential mends: of a token that ends soon, and where another account or no administrator let us in.
NEEDS_CREDENTIAL = (
    *HEALTH_NEEDS_CONNECTING,
    *("expires_now", "expires_soon", Account.Health.NOT_ADMIN, Account.Health.WRONG_ACCOUNT),
)


class HasCredential(Protocol):
    """An account with how it is let in, and whether it can be connected by OAuth with the integration that it has."""

    @property
    def account_id(self) -> int: ...
    @property
    def uses_oauth(self) -> bool: ...
    @property
    def is_connectable(self) -> bool: ...


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
    if state in ("expires_now", "expires_soon") and any(each.uses_oauth for each in accounts):
        return _check(accounts, may, _("Check these"))  # these connections did not renew themselves
    if state in NEEDS_CREDENTIAL:
        listed = "token=soon" if state.startswith("expires") else f"health={state}"
        return new_credential(accounts, may, listed)
    if state in Account.Health.values:
        return _check(accounts, may, _("Check again"))
    if state in ACCOUNT_BAD:
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


def new_credential(
    accounts: Sequence[HasCredential], may: May, listed: str = f"health={BAD_HEALTH}"
) -> Solution | None:
    """Returns the way to a new credential that is possible for these accounts; None: the person may not go it.

    `listed`: the filters of the list of accounts that shows them.
    """
    connectable = [each.account_id for each in accounts if each.is_connectable and each.uses_oauth]
    if connectable:
        return invitation(connectable, may) if len(accounts) > 1 else _connection(connectable[0], may)
    if all(each.uses_oauth for each in accounts):
        integrations = Solution(_("Set up an integration"), reverse("syncing:integrations"))
        return integrations if may("accounts.view_integration") else None
    if not may("accounts.change_account"):
        return None
    if len(accounts) > 1:
        return Solution(_("Show these accounts"), f"{reverse('syncing:accounts')}?{listed}")
    page = reverse("admin:accounts_account_change", args=[accounts[0].account_id])
    return Solution(_("Store a new token"), f"{page}#id_new_token")


def _connection(account_id: int, may: May) -> Solution | None:
    connect = Solution(_("Connect"), reverse("accounts:connect", args=[account_id]))
    return connect if may("accounts.connect_account") else None


def invitation(account_ids: Sequence[int], may: May) -> Solution | None:
    """Returns the way to invite links for these accounts; of very many: for all that need one."""
    if not may("accounts.connect_account"):
        return None
    ids = "?ids=" + ",".join(map(str, account_ids)) if len(account_ids) <= MOST_IDS else ""
    return Solution(_("Make invite links"), f"{reverse('accounts:invite_many')}{ids}")


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
