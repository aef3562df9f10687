"""Accounts from a CSV file: every bad row named by its line, good rows kept, again without harm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import IO, cast

from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from accounts.fields import EncryptedTextField, WrongEncryptionKey
from accounts.models import Account, SyncGroup
from accounts.services.credentials import can_be_secret, forget_health, store_token
from accounts.services.subdomains import NotASubdomain, subdomain_of
from accounts.services.table import Row, RowError, UnreadableFile, quoted, read_table

__all__ = ["ImportRefused", "ImportReport", "RowError", "import_accounts"]

DEFAULT_GROUP = "Default"
ROLES = frozenset(Account.Role.values)
SECRETS = ("token", "client_secret", "refresh_token")
PLAIN = ("name", "client_id", "redirect_uri")


class ImportRefused(Exception):
    """Nothing was imported: the file is no table, or the group is not clear. The message is for the operator."""


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows; errors by line."""

    group: str
    created: int
    updated: int
    unchanged: int
    errors: list[RowError]


@dataclass(frozen=True)
class Entry:
    """A row that stands on its own feet: what is to be stored; an empty value keeps what is stored."""

    line: int
    subdomain: str
    role: str
    values: Mapping[str, str]
    account: Account | None  # as stored, without its secrets; None: it is new
    secrets: Mapping[str, str | None]  # as stored; None: no key opens it

    @property
    def makes_master(self) -> bool:
        return self.role == Account.Role.MASTER


class BadRow(Exception):
    """One row cannot be imported; the message says why and never quotes a secret."""


def import_accounts(file: IO[bytes], group_name: str | None = None) -> ImportReport:
    """Creates and updates accounts by their subdomain; no request to Kommo.

    `group_name` None: the only group, or a new one named "Default" when there is none. Raises ImportRefused.
    """
    try:
        rows, errors = read_table(file.read())
        return _import(rows, errors, group_name)
    except UnreadableFile as error:
        raise ImportRefused(str(error)) from error


def _import(rows: list[Row], errors: list[RowError], group_name: str | None) -> ImportReport:
    with transaction.atomic():
        group = _group(group_name)
        entries, refused = _entries(rows, group)
        entries, without_master = _one_master(entries, group)
        errors += refused + without_master
        counts = {"created": 0, "updated": 0, "unchanged": 0}
        # The new master first: its savepoint also holds the step down of the old one.
        for entry in sorted(entries, key=lambda each: not each.makes_master):
            try:
                counts[_store(entry, group)] += 1
            except BadRow as error:
                errors.append(RowError(entry.line, str(error)))
    return ImportReport(group.name, **counts, errors=sorted(errors))


def _group(name: str | None) -> SyncGroup:
    """The group to import into, perhaps not saved yet; locked, as two imports must not make two masters."""
    groups = list(SyncGroup.objects.select_for_update())
    if name is not None:
        name = name.strip()
        found = next((group for group in groups if group.name == name), None)
        return found or _new_group(name)
    if len(groups) > 1:
        names = ", ".join(group.name for group in groups)
        raise ImportRefused(_("There are several groups; name one of them: %(names)s.") % {"names": names})
    return groups[0] if groups else _new_group(DEFAULT_GROUP)


def _new_group(name: str) -> SyncGroup:
    group = SyncGroup(name=name)
    try:
        group.clean_fields()
    except ValidationError as error:
        raise ImportRefused(_("Group: %(why)s") % {"why": _told(error)}) from error
    return group


# -- rows on their own --


def _entries(rows: Iterable[Row], group: SyncGroup) -> tuple[list[Entry], list[RowError]]:
    """The rows that are sound by themselves, and what is wrong with the others."""
    stored = {account.subdomain: account for account in _stored()}
    entries: dict[str, Entry] = {}
    errors = []
    for row in rows:
        try:
            entry = _entry(row, stored, group)
            if entry.subdomain in entries:
                raise BadRow(
                    _("%(subdomain)s is also on line %(line)d.")
                    % {"subdomain": entry.subdomain, "line": entries[entry.subdomain].line}
                )
            entries[entry.subdomain] = entry
        except BadRow as error:
            errors.append(RowError(row.line, str(error)))
    return list(entries.values()), errors


def _stored() -> QuerySet[Account]:
    """Every account, its secrets as they lie in the database: one that no key opens must not refuse a new one."""
    as_they_lie = {f"stored_{name}": Cast(name, TextField()) for name in SECRETS}
    return Account.objects.select_related("group").defer(*SECRETS).annotate(**as_they_lie)


def _secrets(account: Account | None) -> dict[str, str | None]:
    return {name: _opened(name, getattr(account, f"stored_{name}", "")) for name in SECRETS}


def _opened(name: str, encrypted: str) -> str | None:
    field = cast(EncryptedTextField, Account._meta.get_field(name))
    try:
        return field.from_db_value(encrypted, None, connection)
    except WrongEncryptionKey:
        return None


def _entry(row: Row, stored: Mapping[str, Account], group: SyncGroup) -> Entry:
    text = row.cells["subdomain"]
    if not text:
        raise BadRow(_("The subdomain is missing."))
    try:
        subdomain = subdomain_of(text)
    except NotASubdomain as error:
        raise BadRow(_("%(text)s is not a subdomain.") % {"text": quoted(text)}) from error
    role = row.cells["role"].lower()
    if role and role not in ROLES:
        raise BadRow(_("The role is %(role)s; it must be master or slave.") % {"role": quoted(role)})
    account = stored.get(subdomain)
    if account is not None and account.group_id != group.pk:
        raise BadRow(
            _("%(subdomain)s is already in the group %(group)s.")
            % {"subdomain": subdomain, "group": account.group.name}
        )
    values = {name: row.cells[name] for name in (*PLAIN, *SECRETS) if row.cells[name]}
    _check(subdomain, values)
    kept = account.role if account is not None else Account.Role.SLAVE
    return Entry(row.line, subdomain, role or str(kept), values, account, _secrets(account))


def _check(subdomain: str, values: Mapping[str, str]) -> None:
    """Raises BadRow for what the columns refuse; of a secret only the name is told."""
    for name in SECRETS:
        if not can_be_secret(values.get(name, "")):
            raise BadRow(_("%(column)s holds what no such value can hold; copy it again.") % {"column": name})
    sample = Account(subdomain=subdomain, **{name: values.get(name, "") for name in PLAIN})
    try:
        sample.clean_fields(exclude={"group", "role", "credential_kind", *SECRETS})
    except ValidationError as error:
        raise BadRow(_told(error)) from error


def _told(error: ValidationError) -> str:
    return " ".join(f"{name}: {' '.join(texts)}" for name, texts in error.message_dict.items())


# -- rows together --


def _one_master(entries: list[Entry], group: SyncGroup) -> tuple[list[Entry], list[RowError]]:
    """Drops the rows that would give the group a second master, or take away its only one."""
    masters = Account.objects.filter(group=group.pk, role=Account.Role.MASTER).defer(*SECRETS)
    current = masters.first() if group.pk else None
    steps_down = next((each for each in entries if current and each.account == current and not each.makes_master), None)
    master, dropped = None, {}
    for entry in entries:
        if not entry.makes_master:
            continue
        if master is not None:
            dropped[entry.line] = _("A second master; line %(line)d has one.") % {"line": master.line}
        elif current is not None and entry.account != current and steps_down is None:
            message = _("The group already has the master %(name)s; make it a slave in the same file.")
            dropped[entry.line] = message % {"name": current.subdomain}
        else:
            master = entry
    if steps_down is not None and master is None:
        dropped[steps_down.line] = _("This would leave the group without a master; name the new one in the same file.")
    errors = [RowError(line, message) for line, message in dropped.items()]
    return [entry for entry in entries if entry.line not in dropped], errors


# -- storing --


def _store(entry: Entry, group: SyncGroup) -> str:
    """Stores one row in a savepoint of its own; gives created, updated or unchanged. Raises BadRow."""
    account = entry.account
    if account is not None and not _changes(entry, account):
        return "unchanged"
    try:
        with transaction.atomic():
            if group.pk is None:
                group.save()
            if entry.makes_master:
                Account.objects.filter(group=group, role=Account.Role.MASTER).exclude(subdomain=entry.subdomain).update(
                    role=Account.Role.SLAVE
                )
            _fill(account or Account(group=group, subdomain=entry.subdomain), entry).save()
    except DatabaseError as error:
        raise BadRow(_("The database refused this row; was the account changed meanwhile?")) from error
    return "updated" if account is not None else "created"


def _changes(entry: Entry, account: Account) -> bool:
    if account.role != entry.role:
        return True
    stored = {**{name: getattr(account, name) for name in PLAIN}, **entry.secrets}
    return any(stored[name] != value for name, value in entry.values.items())


def _fill(account: Account, entry: Entry) -> Account:
    account.role = entry.role
    for name, value in entry.values.items():
        if name != "token":
            setattr(account, name, value)
    token = entry.values.get("token", "")
    if token and token != entry.secrets["token"]:
        store_token(account, token)
    elif entry.secrets["token"] == "" and entry.values.get("refresh_token"):
        account.credential_kind = Account.CredentialKind.OAUTH
        forget_health(account)
    return account
