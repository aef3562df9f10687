"""What the page of a run offers for each failure: the buttons that lead out of it, for those who may press them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account
from syncing.models import AccountRun, RunMode, RunState, SyncRun
from syncing.purposes import purpose_of
from syncing.selectors.credentials import Credential, credentials_of
from syncing.selectors.failures import NOT_GOOD, FailedAccount, Failure, failures_of
from syncing.services.runs.retry import FORCE, GUARD, STALE
from syncing.views.solutions import Solution, invitation, new_credential
from syncing.views.start import may_start

CONNECT = ("unauthorised", "token_expired", "token_revoked", "forbidden", "wrong_account")
MENDED_ELSEWHERE = (*CONNECT, GUARD, "paused", "needs_review")  # trying again does not help before that
RETRY_FORM, REVIEW_FORM = "ks-retry", "ks-review"  # forms of the page, outside of what renews itself


@dataclass(frozen=True)
class FailureAction:
    """A link to `url`, or a button of the form `form` of the page that sends which failure it is."""

    label: str
    url: str = ""
    form: str = ""
    is_first: bool = False


@dataclass(frozen=True)
class ShownFailure:
    """A failure with its buttons, and the accounts that it names, each with the way to its new credential or None."""

    failure: Failure
    actions: tuple[FailureAction, ...]
    accounts: tuple[tuple[FailedAccount, Solution | None], ...]


def failure_context(request: HttpRequest, run: SyncRun, *, is_watched: bool) -> dict[str, Any]:
    """Returns the failures with their buttons; while the run is open there is nothing to press yet."""
    failures = failures_of(run, as_they_came=is_watched)
    credentials = credentials_of(
        [account_id for each in failures if _is_about_credential(each) for account_id in each.ids]
    )
    is_error_below = any(each.reason == run.reason and not each.is_untouched for each in failures)
    return {
        "failures": [_shown(request, run, each, credentials) for each in failures],
        "failed_accounts": sum(each.count for each in failures),
        "is_error_below": is_error_below,
        "master_solution": None if is_error_below else _master_solution(request, run),
    }


def _shown(request: HttpRequest, run: SyncRun, failure: Failure, credentials: Mapping[int, Credential]) -> ShownFailure:
    own = {each: credentials[each] for each in failure.ids if each in credentials and _is_about_credential(failure)}
    actions = () if run.is_open else tuple(_actions(request, run, failure, own))
    may = request.user.has_perm
    # Of an account alone it is a button of the failure.
    ways = {each: new_credential([credential], may) for each, credential in own.items() if failure.count > 1}
    return ShownFailure(failure, actions, tuple((each, ways.get(each.account_id)) for each in failure.accounts))


def _master_solution(request: HttpRequest, run: SyncRun) -> Solution | None:
    """Returns the way to a new credential of the master, if its connection has stopped the run."""
    if run.reason not in CONNECT:
        return None
    masters = Account.objects.filter(group=run.group_id, role=Account.Role.MASTER)
    credentials = credentials_of(list(masters.values_list("pk", flat=True)))
    return new_credential(list(credentials.values()), request.user.has_perm) if credentials else None


def account_run_actions(request: HttpRequest, account_run: AccountRun) -> list[FailureAction]:
    """Returns the buttons of the page of an account run that did not end well."""
    run, account = account_run.run, account_run.account_id
    if run.is_open or account_run.state not in NOT_GOOD:
        return []
    actions = []
    credentials = list(credentials_of([account]).values()) if _is_about_credential(account_run) else []
    if credentials and (way := new_credential(credentials, request.user.has_perm)):
        actions.append(FailureAction(way.label, way.url, is_first=True))
    if purpose_of(run.purpose).compares_with_master and may_start(request, run.mode):
        url = reverse("syncing:start", args=[run.group_id, run.mode])
        actions.append(FailureAction(_("Run this account again"), f"{url}?account={account}", is_first=not actions))
    return actions


def _is_about_credential(failure: Failure | AccountRun) -> bool:
    """Tells whether a new credential of its account mends the failure."""
    return failure.reason in CONNECT and not failure.is_untouched


def _actions(
    request: HttpRequest, run: SyncRun, failure: Failure, credentials: Mapping[int, Credential]
) -> Iterator[FailureAction]:
    """Yields the buttons, first the one that mends the cause; `credentials`: those that a new one mends it for."""
    reason, may = failure.reason, request.user.has_perm
    way = new_credential(list(credentials.values()), may) if credentials else None
    connectable = [account_id for account_id, each in credentials.items() if each.is_connectable]
    invite = invitation(connectable, may) if connectable else None
    for solution in dict.fromkeys(filter(None, (way, invite))):  # they may be the same
        yield FailureAction(solution.label, solution.url, is_first=solution == way)
    if reason == GUARD and not failure.is_untouched and may(FORCE) and may_start(request, run.mode):
        yield FailureAction(_("Run again with a reason"), reverse("syncing:force", args=[run.pk]), is_first=True)
    if reason == STALE and may_start(request, RunMode.PLAN):
        yield FailureAction(_("Review again"), form=REVIEW_FORM, is_first=True)
    if reason == "paused" and may("accounts.change_account"):
        yield FailureAction(_("See the pauses"), reverse("syncing:automation"), is_first=True)
    if reason == "needs_review":
        waiting = urlencode({"group": run.group_id, "state": RunState.PLANNED})
        yield FailureAction(_("See the plans that wait"), f"{reverse('syncing:runs')}?{waiting}", is_first=True)
    if reason != STALE and may_start(request, run.mode):
        yield FailureAction(_("Retry these"), form=RETRY_FORM, is_first=reason not in MENDED_ELSEWHERE)
