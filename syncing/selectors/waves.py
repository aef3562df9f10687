"""Reads about the waves of a run: how far each is, how much failed in it, what the next one waits for."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Q
from django.utils.translation import gettext_lazy as _

from accounts.clock import now
from syncing.engine.waves import WaveResult, wave_result
from syncing.models import ACCOUNT_OPEN, AccountRun, AccountState, RunState, SyncRun
from syncing.selectors.runs import StateCount, state_counts

HELD, PAUSED, AT_WORK, WAITS, DONE, FAILED, UNTOUCHED, CANCELLED = (
    *("held", "paused", "running", "queued", "done", "failed", "skipped", "cancelled"),
)
LABELS = {
    HELD: _("Waits for Continue"),
    PAUSED: _("Paused before this wave"),
    AT_WORK: _("Running"),
    WAITS: _("Waits for the wave before it"),
    DONE: _("Done"),
    FAILED: _("Stopped: too many failures"),
    UNTOUCHED: _("Not touched"),
    CANCELLED: _("Cancelled"),
}
Ends = Mapping[tuple[str, str], int]  # accounts by (state, reason)


@dataclass(frozen=True)
class Wave:
    """One wave as people count them (1, 2, ...)."""

    number: int
    state: str
    accounts: int
    done: int
    pilots: int  # as of today
    states: tuple[StateCount, ...]
    result: WaveResult

    @property
    def label(self) -> str:
        return str(LABELS[self.state])


def position(run_id: int) -> tuple[int, int]:
    """Returns the wave that the run is in (1, 2, ...), and how many it has."""
    rows = SyncRun.objects.filter(pk=run_id).annotate(last=Max("account_runs__wave"))
    wave, last = rows.values_list("wave", "last").get()
    return wave + 1, (last or 0) + 1


def rests(run: SyncRun) -> bool:
    """Tells if the next wave waits for somebody, or for its time."""
    paused = run.wave_due_at is not None and run.wave_due_at > now()
    return run.state == RunState.RUNNING and not run.cancel_requested_at and (run.wave_held or paused)


def waves_of(run: SyncRun) -> list[Wave]:
    """Returns the waves of a run in their order; none if it was not split."""
    ends: dict[int, dict[tuple[str, str], int]] = defaultdict(dict)
    pilots: dict[int, int] = defaultdict(int)
    rows = AccountRun.objects.filter(run=run).order_by().values_list("wave", "state", "reason")
    is_pilot = Count("pk", filter=Q(account__is_pilot=True))
    for wave, state, reason, number, of_them in rows.annotate(n=Count("pk"), pilots=is_pilot):
        ends[wave][state, reason] = number
        pilots[wave] += of_them
    if len(ends) < 2:
        return []
    waves = []
    for wave in sorted(ends):
        states: Counter[str] = Counter()
        for (state, _reason), number in ends[wave].items():
            states[state] += number
        waves.append(
            Wave(
                number=wave + 1,
                state=_state(run, wave, ends[wave]),
                accounts=states.total(),
                done=states.total() - sum(states[state] for state in ACCOUNT_OPEN),
                pilots=pilots[wave],
                states=state_counts(states),
                result=wave_result(ends[wave]),
            )
        )
    return waves


def _state(run: SyncRun, wave: int, ends: Ends) -> str:
    """Returns the state of a wave; of one that no account is waiting or running in, as it ended."""
    if any(state in ACCOUNT_OPEN for state, _reason in ends):
        if wave != run.wave or run.state != RunState.RUNNING:
            return WAITS
        if rests(run):
            return HELD if run.wave_held else PAUSED
        return AT_WORK
    if set(ends) == {(AccountState.SKIPPED, "guard")}:
        return UNTOUCHED
    if all(state == AccountState.CANCELLED for state, _reason in ends):
        return CANCELLED
    return DONE if wave_result(ends).passes(run.group.max_failure_share) else FAILED


def waves_document(run: SyncRun) -> dict[str, Any] | None:
    """Returns, for machines, where a run is and what it waits for ("continue", "time" or None); None: not split."""
    number, total = position(run.pk)
    if total == 1:
        return None
    waits = ("continue" if run.wave_held else "time") if rests(run) else None
    due = run.wave_due_at.isoformat() if run.wave_due_at else None
    return {"wave": number, "waves": total, "waits_for": waits, "due_at": due}
