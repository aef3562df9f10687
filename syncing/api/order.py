"""What a trigger asks for, out of the JSON that came in."""

from dataclasses import dataclass
from typing import Any

from accounts.models import SECRETS, Account, SyncGroup
from syncing.api.http import listed, wrong
from syncing.models import RunMode, RunType, SyncRun
from syncing.services.audit import LONGEST_REASON

KEYS = ("sync_type", "mode", "group", "accounts")


@dataclass(frozen=True)
class Order:
    group: SyncGroup
    type: str
    mode: str
    accounts: list[Account] | None  # None: the whole group


def read_order(body: dict[str, Any]) -> Order:
    """The order, defaults filled in; raises ApiError 400 that lists what is allowed."""
    group = _group(body.get("group"))
    return Order(
        group=group,
        type=_choice(body, "sync_type", RunType.FULL, RunType.values),
        mode=_choice(body, "mode", RunMode.APPLY, RunMode.values),
        accounts=_accounts(group, body.get("accounts")),
    )


def _choice(body: dict[str, Any], key: str, default: str, allowed: list[str]) -> str:
    value = body.get(key, default)
    if not isinstance(value, str) or value not in allowed:
        raise wrong(f"bad_{key}", f"{key} is not one of the possible values.", allowed)
    return value


def _group(name: Any) -> SyncGroup:
    groups = {group.name: group for group in SyncGroup.objects.all()}
    if name is None and len(groups) == 1:
        return next(iter(groups.values()))
    if name is None:
        raise wrong("group_missing", "There is not exactly one group: say which one.", groups)
    if not isinstance(name, str) or name not in groups:
        raise wrong("unknown_group", "There is no group of this name.", groups)
    return groups[name]


def _accounts(group: SyncGroup, subdomains: Any) -> list[Account] | None:
    if subdomains is None:
        return None
    slaves = {account.subdomain: account for account in group.accounts.filter(role=Account.Role.SLAVE)}
    if not isinstance(subdomains, list) or not subdomains:
        raise wrong("bad_accounts", "accounts must be a list of subdomains, or left out.", slaves)
    unknown = [name for name in subdomains if not isinstance(name, str) or name not in slaves]
    if unknown:
        message = f"Not a slave of the group {group.name}: {listed(unknown)}."
        raise wrong("unknown_account", message, slaves)
    return [slaves[name] for name in dict.fromkeys(subdomains)]


def accounts_of_run(run: SyncRun, subdomains: Any) -> list[Account] | None:
    """Those of the run that a body names; None: it names none, so all that there are."""
    if subdomains is None:
        return None
    members = Account.objects.filter(account_runs__run=run).defer(*SECRETS)
    known = {account.subdomain: account for account in members}
    if not isinstance(subdomains, list) or not subdomains:
        raise wrong("bad_accounts", "accounts must be a list of subdomains, or left out.", known)
    if any(not isinstance(name, str) or name not in known for name in subdomains):
        raise wrong("unknown_account", f"Not all of these accounts are in run {run.pk}.", known)
    return [known[name] for name in dict.fromkeys(subdomains)]


def reason_of(body: dict[str, Any]) -> str:
    """The reason that a body gives; "" when it gives none."""
    text = body.get("reason", "")
    if not isinstance(text, str) or len(text) > LONGEST_REASON:
        raise wrong("bad_reason", "The reason is no text, or too long.", [f"up to {LONGEST_REASON} characters"])
    return text
