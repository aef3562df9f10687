"""Rows on their own: what each one says, and what is wrong with it."""

from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

from accounts import conf
from accounts.models import Account, Integration, SyncGroup
from accounts.services.credentials.clients import can_be_secret
from accounts.services.importing.stored import Stored
from accounts.services.importing.values import BadRow, Entry, ImportRefused
from accounts.services.subdomains import ForeignAddress, NotASubdomain, subdomain_of
from accounts.services.tables.table import SECRETS, Row, RowError, may_be_secret, quoted

DEFAULT_GROUP = "Default"
ROLES = frozenset(Account.Role.values)
SHOWN = ("name", "client_id")  # to everybody, and stored in clear; no form of their own tells them from a secret
PLAIN = ("name", "email", "client_id", "redirect_uri")
FIELDS = {"email": "contact_email"}  # a column is named as its field, but for these


def group_for(rows: list[Row], name: str | None, stored: Stored) -> SyncGroup | None:
    """The group of the rows that name none, perhaps not saved yet; None when there is no such row.

    `name` None: the only group, or a new one when there is none. Raises ImportRefused.
    """
    if name is not None:
        name = name.strip()
        return stored.groups.get(name) or _new_group(name)
    if rows and all(row.cells["group"] in stored.groups for row in rows):
        return None
    if len(stored.groups) > 1:
        facts = {"names": ", ".join(sorted(stored.groups))}
        raise ImportRefused(_("There are several groups; name one of them: %(names)s.") % facts)
    return next(iter(stored.groups.values()), None) or _new_group(DEFAULT_GROUP)


def _new_group(name: str) -> SyncGroup:
    group = SyncGroup(name=name)
    try:
        group.clean_fields()
    except ValidationError as error:
        raise ImportRefused(_("Group: %(why)s") % {"why": _told(error)}) from error
    return group


def entries_of(rows: Iterable[Row], group: SyncGroup | None, stored: Stored) -> tuple[list[Entry], list[RowError]]:
    """The rows that are sound by themselves, and what is wrong with the others."""
    entries: dict[str, Entry] = {}
    errors = []
    for row in rows:
        try:
            entry = _entry(row, group, stored)
            if entry.subdomain in entries:
                facts = {"subdomain": entry.subdomain, "line": entries[entry.subdomain].line}
                raise BadRow(_("%(subdomain)s is also on line %(line)d.") % facts)
            entries[entry.subdomain] = entry
        except BadRow as error:
            errors.append(RowError(row.line, str(error)))
    return list(entries.values()), errors


def _entry(row: Row, default: SyncGroup | None, stored: Stored) -> Entry:
    subdomain, role = _subdomain(row), _role(row)
    group = _group(row, default, stored)
    account = stored.accounts.get(subdomain)
    if account is None and subdomain in stored.renamed:
        facts = {"old": subdomain, "new": stored.renamed[subdomain]}
        raise BadRow(_("%(old)s was renamed in Kommo and is here as %(new)s; write its new subdomain.") % facts)
    if account is not None and account.group_id != group.pk:
        facts = {"subdomain": subdomain, "group": account.group.name}
        raise BadRow(_("%(subdomain)s is already in the group %(group)s.") % facts)
    given = {column: row.cells[column] for column in (*PLAIN, *SECRETS) if row.cells[column]}
    _check(subdomain, given)
    kept = account.role if account is not None else Account.Role.SLAVE
    return Entry(row.line, subdomain, role or str(kept), group, account, given)


def _subdomain(row: Row) -> str:
    text = row.cells["subdomain"]
    if not text:
        raise BadRow(_("The subdomain is missing."))
    try:
        return subdomain_of(text)
    except ForeignAddress as error:
        facts = {"text": quoted(text), "known": conf.url_template()}
        raise BadRow(_("%(text)s is not the address of an account here: they are all at %(known)s.") % facts) from error
    except NotASubdomain as error:
        raise BadRow(_("%(text)s is not a subdomain.") % {"text": quoted(text)}) from error


def _role(row: Row) -> str:
    role = row.cells["role"].lower()
    if role and role not in ROLES:
        raise BadRow(_("The role is %(role)s; it must be master or slave.") % {"role": quoted(role)})
    return role


def _group(row: Row, default: SyncGroup | None, stored: Stored) -> SyncGroup:
    """The group that the row names, else the one for all; a name that was mistyped makes no group."""
    name = row.cells["group"]
    if default is not None and name in ("", default.name):
        return default
    if name in stored.groups:
        return stored.groups[name]
    raise BadRow(_("There is no group %(group)s; make it first, or leave the cell empty.") % {"group": quoted(name)})


def _check(subdomain: str, given: Mapping[str, str]) -> None:
    """Raises BadRow for what the columns refuse; of a secret only the name is told."""
    for column in (*SECRETS, "client_id"):
        if not can_be_secret(given.get(column, "")):
            raise BadRow(_("%(column)s holds what no such value can hold; copy it again.") % {"column": column})
    account = Account(subdomain=subdomain, name=given.get("name", ""), contact_email=given.get("email", ""))
    _check_fields(account, {"subdomain", "name", "contact_email"})
    integration = Integration(client_id=given.get("client_id", ""), redirect_uri=given.get("redirect_uri", ""))
    _check_fields(integration, {name for name in ("client_id", "redirect_uri") if name in given})
    for column in SHOWN:
        if may_be_secret(given.get(column, "")):
            message = _("%(column)s looks like a token or a secret, which would be shown: are the columns mixed up?")
            raise BadRow(message % {"column": column})


def _check_fields(sample: Model, names: set[str]) -> None:
    try:
        sample.clean_fields(exclude={field.name for field in sample._meta.fields} - names)
    except ValidationError as error:
        raise BadRow(_told(error)) from error


def _told(error: ValidationError) -> str:
    columns = {field: column for column, field in FIELDS.items()}
    return " ".join(f"{columns.get(name, name)}: {' '.join(texts)}" for name, texts in error.message_dict.items())
