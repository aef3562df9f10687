"""`/api/audit`: who decided what."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from ninja import Query, Router, Schema
from pydantic import AfterValidator, BeforeValidator, Field

from syncing.api.http import ApiRequest
from syncing.api.operations import operation
from syncing.api.paging import DEFAULT_LIMIT, LARGEST, Limit, next_url, page_of
from syncing.api.shapes.accounts import AuditShape
from syncing.models import AuditAction, KeyScope
from syncing.selectors import audit as reads

router = Router(tags=["audit"])
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _as_rfc_3339(text: Any) -> Any:
    """Lets through what the format date-time is; pydantic would take numbers, too."""
    if not RFC_3339.fullmatch(str(text)):
        raise ValueError("write it as 2026-12-01T00:00:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    """Returns the moment in UTC, as not every database knows every offset."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("that is out of all time") from error


Moment = Annotated[datetime, BeforeValidator(_as_rfc_3339), AfterValidator(_in_utc)]


class AuditFilters(Schema):
    limit: Limit = DEFAULT_LIMIT
    before: Annotated[int, Field(ge=1, le=LARGEST)] | None = Field(None, description="entries older than this one")
    since: Moment | None = Field(None, description="a time (ISO) with its zone")
    action: AuditAction | None = None
    group: str | None = Field(None, description="name of a sync group, which may be gone")
    account: str | None = Field(None, description="a subdomain, which may be gone")
    run: Annotated[int, Field(ge=1, le=LARGEST)] | None = None


@operation(router.get, "/audit", "api_audit", (KeyScope.READ, "syncing.view_auditentry"), AuditShape)
def audit(request: ApiRequest, filters: Query[AuditFilters]) -> dict[str, Any]:
    """Lists the audit, the newest entries first; `next` is the `before` of the next page."""
    names = {"action": filters.action, "group": filters.group, "account": filters.account, "run": filters.run}
    page, more = page_of(reads.entries(since=filters.since, before=filters.before, **names), filters.limit)
    last = page[-1].pk if more else None
    url = next_url(request, last, key="before") if more else None
    return {"entries": [reads.document(entry) for entry in page], "next": last, "next_url": url}
