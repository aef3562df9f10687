"""Secrets at rest."""

import io
import json

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from accounts.fields import WrongEncryptionKey
from accounts.kommo.oauth import Tokens
from accounts.models import Account, Integration
from accounts.services.credentials import token_pairs
from accounts.services.keys import rotate, unreadable_secrets
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import REDIRECT

pytestmark = pytest.mark.django_db
OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))


def stored_token(account: Account) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM accounts_account WHERE id = %s", [account.pk])
        return str(cursor.fetchone()[0])


def test_a_token_is_unreadable_in_the_database_and_readable_in_python() -> None:
    account = AccountFactory(subdomain="north")
    assert "north" not in stored_token(account)
    assert Account.objects.get().token == "token-of-north"


def test_an_empty_token_stays_empty_and_can_be_asked_for() -> None:
    account = AccountFactory(token="")
    assert stored_token(account) == ""
    assert list(Account.objects.filter(token="")) == [account]


def test_a_key_that_went_missing_raises_and_names_the_variable(settings) -> None:
    AccountFactory()
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    account = Account.objects.get()
    with pytest.raises(WrongEncryptionKey, match="FIELD_ENCRYPTION_KEYS"):
        _ = account.token


def test_of_many_rows_the_one_that_no_key_opens_costs_only_itself(settings) -> None:
    lost = AccountFactory(subdomain="west")
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    AccountFactory(subdomain="north")
    found = {account.subdomain: account for account in Account.objects.select_related("group")}
    assert found["north"].token == "token-of-north"
    found["west"].name = "West"
    found["west"].save()
    lost.refresh_from_db(fields=["name"])
    assert lost.name == "West"
    assert unreadable_secrets() == (f"accounts.Account {lost.pk}",)


def test_saving_what_was_not_opened_writes_it_back_as_it_lay() -> None:
    account = AccountFactory(subdomain="north")
    before = stored_token(account)
    Account.objects.get().save()
    assert stored_token(account) == before


@pytest.mark.parametrize("keys", [[], ["short"]])
def test_no_key_or_a_malformed_one_refuses_to_store_anything(settings, keys) -> None:
    settings.FIELD_ENCRYPTION_KEYS = keys
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        AccountFactory()


def test_after_rotation_the_old_key_is_no_longer_needed(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    integration = Integration.objects.create(name="i", client_id="i", client_secret="secret", redirect_uri=REDIRECT)
    account = AccountFactory(subdomain="north", integration=integration)
    token_pairs.store(account, integration, Tokens("access", "refresh", 60))
    AccountFactory(token="")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert rotate().rotated == 3
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    found = Account.objects.select_related("integration", "pair").get(pk=account.pk)
    assert (found.token, found.integration.client_secret) == ("token-of-north", "secret")
    assert (found.pair.access_token, found.pair.refresh_token) == ("access", "refresh")


def test_rotation_names_rows_that_no_key_opens_and_goes_on(settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    lost = AccountFactory(subdomain="west")
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    AccountFactory(subdomain="north")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert unreadable_secrets() == (f"accounts.Account {lost.pk}",)
    stderr = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("rotate_keys", stdout=io.StringIO(), stderr=stderr)
    assert ended.value.code == 1
    assert f"accounts.Account {lost.pk}" in stderr.getvalue()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert Account.objects.get(subdomain="north").token == "token-of-north"


def test_a_dump_carries_no_secret_and_can_be_loaded_again(tmp_path) -> None:
    AccountFactory(subdomain="north")
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "accounts", output=str(dump), stdout=io.StringIO())
    assert "token-of-north" not in dump.read_text()
    assert len(json.loads(dump.read_text())) == 2
    Account.objects.all().delete()
    call_command("loaddata", str(dump), verbosity=0)
    assert Account.objects.get().token == "token-of-north"
