"""To do: what the API cannot do and what it cannot decide, by account, as the last reading of each found it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from accounts.models import SECRETS, Account, SyncGroup
from accounts.own_words import translated
from accounts.text_search import is_in
from syncing.engine.refs import Kind
from syncing.engine.resources.custom_fields import ENTITIES
from syncing.models import AccountRun, AccountState, IdMapping, RunPurpose, RunType
from syncing.selectors.filters import ListFilters, an_id_of, one_of

# The account was read and compared; what it says of a person's work is true until the next time.
READ = (
    AccountState.PLANNED,
    AccountState.IN_SYNC,
    AccountState.CHANGED,
    AccountState.PARTIAL,
    AccountState.REFUSED,
)
OF_PIPELINES = (Kind.PIPELINE.value, Kind.STAGE.value)
PARTS = {
    RunType.PIPELINES: lambda kind: kind in OF_PIPELINES,
    RunType.CUSTOM_FIELDS: lambda kind: kind not in OF_PIPELINES,
}
LISTS = ("manual", "conflicts")


@dataclass(frozen=True)
class TodoFilters(ListFilters):
    """What somebody looks for among the tasks."""

    group: str = an_id_of(SyncGroup)
    what: str = one_of(*LISTS)


@dataclass(frozen=True)
class TaskPlace:
    """An account in which something is to be done, and when that was seen."""

    account: Account
    seen_at: datetime | None
    key: str = ""  # where its page in Kommo is found (`presentation.kommo_pages`), as far as that is known


@dataclass
class Task:
    """One thing to do in Kommo, the same in all of `places`. `what`: manual (the API cannot) or conflicts (unclear)."""

    what: str
    kind: str
    name: str
    parent: str
    message: str
    places: list[TaskPlace] = field(default_factory=list)

    @property
    def funnel(self) -> str:
        """Returns the name of the pipeline that it is about or in; "" for fields."""
        return {Kind.PIPELINE.value: self.name, Kind.STAGE.value: self.parent}.get(self.kind, "")

    def mentions(self, text: str) -> bool:
        return is_in(text, self.name, self.parent, translated(self.message))


def tasks(*, group: int | None = None, account: int | None = None, text: str = "") -> list[Task]:
    """Returns what is to be done, the most frequent first; `text`: a part of an item, of a message or of an account."""
    accounts = Account.objects.filter(role=Account.Role.SLAVE)
    if group is not None:
        accounts = accounts.filter(group=group)
    if account is not None:
        accounts = accounts.filter(pk=account)
    by_content: dict[tuple[str, ...], Task] = {}
    for each, run_type, document, seen_at in _readings(accounts):
        rows = ((what, row) for what in LISTS for row in document.get(what) or ())
        for what, row in rows:
            if PARTS[run_type](row["kind"]):
                key = (what, row["kind"], row["name"], row.get("parent") or "", row.get("message") or "")
                by_content.setdefault(key, Task(*key)).places.append(TaskPlace(each, seen_at))
    listed = list(_mentioning(by_content.values(), text.strip()))
    _add_keys(listed)
    return sorted(listed, key=lambda task: (-len(task.places), task.parent, task.name))


def _mentioning(found: Iterable[Task], text: str) -> Iterator[Task]:
    """Yields the tasks that mention a text, and of others the accounts that are called so."""
    for task in found:
        called = [place for place in task.places if is_in(text, str(place.account), place.account.subdomain)]
        if task.mentions(text) or called:
            yield task if task.mentions(text) else replace(task, places=called)


def _add_keys(listed: Sequence[Task]) -> None:
    """Tells each place its key: of the account's own pipeline, or the entity of the field."""
    names = {task.funnel for task in listed if task.funnel}
    mapped = IdMapping.objects.filter(kind=Kind.PIPELINE, name__in=names) if names else IdMapping.objects.none()
    keys = {(account, name): key for account, name, key in mapped.values_list("account", "name", "slave_key")}
    for task in listed:
        entity = task.parent.partition("/")[0]
        other = f"{entity}/" if entity in ENTITIES else ""
        task.places = [
            replace(each, key=keys.get((each.account.pk, task.funnel), "") if task.funnel else other)
            for each in task.places
        ]


def _readings(accounts: QuerySet[Account]) -> Iterable[tuple[Account, RunType, Mapping[str, Any], datetime | None]]:
    """Yields the last whole reading of either part of each account; one of a part says nothing about the rest."""
    whole = Q(run__purpose__in=(RunPurpose.SYNC, RunPurpose.DRIFT), run__picked=[], delta=False, state__in=READ)
    for part in PARTS:
        last = AccountRun.objects.filter(whole, account=OuterRef("pk"), run__type__in=(RunType.FULL, part))
        by_run = {
            pk: account
            for account in accounts.annotate(last=Subquery(last.order_by("-pk").values("pk")[:1])).defer(*SECRETS)
            if (pk := account.last) is not None
        }
        rows = AccountRun.objects.filter(pk__in=by_run).order_by("account__subdomain")
        columns = ("pk", "finished_at", *(f"document__{name}" for name in LISTS))
        for pk, finished_at, *lists in rows.values_list(*columns):
            yield by_run[pk], part, dict(zip(LISTS, lists, strict=True)), finished_at
