"""What a notice is about, as values: who is bad and why, who is well. Its words come later, for each channel.

The subjects of runs are the accounts, by their ids as text, and the run itself, where no account was asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models import Q

from accounts.models import SECRETS, Account, SyncGroup
from accounts.services.health.verdicts import HEALTH_OF_CODE
from syncing.models import (
    AccountState,
    Drift,
    Event,
    Notice,
    RunMode,
    RunPurpose,
    RunType,
    SyncRun,
)
from syncing.notifications.decision import SubjectsSeen

RUN = "run"  # the subject that stands for the run and its master
NOTHING_LEARNT = SubjectsSeen({}, frozenset())
BAD_STATES = (AccountState.FAILED, AccountState.PARTIAL, AccountState.REFUSED)
GOOD_STATES = (AccountState.CHANGED, AccountState.IN_SYNC)
STALE = "stale_plan"
LASTING = (Event.ACCOUNT_NEEDS_PERSON, Event.TOKEN_ENDS, Event.OVERDUE, Event.IP_BLOCKED)
DIGEST_LENGTH = 16  # characters of the digest of a plan that tell one from another


@dataclass(frozen=True)
class Digest:
    """A notice with what was read of its run; without `seen` it is news, which is told once to everybody.

    `answered`: subjects of which no more is known than that Kommo let us in. `names`: of the accounts of the group, by
    subject. `remedies`: by reason, in English. `causes`: of differences, by subject.
    """

    event: str
    group: SyncGroup | None
    run: SyncRun | None
    facts: Mapping[str, Any]
    seen: SubjectsSeen | None = None
    answered: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    slaves: int = 0  # accounts that are slaves of the group

    @property
    def is_empty(self) -> bool:
        """Tells whether there is nothing in it for anybody, whatever they know."""
        seen = self.seen
        return seen is not None and not (self.answered or seen.bad or seen.well is None or seen.well)

    def seen_by(self, known: Mapping[str, str]) -> SubjectsSeen:
        """Returns what was seen, for who knows `known` to be bad: who let us in has no trouble with its connection."""
        if self.seen is None:
            raise ValueError("news are not seen, they are told")
        if self.seen.well is None or not self.answered:
            return self.seen
        let_in = {subject for subject in self.answered if known.get(subject) in HEALTH_OF_CODE}
        return replace(self.seen, well={*self.seen.well, *let_in})

    def still_there(self, known: Mapping[str, str]) -> dict[str, str]:
        """Returns what is known without the accounts that the group has no more."""
        if self.event in (Event.OVERDUE, Event.IP_BLOCKED):  # of which accounts are no subjects
            return dict(known)
        return {subject: reason for subject, reason in known.items() if subject == RUN or subject in self.names}


def digest_of(notice: Notice) -> Digest:
    """Reads what a notice is about."""
    run, group = notice.run, notice.group
    group = run.group if run else group
    plain = Digest(notice.event, group, run, notice.facts)
    reader = READERS.get(notice.event)
    if run is not None and reader is not None:
        return Digest(**{**vars(plain), **_accounts_of(run.group), **reader(run)})
    if notice.event in LASTING:
        seen = SubjectsSeen(notice.facts["bad"], unseen=notice.facts["unseen"], repeats=False)
        return Digest(**{**vars(plain), **_accounts_of(group), "seen": seen})
    return plain


def _accounts_of(group: SyncGroup | None) -> dict[str, Any]:
    accounts = list(Account.objects.filter(group=group).defer(*SECRETS)) if group else []
    return {
        "names": {str(account.pk): str(account) for account in accounts},
        "slaves": sum(account.role == Account.Role.SLAVE for account in accounts),
    }


# -- the three things that the end of a run may tell --


def _failures(run: SyncRun) -> dict[str, Any]:
    """Reads who failed; of a run that puts something back, or into the master, it is news: nobody recovers from it."""
    columns = ("account", "state", "reason", "error__remedy")
    rows = list(run.account_runs.order_by("account__subdomain").values_list(*columns))
    bad: dict[str, str] = {}
    remedies: dict[str, str] = {}
    for account, state, reason, remedy in rows:
        if state in BAD_STATES:
            bad[str(account)] = reason or state
            remedies.setdefault(reason or state, remedy or "")
    good = frozenset(str(account) for account, state, _reason, _remedy in rows if state in GOOD_STATES)
    planned = frozenset(str(account) for account, state, _reason, _remedy in rows if state == AccountState.PLANNED)
    if why := _why_nobody_was_asked(run):
        bad[RUN] = why
        remedies[why] = (run.error or {}).get("remedy", "")
    elif run.purpose not in (RunPurpose.SYNC, RunPurpose.DRIFT):
        return {"remedies": remedies, **({"facts": {"bad": bad}} if bad else {"seen": NOTHING_LEARNT})}
    is_whole = run.type == RunType.FULL and not run.picked
    well = {RUN} if run.is_master_read and RUN not in bad else set()
    seen = SubjectsSeen(bad, frozenset(well | (good if is_whole else set())))
    return {"remedies": remedies, "seen": seen, "answered": planned if is_whole else planned | good}


def _why_nobody_was_asked(run: SyncRun) -> str:
    """Returns the reason of a run that ended by itself, not by its accounts; "" if there is none."""
    if run.reason == "internal" or (run.reason not in ("", "paused") and not run.is_master_read):
        return str(run.reason)
    return ""


def _differences(run: SyncRun) -> dict[str, Any]:
    """Reads who differs from the master: a check for drift finds it, and every run finds who does not."""
    ended = run.account_runs.filter(state__in=(*GOOD_STATES, AccountState.PLANNED, AccountState.PARTIAL))
    contents = dict(ended.values_list("account", "content_digest"))
    columns = ("account", "state", "count", "by_slave", "by_master", "by_both", "by_unknown")
    bad, well, causes = {}, set(), {}
    for account, state, count, *by in Drift.objects.filter(account__in=contents).order_by().values_list(*columns):
        if count and run.purpose == RunPurpose.DRIFT:
            bad[str(account)] = contents[account][:DIGEST_LENGTH] or "-".join(map(str, by))
            causes[str(account)] = dict(zip(("slave", "master", "both", "unknown"), by, strict=True))
        elif state == Drift.State.IN_SYNC:
            well.add(str(account))
    return {"seen": SubjectsSeen(bad, frozenset(well)), "causes": causes}


def _plans(run: SyncRun) -> dict[str, Any]:
    """Reads which accounts have a plan that waits; their reason is its content. That nothing waits is no news."""
    planned = run.account_runs.filter(state=AccountState.PLANNED).exclude(plan_digest="")
    bad = {}
    if run.mode == RunMode.PLAN and not run.sent_back_at:
        rows = planned.values_list("account", "content_digest")
        bad = {str(account): content[:DIGEST_LENGTH] for account, content in rows}
    if run.purpose != RunPurpose.SYNC:
        return {"facts": {"bad": bad}} if bad else {"seen": NOTHING_LEARNT}
    # A plan that was carried out, sent back, or is out of date, waits for nobody; the same one made anew does.
    ended = run.account_runs.filter(Q(state__in=GOOD_STATES) | Q(reason=STALE))
    settled = (planned if run.sent_back_at else ended).values_list("account", flat=True)
    return {"seen": SubjectsSeen(bad, frozenset(map(str, settled)), recovers=False)}


READERS: Mapping[str, Callable[[SyncRun], dict[str, Any]]] = {
    Event.RUN_FAILED: _failures,
    Event.DRIFT_FOUND: _differences,
    Event.RUN_WAITS: _plans,
}
