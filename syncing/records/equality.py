"""Equality: which slaves are known to be equal to a master that was read earlier, so that a delta may build on it."""

from collections.abc import Collection

from django.db.models import Exists, OuterRef

from syncing.models import AccountRun, Drift, SyncRun


def known_equal(account_ids: Collection[int], run: SyncRun) -> dict[int, str]:
    """Returns by account the digest of the rules by which it was found equal to its bases (`drift.bases_of`).

    An account that any other run has worked since, to whatever end, is missing: nobody knows what it left.
    """
    since = AccountRun.objects.filter(account=OuterRef("account"), run__gt=OuterRef("run"), fence__gt=0)
    equal = Drift.objects.filter(account__in=account_ids, state=Drift.State.IN_SYNC, run__isnull=False)
    equal = equal.exclude(rules_digest="").filter(~Exists(since.exclude(run=run.pk)))
    return dict(equal.order_by().values_list("account", "rules_digest"))
