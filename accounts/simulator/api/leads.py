"""Leads and incoming leads, read only: enough to count who stands in a stage and who holds a value."""

from __future__ import annotations

from accounts.simulator import render_records as render
from accounts.simulator.api import paging
from accounts.simulator.api.filters import Filters
from accounts.simulator.messages import Call, SimAnswer


def list_page(call: Call) -> SimAnswer:
    """Returns a page of leads: the trash only `with=only_deleted`, those not yet accepted by variant only."""
    in_trash = call.wants("only_deleted")
    leads = [lead for lead in call.account.leads.values() if lead.is_deleted == in_trash]
    if not in_trash and not call.variants.unsorted_in_leads:
        leads = [lead for lead in leads if not call.account.is_unsorted(lead)]
    filters = Filters(call)
    statuses, pipelines, numbers = filters.statuses(), filters.numbers("pipeline_id"), filters.numbers("id")
    filters.finish()
    if not in_trash or call.variants.trash_filtered:
        leads = [
            lead
            for lead in leads
            if (not statuses or (lead.pipeline_id, lead.status_id) in statuses)
            and (not pipelines or lead.pipeline_id in pipelines)
            and (not numbers or lead.id in numbers)
        ]
    show = render.deleted_lead if in_trash and call.variants.trash_is_bare else render.lead
    return paging.page_of(
        call, paging.in_order(call, leads), "leads", lambda lead: show(call.account, lead, call.base), totals=False
    )


def list_unsorted(call: Call) -> SimAnswer:
    """Returns a page of the leads that nobody has accepted yet; its filter takes one pipeline, not several."""
    filters = Filters(call)
    pipelines = filters.numbers("pipeline_id", many=False)
    filters.finish()
    leads = [lead for lead in call.account.leads.values() if not lead.is_deleted and call.account.is_unsorted(lead)]
    if pipelines:
        leads = [lead for lead in leads if lead.pipeline_id in pipelines]
    return paging.page_of(
        call, leads, "unsorted", lambda lead: render.unsorted(call.account, lead, call.base), totals=False
    )
