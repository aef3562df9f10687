"""`/api/accounts`: accounts with what is known of them, and the id map of one."""

from typing import Any

from ninja import Query, Router
from pydantic import Field

from accounts.models import Account
from syncing.api.http import ApiError, ApiRequest
from syncing.api.lookups import accounts_called
from syncing.api.operations import operation
from syncing.api.paging import DEFAULT_LIMIT, Page, page_document
from syncing.api.request_bodies import group_if_named
from syncing.api.shapes.accounts import AccountsShape, IdShape
from syncing.models import KeyScope
from syncing.selectors.accounts import account_row, listed_accounts
from syncing.selectors.ids import id_map

router = Router(tags=["accounts"])


class AccountFilters(Page):
    group: str | None = Field(None, description="name of a sync group")
    role: Account.Role | None = None
    health: Account.Health | None = None
    q: str | None = Field(None, description="a part of the name or the subdomain")


@operation(router.get, "/accounts", "api_accounts", (KeyScope.READ, "accounts.view_account"), AccountsShape)
def accounts(request: ApiRequest, filters: Query[AccountFilters]) -> dict[str, Any]:
    """Lists accounts in the order in which they were added, with their health and their state in their last run."""
    group = group_if_named(filters.group)
    wanted = listed_accounts(
        group, role=filters.role, health=filters.health, text=filters.q or "", after=filters.cursor
    )
    limit = filters.limit or DEFAULT_LIMIT
    return page_document(request, "accounts", wanted, limit, lambda page: [account_row(each) for each in page])


@operation(
    router.get,
    "/accounts/{subdomain}/ids",
    "api_ids",
    (KeyScope.READ, "syncing.view_idmapping"),
    list[IdShape],
)
def ids(request: ApiRequest, subdomain: str) -> list[dict[str, Any]]:
    """Returns the id map of an account: for each item its id in the master and in the account."""
    account = accounts_called(subdomain).first()
    if account is None:
        message = "There is no account of this subdomain."
        raise ApiError(404, "no_such_account", message, "See /api/accounts for all.")
    return id_map(account)
