"""An account whose subdomain was changed in Kommo is found again by its tokens (kommo-api.md section 1.6)."""

import re
from functools import partial

from django.db import IntegrityError, transaction

from accounts import conf
from accounts.kommo import oauth, quirks
from accounts.kommo.oauth import Place
from accounts.kommo.transport import Transport
from accounts.models import SUBDOMAIN_PATTERN, Account
from accounts.services import events
from accounts.services.credentials import desk


class Locator:
    """Asks Kommo where an account is now, and moves its entry there; for one account, without its own database."""

    def __init__(self, account: Account, transport: Transport) -> None:
        self._account_id = account.pk
        self._kommo_id = account.kommo_id
        self._subdomain = account.subdomain
        self._transport = transport

    def find(self, access_token: str, refresh_token: str = "") -> str | None:
        """The account's new address, stored already; None when Kommo does not tell, or tells of another account."""
        place = oauth.first_place(*self._questions(access_token, refresh_token))
        expected = self._kommo_id or quirks.jwt_claims(access_token).get("account_id")
        if place is None or place.account_id != expected or place.subdomain == self._subdomain:
            return None
        if not re.match(SUBDOMAIN_PATTERN, place.subdomain):
            return None
        if not desk.do(partial(move, self._account_id, self._subdomain, place)):
            return None
        self._subdomain = place.subdomain
        return conf.url_for(place.subdomain)

    def _questions(self, access_token: str, refresh_token: str) -> list[oauth.Question]:
        """The ways to ask, those first that the tokens themselves name. No other host than the template's is asked."""
        domain = oauth.api_domain(access_token)
        questions: list[oauth.Question] = []
        if refresh_token and re.match(SUBDOMAIN_PATTERN, domain):
            address = conf.url_for(domain)
            questions.append(partial(oauth.place_by_refresh_token, self._transport, address, refresh_token))
        if access_token:
            address = conf.common_address()
            questions.append(partial(oauth.place_by_access_token, self._transport, address, access_token))
        return questions


def move(account_id: int, old: str, place: Place) -> bool:
    """Gives the account its new subdomain, with a note; False when another entry has it, or it changed meanwhile."""
    try:
        with transaction.atomic():
            if not Account.objects.filter(pk=account_id, subdomain=old).update(subdomain=place.subdomain):
                return False
    except IntegrityError:
        return False
    events.renamed(account_id, place.subdomain, old)
    return True
