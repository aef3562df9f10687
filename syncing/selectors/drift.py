"""Reads about drift: which slaves differ from their master, in what, from which cause, since when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import Count, F, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from accounts.kommo.texts import storable, storable_id
from accounts.models import SECRETS, Account, SyncGroup, is_called
from accounts.text_search import is_in
from syncing.engine.healing import ITEM_KINDS
from syncing.models import AcceptedDifference, Drift, DriftChange, Standing
from syncing.selectors.filters import ListFilters, an_id_of, one_of
from syncing.selectors.standing import with_standing

CAUSES = ("master", "slave", "both", "unknown")
UNKNOWN = "unknown"  # the same, in documents
FOUND = (*Drift.State.values, Standing.NEVER)  # what the last look found, whether or not it is still known
EXTRA = "extra"
EDITED_CAUSE = "edited"  # as a filter: one of EDIT_CAUSES
EDIT_CAUSES = ("slave", "both")  # somebody changed it in the slave
EDITED = Q(drift__by_slave__gt=0) | Q(drift__by_both__gt=0)
SORTS: Mapping[str, tuple[Any, ...]] = {
    "": (F("drift__count").desc(nulls_last=True), "subdomain"),
    "name": ("subdomain",),
    "since": (F("drift__since").asc(nulls_last=True), "subdomain"),
    "checked": (F("drift__checked_at").asc(nulls_first=True), "subdomain"),
}
# The keys of a stored difference that pages, the API and the command show.
DIFFERENCE_KEYS = (
    "action",
    "kind",
    "key",
    "slave_key",
    "name",
    "parent",
    "attribute",
    "ours",
    "theirs",
    "cause",
    "first_seen",
)


@dataclass(frozen=True)
class ListedDifference:
    """One attribute, or a whole item (attribute ""), that is not the same in the master and in the slave."""

    action: str  # create | update | delete: what a run would do; extra: only the slave has it, and it stays
    kind: str
    key: str
    slave_key: str
    name: str
    parent: str
    attribute: str
    ours: Any
    theirs: Any
    cause: str
    first_seen: datetime
    mode: str = ""  # what is done with edits of the item by itself (`selectors.healing`)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        moment = datetime.fromisoformat(row["first_seen"])
        return cls(**{name: row[name] for name in DIFFERENCE_KEYS if name != "first_seen"}, first_seen=moment)

    @property
    def is_extra(self) -> bool:
        return self.action == EXTRA

    @property
    def has_mode(self) -> bool:
        """Tells whether somebody may say what is done with edits of the item: it is the master's, and no option."""
        return self.kind in ITEM_KINDS and self.action in ("create", "update")

    def mentions(self, text: str) -> bool:
        words = (self.name, self.parent, self.attribute, self.kind, str(self.ours or ""), str(self.theirs or ""))
        return is_in(text, *words)


@dataclass(frozen=True)
class DriftSummary:
    """The number of slaves of each standing that some have; `edited`: somebody edited them."""

    states: Sequence[tuple[str, int]]
    edited: int


def slaves() -> QuerySet[Account]:
    """Selects every slave with its drift (without the differences themselves), the ones that differ most first."""
    accounts = Account.objects.filter(role=Account.Role.SLAVE).select_related("group", "drift")
    accounts = accounts.defer(*SECRETS, "drift__differences")
    return accounts.order_by(*SORTS[""])


@dataclass(frozen=True)
class DriftListFilters(ListFilters):
    """What somebody looks for among the slaves."""

    group: str = an_id_of(SyncGroup)
    state: str = one_of(*Standing.values)
    cause: str = one_of(EDITED_CAUSE, *CAUSES)
    sort: str = one_of(*SORTS)


def listing(filters: DriftListFilters, moment: datetime) -> QuerySet[Any]:
    """Selects `slaves` with how they stand at `moment` and the number of their `exceptions`."""
    accounts: QuerySet[Any] = with_standing(slaves(), moment).order_by(*SORTS[filters.sort])
    if text := filters.q:
        accounts = accounts.filter(is_called(text))
    if filters.group:
        accounts = accounts.filter(group=storable_id(filters.group))
    if filters.state:
        accounts = accounts.filter(standing=filters.state)
    if filters.cause == EDITED_CAUSE:
        accounts = accounts.filter(EDITED)
    elif filters.cause:
        accounts = accounts.filter(**{f"drift__by_{filters.cause}__gt": 0})
    active = AcceptedDifference.objects.filter(account=OuterRef("pk"), withdrawn_at=None).order_by()
    count = active.values("account").annotate(n=Count("pk")).values("n")
    listed: QuerySet[Any] = accounts.annotate(exceptions=Coalesce(Subquery(count), 0))
    return listed


def drift_summary(moment: datetime, group: int | None = None) -> DriftSummary:
    """Counts all slaves, or those of one group, in one query."""
    accounts = with_standing(Account.objects.filter(role=Account.Role.SLAVE), moment).order_by()
    if group is not None:
        accounts = accounts.filter(group=group)
    counts = {state: Count("pk", filter=Q(standing=state)) for state in Standing.values}
    numbers = accounts.aggregate(**counts, edited=Count("pk", filter=EDITED))
    return DriftSummary([(state, numbers[state]) for state in Standing.values if numbers[state]], numbers["edited"])


def differences_of(drift: Drift | None, text: str = "") -> list[ListedDifference]:
    """Returns the differences that mention `text`, in the order of a plan, extras at the end."""
    rows = [ListedDifference.of(row) for row in (drift.differences if drift else ())]
    return sorted((row for row in rows if row.mentions(text.strip())), key=lambda row: row.is_extra)


def drift_of(account: Account) -> Drift | None:
    """Returns an account's drift, differences included; None if nobody has looked yet."""
    return Drift.objects.filter(pk=account.pk).select_related("run").first()


def exceptions_of(account: Account) -> QuerySet[AcceptedDifference]:
    """Selects the accepted differences of an account that nobody has withdrawn."""
    return account.accepted.filter(withdrawn_at=None).select_related("accepted_by")


def changes_of(account: Account) -> QuerySet[DriftChange]:
    """Selects the history of an account's drift, the youngest change first."""
    return account.drift_changes.select_related("run")


# -- edits, for the dashboard --


@dataclass(frozen=True)
class SlaveEdit:
    """An item that somebody edited in a slave; equal ones of several slaves are equal."""

    kind: str
    name: str
    parent: str
    action: str


def slave_edits(rows: Iterable[Mapping[str, Any]]) -> list[SlaveEdit]:
    """Returns the edits among the differences of a slave, each once, in order."""
    edited = (row for row in rows if row["action"] != EXTRA and row["cause"] in EDIT_CAUSES)
    return list(dict.fromkeys(SlaveEdit(row["kind"], row["name"], row["parent"], row["action"]) for row in edited))


# -- documents, for the API and the command --


def drift_documents(
    group: SyncGroup | None = None,
    accounts: Iterable[Account] | None = None,
    *,
    state: str | None = None,
    after: str | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Returns the drift of slaves (of a group, of the named ones, or of all) in the order of their subdomains.

    `state`: theirs, "unknown" of those that nobody has looked at; `after`: of the subdomains behind this one.
    """
    accepted = AcceptedDifference.objects.filter(withdrawn_at=None).select_related("accepted_by").order_by("pk")
    wanted = Account.objects.filter(role=Account.Role.SLAVE).select_related("group", "drift").defer(*SECRETS)
    if group is not None:
        wanted = wanted.filter(group=group)
    if accounts is not None:
        wanted = wanted.filter(pk__in=[account.pk for account in accounts])
    if state is not None:
        wanted = wanted.filter(drift=None) if state == UNKNOWN else wanted.filter(drift__state=state)
    if after is not None:
        wanted = wanted.filter(subdomain__gt=storable(after))
    wanted = wanted.prefetch_related("exclusions", Prefetch("accepted", accepted, to_attr="exceptions"))
    return [_drift_document(account) for account in wanted.order_by("subdomain")[:limit]]


def exception_document(accepted: AcceptedDifference) -> dict[str, Any]:
    """Returns an accepted difference as programs are told of it (docs/interface.md)."""
    return {
        "id": accepted.pk,
        "kind": accepted.kind,
        "key": accepted.key,
        "attribute": accepted.attribute,
        "name": accepted.name,
        "parent": accepted.parent,
        "reason": accepted.reason,
        "accepted_by": accepted.accepted_by.get_username() if accepted.accepted_by else None,
        "accepted_at": accepted.accepted_at.isoformat(),
        "withdrawn_at": accepted.withdrawn_at and accepted.withdrawn_at.isoformat(),
    }


def _drift_document(account: Any) -> dict[str, Any]:
    """Returns the drift of a slave as programs are told of it; the account has its `exceptions` loaded."""
    drift: Drift | None = getattr(account, "drift", None)
    return {
        "subdomain": account.subdomain,
        "group": account.group.name,
        "state": drift.state if drift else UNKNOWN,
        "count": drift.count if drift else None,
        "causes": {cause: getattr(drift, f"by_{cause}") for cause in CAUSES} if drift else None,
        "extras": drift.extras if drift else None,
        "since": _iso(drift.since) if drift else None,
        "checked_at": _iso(drift.checked_at) if drift else None,
        "converged_at": _iso(drift.converged_at) if drift else None,
        "run": drift.run_id if drift else None,
        "differences": [{name: row[name] for name in DIFFERENCE_KEYS} for row in (drift.differences if drift else ())],
        "accepted": [exception_document(accepted) for accepted in account.exceptions],
        "exclusions": [{"kind": row.kind, "name": row.name} for row in account.exclusions.all()],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
