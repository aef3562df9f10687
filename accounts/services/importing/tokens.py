"""Which tokens rows bring, and that none is stored for two accounts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _

from accounts.kommo.quirks import jwt_claims
from accounts.models import Account
from accounts.services.importing.stored import Stored, hash_of, refresh_token_of, token_of
from accounts.services.importing.values import Entry
from accounts.services.tables.table import RowError

TOKEN, REFRESH_TOKEN, KOMMO_ACCOUNT = "token", "refresh_token", "account_id"
Mark = tuple[str, str]  # which of these, and its value


def brings_pair(entry: Entry) -> bool:
    """True when the row's refresh token is to be stored: it is neither the stored one nor one that was rotated since.

    A long-lived token beside it wins: it does not have to be kept alive.
    """
    token, account = entry.given.get("refresh_token"), entry.account
    if not token or "token" in entry.given:
        return False
    if account is None:
        return True
    return getattr(account, "imported_hash", None) != hash_of(token) and refresh_token_of(account) != token


def brings_token(entry: Entry) -> bool:
    token, account = entry.given.get("token"), entry.account
    return bool(token) and (account is None or token_of(account) != token)


def with_own_tokens(entries: list[Entry], stored: Stored) -> tuple[list[Entry], list[RowError]]:
    """Drops the rows that bring the token of another account, as it would be when all of them are stored.

    Nobody can tell whose a token in two rows is, so neither is taken. Tokens that trade places are told apart: what
    counts is what every account has in the end.
    """
    errors: list[RowError] = []
    if not any(brings_token(entry) or brings_pair(entry) for entry in entries):
        return entries, errors
    kept = {subdomain: set(_stored_marks(account)) for subdomain, account in stored.accounts.items()}
    while True:
        found = _shared(entries, kept)
        if not found:
            return entries, errors
        errors += found
        dropped = {error.line for error in found}
        entries = [entry for entry in entries if entry.line not in dropped]


def owners_of(token: str, *, besides: Account) -> list[str]:
    """The subdomains of other accounts that have this token, or whose token or number it names."""
    marks = {(TOKEN, token), *_claimed(token)}
    others = (account for account in Stored().accounts.values() if account.pk != besides.pk)
    return [account.subdomain for account in others if not marks.isdisjoint(_stored_marks(account))]


def _shared(entries: Iterable[Entry], kept: dict[str, set[Mark]]) -> list[RowError]:
    """The rows whose token somebody else has, or gets."""
    new = {entry.subdomain: set(_new_marks(entry)) for entry in entries if brings_token(entry) or brings_pair(entry)}
    lines = {entry.subdomain: entry.line for entry in entries if entry.subdomain in new}
    owners: dict[Mark, list[str]] = defaultdict(list)
    for subdomain, marks in (kept | new).items():
        for mark in marks:
            owners[mark].append(subdomain)
    errors = []
    for subdomain, line in lines.items():
        for kind, value in sorted(new[subdomain]):
            others = [other for other in owners[kind, value] if other != subdomain]
            if others:
                errors.append(RowError(line, _told(kind, value, _named(others, lines))))
                break
    return errors


def _new_marks(entry: Entry) -> Iterator[Mark]:
    if brings_token(entry):
        yield TOKEN, entry.given["token"]
        yield from _claimed(entry.given["token"])
    else:
        yield REFRESH_TOKEN, hash_of(entry.given["refresh_token"])
        yield from _claimed(entry.given["refresh_token"])
    if entry.account is not None and entry.account.kommo_id:
        yield KOMMO_ACCOUNT, str(entry.account.kommo_id)


def _stored_marks(account: Account) -> Iterator[Mark]:
    token, refresh_token = token_of(account), refresh_token_of(account)
    if token:
        yield TOKEN, token
        yield from _claimed(token)
    if refresh_token:
        yield REFRESH_TOKEN, hash_of(refresh_token)
    if imported := getattr(account, "imported_hash", None):
        yield REFRESH_TOKEN, imported
    if account.kommo_id:
        yield KOMMO_ACCOUNT, str(account.kommo_id)


def _claimed(token: str) -> Iterator[Mark]:
    """The number of the account that a token says it is of."""
    claimed = jwt_claims(token).get("account_id")
    if isinstance(claimed, int) and not isinstance(claimed, bool):
        yield KOMMO_ACCOUNT, str(claimed)


def _named(others: Iterable[str], lines: dict[str, int]) -> str:
    rows = [
        _("%(subdomain)s (line %(line)d)") % {"subdomain": other, "line": lines[other]} if other in lines else other
        for other in others
    ]
    return ", ".join(rows[:5]) + (", …" if len(rows) > 5 else "")


def _told(kind: str, value: str, others: str) -> str:
    facts = {"column": kind, "number": value, "others": others}
    if kind == KOMMO_ACCOUNT:
        text = _("This token is for Kommo account %(number)s, like that of %(others)s: copy each account's own token.")
        return text % facts
    return _("%(others)s has the same %(column)s: copy each account's own.") % facts
