"""Disconnects an account when Kommo says, by a signed GET, that the integration was removed (docs/kommo.md 1.8)."""

import hashlib
import hmac

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.kommo.texts import storable_id
from accounts.models import Account, AccountEvent, Integration
from accounts.services import events
from accounts.services.credentials import token_pairs

REMOVED = gettext_noop("The integration %(name)s was removed from the account in Kommo.")
CONNECT_AGAIN = gettext_noop("Connect it again.")


def disable(client_id: str, account_id: str, signature: str) -> bool:
    """Marks the account as disconnected and forgets its tokens; False when the signature is not the integration's.

    An account that is not here, or has another integration by now, is left alone.
    """
    integration = Integration.objects.filter(client_id=client_id).first()
    secret = integration.client_secret if integration else ""
    expected = hmac.new(secret.encode(), f"{client_id}|{account_id}".encode(), hashlib.sha256).hexdigest()
    signed = hmac.compare_digest(expected.encode(), signature.strip().lower().encode())
    if integration is None or not secret or not signed:
        return False
    kommo_id = storable_id(account_id)
    if kommo_id is None:
        return True
    ours = Q(pair__integration=integration) | Q(pair=None, integration=integration)
    connected = Account.objects.filter(ours, kommo_id=kommo_id)
    account = connected.exclude(health=Account.Health.DISCONNECTED).only("pk", "credential_kind").first()
    if account is None:
        return True
    message = REMOVED % {"name": integration}
    if account.uses_oauth:
        token_pairs.forget(account.pk)
    Account.objects.filter(pk=account.pk).update(
        health=Account.Health.DISCONNECTED,
        health_reason=events.with_remedy(message, CONNECT_AGAIN),
        checked_at=timezone.now(),
    )
    events.note(account.pk, AccountEvent.Code.DISCONNECTED, message)
    return True
