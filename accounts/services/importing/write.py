"""Stores one row of a plan: all of it, or nothing."""

from typing import Any

from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from accounts.models import Account, Integration, TokenPair
from accounts.services.credentials import token_pairs
from accounts.services.credentials.clients import forget_health, give_up_pair, store_token
from accounts.services.importing.existing import hash_of
from accounts.services.importing.integrations import changed_values
from accounts.services.importing.rows import FIELDS
from accounts.services.importing.tokens import brings_pair, brings_token
from accounts.services.importing.values import AccountRow, BadRow, LineAction, WantedIntegration


def write_row(row: AccountRow) -> Account | None:
    """Stores one row in a savepoint of its own; returns the account. Raises BadRow."""
    if row.action == LineAction.UNCHANGED:
        return row.account
    group_is_new = row.group.pk is None
    try:
        with transaction.atomic():
            if group_is_new:
                row.group.save(force_insert=True)
            if row.makes_master:
                masters = Account.objects.filter(group=row.group, role=Account.Role.MASTER)
                masters.exclude(subdomain=row.subdomain).update(role=Account.Role.SLAVE)
            integration = _write_integration(row.integration, row.subdomain) if row.integration else None
            account = _write_account(row, integration)
            if brings_token(row) and getattr(account, "stored_refresh", None):
                give_up_pair(account.pk)
            if brings_pair(row) and integration is not None:
                token = row.given["refresh_token"]
                token_pairs.store_refresh_token(account, integration, token)
                TokenPair.objects.filter(pk=account.pk).update(imported_hash=hash_of(token))
    except DatabaseError as error:
        if group_is_new:
            row.group.pk = None
        raise BadRow(
            _("The database refused this line. Somebody may have changed the account in the meantime; import it again.")
        ) from error
    if row.integration:
        row.integration.written = integration  # only now: the savepoint holds
    return account


def _write_integration(wanted: WantedIntegration, subdomain: str) -> Integration:
    """Creates or changes the integration with the first row that is stored."""
    if wanted.written is not None:
        return wanted.written
    values: dict[str, Any] = dict(changed_values(wanted))
    if wanted.stored is None:
        whose = _("Integration") if wanted.becomes_public else subdomain
        name = first = f"{whose} {wanted.client_id[:8]}"
        number = 2
        while Integration.objects.filter(name=name).exists():
            name = f"{first} ({number})"
            number += 1
        return Integration.objects.create(
            client_id=wanted.client_id, name=name, is_public=wanted.becomes_public, **values
        )
    if values:
        token_pairs.revive(wanted.stored)
    if wanted.becomes_public:
        values["is_public"] = True
    if values:  # not through `stored`: another row compares with it when the savepoint of this one fails
        Integration.objects.filter(pk=wanted.stored.pk).update(**values)
    return wanted.stored


def _write_account(row: AccountRow, integration: Integration | None) -> Account:
    """Creates the account, or changes only the columns that the row gives another value."""
    account = row.account or Account(group=row.group, subdomain=row.subdomain)
    before = dict(vars(account))
    account.role = row.role
    for column in ("name", "email"):
        if column in row.given:
            setattr(account, FIELDS.get(column, column), row.given[column])
    if integration is not None:
        account.integration = integration
    if brings_token(row):
        store_token(account, row.given["token"])
    elif brings_pair(row):
        forget_health(account)
    elif integration is not None and not getattr(account, "stored_token", ""):
        account.credential_kind = Account.CredentialKind.OAUTH  # it waits for its consent
    if account.pk is None:
        account.save(force_insert=True)
    else:  # nothing else: a check or a run may write beside us
        fields, after = account._meta.concrete_fields, vars(account)
        changed = [each.name for each in fields if before.get(each.attname) != after.get(each.attname)]
        account.save(update_fields=changed)
    return account
