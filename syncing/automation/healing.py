"""Healing: edits in slaves that a check for drift has found are put back, reported, or left alone, item by item.

Every check that has ended is looked at, whoever started it. What is put back is one run that is about these items and
attributes alone; it deletes nothing, and keeps to limits, windows, pauses, waves and approvals like every run. Only
what the slave alone has changed is put back: if the master has moved on as well, that is for the next sync.

Loop guard: an item that was put back in an account three times in seven days, and is edited again, is left alone there.
That ends when a person sets a mode for the item, or when a check finds it equal to the master again (somebody put it
back, or accepted the difference); it does not end after a time, as nobody would have decided anything.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.models import SECRETS, Account, HealMode, SyncGroup, pause_is_on
from accounts.refusals import Refusal
from syncing.engine.healing import Edit, Item, edits_in, missing_places, of_first_accounts, with_their_places
from syncing.models import (
    RUN_OPEN,
    AccountState,
    Drift,
    HealedItem,
    IdMapping,
    ItemMode,
    LogEntry,
    RunMode,
    RunPurpose,
    SyncRun,
    Trigger,
)
from syncing.notifications import notices
from syncing.records.log import log
from syncing.selectors import healing as reads
from syncing.services.actors import HEAL
from syncing.services.approvals import is_approvable
from syncing.services.runs.start import start_run

MOST = 3  # times that an item is put back
WITHIN = timedelta(days=7)
SEEN = (AccountState.IN_SYNC, AccountState.PLANNED, AccountState.PARTIAL)
WRITTEN = (AccountState.CHANGED, AccountState.PARTIAL)
MOST_EDITS = 2000  # that one run puts back, as its row has them all; the next check finds the others
CODE = "healing"


def follow(run: SyncRun) -> None:
    """Stores what a run has put back, or does about the edits that a check has found what their modes say."""
    if run.purpose == RunPurpose.SYNC and run.writes and run.picked:
        _remember_put_back(run)
    elif run.purpose == RunPurpose.DRIFT:
        _forget_settled(run)
        if run.group.heal != HealMode.OFF:
            _heal(run)


# -- what was put back --


def _remember_put_back(run: SyncRun) -> None:
    """Stores the items of the accounts that were written, those among them that could not be written."""
    written = set(run.account_runs.filter(state__in=WRITTEN).values_list("account", flat=True))
    edits = [pick for pick in run.picked if not pick.get("chosen")]  # by a person, of a plan: no edit is put back
    items = {(pick["account"], pick["kind"], pick["key"]) for pick in edits if pick["account"] in written}
    mapped = IdMapping.objects.filter(account__in=written, master_key__in={key for _account, _kind, key in items})
    names = {
        (account, kind, key): (name, parent)
        for account, kind, key, name, parent in mapped.values_list("account", "kind", "master_key", "name", "parent")
    }
    moment = run.finished_at or clock.now()
    rows = []
    for item in sorted(items):
        account, kind, key = item
        name, parent = names.get(item, (key, ""))
        rows.append(HealedItem(account_id=account, kind=kind, key=key, name=name, parent=parent, run=run, at=moment))
    HealedItem.objects.bulk_create(rows)
    _forget_old(run.group)


def _forget_old(group: SyncGroup) -> None:
    """Deletes what counts no more, except the times of items that are left alone: they are told."""
    left_alone = HealedItem.objects.filter(
        account=OuterRef("account"), kind=OuterRef("kind"), key=OuterRef("key"), gave_up=True
    )
    old = HealedItem.objects.filter(account__group=group, at__lte=clock.now() - WITHIN)
    old.exclude(Exists(left_alone)).delete()


# -- what a check has found --


def _heal(run: SyncRun) -> None:
    """Reports, or puts back, the edits that a check has found, as the modes of their items say."""
    modes = reads.modes_of(run.group)
    by_mode: dict[str, list[Edit]] = defaultdict(list)
    edited = _seen_drift(run).filter(by_slave__gt=0, account__in=Account.objects.exclude(pause_is_on()))
    differences = dict(edited.order_by("pk").values_list("account", "differences"))
    for edit in sorted(edit for account, rows in differences.items() for edit in edits_in(account, rows)):
        by_mode[reads.mode_of(edit.kind, edit.key, modes, run.group)].append(edit)
    if reported := by_mode[ItemMode.REPORTED]:
        sentence = gettext_noop("Edits that are reported, not put back: %(count)d (accounts: %(accounts)d).")
        log(run.pk, sentence, facts=_counts(reported), code=CODE)
    missing = {account: missing_places(rows) for account, rows in differences.items()}
    edits = with_their_places(_without_loops(run, by_mode[ItemMode.LOCKED]), missing)
    _put_back(run, of_first_accounts(edits, MOST_EDITS))


def _seen_drift(run: SyncRun) -> QuerySet[Drift]:
    """Returns the drift, as it is known now, of the accounts that the check has read."""
    slaves = Account.objects.filter(group=run.group, role=Account.Role.SLAVE)
    return Drift.objects.filter(
        account__in=run.account_runs.filter(account__in=slaves, state__in=SEEN).values("account")
    )


def _forget_settled(run: SyncRun) -> None:
    """Forgets the items that were left alone and are equal to the master again: somebody has seen to them."""
    left_alone = reads.given_up(_seen_drift(run).values_list("account", flat=True))
    if not left_alone:
        return
    rows = _seen_drift(run).filter(account__in={each.account_id for each in left_alone})
    different = {(drift.account_id, row["kind"], row["key"]) for drift in rows for row in drift.differences}
    for each in left_alone:
        if (each.account_id, each.kind, each.key) not in different:
            HealedItem.objects.filter(account=each.account_id, kind=each.kind, key=each.key).delete()


def _without_loops(run: SyncRun, edits: Sequence[Edit]) -> list[Edit]:
    """Returns the edits without those that are left alone; who comes to that now is told of, once."""
    accounts = {edit.account_id for edit in edits}
    healed = HealedItem.objects.filter(account__in=accounts).order_by("at")
    times: dict[Item, int] = defaultdict(int)
    last: dict[Item, int] = {}
    given_up: set[Item] = set()
    for pk, account, kind, key, at, gave_up in healed.values_list("pk", "account", "kind", "key", "at", "gave_up"):
        item = (account, kind, key)
        last[item] = pk
        times[item] += at > clock.now() - WITHIN
        if gave_up:
            given_up.add(item)
    now = {edit.item for edit in edits if times[edit.item] >= MOST} - given_up
    if now:
        HealedItem.objects.filter(pk__in=[last[item] for item in now]).update(gave_up=True)
        _tell(run, now)
    return [edit for edit in edits if edit.item not in now | given_up]


def _tell(run: SyncRun, items: Collection[Item]) -> None:
    """Tells of items that are left alone from now on, in the transaction that stores that."""
    facts_by_sentence = {}
    for each in reads.given_up({account for account, _kind, _key in items}):
        if (each.account_id, each.kind, each.key) in items:
            sentence = f"{each.account}: {each.kind} {each.name!r} ({each.parent}). {each.sentence}"
            log(run.pk, sentence, code="healing_gave_up", level=LogEntry.Level.WARNING)
            facts = {"account": each.account, "kind": each.kind, "name": each.name, "parent": each.parent}
            facts_by_sentence[sentence] = {**facts, "times": len(each.times)}
    notices.healing_gave_up(run.group, facts_by_sentence)


def _put_back(run: SyncRun, edits: Sequence[Edit]) -> None:
    """Starts the run that puts the edits back, unless one does, or waits for approval, already."""
    if not edits:
        return
    healing = SyncRun.objects.filter(group=run.group, purpose=RunPurpose.SYNC).exclude(picked=[])
    if open_run := healing.filter(state__in=RUN_OPEN).first():
        sentence = gettext_noop("Run %(run)d, which puts edits back, has not ended.")
        log(run.pk, sentence, facts={"run": open_run.pk}, code=CODE)
        return
    picked = [edit.pick for edit in edits]
    last = healing.filter(trigger=Trigger.HEAL, mode=RunMode.PLAN).order_by("-pk").first()
    if last and last.picked == picked and is_approvable(last):
        sentence = gettext_noop("The plan of run %(run)d, which puts the edits back, waits for approval.")
        log(run.pk, sentence, facts={"run": last.pk}, code=CODE)
        return
    if last and last.picked == picked and last.sent_back_at:
        sentence = gettext_noop("Not put back: %(who)s sent back the plan of run %(run)d, which would do it.")
        log(run.pk, sentence, facts={"run": last.pk, "who": last.sent_back_by}, code=CODE)
        return
    accounts = list(Account.objects.filter(pk__in={edit.account_id for edit in edits}).defer(*SECRETS).order_by("pk"))
    try:
        follower = start_run(group=run.group, mode=RunMode.APPLY, by=HEAL, accounts=accounts, picked=picked).run
    except Refusal as refusal:
        log(run.pk, str(refusal), code=CODE, level=LogEntry.Level.WARNING)
        return
    sentence = gettext_noop("Edits that run %(run)d puts back: %(count)d (accounts: %(accounts)d).")
    log(run.pk, sentence, facts={"run": follower.pk, **_counts(edits)}, code=CODE)


def _counts(edits: Sequence[Edit]) -> dict[str, int]:
    return {"count": len(edits), "accounts": len({edit.account_id for edit in edits})}
