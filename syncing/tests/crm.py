"""Whole runs over HTTP with the real replication: the usual cast, and what their accounts are like."""

from typing import Any

from accounts.actors import Actor
from accounts.simulator.account import SimAccount
from accounts.simulator.log import LoggedRequest
from syncing import replication
from syncing.models import AccountRun, RunMode, SyncRun
from syncing.services.runs.create import Started
from syncing.tests.house import House

ANNA = Actor("anna", "admin")
WRITES = ("POST", "PATCH", "DELETE")


def work(house: House, started: Started | SyncRun) -> SyncRun:
    """The run, worked to its end."""
    run = started if isinstance(started, SyncRun) else started.run
    house.work(replication.replicate, run_id=run.pk)
    run.refresh_from_db()
    return run


def synced(house: House, **facts: Any) -> SyncRun:
    return work(house, house.start(**facts))


def planned(house: House, **facts: Any) -> SyncRun:
    return synced(house, mode=RunMode.PLAN, **facts)


def look(account: SimAccount) -> dict[str, Any]:
    """What a person sees of an account's configuration, in its order and with every attribute, without ids."""
    stages = {(p.id, stage.id): f"{p.name}/{stage.name}" for p in account.pipelines.values() for stage in p.stages}
    return {
        "pipelines": [
            (p.name, p.is_main, p.is_unsorted_on, [(s.name, s.color, _texts(s)) for s in p.listed])
            for p in account.ordered_pipelines
        ],
        "groups": {
            entity: [group.name for group in sorted(groups.values(), key=lambda g: (g.sort, g.id))]
            for entity, groups in account.groups.items()
        },
        "fields": {
            f"{entity}/{group.name}": [
                (f.name, f.type, f.code, f.is_api_only, [e.value for e in f.ordered_enums],
                 sorted(stages[key] for key in f.required_statuses))
                for f in account.members(entity, group.id)
            ]
            for entity, groups in account.groups.items() for group in groups.values()
        },
    }  # fmt: skip


def _texts(stage: Any) -> dict[str, str]:
    return {level: text.description for level, text in stage.descriptions.items()}


def writes(house: House, subdomain: str, since: int = 0) -> list[LoggedRequest]:
    """The writes that arrived for an account, from the `since`th request of all on."""
    return [record for record in list(house.world.log)[since:] if record.subdomain == subdomain and _is_write(record)]


def _is_write(record: LoggedRequest) -> bool:
    return record.method in WRITES


def asked(house: House, subdomain: str, since: int = 0) -> list[LoggedRequest]:
    return [record for record in list(house.world.log)[since:] if record.subdomain == subdomain]


def account_runs(run: SyncRun) -> dict[str, AccountRun]:
    return {account_run.account.subdomain: account_run for account_run in run.account_runs.select_related("account")}
