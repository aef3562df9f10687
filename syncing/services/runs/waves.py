"""Starts the next wave of a run when the last has ended, not too much of it failed, and nobody has to be asked.

The decision about a wave is one conditional UPDATE of the run's row. It rests on ended account runs, which change no
more: a process that dies before the UPDATE has decided nothing, one that dies after it has left out only a message.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import clock
from accounts.actors import Actor
from accounts.refusals import Refusal
from syncing.engine.waves import FAILED, NO_VERDICT, WaveResult, wave_result
from syncing.leases import dispatch
from syncing.leases.resting import between_waves, is_resting
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState, AuditAction, LogEntry, RunState, SyncRun
from syncing.notifications import notices
from syncing.records.log import log
from syncing.records.text import error_document
from syncing.selectors.waves import position, rests
from syncing.services import audit
from syncing.services.runs.close import close_run, end_accounts

FAILURES_NAMED = 3  # failed accounts that a sentence names
LONGEST_FAILURE = 80  # characters of the error of each
WAITS = gettext_noop(
    "Wave %(wave)d of %(waves)d is done: %(failed)d of %(tried)d accounts failed. The next one waits for Continue."
)
LATER = gettext_noop(
    "Wave %(wave)d of %(waves)d is done: %(failed)d of %(tried)d accounts failed. Wave %(next)d starts at %(time)s."
)
AT_ONCE = gettext_noop(
    "Wave %(wave)d of %(waves)d is done: %(failed)d of %(tried)d accounts failed. Wave %(next)d starts now."
)
STOPPED = gettext_noop(
    "%(failed)s of %(tried)s accounts of wave %(wave)s of %(waves)s failed (%(percent)s%%; %(allowed)s%% are "
    "allowed), so "
    "the accounts behind it were not touched: %(which)s."
)
DONE = gettext_noop("wave %(wave)d of %(waves)d is done")
HELD = gettext_noop("waits for Continue")
STARTS_LATER = gettext_noop("wave %(wave)d starts at %(time)s")
STARTS_NOW = gettext_noop("wave %(wave)d starts now")
ASKS = gettext_noop("waiting for 'continue_run %(run)s' or Continue on its page")
LATER_OR_ASKED = gettext_noop("%(what)s, or by 'continue_run %(run)s' or Continue on its page")
WAVE_REMEDY = gettext_noop(
    "Repair what failed, then retry the failed accounts or run again; "
    "or raise the share of failures that the group allows."
)
UNDECIDED = {"state": RunState.RUNNING, "cancel_requested_at": None, "error__isnull": True}


def advance_or_close(run_id: int) -> bool:
    """Starts the next wave, or ends the run (then True), after accounts of it have ended."""
    advance(run_id)
    return close_run(run_id)


# -- from wave to wave --


def runs_to_advance() -> QuerySet[SyncRun]:
    """Returns runs whose present wave has ended, with others behind it that nobody has decided about."""
    account_runs = AccountRun.objects.filter(run=OuterRef("pk"))
    at_work = account_runs.filter(state__in=ACCOUNT_OPEN, wave__lte=OuterRef("wave"))
    behind = account_runs.filter(state=AccountState.QUEUED, wave__gt=OuterRef("wave"))
    return SyncRun.objects.filter(~Exists(at_work), Exists(behind), **UNDECIDED)


def advance(run_id: int) -> bool:
    """Decides about the next wave if the present one has ended; True for the one caller who did."""
    run = runs_to_advance().filter(pk=run_id).select_related("group").first()
    if run is None:
        return False
    rows = AccountRun.objects.filter(run=run, wave=run.wave).order_by().values_list("state", "reason")
    ended = wave_result({(state, reason): number for state, reason, number in rows.annotate(Count("pk"))})
    return _open_next(run, ended) if ended.passes(run.group.max_failure_share) else _stop(run, ended)


def _undecided(run: SyncRun) -> QuerySet[SyncRun]:
    """Returns the row, while it shows what was decided about: the row count of an UPDATE names the one who decided."""
    return SyncRun.objects.filter(pk=run.pk, wave=run.wave, **UNDECIDED)


def _open_next(run: SyncRun, ended: WaveResult) -> bool:
    """Lets the next wave be worked: at once, after the pause, or when somebody continues the run."""
    held, pause = run.group.wave_hold, timedelta(minutes=run.group.wave_wait)
    due = clock.now() + pause if pause and not held else None
    rests = held or due is not None
    waves = position(run.pk)[1]
    done, following = _done(run.wave + 1, waves), _following(run.wave + 2, held, due)
    note = f"{done}; {following}" if rests else ""
    with transaction.atomic():
        if not _undecided(run).update(wave=run.wave + 1, wave_held=held, wave_due_at=due, note=note):
            return False
        tried = {"failed": ended.failed, "tried": ended.tried}
        facts = {**tried, "wave": run.wave + 1, "waves": waves, "next": run.wave + 2, "time": _clock(due)}
        log(run.pk, WAITS if held else LATER if due else AT_ONCE, facts=facts, code="wave")
        if rests:
            notices.wave_waits(run, **tried, waves=waves, due=due)
        elif run.queued_to_workers:
            dispatch.call_lanes()
    return True


def _stop(run: SyncRun, ended: WaveResult) -> bool:
    """Ends the run when too much of its wave failed: the accounts behind it are not touched."""
    facts = {
        "failed": ended.failed,
        "tried": ended.tried,
        "wave": run.wave + 1,
        "waves": position(run.pk)[1],
        "percent": f"{ended.percent:.2f}",
        "allowed": run.group.max_failure_share,
        "which": "; ".join(_failures(run, ended)),
    }
    error = error_document("guard", STOPPED % facts, WAVE_REMEDY)
    with transaction.atomic():
        if not _undecided(run).update(error=error, note=""):
            return False
        end_accounts(run, AccountState.SKIPPED, "guard", error=error)
        log(run.pk, STOPPED, facts=facts, code="guard", level=LogEntry.Level.ERROR)
    return True


# -- continued by a person --


def continue_run(run: SyncRun, *, by: Actor, wave: int | None = None) -> SyncRun:
    """Starts the next wave of a run that is held or in its pause; raises Refusal when nothing waits.

    `wave`: the number of the wave that is meant to start (1, 2, ...), so that an old page starts no later one.
    """
    with transaction.atomic():
        waiting = SyncRun.objects.filter(between_waves(), pk=run.pk, cancel_requested_at=None)
        if wave is not None:
            waiting = waiting.filter(wave=wave - 1)
        continued = waiting.update(wave_held=False, wave_due_at=None, note="")
        run.refresh_from_db()
        if not continued and not run.is_open:
            message = _("Run %(run)d has ended.") % {"run": run.pk}
            raise Refusal("nothing_to_continue", message, _("Retry what failed, or start a new run."))
        if not continued:
            message = _("Run %(run)d does not wait to be continued.") % {"run": run.pk}
            remedy = _("Look at the run: this wave was already started, or the wave before it has not ended.")
            raise Refusal("nothing_to_continue", message, remedy)
        facts = {"wave": run.wave + 1, "waves": position(run.pk)[1]}
        audit.note(AuditAction.CONTINUED, by=by, run=run, details=facts)
        sentence = gettext_noop("Continued with wave %(wave)d of %(waves)d by %(who)s.")
        log(run.pk, sentence, facts={**facts, "who": by.name}, code="wave")
        if run.queued_to_workers:
            dispatch.call_lanes()
    return run


# -- sentences --


def waits_for(run: SyncRun) -> str:
    """Returns the reason why `run` rests, or its next wave waits; "" when it does not wait."""
    if is_resting(run):
        return run.note
    if not rests(run):
        return ""
    if run.wave_held:
        wish = ASKS % {"run": run.pk}
    else:
        wish = LATER_OR_ASKED % {"what": _following(run.wave + 1, False, run.wave_due_at), "run": run.pk}
    return f"{_done(run.wave, position(run.pk)[1])}; {wish}"


def _done(number: int, total: int) -> str:
    return DONE % {"wave": number, "waves": total}


def _following(number: int, held: bool, due: datetime | None) -> str:
    if held:
        return HELD
    return (STARTS_LATER if due else STARTS_NOW) % {"wave": number, "time": _clock(due)}


def _clock(moment: datetime | None) -> str:
    """Returns a moment in the zone of the installation, as the text is stored and read by many."""
    zone = timezone.get_default_timezone()
    return f"{timezone.localtime(moment, zone):%Y-%m-%d %H:%M} ({zone})" if moment else ""


def _failures(run: SyncRun, ended: WaveResult) -> Iterator[str]:
    """Names the first accounts that failed in the present wave, each with its reason and error."""
    failed = AccountRun.objects.filter(run=run, wave=run.wave, state__in=FAILED).exclude(reason=NO_VERDICT)
    for name, state, reason, error in failed.order_by("finished_at", "pk").values_list(
        "account__subdomain", "state", "reason", "error__message"
    )[:FAILURES_NAMED]:
        yield ": ".join(filter(None, (f"{name} ({reason or state})", (error or "")[:LONGEST_FAILURE].rstrip(" ."))))
    if ended.failed > FAILURES_NAMED:
        yield gettext_noop("and %(n)d more") % {"n": ended.failed - FAILURES_NAMED}
