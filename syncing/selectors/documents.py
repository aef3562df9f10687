"""The run as one JSON document: what `sync_all --json` prints and the REST API answers (docs/interface.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import RELATED_SECRETS, Account
from syncing.engine.grouping import LISTS, common_content, group_plans, plan_counts
from syncing.models import RUN_OPEN, AccountRun, AccountState, RunState, SyncRun
from syncing.selectors.plans import counted_plans, every_plan, unplanned, with_plan
from syncing.selectors.runs import people_facts
from syncing.selectors.waves import waves_document


def run_document(run: SyncRun, *, shared: bool = False) -> dict[str, Any]:
    """Returns the document of a run, open or ended.

    `shared`: accounts with equal plans are given the rows of one of them, for who shows each plan once anyway.
    """
    accounts = (
        _with_shared_plans(run)
        if shared
        else [account_document(account_run, account_run.document) for account_run in _account_runs(run)]
    )
    states = [account["state"] for account in accounts]
    masters = Account.objects.filter(group=run.group_id, role=Account.Role.MASTER)
    return {
        "run": run.pk,
        "type": run.type,
        "mode": run.mode,
        "trigger": run.trigger,
        **people_facts(run),
        "state": run.state,
        "reason": run.reason or None,
        "error": run.error,
        "duration_s": duration(run),
        "master": {"subdomain": masters.values_list("subdomain", flat=True).first(), "requests": run.master_requests},
        "totals": {state: states.count(state) for state in AccountState.values},
        "accounts": accounts,
        "plans": _distinct_plans(accounts),
        "waves": waves_document(run),
    }


def _account_runs(run: SyncRun) -> QuerySet[AccountRun]:
    account_runs = AccountRun.objects.filter(run=run).select_related("account").order_by("account__subdomain")
    return account_runs.defer(*RELATED_SECRETS)


def _with_shared_plans(run: SyncRun) -> list[dict[str, Any]]:
    """Returns the entries of the accounts.

    One document is loaded for each distinct plan, and one for each account without a plan.
    """
    plans = with_plan(run)
    firsts = AccountRun.objects.filter(pk__in=[plan.first for plan in counted_plans(plans)])
    by_digest = dict(firsts.values_list("content_digest", "document"))
    extras = dict(plans.order_by().values_list("pk", "document__extras"))  # each account has its own
    others = AccountRun.objects.filter(run=run).exclude(pk__in=plans.values("pk"))
    own = dict(others.values_list("pk", "document"))

    def document(account_run: AccountRun) -> dict[str, Any]:
        if account_run.pk in own:
            return dict(own[account_run.pk])
        known = by_digest.get(account_run.content_digest)
        if known is None:
            return dict(account_run.document)  # of one that has ended since
        return {**known, "extras": extras.get(account_run.pk) or []}

    return [
        account_document(account_run, document(account_run)) for account_run in _account_runs(run).defer("document")
    ]


def account_document(account_run: AccountRun, document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entry of an account; `plan` is the same for accounts about which the same is said."""
    return {
        "subdomain": account_run.account.subdomain,
        "wave": account_run.wave + 1,
        "state": account_run.state,
        "reason": account_run.reason or None,
        "requests": account_run.requests,
        "delta": account_run.delta,
        "created": account_run.created,
        "updated": account_run.updated,
        "deleted": account_run.deleted,
        "adopted": account_run.adopted,
        "plan": account_run.content_digest or None,
        **{name: document.get(name, []) for name in LISTS},
        "note": account_run.note or None,
        "error": account_run.error,
    }


def _distinct_plans(accounts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns each distinct plan once, the most common first, with the accounts that have it."""
    documents = {account["subdomain"]: account for account in accounts}
    entries = []
    for plan in group_plans((account["subdomain"], account["plan"]) for account in accounts if account["plan"]):
        document = documents[plan.members[0]]
        counted = common_content(document) if len(plan.members) > 1 else document
        entries.append({"plan": plan.digest, "accounts": list(plan.members), **asdict(plan_counts(counted))})
    return entries


def plan_document(run: SyncRun) -> dict[str, Any]:
    """Returns the REST API's answer about the plans of a run: the changes once per plan, not once per account.

    `example` is the account whose document it is: in others the messages of extras may have other numbers.
    """
    return {
        "run": run.pk,
        "type": run.type,
        "mode": run.mode,
        "state": run.state,
        "plans": [
            {
                "plan": plan.digest,
                "accounts": [member.subdomain for member in plan.members],
                "example": plan.example.subdomain,
                **asdict(plan.tally),
                **{name: plan.document.get(name, []) for name in LISTS},
            }
            for plan in every_plan(run)
        ],
        "without_plan": [
            {"subdomain": each.subdomain, "state": each.state, "reason": each.reason or None, "error": each.error}
            for each in unplanned(run, AccountState.values)
        ],
    }


def failed_document(code: str, message: str, remedy: str, **known: Any) -> dict[str, Any]:
    """Returns the document for when no run could be made; a window that forbids it is a reason of runs as well."""
    is_frozen = code == "frozen"
    return {
        "run": None,
        "type": known.get("type"),
        "mode": known.get("mode"),
        "trigger": known.get("trigger"),
        **dict.fromkeys(("name", "why", "requested_by", "first_attempt", "sent_back")),
        "state": RunState.REFUSED if is_frozen else RunState.FAILED,
        "reason": code if is_frozen else None,
        "error": {"code": code, "message": message, "remedy": remedy},
        "duration_s": 0.0,
        "master": None,
        "totals": dict.fromkeys(AccountState.values, 0),
        "accounts": [],
        "plans": [],
        "waves": None,
    }


def duration(run: SyncRun) -> float:
    """Returns the seconds from the start to the end, or until now; 0 when it waits."""
    if run.started_at is None:
        return 0.0
    end = run.finished_at or (timezone.now() if run.state in RUN_OPEN else run.started_at)
    return round(max(0.0, (end - run.started_at).total_seconds()), 1)
