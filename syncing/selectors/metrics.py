"""Reads of what a monitoring system wants to know: numbers over all processes and machines, in a fixed few queries.

What only grows (requests, ended runs) comes from totals that are written as it happens, so that no number falls when
rows are deleted, and no query reads more the longer the history is.
"""

from collections.abc import Mapping, Sequence

import redis
from django.db.models import Count, Min, OuterRef, Q, Subquery
from django_q.brokers import get_broker

from accounts import __version__, expiry
from accounts.models import Account, RequestTotals, pause_is_on
from accounts.request_counts import OUTCOMES
from syncing import conf
from syncing.leases import processes
from syncing.models import (
    RUN_OPEN,
    AccountRun,
    Channel,
    Message,
    ProcessKind,
    RunState,
    RunTotal,
    Standing,
    SyncRun,
    Trigger,
    WatchState,
)
from syncing.selectors.automation import OVERDUE, AutomationState, automation_state, overdue
from syncing.selectors.drift import FOUND
from syncing.selectors.watch import state_shown

# The values of a metric by those of its labels.
Samples = Mapping[tuple[str, ...], float]

ENDED = [state for state in RunState if state not in RUN_OPEN]
PATIENCE = 1.0  # seconds to connect to Redis, and to read
DAYS = (expiry.LAST_CALL, expiry.URGENT, expiry.SOON)


def samples() -> dict[str, Samples]:
    """Returns the samples by the names of their metrics (`presentation.metrics`); raises DatabaseError.

    What nobody knows is missing: the length of a queue in Redis that does not answer, a time that is none.
    """
    automation = automation_state()
    return {
        "build_info": {(__version__,): 1},
        **_runs(),
        **_connections(automation),
        **_slaves(automation),
        **_requests(),
        **_watchers(automation),
        **_schedules(automation),
        **_work(automation),
        **_messages(),
    }


def _runs() -> dict[str, Samples]:
    """Returns all states and triggers, also with 0: an increase from nothing to 1 would be none."""
    rows = SyncRun.objects.filter(state__in=RUN_OPEN).order_by().values_list("state", "trigger")
    at_work = {(state, trigger): count for state, trigger, count in rows.annotate(Count("pk"))}
    ended = {(total.state, total.trigger): total.count for total in RunTotal.objects.all()}
    return {
        "runs_open": {key: at_work.get(key, 0) for key in _pairs(RUN_OPEN, Trigger)},
        "runs_ended": {key: ended.get(key, 0) for key in _pairs(ENDED, Trigger)},
    }


def _pairs(first: Sequence[str], second: Sequence[str] | type[Trigger]) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one in first for other in second]


def _connections(automation: AutomationState) -> dict[str, Samples]:
    """Counts the accounts by health, those that are paused, and those whose connection ends soon."""
    moment = automation.moment
    paused = [group.pk for group in automation.groups if group.is_paused_at(moment)]
    rows = Account.objects.order_by().values_list("role", "health").annotate(Count("pk"))
    facts = Account.objects.aggregate(
        paused=Count("pk", filter=pause_is_on() | Q(group__in=paused)),
        end=Min("token_expires_at", filter=expiry.expiring(moment, expiry.NEVER)),
        **{f"in_{days}": Count("pk", filter=expiry.expiring(moment, days)) for days in DAYS},
    )
    end = facts["end"]
    return {
        "accounts": {(role, health): count for role, health, count in rows},
        "accounts_paused": {(): facts["paused"]},
        "connection_end_timestamp_seconds": {(): end.timestamp()} if end else {},
        "connections_ending": {(str(days),): facts[f"in_{days}"] for days in DAYS},
    }


def _slaves(automation: AutomationState) -> dict[str, Samples]:
    """Counts the slaves by their last run and by their drift; the last runs are looked up by an index, one each."""
    slaves = Account.objects.filter(role=Account.Role.SLAVE).order_by()
    youngest = AccountRun.objects.filter(account=OuterRef("pk")).order_by("-pk").values("pk")[:1]
    last = AccountRun.objects.filter(pk__in=slaves.values_list(Subquery(youngest))).order_by()
    ended = last.values_list("state", "reason").annotate(Count("pk"))
    counts: dict[tuple[str, ...], float] = {(state, reason): count for state, reason, count in ended}
    names = {group.pk: group.name for group in automation.groups}
    drift: dict[tuple[str, ...], float] = {(names[group], state): 0 for group in names for state in FOUND}
    for group, state, count in slaves.values_list("group", "drift__state").annotate(Count("pk")):
        if group in names:  # not one that was made a moment ago
            drift[names[group], state or Standing.NEVER.value] = count
    never = sum(drift.values()) - sum(counts.values())  # all slaves without those that have a last run
    return {"accounts_by_last_run": {("never", ""): max(0, never), **counts}, "accounts_by_drift": drift}


def _requests() -> dict[str, Samples]:
    totals = RequestTotals.objects.first() or RequestTotals()
    counts = {outcome: getattr(totals, outcome) for outcome in OUTCOMES}
    return {
        "kommo_requests": {(outcome,): count for outcome, count in counts.items()},
        "kommo_request_seconds": {("sum",): totals.seconds, ("count",): sum(counts.values())},
    }


def _watchers(automation: AutomationState) -> dict[str, Samples]:
    """Returns the state of each watcher and when it last looked."""
    states: dict[tuple[str, ...], float] = {}
    looks: dict[tuple[str, ...], float] = {}
    for group in automation.groups:
        watch = automation.watchers.get(group.pk)
        current = state_shown(group, watch, automation.moment)
        states |= {(group.name, state.value): float(state == current) for state in WatchState}
        if watch is not None and watch.last_look:
            looks[(group.name,)] = watch.last_look.timestamp()
    return {"watcher_state": states, "watcher_last_look_timestamp_seconds": looks}


def _schedules(automation: AutomationState) -> dict[str, Samples]:
    """Returns the last start and the first time that is due, over all schedules of one kind in a group."""
    starts: dict[tuple[str, ...], float] = {}
    due: dict[tuple[str, ...], float] = {}
    for group in automation.groups:
        for schedule in automation.schedules.get(group.pk, ()):
            key = (group.name, schedule.kind)
            if schedule.fired_at:
                starts[key] = max(starts.get(key, 0.0), schedule.fired_at.timestamp())
            if schedule.next_at:
                due[key] = min(due.get(key, float("inf")), schedule.next_at.timestamp())
    return {"schedule_last_start_timestamp_seconds": starts, "schedule_next_timestamp_seconds": due}


def _work(automation: AutomationState) -> dict[str, Samples]:
    late, waiting = [trouble.code for trouble in overdue(automation)], _queue_length()
    return {
        "overdue": {(code,): late.count(code) for code in OVERDUE},
        "queue_messages": {} if waiting is None else {(): waiting},
        "workers_alive": {(): processes.workers_alive()},
        "lanes_alive": {(): processes.living(automation.moment).filter(kind=ProcessKind.LANE).count()},
    }


def _queue_length() -> int | None:
    """Returns the messages that nobody has taken; None when Redis does not say so within a second."""
    broker, url = get_broker(), conf.queue().get("redis")
    if not url:
        return int(broker.queue_size())
    try:
        with redis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as client:
            return int(client.llen(broker.list_key))
    except redis.RedisError:
        return None


def _messages() -> dict[str, Samples]:
    """Counts the channels by how they are, and the messages that wait or were given up."""
    channels = Channel.objects.aggregate(
        working=Count("pk", filter=Q(enabled=True, failure="")),
        failing=Count("pk", filter=Q(enabled=True) & ~Q(failure="")),
        off=Count("pk", filter=Q(enabled=False)),
    )
    messages = Message.objects.aggregate(
        due=Count("pk", filter=Q(due_at__isnull=False)), given_up=Count("pk", filter=Q(due_at=None, sent_at=None))
    )
    return {
        "channels": {(state,): count for state, count in channels.items()},
        "messages_due": {(): messages["due"]},
        "messages_given_up": {(): messages["given_up"]},
    }
