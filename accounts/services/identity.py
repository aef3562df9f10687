"""Compares the account that answered with the entry that is meant, and remembers its id at the first contact."""

from django.db import IntegrityError, transaction

from accounts.models import Account


def is_expected(account: Account, kommo_id: int, subdomain: str) -> bool:
    """Tells if the account that answered is the entry's: by its id, whatever it is called by now.

    Only one that was never met is compared by its subdomain.
    """
    return subdomain == account.subdomain if account.kommo_id is None else kommo_id == account.kommo_id


def other_entry(account: Account, kommo_id: int) -> Account | None:
    """Returns the other entry of ours that is this account of Kommo."""
    return Account.objects.filter(kommo_id=kommo_id).exclude(pk=account.pk).only("subdomain").first()


def remember_identity(account_id: int, kommo_id: int) -> bool:
    """Stores whose account answered, the first time; False when another id is stored, or another entry has this one."""
    entries = Account.objects.filter(pk=account_id)
    if entries.filter(kommo_id=kommo_id).exists():
        return True
    try:
        with transaction.atomic():
            return entries.filter(kommo_id=None).update(kommo_id=kommo_id) == 1
    except IntegrityError:
        return False
