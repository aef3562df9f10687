"""Contacts and companies, read only: enough to count who holds a value."""

from __future__ import annotations

from accounts.simulator import render_records as render
from accounts.simulator.api import paging
from accounts.simulator.api.filters import Filters
from accounts.simulator.messages import Call, SimAnswer


def list_page(call: Call, entity: str) -> SimAnswer:
    """A page of contacts or companies: neither those in the trash nor those of a lead that nobody has accepted yet.

    No documented parameter shows them; what they hold is lost all the same.
    """
    cards = call.account.contacts if entity == "contacts" else call.account.companies
    filters = Filters(call)
    numbers = filters.numbers("id")
    filters.finish()
    shown = [card for card in cards.values() if not card.is_deleted and not card.is_unsorted]
    if numbers:
        shown = [card for card in shown if card.id in numbers]
    return paging.page_of(
        call,
        paging.in_order(call, shown),
        entity,
        lambda card: render.card(call.account, entity, card, call.base),
        totals=False,
    )
