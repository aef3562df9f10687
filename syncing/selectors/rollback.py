"""Writes of a run in its accounts, and a forecast of their rollback: what can be taken back, and what cannot."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import RELATED_SECRETS, Account
from syncing.engine.changes import Action
from syncing.engine.refs import Kind
from syncing.engine.rollback import LoggedChange
from syncing.models import AccountRun, LogEntry, RunMode, SlaveSnapshot, SyncRun
from syncing.purposes import purpose_of

WRITES = tuple(action.value for action in Action)
VALUES_LOST = gettext_lazy(
    "The item comes back with a new id; the values of leads, contacts and companies do not come back."
)
LOST_BY_DELETION = {
    Kind.PIPELINE: gettext_lazy(
        "The pipeline and its stages come back with new ids and without their automations; Kommo "
        "names the system stages again."
    ),
    Kind.STAGE: gettext_lazy("The stage comes back with a new id and without its automations."),
    Kind.CUSTOM_FIELD: VALUES_LOST,
    Kind.ENUM: VALUES_LOST,
}


@dataclass(frozen=True)
class WrittenItem:
    """One item that the run wrote, as its log has it."""

    touch: LoggedChange
    name: str
    parent: str
    fields: Mapping[str, Sequence[Any]]

    @property
    def loss(self) -> str:
        """Says what does not come back as it was; "" when everything does."""
        if self.touch.action is Action.DELETE:
            return str(LOST_BY_DELETION.get(self.touch.kind, _("The item comes back with a new id.")))
        if self.touch.action is Action.CREATE:
            return _("This is now the main pipeline, which Kommo does not delete.") if "is_main" in self.fields else ""
        old, new = self.fields.get("descriptions", ((), ()))
        if set(new or ()) - set(old or ()):
            return _("Descriptions that were added stay; remove them in Kommo.")
        return _("Codes that were given to options stay.") if "enum_codes" in self.fields else ""


@dataclass
class AccountWrites:
    """Everything that the run wrote in one account; `options`: keys of those it created."""

    items: list[WrittenItem] = field(default_factory=list)
    options: set[str] = field(default_factory=set)

    def count(self, action: Action) -> int:
        return sum(item.touch.action is action for item in self.items)


@dataclass(frozen=True)
class Loss:
    """Something that does not come back as it was, and why."""

    kind: str
    name: str
    parent: str
    message: str


@dataclass(frozen=True)
class AccountForecast:
    """The effect of a rollback on one account; `why_not`: a sentence, "" when it can be rolled back."""

    account: Account
    why_not: str
    writes: AccountWrites  # to be taken back
    later: tuple[int, ...]  # runs that wrote the account afterwards

    @property
    def restored(self) -> int:
        """Returns the number of items to be put back as they were."""
        return self.writes.count(Action.UPDATE)

    @property
    def deleted(self) -> int:
        """Returns the number of items that the run created, to go again where nothing uses them."""
        return self.writes.count(Action.CREATE) + len(self.writes.options)

    @property
    def recreated(self) -> int:
        """Returns the number of items that the run deleted."""
        return self.writes.count(Action.DELETE)

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        losses = ((item, item.loss) for item in self.writes.items)
        return tuple(Loss(item.touch.kind.value, item.name, item.parent, loss) for item, loss in losses if loss)


def writes_by_account_run(account_run_ids: Collection[int]) -> dict[int, AccountWrites]:
    """Returns the writes by account run, in one query."""
    writes: dict[int, AccountWrites] = {pk: AccountWrites() for pk in account_run_ids}
    rows = LogEntry.objects.filter(account_run__in=list(writes), code__in=("done", "option")).exclude(kind="")
    columns = ("account_run", "code", "action", "kind", "name", "details")
    for pk, code, action, kind, name, details in rows.order_by("pk").values_list(*columns):
        key = details.get("key", "")
        if code == "option":
            writes[pk].options.add(key)
        elif action in WRITES and key:
            fields = details.get("fields") or {}
            touch = LoggedChange(Action(action), Kind(kind), key, frozenset(fields))
            writes[pk].items.append(WrittenItem(touch, name, details.get("parent", ""), fields))
    return writes


def forecasts_of(run: SyncRun, accounts: Collection[int] | None = None) -> list[AccountForecast]:
    """Returns a forecast for each account of the run (or of `accounts`: their ids), by subdomain.

    The number of queries does not depend on that of the accounts.
    """
    account_runs = AccountRun.objects.filter(run=run).select_related("account").defer(*RELATED_SECRETS)
    if accounts is not None:
        account_runs = account_runs.filter(account__in=accounts)
    rows = list(account_runs.order_by("account__subdomain"))
    kept = set(SlaveSnapshot.objects.filter(account_run__run=run).values_list("pk", flat=True))
    written = writes_by_account_run([row.pk for row in rows if row.pk in kept])
    later: dict[int, tuple[int, ...]] = defaultdict(tuple)  # the oldest first
    of_accounts = AccountRun.objects.filter(account__in=[row.account_id for row in rows], run__gt=run.pk)
    wrote = of_accounts.filter(run__mode=RunMode.APPLY).exclude(created=0, updated=0, deleted=0).order_by("run")
    for account_id, number in wrote.values_list("account", "run"):
        later[account_id] += (number,)
    forecasts = []
    for row in rows:
        writes = written.get(row.pk)
        why_not = _why_not(run, row, writes)
        taken_back = AccountWrites() if why_not or writes is None else writes
        forecasts.append(AccountForecast(row.account, why_not, taken_back, later[row.account_id]))
    return forecasts


def can_be_rolled_back(run: SyncRun) -> bool:
    """Tells if a rollback of the run is worth offering."""
    can = not run.is_open and run.writes and not purpose_of(run.purpose).writes_master
    return can and SlaveSnapshot.objects.filter(account_run__run=run).exists()


def _why_not(run: SyncRun, row: AccountRun, writes: AccountWrites | None) -> str:
    """Says why an account cannot be rolled back; "" if it can. `writes` None: nothing is known of before the run."""
    account = row.account
    if writes is None:
        if row.created or row.updated or row.deleted:
            return _("The snapshot taken before the run has expired (snapshots are kept for %(days)d days).") % {
                "days": run.group.snapshot_days
            }
        return _("The run wrote nothing in this account.")
    if not writes.items and not writes.options:
        return _("The run wrote nothing in this account.")
    if account.role != Account.Role.SLAVE or account.group_id != run.group_id:
        return _("The account is no longer a slave of the group %(group)s.") % {"group": run.group.name}
    return _("The account is paused.") if account.is_paused else ""
