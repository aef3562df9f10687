"""Reads of edits made in accounts that a plan would overwrite, or that a run has overwritten."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from syncing.engine.refs import Kind, Scope
from syncing.models import AccountRun, AccountState, DriftChange, RunMode, SyncRun
from syncing.purposes import purpose_of
from syncing.selectors.drift import EDIT_CAUSES, EXTRA

NAMED = 8  # accounts that a page names
OF_PIPELINES = (Kind.PIPELINE, Kind.STAGE)
same = itemgetter("action", "kind", "name", "parent", "attribute")


@dataclass(frozen=True)
class EditedAccount:
    account_id: int
    name: str


@dataclass(frozen=True)
class OverwrittenEdits:
    accounts: tuple[EditedAccount, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.accounts)

    def among(self, account_ids: Iterable[int]) -> "OverwrittenEdits":
        wanted = set(account_ids)
        return OverwrittenEdits(tuple(each for each in self.accounts if each.account_id in wanted))

    @property
    def first(self) -> tuple[EditedAccount, ...]:
        return self.accounts[:NAMED]

    @property
    def more(self) -> int:
        return len(self.accounts) - len(self.first)


def overwritten_edits(run: SyncRun) -> OverwrittenEdits:
    """Returns the accounts in which `run` overwrites edits that are known, in one query; of a plan, if it is approved.

    Runs about chosen items are left out: whoever chose them has seen the edits.
    """
    if run.picked or not purpose_of(run.purpose).compares_with_master:
        return OverwrittenEdits()
    rows = _of_plan(run) if run.mode == RunMode.PLAN else _of_writing(run)
    return OverwrittenEdits(tuple(EditedAccount(account, name or subdomain) for account, name, subdomain in rows))


def _of_plan(run: SyncRun) -> Iterable[tuple[int, str, str]]:
    planned = AccountRun.objects.filter(run=run, state=AccountState.PLANNED).order_by("account__subdomain")
    columns = ("account", "account__name", "account__subdomain", "account__drift__differences")
    scope = Scope(run.type)
    for account, name, subdomain, differences in planned.values_list(*columns):
        edits = (row for row in differences or () if _is_edit(row))
        if any(scope.writes_pipelines if row["kind"] in OF_PIPELINES else scope.writes_fields for row in edits):
            yield account, name, subdomain


def _of_writing(run: SyncRun) -> Iterable[tuple[int, str, str]]:
    """Yields where edits that an earlier run had seen are gone since this one."""
    changes = DriftChange.objects.filter(run=run).order_by("account__subdomain")
    columns = ("account", "account__name", "account__subdomain", "gone", "appeared")
    for account, name, subdomain, gone, appeared in changes.values_list(*columns):
        stays = {same(row) for row in appeared if "kind" in row}
        if any(_is_edit(row) and same(row) not in stays for row in gone):
            yield account, name, subdomain


def _is_edit(row: Mapping[str, Any]) -> bool:
    return row.get("cause") in EDIT_CAUSES and row["action"] != EXTRA
