"""What a run did to its accounts, whether that can be taken back, and what of it cannot."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import RELATED_SECRETS, Account
from syncing.engine.changes import Action
from syncing.engine.refs import Kind
from syncing.engine.rollback import LoggedChange
from syncing.models import AccountRun, LogEntry, RunMode, SlaveSnapshot, SyncRun
from syncing.purposes import PURPOSES

WRITES = tuple(action.value for action in Action)


@dataclass(frozen=True)
class WrittenItem:
    """One thing that the run did, as its log tells it."""

    touch: LoggedChange
    name: str
    parent: str
    fields: Mapping[str, Sequence[Any]]


@dataclass
class AccountWrites:
    """Everything that the run did to one account; `options`: keys of those it made."""

    rows: list[WrittenItem] = field(default_factory=list)
    options: set[str] = field(default_factory=set)

    def count(self, action: Action) -> int:
        return sum(row.touch.action is action for row in self.rows)


@dataclass(frozen=True)
class Loss:
    """Something that does not come back as it was, and why."""

    kind: str
    name: str
    parent: str
    message: str


@dataclass(frozen=True)
class AccountForecast:
    """What a rollback would mean to one account; `why_not`: a sentence, "" when it can be rolled back."""

    account: Account
    why_not: str
    restored: int = 0  # items to be put back as they were
    deleted: int = 0  # items that the run made, to go again where nothing uses them
    recreated: int = 0  # items that the run deleted
    losses: tuple[Loss, ...] = ()
    later: tuple[int, ...] = ()  # runs that wrote the account afterwards


def writes_by_account_run(account_run_ids: Collection[int]) -> dict[int, AccountWrites]:
    """By account run, in one query."""
    found: dict[int, AccountWrites] = {pk: AccountWrites() for pk in account_run_ids}
    rows = LogEntry.objects.filter(account_run__in=list(found), code__in=("done", "option")).exclude(kind="")
    columns = ("account_run", "code", "action", "kind", "name", "details")
    for pk, code, action, kind, name, details in rows.order_by("pk").values_list(*columns):
        key = details.get("key", "")
        if code == "option":
            found[pk].options.add(key)
        elif action in WRITES and key:
            fields = details.get("fields") or {}
            touch = LoggedChange(Action(action), Kind(kind), key, frozenset(fields))
            found[pk].rows.append(WrittenItem(touch, name, details.get("parent", ""), fields))
    return found


def forecasts_of(run: SyncRun, accounts: Collection[int] | None = None) -> list[AccountForecast]:
    """For each account of the run (of `accounts`: their ids), in a constant number of queries, by subdomain."""
    account_runs = AccountRun.objects.filter(run=run).select_related("account").defer(*RELATED_SECRETS)
    if accounts is not None:
        account_runs = account_runs.filter(account__in=accounts)
    rows = list(account_runs.order_by("account__subdomain"))
    kept = set(SlaveSnapshot.objects.filter(account_run__run=run).values_list("pk", flat=True))
    done = writes_by_account_run([row.pk for row in rows if row.pk in kept])
    later = _later(run, [row.account_id for row in rows])
    return [_forecast(run, row, done.get(row.pk), later[row.account_id]) for row in rows]


def can_be_rolled_back(run: SyncRun) -> bool:
    """Whether it is worth offering."""
    can = not run.is_open and run.writes and not PURPOSES[run.purpose].writes_master
    return can and SlaveSnapshot.objects.filter(account_run__run=run).exists()


def _later(run: SyncRun, account_ids: Iterable[int]) -> Mapping[int, tuple[int, ...]]:
    """Runs that wrote the account afterwards, the oldest first."""
    rows = AccountRun.objects.filter(account__in=list(account_ids), run__gt=run.pk, run__mode=RunMode.APPLY)
    found: dict[int, tuple[int, ...]] = defaultdict(tuple)
    wrote = rows.exclude(created=0, updated=0, deleted=0).order_by("run")
    for account_id, number in wrote.values_list("account", "run"):
        found[account_id] += (number,)
    return found


def _forecast(run: SyncRun, row: AccountRun, done: AccountWrites | None, later: tuple[int, ...]) -> AccountForecast:
    reason = _why_not(run, row, done)
    if reason or done is None:
        return AccountForecast(row.account, reason, later=later)
    return AccountForecast(
        row.account,
        "",
        restored=done.count(Action.UPDATE),
        deleted=done.count(Action.CREATE) + len(done.options),
        recreated=done.count(Action.DELETE),
        losses=tuple(_losses(done)),
        later=later,
    )


def _why_not(run: SyncRun, row: AccountRun, done: AccountWrites | None) -> str:
    account = row.account
    if done is None:
        if row.created or row.updated or row.deleted:
            return _("The snapshot taken before the run has expired (snapshots are kept for %(days)d days).") % {
                "days": run.group.snapshot_days
            }
        return _("The run wrote nothing in this account.")
    if not done.rows and not done.options:
        return _("The run wrote nothing in this account.")
    if account.role != Account.Role.SLAVE or account.group_id != run.group_id:
        return _("The account is no longer a slave of the group %(group)s.") % {"group": run.group.name}
    return _("The account is paused.") if account.paused else ""


def _losses(done: AccountWrites) -> Iterator[Loss]:
    for row in done.rows:
        message = _lost_with(row)
        if message:
            yield Loss(row.touch.kind.value, row.name, row.parent, message)


def _lost_with(row: WrittenItem) -> str:
    if row.touch.action is Action.DELETE:
        return _lost_with_deletion(row.touch.kind)
    if row.touch.action is Action.CREATE:
        return _("This is now the main pipeline, which Kommo does not delete.") if "is_main" in row.fields else ""
    if "descriptions" in row.fields and _grew(*row.fields["descriptions"]):
        return _("Descriptions that were added stay; remove them in Kommo.")
    return _("Codes that were given to options stay.") if "enum_codes" in row.fields else ""


def _lost_with_deletion(kind: Kind) -> str:
    if kind is Kind.PIPELINE:
        return _(
            "The pipeline and its stages come back with new ids and without their automations; Kommo "
            "names the system stages again."
        )
    if kind is Kind.STAGE:
        return _("The stage comes back with a new id and without its automations.")
    if kind in (Kind.CUSTOM_FIELD, Kind.ENUM):
        return _("The item comes back with a new id; the values of leads, contacts and companies do not come back.")
    return _("The item comes back with a new id.")


def _grew(old: Any, new: Any) -> bool:
    return bool(set(new or ()) - set(old or ()))
