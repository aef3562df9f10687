"""The words about what lasts: accounts that need a person, connections that end, what is overdue, a blocked address."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from accounts.kommo.errors import Forbidden, GrantRefused, IpBlocked, NotFound, Unauthorised, Unpaid
from accounts.kommo.plain_403 import IpNotAllowed
from accounts.models import Account
from accounts.own_words import translated
from accounts.services.health.store import WRONG_ACCOUNT_REMEDY
from syncing.notifications.decision import TellingDecision
from syncing.notifications.digests import Digest
from syncing.notifications.speech import LINES, Content, Speech, day, moment, number, sentences

ACCOUNTS_PAGE = "/accounts/account/"
DASHBOARD = "/"
Health = Account.Health
REMEDIES: Mapping[str, str] = {
    Health.UNAUTHORISED: Unauthorised.remedies["unauthorised"],
    Health.TOKEN_EXPIRED: Unauthorised.remedies["token_expired"],
    Health.TOKEN_REVOKED: Unauthorised.remedies["token_revoked"],
    Health.RECONNECT: GrantRefused.remedies["unauthorised"],
    Health.DISCONNECTED: GrantRefused.remedies["unauthorised"],
    Health.WRONG_ACCOUNT: WRONG_ACCOUNT_REMEDY,
    Health.NOT_ADMIN: Forbidden.remedy,
    Health.UNPAID: Unpaid.remedy,
    Health.NOT_FOUND: NotFound.no_account_remedy,
    Health.IP_NOT_ALLOWED: IpNotAllowed.remedy,
}


def needs_person(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says which connections only a person can make well again, by what is wrong with them."""
    bad, recovered = _now_and_recovered(decision)
    if bad:
        title = ngettext(
            "%(count)s account needs a person: %(group)s", "%(count)s accounts need a person: %(group)s", len(bad)
        ) % {"count": number(len(bad)), "group": speech.about}
    else:
        title = _("No account needs a person any more: %(group)s") % {"group": speech.about}
    labels = {state: str(Health(state).label) for state in set(bad.values())}
    remedies = {state: translated(REMEDIES.get(state, "")) for state in labels}
    lines = speech.grouped(bad, labels, remedies, LINES - bool(recovered))
    return Content(title, [*lines, speech.well_again(recovered)], ACCOUNTS_PAGE, _see_accounts())


def token_ends(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says which connections end soon if nobody does anything; the reason is the threshold that was passed, in days."""
    known, recovered = _now_and_recovered(decision)
    bad = {subject: reason for subject, reason in known.items() if digest.seen and subject in digest.seen.bad}
    if not bad:
        title = _("No connection ends soon any more: %(group)s") % {"group": speech.about}
        return Content(title, [speech.well_again(recovered)], ACCOUNTS_PAGE, _see_accounts())
    title = ngettext(
        "%(count)s connection ends soon: %(group)s", "%(count)s connections end soon: %(group)s", len(bad)
    ) % {"count": number(len(bad)), "group": speech.about}
    ends = digest.facts.get("ends", {})
    lines = []
    for threshold in sorted(set(bad.values()), key=int):
        subjects = [subject for subject, reason in bad.items() if reason == threshold]
        label = ngettext("Within %(days)s day", "Within %(days)s days", int(threshold)) % {"days": threshold}
        times = [datetime.fromisoformat(ends[subject]) for subject in subjects if subject in ends]
        first = _("The first one ends on %(day)s.") % {"day": day(min(times))} if times else ""
        lines.append(sentences(speech.counted(label, subjects), first))
    lines.append(_("Make a new long-lived token in the account and store it, or connect the account by OAuth."))
    return Content(title, [*lines, speech.well_again(recovered)], ACCOUNTS_PAGE, _see_accounts())


def overdue(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says what should have happened by itself and did not; `texts` has the sentences, by language and subject."""
    bad, _recovered = _now_and_recovered(decision)
    place = _("More: `manage.py doctor`, or the dashboard of KommoSync.")
    if not bad:
        return Content(_("Nothing is overdue any more: %(group)s") % {"group": speech.about}, [], DASHBOARD, place)
    by_language = digest.facts.get("texts", {})
    texts: Mapping[str, str] = by_language.get(get_language()) or next(iter(by_language.values()), {})
    title = ngettext("%(count)s thing is overdue: %(group)s", "%(count)s things are overdue: %(group)s", len(bad))
    lines = [speech.sentence(texts.get(subject, subject)) for subject in sorted(bad)]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], _("And %(count)s more.") % {"count": number(len(lines) - LINES + 1)}]
    return Content(title % {"count": number(len(bad)), "group": speech.about}, lines, DASHBOARD, place)


def ip_blocked(digest: Digest, decision: TellingDecision | None, speech: Speech) -> Content:
    """Says that Kommo refuses this machine, or answers it again."""
    bad, _recovered = _now_and_recovered(decision)
    place = _("More: the dashboard of KommoSync.")
    if not bad:
        return Content(_("Kommo answers this machine again"), [], DASHBOARD, place)
    since = moment(datetime.fromisoformat(digest.facts["at"]))
    lines = [
        _("Since %(time)s Kommo refuses every account. Runs that were at work have ended.") % {"time": since},
        translated(IpBlocked.remedy),
    ]
    return Content(_("Kommo blocks the IP address of this machine"), lines, DASHBOARD, place)


def _now_and_recovered(decision: TellingDecision | None) -> tuple[Mapping[str, str], frozenset[str]]:
    return (decision.bad, decision.recovered) if decision else ({}, frozenset())


def _see_accounts() -> str:
    return _("More: Accounts in KommoSync.")
