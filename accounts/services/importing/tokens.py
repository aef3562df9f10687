"""The tokens that rows bring, and that none is stored for two accounts."""

from collections import defaultdict

from django.utils.translation import gettext as _

from accounts.kommo.identity import claimed_account
from accounts.models import Account
from accounts.services.importing.existing import Existing, hash_of, refresh_token_of, token_of
from accounts.services.importing.values import AccountRow
from accounts.services.tables.table import RowError

TOKEN, REFRESH_TOKEN, KOMMO_ACCOUNT = "token", "refresh_token", "account_id"
Mark = tuple[str, str]  # what belongs to one account only: which of these, and its value


def brings_pair(row: AccountRow) -> bool:
    """Tells if the row's refresh token is to be stored: it is neither the stored one nor one that was rotated since.

    A long-lived token beside it wins: it does not have to be refreshed again and again.
    """
    token, account = row.given.get("refresh_token"), row.account
    if not token or "token" in row.given:
        return False
    if account is None:
        return True
    return getattr(account, "imported_hash", None) != hash_of(token) and refresh_token_of(account) != token


def brings_token(row: AccountRow) -> bool:
    token, account = row.given.get("token"), row.account
    return bool(token) and (account is None or token_of(account) != token)


def with_own_tokens(rows: list[AccountRow], existing: Existing) -> tuple[list[AccountRow], list[RowError]]:
    """Drops the rows that bring the token of another account, as it would be when all of them are stored.

    Nobody can tell whose a token in two rows is, so neither is taken. Tokens that trade places are accepted: what
    counts is what every account has in the end.
    """
    errors: list[RowError] = []
    if not any(brings_token(row) or brings_pair(row) for row in rows):
        return rows, errors
    stored = {subdomain: _stored_marks(account) for subdomain, account in existing.accounts.items()}
    while shared := _shared_tokens(rows, stored):  # a row that is dropped leaves its account what it has
        errors += shared
        dropped = {error.line for error in shared}
        rows = [row for row in rows if row.line not in dropped]
    return rows, errors


def owners_of(token: str, *, besides: Account) -> list[str]:
    """Returns the subdomains of other accounts that have this token, or whose token or number it names."""
    marks = {(TOKEN, token), *_claimed(token)}
    others = (account for account in Existing().accounts.values() if account.pk != besides.pk)
    return [account.subdomain for account in others if not marks.isdisjoint(_stored_marks(account))]


def _shared_tokens(rows: list[AccountRow], stored: dict[str, set[Mark]]) -> list[RowError]:
    """Returns the rows whose token another account has, or gets."""
    new: dict[str, set[Mark]] = {}
    for row in rows:
        if brings_token(row):
            token = row.given["token"]
            new[row.subdomain] = {(TOKEN, token), *_claimed(token), *_number(row.account)}
        elif brings_pair(row):
            token = row.given["refresh_token"]
            new[row.subdomain] = {(REFRESH_TOKEN, hash_of(token)), *_claimed(token), *_number(row.account)}
    owners: dict[Mark, list[str]] = defaultdict(list)
    for subdomain, marks in (stored | new).items():
        for mark in marks:
            owners[mark].append(subdomain)
    lines = {row.subdomain: row.line for row in rows if row.subdomain in new}
    errors = []
    for subdomain, line in lines.items():
        for kind, value in sorted(new[subdomain]):
            others = [other for other in owners[kind, value] if other != subdomain]
            if others:
                errors.append(RowError(line, _describe_conflict(kind, value, others, lines)))
                break
    return errors


def _stored_marks(account: Account) -> set[Mark]:
    """Returns what belongs to a stored account alone: its tokens, as far as a key opens them, and its number."""
    marks = _number(account)
    if token := token_of(account):
        marks |= {(TOKEN, token), *_claimed(token)}
    if refresh_token := refresh_token_of(account):
        marks.add((REFRESH_TOKEN, hash_of(refresh_token)))
    if imported := getattr(account, "imported_hash", None):
        marks.add((REFRESH_TOKEN, imported))
    return marks


def _number(account: Account | None) -> set[Mark]:
    return {(KOMMO_ACCOUNT, str(account.kommo_id))} if account is not None and account.kommo_id else set()


def _claimed(token: str) -> set[Mark]:
    """Returns the number of the account that a token says it is of."""
    claimed = claimed_account(token)
    return set() if claimed is None else {(KOMMO_ACCOUNT, str(claimed))}


def _describe_conflict(kind: str, value: str, others: list[str], lines: dict[str, int]) -> str:
    """Returns the message of a row whose mark `others` have too; `lines` are those of the file, by subdomain."""
    named = [
        _("%(subdomain)s (line %(line)d)") % {"subdomain": other, "line": lines[other]} if other in lines else other
        for other in others
    ]
    facts = {"column": kind, "number": value, "others": ", ".join(named[:5]) + (", …" if len(named) > 5 else "")}
    if kind == KOMMO_ACCOUNT:
        text = _("This token is for Kommo account %(number)s, like that of %(others)s: copy each account's own token.")
        return text % facts
    return _("%(others)s has the same %(column)s: copy each account's own.") % facts
