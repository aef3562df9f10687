"""Reads for the list of runs: which of them somebody looks for, and how many there are in each state."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import Account
from syncing.models import RUN_OPEN, AccountRun, RunState, SyncRun
from syncing.selectors.filters import ListFilters
from syncing.selectors.runs import StateCount, state_counts

OPEN = "open"  # as a state: all that has not ended
NO_PERSON = "-"  # as a person: nobody, it began by itself
MOST_PEOPLE = 200  # names that the filter offers
LARGEST_ID = 2**63 - 1
COLUMNS = ("group", "type", "purpose", "trigger")


@dataclass(frozen=True)
class RunListFilters(ListFilters):
    """What somebody looks for; "" for anything."""

    q: str = ""
    state: str = ""
    group: str = ""
    type: str = ""
    purpose: str = ""
    trigger: str = ""
    person: str = ""


def found_runs(filters: RunListFilters, *, in_any_state: bool = False) -> QuerySet[SyncRun]:
    """Returns the runs, the newest first; what is no number of a group finds nothing."""
    runs = SyncRun.objects.order_by("-pk")
    if filters.group and not _is_id(filters.group):
        return runs.none()
    runs = runs.filter(**{name: value for name in COLUMNS if (value := getattr(filters, name))})
    if filters.state and not in_any_state:
        runs = runs.filter(state__in=RUN_OPEN if filters.state == OPEN else [filters.state])
    if filters.person == NO_PERSON:
        runs = runs.filter(requester_user_id=None, requester_key_id=None)
    elif filters.person:
        runs = runs.filter(_of_somebody(), requester_name=filters.person)
    return runs.filter(_mentions(filters.q)) if filters.q else runs


def states_of(filters: RunListFilters) -> tuple[StateCount, ...]:
    """Returns how many of the runs are in each state, whichever state is looked for."""
    runs = found_runs(filters, in_any_state=True).order_by()
    return state_counts(dict(runs.values_list("state").annotate(n=Count("pk"))), RunState)


def people() -> list[str]:
    """Returns the names of those who have asked for runs, in their order."""
    names = SyncRun.objects.filter(_of_somebody()).order_by("requester_name").values_list("requester_name", flat=True)
    return list(names.distinct()[:MOST_PEOPLE])


def _of_somebody() -> Q:
    return ~Q(requester_user_id=None, requester_key_id=None)


def _mentions(text: str) -> Q:
    """Returns the condition that a run has this number, or that a name in it, or its reason, has this text."""
    accounts = Account.objects.filter(Q(name__icontains=text) | Q(subdomain__icontains=text)).order_by()
    has_account = Exists(AccountRun.objects.filter(run=OuterRef("pk"), account__in=accounts.values("pk")).order_by())
    texts = ("name", "wish", "group__name", "requester_name", "reason")
    wanted = Q(has_account)
    for column in texts:
        wanted |= Q(**{f"{column}__icontains": text})
    number = text.lstrip("#")
    return wanted | Q(pk=int(number)) if _is_id(number) else wanted


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID
