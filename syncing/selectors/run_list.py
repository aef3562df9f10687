"""Reads for the list of runs: which of them somebody looks for, and how many there are in each state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from accounts.kommo.texts import storable_id
from accounts.models import Account, SyncGroup, is_called
from accounts.text_search import any_finds
from syncing.models import ACCOUNT_BAD, RUN_OPEN, AccountRun, RunPurpose, RunState, RunType, SyncRun, Trigger
from syncing.selectors.filters import ListFilters, a_day, an_id_of, in_days, one_of
from syncing.selectors.runs import StateCount, state_counts

OPEN = "open"  # as a state: all that has not ended
SENT_BACK = "sent_back"  # as a state: plans that somebody sent back
NO_PERSON = "-"  # as a person: nobody, it began by itself
MOST_PEOPLE = 200  # names that the filter offers
COLUMNS = ("group", "type", "purpose", "trigger")
SORTS: Mapping[str, tuple[Any, ...]] = {
    "": ("-pk",),
    "oldest": ("pk",),
    "longest": ((F("finished_at") - F("started_at")).desc(nulls_last=True), "-pk"),
}


@dataclass(frozen=True)
class RunListFilters(ListFilters):
    """What somebody looks for. `account`: a subdomain; `since` and `until`: the first and the last day."""

    state: str = one_of(OPEN, SENT_BACK, *RunState.values)
    group: str = an_id_of(SyncGroup)
    type: str = one_of(*RunType.values)
    purpose: str = one_of(*RunPurpose.values)
    trigger: str = one_of(*Trigger.values)
    person: str = ""
    account: str = ""
    since: str = a_day()
    until: str = a_day()
    sort: str = one_of(*SORTS)


def found_runs(filters: RunListFilters, *, in_any_state: bool = False) -> QuerySet[SyncRun]:
    """Returns the runs that are looked for, the newest first if no other order is asked for."""
    runs = SyncRun.objects.order_by(*SORTS[filters.sort])
    runs = runs.filter(**{name: value for name in COLUMNS if (value := getattr(filters, name))})
    if not in_any_state:
        runs = runs.filter(_state(filters.state))
    if filters.account:
        runs = runs.filter(pk__in=AccountRun.objects.filter(account__subdomain=filters.account).values("run"))
    runs = runs.filter(in_days("created_at", filters.since, filters.until))
    if filters.person == NO_PERSON:
        runs = runs.filter(requester_user_id=None, requester_key_id=None)
    elif filters.person:
        runs = runs.filter(_of_somebody(), requester_name=filters.person)
    return runs.filter(_mentions(filters.q)) if filters.q else runs


def with_reasons(runs: QuerySet[SyncRun]) -> QuerySet[Any]:
    """Adds `reasons`: how many the accounts have that did not do all they should; 0 if the run has one of its own."""
    failed = AccountRun.objects.filter(run=OuterRef("pk"), state__in=ACCOUNT_BAD).exclude(reason="").order_by()
    numbers = failed.values("run").annotate(n=Count("reason", distinct=True)).values("n")
    is_of_accounts = Q(reason="") | Exists(failed.filter(reason=OuterRef("reason")))
    number = Case(When(is_of_accounts, then=Coalesce(Subquery(numbers), 0)), default=0)
    counted: QuerySet[Any] = runs.annotate(reasons=number)
    return counted


def states_of(filters: RunListFilters) -> tuple[StateCount, ...]:
    """Returns how many of the runs are in each state, and were sent back, whichever state is looked for."""
    runs = found_runs(filters, in_any_state=True).order_by()
    rows = list(runs.values_list("state").annotate(n=Count("pk"), back=Count("pk", filter=_state(SENT_BACK))))
    sent_back = sum(back for *_state_and_number, back in rows)
    counts = state_counts({state: number for state, number, _back in rows}, RunState)
    return (*counts, StateCount(SENT_BACK, _("Sent back"), sent_back)) if sent_back else counts


def account_runs_in(runs: Iterable[SyncRun], subdomain: str) -> dict[int, AccountRun]:
    """Returns what the runs did in one account, by run."""
    rows = AccountRun.objects.filter(run__in=list(runs), account__subdomain=subdomain).defer("document")
    return {row.run_id: row for row in rows}


def people() -> list[str]:
    """Returns the names of those who have asked for runs, in their order."""
    names = SyncRun.objects.filter(_of_somebody()).order_by("requester_name").values_list("requester_name", flat=True)
    return list(names.distinct()[:MOST_PEOPLE])


def _state(state: str) -> Q:
    if state == SENT_BACK:
        return Q(sent_back_at__isnull=False)
    if state == OPEN:
        return Q(state__in=RUN_OPEN)
    return Q(state=state) if state else Q()


def _of_somebody() -> Q:
    return ~Q(requester_user_id=None, requester_key_id=None)


def _mentions(text: str) -> Q:
    """Returns the condition that a run has this number, or that a name in it, or its reason, has this text."""
    accounts = Account.objects.filter(is_called(text)).order_by()
    has_account = Exists(AccountRun.objects.filter(run=OuterRef("pk"), account__in=accounts.values("pk")).order_by())
    wanted = Q(has_account) | any_finds(text, "name", "wish", "group__name", "requester_name", "reason")
    number = storable_id(text.lstrip("#"))
    return wanted if number is None else wanted | Q(pk=number)
