"""Reads of saved views: those of a list that somebody sees, and the address that each stands for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Q

from syncing.models import SavedList, SavedView
from syncing.selectors.account_list import AccountListFilters
from syncing.selectors.audit import AuditListFilters
from syncing.selectors.drift import DriftListFilters
from syncing.selectors.drift_items import DriftItemFilters
from syncing.selectors.filters import ListFilters
from syncing.selectors.ids import IdListFilters
from syncing.selectors.invites import InviteListFilters
from syncing.selectors.messages import MessageListFilters
from syncing.selectors.run_list import RunListFilters
from syncing.selectors.run_log import RunLogFilters
from syncing.selectors.todo import TodoFilters

FILTERS: Mapping[str, type[ListFilters]] = {
    SavedList.ACCOUNTS: AccountListFilters,
    SavedList.RUNS: RunListFilters,
    SavedList.DRIFT: DriftListFilters,
    SavedList.DRIFT_ITEMS: DriftItemFilters,
    SavedList.TODO: TodoFilters,
    SavedList.RUN_LOG: RunLogFilters,
    SavedList.AUDIT: AuditListFilters,
    SavedList.IDS: IdListFilters,
    SavedList.INVITES: InviteListFilters,
    SavedList.MESSAGES: MessageListFilters,
}
FIXED: Mapping[str, Mapping[str, str]] = {SavedList.DRIFT_ITEMS: {"by": "item"}}  # of every address of the list
ALL = {"all": "yes"}  # opens a list without its default


@dataclass(frozen=True)
class ListedView:
    """A saved view with the query that opens it; `may_change`: by the person who sees it."""

    view: SavedView
    query: str
    is_here: bool
    may_change: bool


def views_of(list_name: str, user: User, shown: Mapping[str, str], *, may_share: bool) -> list[ListedView]:
    """Returns the views of a list, one's own first, in one query; `shown`: what the page looks for now."""
    views = SavedView.objects.filter(Q(owner=user) | Q(owner=None), list=list_name)
    return [
        ListedView(view, query_of(view), _known(view) == dict(shown), may_share or not view.is_shared)
        for view in sorted(views, key=lambda view: view.is_shared)
    ]


def default_of(views: Iterable[ListedView]) -> ListedView | None:
    """Returns the view that the list is opened with: one's own before that of everybody."""
    return next((each for each in views if each.view.is_default), None)


def query_of(view: SavedView) -> str:
    """Returns the query that opens a view, from what the list still knows; all if that is nothing."""
    return f"?{urlencode({**FIXED.get(view.list, {}), **(_known(view) or ALL)})}"


def _known(view: SavedView) -> dict[str, Any]:
    names = FILTERS[view.list].names() if view.list in FILTERS else ()
    return {name: str(value) for name, value in view.parameters.items() if name in names and value}
