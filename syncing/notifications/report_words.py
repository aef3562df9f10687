"""The words of the weekly conformity report: a digest for chats, a table for e-mail, and all of it as CSV."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.services.tables.formulas import BOM, csv_line
from syncing.notifications.digests import Digest
from syncing.notifications.harmless import harmless
from syncing.notifications.speech import Content, MessageTable, Speech, bare_moment, day, number, sentences
from syncing.presentation.labels import account_state_label

LISTED = 200  # slaves in the table of an e-mail; the file has all of them
COLUMNS = ("name", "subdomain", "state", "why", "since", "exceptions", "checked_at")
LAST_RUN = ("last_run", "last_run_at", "last_run_state")
LONGEST_CELL = 300  # characters
NOT_EQUAL = ("differs", "conflict", "unknown")  # the worst first
STATES = {
    "equal": gettext_lazy("Equal to the master"),
    "differs": gettext_lazy("Differs from the master"),
    "conflict": gettext_lazy("Conflict"),
    "unknown": gettext_lazy("Not known"),
}
REASONS = {  # why nobody knows
    "never_read": gettext_lazy("never read"),
    "long_ago": gettext_lazy("not read for a week"),
    "master_moved": gettext_lazy("the master has changed since"),
    "worked_since": gettext_lazy("worked since it was compared"),
}
Row = Mapping[str, Any]


def content(digest: Digest, speech: Speech) -> Content:
    """Returns the report of a group; `digest.facts["report"]` is what `selectors.conformity` has found."""
    report = digest.facts["report"]
    slaves: list[Row] = sorted(report["slaves"], key=_rank)
    equal, total = report["equal"], report["total"]
    facts = {"equal": number(equal), "total": number(total), "share": share(equal, total), "group": speech.about}
    text = ngettext(
        "%(equal)s of %(total)s account (%(share)s %%) equals the master: %(group)s",
        "%(equal)s of %(total)s accounts (%(share)s %%) equal the master: %(group)s",
        total,
    )
    head = [_("Account"), _("State"), _("Differs since"), _("Exceptions"), _("Last read"), _("Last run")]
    today = timezone.localtime(datetime.fromisoformat(report["at"]))
    return Content(
        title=text % facts,
        lines=_lines(slaves, speech),
        path=f"/drift/?group={digest.group.pk if digest.group else 0}",
        place=_("More: Drift in KommoSync."),
        table=MessageTable(head, [_cells(row, speech) for row in slaves[:LISTED]]),
        attachment_name=f"conformity-{slugify(speech.group)[:60] or 'group'}-{today:%Y-%m-%d}.csv",
        attachment=_csv(slaves),
    )


def share(equal: int, total: int) -> int:
    """Returns whole percent, rounded down: 100 is said only if all are equal."""
    return 100 * equal // total if total else 0


def _rank(row: Row) -> tuple[int, str, str]:
    """Sorts what differs before what is equal, the oldest difference first."""
    state = row["state"]
    return NOT_EQUAL.index(state) if state in NOT_EQUAL else len(NOT_EQUAL), row["since"] or "9", row["subdomain"]


def _lines(slaves: list[Row], speech: Speech) -> list[str]:
    """Returns a line for each state in which there are accounts, the worst first."""
    names = {row["subdomain"]: row["name"] for row in slaves}
    named = Speech(speech.in_chat, speech.group, names)
    lines = []
    for state in NOT_EQUAL:
        if affected := [row for row in slaves if row["state"] == state]:
            oldest = min((row["since"] for row in affected if row["since"]), default="")
            since = _("The oldest difference is of %(day)s.") % {"day": _day(oldest)} if oldest else ""
            subjects = [row["subdomain"] for row in affected]
            lines.append(sentences(named.counted(str(STATES[state]), subjects), since if state != "unknown" else ""))
    exceptions = sum(row["exceptions"] for row in slaves)
    if exceptions:
        lines.append(_("Accepted differences: %(count)s.") % {"count": number(exceptions)})
    return lines


def _cells(row: Row, speech: Speech) -> list[str]:
    """Returns the cells of a slave in the table of an e-mail."""
    last = f"{row['last_run']} ({account_state_label(row['last_run_state'])})" if row["last_run"] else ""
    state = str(STATES[row["state"]])
    return [
        speech.name(row["name"]),
        f"{state} ({REASONS[row['why']]})" if row["why"] else state,
        _day(row["since"]) if row["state"] != "equal" else "",
        number(row["exceptions"]) if row["exceptions"] else "",
        bare_moment(datetime.fromisoformat(row["checked_at"])) if row["checked_at"] else "",
        last,
    ]


def _day(time: str | None) -> str:
    return day(datetime.fromisoformat(time)) if time else ""


def _csv(slaves: list[Row]) -> str:
    """Returns all slaves for a spreadsheet, with the words of programs; no text of it is taken for a formula."""
    columns = (*COLUMNS, *LAST_RUN)
    lines = [csv_line(columns), *(csv_line([_cell(row[name]) for name in columns]) for row in slaves)]
    return BOM + "".join(lines)


def _cell(value: Any) -> Any:
    """Returns a value for a cell: a text is one line, and shows no secret."""
    if isinstance(value, str):
        return harmless(value, in_chat=False, length=LONGEST_CELL)
    return "" if value is None else value
