"""The integrations that the rows of a file name, taken together: several rows may name one."""

from dataclasses import replace

from django.utils.translation import gettext as _

from accounts.services.importing.existing import Existing, secret_of
from accounts.services.importing.values import IS_NEW, IS_SET, AccountRow, BadRow, ColumnChange, WantedIntegration
from accounts.services.tables.table import RowError

OF_AN_INTEGRATION = ("client_secret", "redirect_uri")
COLUMNS = ("client_id", *OF_AN_INTEGRATION, "refresh_token")


def with_integrations(rows: list[AccountRow], existing: Existing) -> tuple[list[AccountRow], list[RowError]]:
    """Returns the rows with the integrations that they want, and what is wrong with the others."""
    wanted: dict[str, WantedIntegration] = {}
    named, good, errors = [], [], []
    for row in rows:
        try:
            named.append(_with_integration(row, wanted, existing))
        except BadRow as error:
            errors.append(RowError(row.line, str(error)))
    for row in named:  # only now: any row may bring what is missing
        integration = row.integration
        if integration and not integration.stored and not all(map(integration.value, OF_AN_INTEGRATION)):
            missing = ", ".join(column for column in OF_AN_INTEGRATION if not integration.value(column))
            message = _("No integration has this client_id. To create it, fill in %(columns)s.")
            errors.append(RowError(row.line, message % {"columns": missing}))
            continue
        if integration:
            integration.users |= {row.subdomain} | existing.served[integration.client_id]
        good.append(row)
    return good, errors


def _with_integration(row: AccountRow, wanted: dict[str, WantedIntegration], existing: Existing) -> AccountRow:
    """Returns the row with its integration: the one it names, else the one its account has. Raises BadRow."""
    if not any(column in row.given for column in COLUMNS):
        return row
    client_id = row.given.get("client_id") or existing.client_id(row.account)
    if not client_id:
        raise BadRow(_("The client_id is missing; without it the other values belong to no integration."))
    known = wanted.get(client_id) or WantedIntegration(client_id, existing.integrations.get(client_id))
    given = {column: (row.given[column], row.line) for column in OF_AN_INTEGRATION if column in row.given}
    for column, (text, _line) in given.items():
        first, line = known.values.get(column, (text, 0))
        if text != first:
            message = _("Line %(line)d has another %(column)s for this integration.")
            raise BadRow(message % {"line": line, "column": column})
    known.values = given | known.values
    wanted[client_id] = known
    return replace(row, integration=known)


def changed_values(wanted: WantedIntegration) -> dict[str, str]:
    """Returns the values that become different in the stored integration, by column."""
    given = {column: wanted.value(column) for column in OF_AN_INTEGRATION}
    if wanted.stored is None:
        return given
    stored = {"client_secret": secret_of(wanted.stored), "redirect_uri": wanted.stored.redirect_uri}
    return {column: value for column, value in given.items() if value and value != stored[column]}


def changes_of(wanted: WantedIntegration) -> tuple[tuple[ColumnChange, ...], tuple[str, ...]]:
    """Returns the changes of the integration, and what there is to say about it."""
    changes = []
    for column, value in changed_values(wanted).items():
        if column == "client_secret":
            changes.append(ColumnChange(column, str(IS_SET) if wanted.stored else "", str(IS_NEW)))
        else:
            changes.append(ColumnChange(column, wanted.stored.redirect_uri if wanted.stored else "", value))
    if not wanted.becomes_public:
        return tuple(changes), ()
    if wanted.stored is not None:
        changes.append(ColumnChange("integration", _("private"), _("public")))
    message = _("The integration serves %(count)d accounts, so it is marked as public; a private one serves only one.")
    return tuple(changes), (message % {"count": len(wanted.users)},)
