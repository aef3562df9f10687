"""The history of an account: its runs, drift, connection and what people decided about it, in one order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Account, AccountEvent
from accounts.own_words import translated
from syncing.models import AccountRun, AuditAction, AuditEntry, DriftChange
from syncing.presentation import badges
from syncing.presentation.audit_words import exclusions_told
from syncing.presentation.explanations import reason_label, reason_sentence

MOST = 30  # the youngest
# What the audit tells of an account that neither a run nor an event does.
DECIDED = (
    AuditAction.ACCEPTED,
    AuditAction.WITHDREW,
    AuditAction.POLICY,
    AuditAction.PAUSED,
    AuditAction.RESUMED,
    AuditAction.PROPOSED,
    AuditAction.HEALING,
)
EVENT_TONES = {
    AccountEvent.Code.CONNECTED: badges.OK,
    AccountEvent.Code.RENAMED: badges.INFO,
    AccountEvent.Code.INVITED: badges.INFO,
    AccountEvent.Code.EXPIRES: badges.WARN,
}


@dataclass(frozen=True)
class Happening:
    """Something that happened to an account. `url`: where more is told; `who`: "" when nobody did it."""

    at: datetime
    tone: str
    label: str
    text: str
    who: str = ""
    url: str = ""


def history_of(account: Account, may: Callable[[str], bool]) -> list[Happening]:
    """Returns the youngest happenings, the youngest first, of the kinds that the person may see; in a query each."""
    happenings: list[Happening] = list(_events(account))
    if may("syncing.view_accountrun"):
        happenings += _runs(account)
    if may("syncing.view_drift"):
        happenings += _drift(account)
    if may("syncing.view_auditentry"):
        happenings += _decisions(account)
    return sorted(happenings, key=lambda each: each.at, reverse=True)[:MOST]


def _runs(account: Account) -> Iterator[Happening]:
    """Yields how the account ended in its last runs, and what they wrote."""
    runs = AccountRun.objects.filter(account=account).select_related("run").defer("document").order_by("-pk")
    for each in runs[:MOST]:
        counts = {"created": each.created, "updated": each.updated, "deleted": each.deleted}
        wrote = (
            _("%(created)d created, %(updated)d updated, %(deleted)d deleted") % counts if any(counts.values()) else ""
        )
        end = f"{each.run}: {each.get_state_display()}"
        texts = (end, reason_label(each.reason), wrote, reason_sentence(each.reason))
        text = ". ".join(filter(None, texts))
        yield Happening(
            each.finished_at or each.started_at or each.run.created_at,
            badges.tone(each.state),
            str(each.run.get_mode_display()),
            text,
            each.run.asked_by,
            reverse("admin:syncing_accountrun_change", args=[each.pk]),
        )


def _drift(account: Account) -> Iterator[Happening]:
    """Yields the last changes of its drift."""
    url = reverse("syncing:drift_account", args=[account.pk])
    for change in DriftChange.objects.filter(account=account).order_by("-pk")[:MOST]:
        appeared, gone = change.appeared_count, change.gone_count
        texts = []
        if appeared:
            texts.append(
                ngettext("%(n)s difference appeared", "%(n)s differences appeared", appeared) % {"n": appeared}
            )
        if gone:
            texts.append(ngettext("%(n)s difference is gone", "%(n)s differences are gone", gone) % {"n": gone})
        tone = badges.WARN if appeared else badges.OK
        yield Happening(change.at, tone, _("Drift"), ", ".join(texts), url=url)


def _events(account: Account) -> Iterator[Happening]:
    for event in account.events.select_related("by")[:MOST]:
        tone = EVENT_TONES.get(AccountEvent.Code(event.code), badges.BAD)
        text = f"{event.get_code_display()}. {translated(event.message)}"
        yield Happening(event.at, tone, _("Connection"), text, str(event.by or ""))


def _decisions(account: Account) -> Iterator[Happening]:
    entries = AuditEntry.objects.filter(account=account.subdomain, action__in=DECIDED).order_by("-pk")
    for entry in entries[:MOST]:
        text = ". ".join(filter(None, (_decided(entry), entry.reason)))
        yield Happening(entry.at, badges.IDLE, _("Decision"), text, entry.actor)


def _decided(entry: AuditEntry) -> str:
    """Says what was decided, and about what, as far as the entry names it."""
    what, details = str(entry.get_action_display()), entry.details
    if "exclusions" in details:
        return ". ".join(exclusions_told(details))
    name = details.get("name")
    return f"{what}: {name}" if isinstance(name, str) and name else what
