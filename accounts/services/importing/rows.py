"""Each row by itself: reads its cells and finds what is wrong with them."""

from collections.abc import Iterable, Mapping

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import conf
from accounts.models import Account, Integration, SyncGroup
from accounts.refusals import Refusal
from accounts.services.credentials.clients import can_be_secret
from accounts.services.importing.existing import Existing
from accounts.services.importing.values import AccountRow, BadRow
from accounts.services.subdomains import FOREIGN, NO_SUBDOMAIN, subdomain_of
from accounts.services.tables.table import SECRETS, RowError, TableRow, may_be_secret, quoted

DEFAULT_GROUP = "Default"
SHOWN = ("name", "client_id")  # to everybody, and stored in clear; no form of their own tells them from a secret
PLAIN = ("name", "email", "client_id", "redirect_uri")
FIELDS = {"email": "contact_email"}  # a column is named as its field, but for these

WRONG_ADDRESS = {  # of the cell, by the code of the refusal
    FOREIGN: gettext_noop("%(text)s is not the address of an account here: they are all at %(known)s."),
    NO_SUBDOMAIN: gettext_noop("%(text)s is not a subdomain."),
}


def group_for(rows: list[TableRow], name: str | None, existing: Existing) -> SyncGroup | None:
    """Returns the group of the rows that name none, perhaps not saved yet; None when there is no such row.

    `name` None: the only group, or a new one when there is none. Raises Refusal.
    """
    if name is not None:
        name = name.strip()
    elif rows and all(row.cells["group"] in existing.groups for row in rows):
        return None
    elif len(existing.groups) > 1:
        facts = {"names": ", ".join(sorted(existing.groups))}
        raise Refusal("group_missing", _("There are several groups; name one of them: %(names)s.") % facts)
    else:
        name = next(iter(existing.groups), DEFAULT_GROUP)
    group = existing.groups.get(name) or SyncGroup(name=name)
    if group.pk is None:
        try:
            group.clean_fields()
        except ValidationError as error:
            raise Refusal("bad_group", _("Group: %(why)s") % {"why": _as_text(error)}) from error
    return group


def account_rows(
    rows: Iterable[TableRow], group: SyncGroup | None, existing: Existing
) -> tuple[list[AccountRow], list[RowError]]:
    """Returns the rows that are sound by themselves, and what is wrong with the others."""
    sound: dict[str, AccountRow] = {}
    errors = []
    for each in rows:
        try:
            row = _account_row(each, group, existing)
            if row.subdomain in sound:
                facts = {"subdomain": row.subdomain, "line": sound[row.subdomain].line}
                raise BadRow(_("%(subdomain)s is also on line %(line)d.") % facts)
            sound[row.subdomain] = row
        except BadRow as error:
            errors.append(RowError(each.line, str(error)))
        except Refusal as error:
            facts = {"text": quoted(each.cells["subdomain"]), "known": conf.url_template()}
            errors.append(RowError(each.line, _(WRONG_ADDRESS[error.code]) % facts))
    return list(sound.values()), errors


def _account_row(row: TableRow, default: SyncGroup | None, existing: Existing) -> AccountRow:
    """Raises BadRow, and Refusal for a subdomain that is none.

    A group that the row names must exist: a name that was mistyped makes no group.
    """
    if not row.cells["subdomain"]:
        raise BadRow(_("The subdomain is missing."))
    subdomain, role, name = subdomain_of(row.cells["subdomain"]), row.cells["role"].lower(), row.cells["group"]
    if role and role not in Account.Role.values:
        raise BadRow(_("The role is %(role)s; it must be master or slave.") % {"role": quoted(role)})
    group = default if default is not None and name in ("", default.name) else existing.groups.get(name)
    if group is None:
        raise BadRow(
            _("There is no group %(group)s; make it first, or leave the cell empty.") % {"group": quoted(name)}
        )
    account = existing.accounts.get(subdomain)
    if account is None and subdomain in existing.renamed:
        facts = {"old": subdomain, "new": existing.renamed[subdomain]}
        raise BadRow(_("%(old)s was renamed in Kommo and is here as %(new)s; write its new subdomain.") % facts)
    if account is not None and account.group_id != group.pk:
        facts = {"subdomain": subdomain, "group": account.group.name}
        raise BadRow(_("%(subdomain)s is already in the group %(group)s.") % facts)
    given = {column: row.cells[column] for column in (*PLAIN, *SECRETS) if row.cells[column]}
    _check_cells(subdomain, given)
    role = role or str(account.role if account is not None else Account.Role.SLAVE)
    return AccountRow(row.line, subdomain, role, group, account, given)


def _check_cells(subdomain: str, given: Mapping[str, str]) -> None:
    """Raises BadRow for what the database would refuse; of a secret only the name of its column is shown."""
    for column in (*SECRETS, "client_id"):
        if not can_be_secret(given.get(column, "")):
            raise BadRow(
                _("%(column)s has characters that such a value cannot have; copy it again.") % {"column": column}
            )
    account = Account(subdomain=subdomain, name=given.get("name", ""), contact_email=given.get("email", ""))
    integration = Integration(client_id=given.get("client_id", ""), redirect_uri=given.get("redirect_uri", ""))
    of_integration = {"client_id", "redirect_uri"} & given.keys()
    for sample, names in ((account, {"subdomain", "name", "contact_email"}), (integration, of_integration)):
        try:
            sample.clean_fields(exclude={field.name for field in sample._meta.fields} - names)
        except ValidationError as error:
            raise BadRow(_as_text(error)) from error
    for column in SHOWN:
        if may_be_secret(given.get(column, "")):
            message = _(
                "%(column)s looks like a token or a secret. It would be visible to everybody; check whether "
                "the columns are mixed up."
            )
            raise BadRow(message % {"column": column})


def _as_text(error: ValidationError) -> str:
    columns = {field: column for column, field in FIELDS.items()}
    return " ".join(f"{columns.get(name, name)}: {' '.join(texts)}" for name, texts in error.message_dict.items())
