"""What endpoints look up by their address, and the answer to what starts a run."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.urls import reverse

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account
from syncing.api.http import ApiError, ApiRequest
from syncing.models import SyncRun
from syncing.services.keys import note_key
from syncing.services.runs.start import Started

Row = TypeVar("Row", bound=Model)


def accepted(request: ApiRequest, started: Started) -> dict[str, Any]:
    """Returns the run and its address; notes the key in the run's log."""
    note_key(started.run, request.by, joined=started.joined)
    return {"run": started.run.pk, "status_url": run_url(request, started.run)}


def run_url(request: ApiRequest, run: SyncRun) -> str:
    return request.build_absolute_uri(reverse("syncing:api_run", args=[run.pk]))


def row_or_404(rows: QuerySet[Row], row_id: int, word: str) -> Row:
    """Returns the row with this id; raises ApiError 404. `word`: what it is called, as in the address of its list."""
    row = rows.filter(pk=row_id).first()
    if row is None:
        raise ApiError(404, f"no_such_{word}", f"There is no {word} {row_id}.", f"See /api/sync/{word}s.")
    return row


def run_or_404(run_id: int) -> SyncRun:
    """Returns the run; raises ApiError 404."""
    return row_or_404(SyncRun.objects.select_related("group"), run_id, "run")


def accounts_called(subdomain: str) -> QuerySet[Account]:
    """Selects the account of this subdomain; a text that no database can look for is nobody's."""
    is_nobodys = storable(subdomain) != subdomain
    return Account.objects.none() if is_nobodys else Account.objects.filter(subdomain=subdomain)


def slave_or_404(subdomain: str) -> Account:
    """Returns the slave; raises ApiError 404."""
    (account,) = slaves_or_404([subdomain])
    return account


def slaves_or_404(subdomains: Sequence[str]) -> list[Account]:
    """Returns the slaves, in one query; raises ApiError 404 unless all of them are there."""
    wanted = {subdomain for subdomain in subdomains if storable(subdomain) == subdomain}
    slaves = Account.objects.filter(subdomain__in=wanted, role=Account.Role.SLAVE).select_related("group")
    existing = list(slaves.defer(*SECRETS))
    if len(existing) < len(set(subdomains)):
        remedy = "See /api/accounts?role=slave for all."
        raise ApiError(404, "no_such_account", "There is no slave of this subdomain.", remedy)
    return existing
