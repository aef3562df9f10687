"""Finds an account whose subdomain was changed in Kommo again, by its tokens (docs/kommo.md 1.6)."""

import re
from functools import partial

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_noop

from accounts import conf
from accounts.kommo import oauth
from accounts.kommo.errors import NotFound
from accounts.kommo.identity import claimed_account
from accounts.kommo.oauth import Place
from accounts.kommo.tokens import NewAddress
from accounts.kommo.transport import Transport
from accounts.models import SUBDOMAIN_PATTERN, Account
from accounts.services import events
from accounts.services.credentials import database_thread

TAKEN = gettext_noop("Correct the subdomains of the two entries, or delete the one that is old.")


class Locator:
    """Asks Kommo where an account is now, and moves its entry there; for one account, without its own database."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account_id = account.pk
        self._kommo_id = account.kommo_id
        self._subdomain = account.subdomain
        self._transport = transport

    def find(self, access_token: str, refresh_token: str = "") -> NewAddress | None:
        """Returns the account's new address; None when Kommo does not tell, or tells of another account.

        Raises NotFound when another entry has the new subdomain: a person has to say which is which.
        """
        # Those first that the tokens themselves name. No other host than the template's is asked.
        questions: list[oauth.Question] = []
        domain = oauth.api_domain(access_token)
        if refresh_token and re.match(SUBDOMAIN_PATTERN, domain):
            address = conf.url_for(domain)
            questions.append(partial(oauth.place_by_refresh_token, self._transport, address, refresh_token))
        if access_token:
            address = conf.common_address()
            questions.append(partial(oauth.place_by_access_token, self._transport, address, access_token))
        place = oauth.first_place(*questions)
        expected = self._kommo_id or claimed_account(access_token)
        if place is None or place.account_id != expected or place.subdomain == self._subdomain:
            return None
        if not re.match(SUBDOMAIN_PATTERN, place.subdomain):
            return None
        if database_thread.run(Account.objects.filter(subdomain=place.subdomain).exclude(pk=self._account_id).exists):
            detail = gettext_noop("it is %(new)s now, which another entry here has") % {"new": place.subdomain}
            raise NotFound(detail, no_account=True, account=self._subdomain, remedy=TAKEN)
        return NewAddress(conf.url_for(place.subdomain), partial(self._store, place))

    def _store(self, place: Place) -> None:
        database_thread.run(partial(move, self._account_id, self._subdomain, place))
        self._subdomain = place.subdomain


def move(account_id: int, old: str, place: Place) -> bool:
    """Gives the account its new subdomain, with a note; False when another entry has it, or it changed meanwhile."""
    entries = Account.objects.filter(pk=account_id)
    if entries.filter(subdomain=place.subdomain).exists():
        return True  # somebody else has found it, too
    try:
        with transaction.atomic():
            if not entries.filter(subdomain=old).update(subdomain=place.subdomain):
                return False
    except IntegrityError:
        return False
    events.note_renamed(account_id, place.subdomain, old)
    return True
