"""What the page of a run offers for each failure: the buttons that lead out of it, for those who may press them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Account
from syncing.models import AccountRun, RunMode, RunState, SyncRun
from syncing.purposes import purpose_of
from syncing.selectors.failures import NOT_GOOD, Failure, failures_of
from syncing.services.runs.retry import FORCE, GUARD, STALE
from syncing.views.start import may_start

CONNECT = ("unauthorised", "token_expired", "token_revoked", "forbidden", "wrong_account")
MAY_CONNECT = "accounts.connect_account"
MENDED_ELSEWHERE = (*CONNECT, GUARD, "paused", "needs_review")  # trying again does not help before that
MOST_IDS = 200  # accounts that one address names
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
    failure: Failure
    actions: tuple[FailureAction, ...]
    may_connect: bool


def failure_context(request: HttpRequest, run: SyncRun, *, is_watched: bool) -> dict[str, Any]:
    """Returns the failures with their buttons; while the run is open there is nothing to press yet."""
    failures = failures_of(run, as_they_came=is_watched)
    with_actions = [
        ShownFailure(
            each,
            () if run.is_open else tuple(_actions(request, run, each)),
            _may_connect(request, each),
        )
        for each in failures
    ]
    is_error_below = any(each.reason == run.reason and not each.is_untouched for each in failures)
    return {
        "failures": with_actions,
        "failed_accounts": sum(each.count for each in failures),
        "is_error_below": is_error_below,
        "master_to_connect": None if is_error_below else _master_to_connect(request, run),
    }


def _master_to_connect(request: HttpRequest, run: SyncRun) -> int | None:
    """Returns the id of the master whose connection stopped the run, for those who may connect it."""
    if run.reason not in CONNECT or not request.user.has_perm(MAY_CONNECT):
        return None
    masters = Account.objects.filter(group=run.group_id, role=Account.Role.MASTER)
    return masters.values_list("pk", flat=True).first()


def account_run_actions(request: HttpRequest, account_run: AccountRun) -> list[FailureAction]:
    """Returns the buttons of the page of an account run that did not end well."""
    run, account = account_run.run, account_run.account_id
    if run.is_open or account_run.state not in NOT_GOOD:
        return []
    actions = []
    if _may_connect(request, account_run):
        actions.append(FailureAction(_("Connect"), reverse("accounts:connect", args=[account]), is_first=True))
    if purpose_of(run.purpose).compares_with_master and may_start(request, run.mode):
        url = reverse("syncing:start", args=[run.group_id, run.mode])
        actions.append(FailureAction(_("Run this account again"), f"{url}?account={account}", is_first=not actions))
    return actions


def _may_connect(request: HttpRequest, failure: Failure | AccountRun) -> bool:
    """Tells whether a new connection of its account mends the failure, and the person may make one."""
    is_theirs = failure.reason in CONNECT and not failure.is_untouched
    return is_theirs and request.user.has_perm(MAY_CONNECT)


def _actions(request: HttpRequest, run: SyncRun, failure: Failure) -> Iterator[FailureAction]:
    """Yields the buttons, first the one that mends the cause."""
    reason, may = failure.reason, request.user.has_perm
    if _may_connect(request, failure) and failure.count <= MOST_IDS:
        ids = ",".join(map(str, failure.ids))
        yield FailureAction(_("Send invite links"), f"{reverse('accounts:invite_many')}?ids={ids}")
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
