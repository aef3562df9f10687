"""The words of each event, in the language that is active; those of news are here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncing.models import Event
from syncing.notifications import run_words, state_words
from syncing.notifications.decision import TellingDecision
from syncing.notifications.digests import Digest
from syncing.notifications.speech import LINES, Content, Speech, number, sentences
from syncing.presentation.labels import kind_label

Words = Callable[[Digest, TellingDecision | None, Speech], Content]


def content(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Returns the words about `digest`; `decision` says what is new in it, None for news."""
    return WORDS[digest.event](digest, decision, replace(speech, names=digest.names))


def _master_changed(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    parts = dict.fromkeys(collection_name(name) for name in digest.facts["collections"])
    lines = [
        sentences(_("What has changed: %(parts)s") % {"parts": ", ".join(parts)}) if parts else "",
        _("Nothing was written: the group only wants to be told. Start a run to bring the change to the accounts."),
    ]
    title = _("The master has changed: %(group)s") % {"group": speech.about}
    return Content(title, lines, state_words.DASHBOARD, _("More: the dashboard of KommoSync."))


def collection_name(name: str) -> str:
    """Returns what a list of Kommo is called, as `engine.watching` names it."""
    kind, _slash, entity = name.partition("/")
    labels = {
        "pipelines": _("pipelines and stages"),
        "descriptions": _("descriptions of stages"),
        "field_groups": _("field groups (%(entity)s)"),
        "custom_fields": _("custom fields (%(entity)s)"),
    }
    return labels.get(kind, kind).replace("%(entity)s", entity)


def _healing_gave_up(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    items = digest.facts["items"]
    title = ngettext(
        "%(count)s edit is no longer put back: %(group)s",
        "%(count)s edits are no longer put back: %(group)s",
        len(items),
    ) % {"count": number(len(items)), "group": speech.about}
    lines = [
        _("%(account)s: %(kind)s %(name)s. It was put back %(times)d times and edited again.")
        % {
            "account": speech.name(item["account"]),
            "kind": kind_label(item["kind"]),
            "name": speech.name(f"{item['name']} ({item['parent']})" if item["parent"] else item["name"]),
            "times": item["times"],
        }
        for item in items
    ]
    if len(lines) >= LINES:
        lines = [*lines[: LINES - 2], _("And %(count)s more.") % {"count": number(len(lines) - LINES + 2)}]
    lines.append(_("Find out who or what keeps changing it. It is left alone until somebody decides."))
    place = _("More: `manage.py drift`, or Drift in KommoSync.")
    return Content(title, lines, run_words.DRIFT_PAGE % (digest.group.pk if digest.group else 0), place)


def _pause_ended(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    account, reason = digest.facts["account"], digest.facts["reason"]
    if account:
        title = _("A pause has ended: %(account)s (%(group)s)")
        title %= {"account": speech.name(account), "group": speech.about}
    else:
        title = _("A pause has ended: %(group)s") % {"group": speech.about}
    lines = [
        sentences(_("It was paused for this reason: %(reason)s") % {"reason": speech.sentence(reason)})
        if reason
        else "",
        _("Runs include it again."),
    ]
    return Content(title, lines, state_words.DASHBOARD, _("More: the dashboard of KommoSync."))


WORDS: Mapping[str, Words] = {
    Event.RUN_FAILED: run_words.failed,
    Event.RUN_WAITS: run_words.waits,
    Event.WAVE_WAITS: run_words.wave_waits,
    Event.DRIFT_FOUND: run_words.differs,
    Event.ACCOUNT_NEEDS_PERSON: state_words.needs_person,
    Event.TOKEN_ENDS: state_words.token_ends,
    Event.MASTER_CHANGED: _master_changed,
    Event.OVERDUE: state_words.overdue,
    Event.IP_BLOCKED: state_words.ip_blocked,
    Event.HEALING_GAVE_UP: _healing_gave_up,
    Event.PAUSE_ENDED: _pause_ended,
}
