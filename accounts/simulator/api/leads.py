"""Leads, read only: enough to count who stands in a stage."""

from __future__ import annotations

import re

from accounts.simulator import render
from accounts.simulator.api import paging
from accounts.simulator.messages import Answer, Call

STATUS_FILTER = re.compile(r"filter\[statuses\]\[(\d+)\]\[(pipeline_id|status_id)\]")


def list_page(call: Call) -> Answer:
    """A page of leads, of the stages or pipelines of the filter; deleted ones only `with=only_deleted`."""
    deleted = call.wants("only_deleted")
    leads = [lead for lead in call.account.leads.values() if lead.is_deleted == deleted]
    wanted = _wanted_statuses(call)
    if wanted:
        leads = [lead for lead in leads if (lead.pipeline_id, lead.status_id) in wanted]
    pipelines = call.filter_values("pipeline_id")
    if pipelines:
        leads = [lead for lead in leads if str(lead.pipeline_id) in pipelines]
    if call.parameter("order[id]") == "desc":
        leads.reverse()
    return paging.page_of(call, leads, "leads", lambda lead: render.lead(call.account, lead, call.base), totals=False)


def _wanted_statuses(call: Call) -> set[tuple[int, int]]:
    parts: dict[str, dict[str, int]] = {}
    for key, value in call.query:
        match = STATUS_FILTER.fullmatch(key)
        if match and value.isdecimal():
            parts.setdefault(match[1], {})[match[2]] = int(value)
    return {
        (each["pipeline_id"], each["status_id"])
        for each in parts.values()
        if len(each) == len(("pipeline_id", "status_id"))
    }
