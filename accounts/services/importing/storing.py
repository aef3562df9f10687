"""Storing one row of a plan: all of it, or nothing."""

from typing import Any

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from accounts.models import Account, Integration, TokenPair
from accounts.services.credentials import token_pairs
from accounts.services.credentials.clients import forget_health, give_up_pair, store_token
from accounts.services.importing.integrations import changed_values
from accounts.services.importing.rows import FIELDS
from accounts.services.importing.stored import hash_of
from accounts.services.importing.tokens import brings_pair, brings_token
from accounts.services.importing.values import Action, BadRow, Entry, Wanted


def store(entry: Entry) -> Account | None:
    """Stores one row in a savepoint of its own; gives the account. Raises BadRow."""
    if entry.action == Action.UNCHANGED:
        return entry.account
    group_is_new = entry.group.pk is None
    try:
        with transaction.atomic():
            account, integration = _store(entry)
    except DatabaseError as error:
        if group_is_new:
            entry.group.pk = None
        raise BadRow(_("The database refused this row; was the account changed meanwhile?")) from error
    if entry.integration:
        entry.integration.done = integration  # only now: the savepoint holds
    return account


def _store(entry: Entry) -> tuple[Account, Integration | None]:
    if entry.group.pk is None:
        entry.group.save(force_insert=True)
    if entry.makes_master:
        others = Account.objects.filter(group=entry.group, role=Account.Role.MASTER).exclude(subdomain=entry.subdomain)
        others.update(role=Account.Role.SLAVE)
    integration = _integration(entry.integration, entry) if entry.integration else None
    account = _account(entry, integration)
    if brings_token(entry) and getattr(account, "stored_refresh", None):
        give_up_pair(account.pk)
    if brings_pair(entry) and integration is not None:
        token_pairs.store_refresh_token(account, integration, entry.given["refresh_token"])
        known = TokenPair.objects.filter(pk=account.pk)
        known.update(imported_hash=hash_of(entry.given["refresh_token"]))
    return account, integration


def _account(entry: Entry, integration: Integration | None) -> Account:
    account = entry.account or Account(group=entry.group, subdomain=entry.subdomain)
    before = {name: value for name, value in vars(account).items() if not name.startswith("_")}
    account.role = entry.role
    for column in ("name", "email"):
        if column in entry.given:
            setattr(account, FIELDS.get(column, column), entry.given[column])
    if integration is not None:
        account.integration = integration
    if brings_token(entry):
        store_token(account, entry.given["token"])
    elif brings_pair(entry):
        forget_health(account)
    elif integration is not None and not getattr(account, "stored_token", ""):
        account.credential_kind = Account.CredentialKind.OAUTH  # it waits for its consent
    if account.pk is None:
        account.save(force_insert=True)
    else:  # nothing else: a check or a run may write beside us
        account.save(update_fields=_changed(account, before))
    return account


def _changed(account: Account, before: dict[str, Any]) -> list[str]:
    after = vars(account)
    return [
        field.name
        for field in account._meta.concrete_fields
        if field.attname in after and (field.attname not in before or before[field.attname] != after[field.attname])
    ]


def _integration(wanted: Wanted, entry: Entry) -> Integration:
    """The integration as the file wants it, made or changed with the first row that is stored."""
    if wanted.done is not None:
        return wanted.done
    values: dict[str, Any] = dict(changed_values(wanted))
    if wanted.stored is None:
        return Integration.objects.create(
            client_id=wanted.client_id, name=_name(wanted, entry), is_public=wanted.becomes_public, **values
        )
    credentials_change = bool(values)
    if wanted.becomes_public:
        values["is_public"] = True
    if values:  # not through `stored`: another row compares with it when the savepoint of this one fails
        Integration.objects.filter(pk=wanted.stored.pk).update(**values)
    if credentials_change:
        token_pairs.revive(wanted.stored)
    return wanted.stored


def _name(wanted: Wanted, entry: Entry) -> str:
    """A name that says whose it is, as far as a file tells, and that nothing else has."""
    whose = _("Integration") if wanted.becomes_public else entry.subdomain
    name = f"{whose} {wanted.client_id[:8]}"
    number = 2
    while Integration.objects.filter(name=name).exists():
        name = f"{whose} {wanted.client_id[:8]} ({number})"
        number += 1
    return name
