"""How the accounts stand now: one answer for the overview, its chart, the lists, the pages of accounts and the reports.

A slave that differs does so until somebody finds it equal. That it is in sync is true only as long as nothing speaks
against it: what was not read lately, or not since the master changed or the account was worked, is not known.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When

from accounts.models import HEALTH_FINE, Account
from syncing.models import AccountRun, Drift, MasterSnapshot, RunType, Standing

# Why it is not known.
LONG_AGO, MASTER_MOVED, WORKED_SINCE, NOT_CONNECTED = "long_ago", "master_moved", "worked_since", "not_connected"
LONGEST = timedelta(days=7)  # that a reading says how an account is now
READABLE = (*HEALTH_FINE, Account.Health.NOT_ADMIN)  # who is no administrator may read


def with_standing(accounts: QuerySet[Account], moment: datetime) -> QuerySet[Any]:
    """Adds to slaves how they stand at `moment`: `standing`, and `standing_why` where it is not known, else "".

    `differences` and `read_at`: how many there were when it was last read, and when that was; None: never.
    """
    worked = AccountRun.objects.filter(account=OuterRef("pk"), fence__gt=0, run__gt=OuterRef("drift__run"))
    since = moment - LONGEST
    is_old = Q(drift__converged_at=None) | Q(drift__converged_at__lt=since) | Q(drift__checked_at__lt=since)
    is_pending = Q(group__watcher__last_change__gt=F("drift__converged_at"), group__watcher__pending_fingerprint__gt="")
    is_same = _has_base("pipelines") & _has_base("fields")
    why = Case(
        When(Q(drift__run=None) | Exists(worked), then=Value(WORKED_SINCE)),
        When(is_old, then=Value(LONG_AGO)),
        When(is_pending, then=Value(MASTER_MOVED)),
        When(is_same & Q(health__in=READABLE), then=Value("")),
        When(is_same, then=Value(NOT_CONNECTED)),
        default=Value(MASTER_MOVED),
    )
    standing = Case(
        When(drift__state__in=(Drift.State.DRIFTED, Drift.State.CONFLICT), then=F("drift__state")),
        When(drift__state=Drift.State.IN_SYNC, standing_why="", then=Value(Standing.IN_SYNC)),
        When(drift__state=Drift.State.IN_SYNC, then=Value(Standing.NOT_KNOWN)),
        default=Value(Standing.NEVER),
    )
    accounts = accounts.annotate(standing_why=Case(When(drift__state=Drift.State.IN_SYNC, then=why), default=Value("")))
    return accounts.annotate(standing=standing, differences=F("drift__count"), read_at=F("drift__checked_at"))


def _has_base(part: str) -> Q:
    """Returns the condition that a slave was last equal to the master as it was last read, if that part is synced."""
    kind, synced = {
        "pipelines": (RunType.PIPELINES, "group__sync_pipelines"),
        "fields": (RunType.CUSTOM_FIELDS, "group__sync_custom_fields"),
    }[part]
    snapshots = MasterSnapshot.objects.filter(group=OuterRef("group"), type__in=(RunType.FULL, kind)).order_by("-pk")
    base, digest = f"drift__base_{part}", f"{part}_digest"
    newest = Subquery(snapshots.values(digest)[:1])
    return Q(**{synced: False}) | Q(**{f"{base}__group": F("group"), f"{base}__{digest}": newest})
