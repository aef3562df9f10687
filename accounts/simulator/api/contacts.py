"""Contacts and companies, read only: enough to count who holds a value."""

from __future__ import annotations

from accounts.simulator import render_records as render
from accounts.simulator.api import paging
from accounts.simulator.api.filters import Filters
from accounts.simulator.messages import Call, SimAnswer


def list_page(call: Call, entity: str) -> SimAnswer:
    """Returns a page of contacts or companies: neither those in the trash nor those of a lead not accepted yet.

    No documented parameter shows them; what they hold is lost all the same.
    """
    contacts = call.account.contacts if entity == "contacts" else call.account.companies
    filters = Filters(call)
    numbers = filters.numbers("id")
    filters.finish()
    listed = [each for each in contacts.values() if not each.is_deleted and not each.is_unsorted]
    if numbers:
        listed = [each for each in listed if each.id in numbers]
    return paging.page_of(
        call,
        paging.in_order(call, listed),
        entity,
        lambda contact: render.contact(call.account, entity, contact, call.base),
        totals=False,
    )
