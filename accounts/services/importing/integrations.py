"""What the rows of a file say of integrations, taken together: several rows may speak of one."""

from collections.abc import Iterable
from dataclasses import replace

from django.utils.translation import gettext as _

from accounts.services.importing.stored import Stored, secret_of
from accounts.services.importing.values import IS_NEW, IS_SET, BadRow, Change, Entry, Wanted
from accounts.services.tables.table import RowError

OF_AN_INTEGRATION = ("client_secret", "redirect_uri")
COLUMNS = ("client_id", *OF_AN_INTEGRATION, "refresh_token")


def with_integrations(entries: Iterable[Entry], stored: Stored) -> tuple[list[Entry], list[RowError]]:
    """The entries with the integrations that they want, without those that want what cannot be."""
    wanted: dict[str, Wanted] = {}
    named, errors = [], []
    for entry in entries:
        try:
            named.append(_named(entry, wanted, stored))
        except BadRow as error:
            errors.append(RowError(entry.line, str(error)))
    good = []
    for entry in named:
        missing = _missing(entry.integration) if entry.integration else []
        if missing:
            message = _("No integration with this client_id is known yet; to make it, %(columns)s must be given.")
            errors.append(RowError(entry.line, message % {"columns": ", ".join(missing)}))
        else:
            good.append(entry)
    for entry in good:
        if entry.integration:
            entry.integration.users |= {entry.subdomain} | stored.served[entry.integration.client_id]
    return good, errors


def _named(entry: Entry, wanted: dict[str, Wanted], stored: Stored) -> Entry:
    """The entry with its integration: the one it names, else the one its account has. Raises BadRow."""
    if not any(column in entry.given for column in COLUMNS):
        return entry
    client_id = entry.given.get("client_id") or stored.client_id(entry.account)
    if not client_id:
        raise BadRow(_("The client_id is missing: it tells to which integration the rest belongs."))
    known = wanted.get(client_id) or Wanted(client_id, stored.integrations.get(client_id))
    new = {}
    for column in OF_AN_INTEGRATION:
        text = entry.given.get(column, "")
        first, line = known.values.get(column, (text, entry.line))
        if text and text != first:
            message = _("Line %(line)d has another %(column)s for this integration.")
            raise BadRow(message % {"line": line, "column": column})
        if text and column not in known.values:
            new[column] = (text, entry.line)
    known.values.update(new)
    wanted[client_id] = known
    return replace(entry, integration=known)


def _missing(wanted: Wanted) -> list[str]:
    return [] if wanted.stored else [column for column in OF_AN_INTEGRATION if not wanted.value(column)]


def changed_values(wanted: Wanted) -> dict[str, str]:
    """What becomes different in the stored integration, by column."""
    if wanted.stored is None:
        return {column: wanted.value(column) for column in OF_AN_INTEGRATION}
    stored = {"client_secret": secret_of(wanted.stored), "redirect_uri": wanted.stored.redirect_uri}
    given = {column: wanted.value(column) for column in OF_AN_INTEGRATION if wanted.value(column)}
    return {column: value for column, value in given.items() if value != stored[column]}


def changes_of(wanted: Wanted) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """What becomes of the integration, for the first of the rows that want it, and what there is to say about it."""
    changes = []
    for column, value in changed_values(wanted).items():
        if column == "client_secret":
            changes.append(Change(column, IS_SET if wanted.stored else "", IS_NEW))
        else:
            changes.append(Change(column, wanted.stored.redirect_uri if wanted.stored else "", value))
    if not wanted.becomes_public:
        return tuple(changes), ()
    if wanted.stored is not None:
        changes.append(Change("integration", _("private"), _("public")))
    message = _("The integration serves %(count)d accounts, so it is marked as public; a private one serves only one.")
    return tuple(changes), (message % {"count": len(wanted.users)},)
