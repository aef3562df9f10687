"""Reads groups, accounts, reasons and choices out of the JSON objects that requests send."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from accounts.kommo.texts import storable
from accounts.models import SECRETS, Account, SyncGroup
from syncing.api.http import bad_request, listed
from syncing.models import RunMode, RunType, SyncRun
from syncing.services.audit import LONGEST_REASON

TRIGGER_KEYS = ("sync_type", "mode", "group", "accounts")


@dataclass(frozen=True)
class TriggerBody:
    """The run that a request asks for."""

    group: SyncGroup
    type: str
    mode: str
    accounts: list[Account] | None  # None: the whole group


def read_trigger(body: dict[str, Any]) -> TriggerBody:
    """Returns the run that is asked for, defaults filled in; raises ApiError 400 that lists what is allowed."""
    group = group_named(body.get("group"))
    slaves = group.accounts.filter(role=Account.Role.SLAVE)
    outside = f"Not a slave of the group {group.name}"
    return TriggerBody(
        group=group,
        type=choice_of(body, "sync_type", RunType.FULL, RunType.values),
        mode=choice_of(body, "mode", RunMode.APPLY, RunMode.values),
        accounts=_accounts_of(body, slaves, outside, name_unknown=True),
    )


def choice_of(body: dict[str, Any], key: str, default: str, allowed: list[str]) -> str:
    """Returns the value of `key`; raises ApiError 400 unless it is one of `allowed`."""
    value = body.get(key, default)
    if not isinstance(value, str) or value not in allowed:
        raise bad_request(f"bad_{key}", f"{key} is not one of the possible values.", allowed)
    return value


def group_named(name: Any) -> SyncGroup:
    """Returns the group of this name, or without a name (None) the only one there is; raises ApiError 400."""
    groups = {group.name: group for group in SyncGroup.objects.all()}
    if name is None and len(groups) == 1:
        return next(iter(groups.values()))
    if name is None:
        raise bad_request("group_missing", "There is not exactly one group: say which one.", groups)
    if not isinstance(name, str) or name not in groups:
        raise bad_request("unknown_group", "There is no group of this name.", groups)
    return groups[name]


def accounts_of_run(run: SyncRun, body: dict[str, Any]) -> list[Account] | None:
    """Returns the accounts of the run that a body names; None: it names none, so all that there are."""
    members = Account.objects.filter(account_runs__run=run).defer(*SECRETS)
    return _accounts_of(body, members, f"Not all of these accounts are in run {run.pk}", name_unknown=False)


def _accounts_of(
    body: dict[str, Any], allowed: QuerySet[Account], outside: str, *, name_unknown: bool
) -> list[Account] | None:
    """Returns those of `allowed` that a body names; `outside`: the message about others, which may list them."""
    subdomains = body.get("accounts")
    if subdomains is None:
        return None
    known = {account.subdomain: account for account in allowed}
    if not isinstance(subdomains, list) or not subdomains:
        raise bad_request("bad_accounts", "accounts must be a list of subdomains, or left out.", known)
    unknown = [name for name in subdomains if not isinstance(name, str) or name not in known]
    if unknown:
        message = f"{outside}: {listed(unknown)}." if name_unknown else f"{outside}."
        raise bad_request("unknown_account", message, known)
    return [known[name] for name in dict.fromkeys(subdomains)]


def reason_of(body: dict[str, Any]) -> str:
    """Returns the reason that a body gives; "" when it gives none."""
    text = body.get("reason", "")
    if not isinstance(text, str) or len(text) > LONGEST_REASON:
        raise bad_request("bad_reason", "The reason is no text, or too long.", [f"up to {LONGEST_REASON} characters"])
    return text


def text_of(body: dict[str, Any], key: str) -> str:
    """Returns the text of `key`, "" if it is missing; raises ApiError 400 for what is no text, or cannot be stored."""
    text = body.get(key, "")
    if not isinstance(text, str) or storable(text) != text:
        raise bad_request(f"bad_{key}", f"{key} is no text.", ["text"])
    return text


def whole_number_of(body: dict[str, Any], key: str, default: int | None = None) -> int:
    """Returns the whole number of `key`, or the default; raises ApiError 400 for anything else."""
    number = body.get(key, default)
    if not isinstance(number, int) or isinstance(number, bool):
        raise bad_request(f"bad_{key}", f"{key} is no whole number.", ["a whole number"])
    return number


def group_or_accounts_of(body: dict[str, Any]) -> list[SyncGroup] | list[Account]:
    """Returns the accounts that a body names, of its group if it names one; without accounts the group."""
    if body.get("accounts") is None:
        return [group_named(body.get("group"))]
    accounts = Account.objects.select_related("group").defer(*SECRETS)
    if body.get("group") is not None:
        accounts = accounts.filter(group=group_named(body["group"]))
    return _accounts_of(body, accounts, "Not all of these accounts are there", name_unknown=True) or []
