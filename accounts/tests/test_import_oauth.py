"""OAuth columns of an import: integrations, refresh tokens, and what is never put back."""

import io

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.kommo.oauth import Place, Tokens
from accounts.models import Account, Integration, TokenPair
from accounts.services.credentials import token_pairs
from accounts.services.credentials.clients import client_for
from accounts.services.credentials.relocation import move
from accounts.services.credentials.token_sources import CredentialProblem
from accounts.services.importing import ImportReport, import_accounts, preview_table
from accounts.services.tables.table import read_table
from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
HEADER = "subdomain,client_id,client_secret,refresh_token,redirect_uri\n"
URI = "https://sync.example/cb"
NORTH = f"{HEADER}north,uuid-1,secret-1,refresh-1,{URI}\n"


def load(text: str) -> ImportReport:
    return import_accounts(io.BytesIO(text.encode()))


def counts(report: ImportReport) -> tuple[int, int, int, list[int]]:
    return report.created, report.updated, report.unchanged, [error.line for error in report.errors]


def notes(report: ImportReport) -> list[tuple[int, str]]:
    return [(line, message) for line, message in report.all_notes]


# -- integrations --


def test_a_row_makes_its_integration_and_connects_its_account() -> None:
    assert counts(load(NORTH)) == (1, 0, 0, [])
    account = Account.objects.get()
    assert account.credential_kind == Account.CredentialKind.OAUTH
    integration = account.integration
    assert (integration.client_id, integration.client_secret, integration.redirect_uri) == ("uuid-1", "secret-1", URI)
    assert (integration.name, integration.is_public) == ("north uuid-1", False)
    assert (account.pair.refresh_token, account.pair.integration) == ("refresh-1", integration)


def test_the_same_file_again_changes_nothing() -> None:
    load(NORTH)
    assert counts(load(NORTH)) == (0, 0, 1, [])
    assert TokenPair.objects.get().generation == 1


def test_many_accounts_share_a_public_integration_that_one_row_describes() -> None:
    rows = f"north,uuid-1,,,\nsouth,uuid-1,secret-1,,{URI}\neast,uuid-1,,refresh-3,\n"
    report = load(HEADER + rows)
    assert counts(report) == (3, 0, 0, [])
    integration = Integration.objects.get()
    assert (integration.is_public, integration.accounts.count()) == (True, 3)
    assert "3 accounts" in notes(report)[0][1]


def test_a_second_account_makes_a_private_integration_public_and_that_is_said() -> None:
    load(NORTH)
    report = load("subdomain,client_id\nsouth,uuid-1\n")
    assert counts(report) == (1, 0, 0, [])
    assert Integration.objects.get().is_public
    assert "public" in notes(report)[0][1]


def test_two_integrations_never_get_the_same_name() -> None:
    Integration.objects.create(name="north abcdefgh", client_id="other", redirect_uri=URI)
    load(f"{HEADER}north,abcdefgh-1,secret-1,,{URI}\n")
    assert Integration.objects.get(client_id="abcdefgh-1").name == "north abcdefgh (2)"


def test_a_new_secret_and_address_update_the_integration_once_and_revive_its_pairs() -> None:
    load(NORTH)
    TokenPair.objects.update(ended_at="2026-01-01T00:00Z", failure={"code": "x"})
    report = load(f"{HEADER}north,uuid-1,secret-2,,{URI}/2\nsouth,uuid-1,secret-2,,{URI}/2\n")
    assert counts(report) == (1, 1, 0, [])
    integration = Integration.objects.get()
    assert (integration.client_secret, integration.redirect_uri) == ("secret-2", f"{URI}/2")
    assert TokenPair.objects.get().ended_at is None


def test_without_a_client_id_the_rest_belongs_to_the_integration_that_the_account_has() -> None:
    load(NORTH)
    assert counts(load("subdomain,client_secret\nnorth,secret-2\n")) == (0, 1, 0, [])
    assert Integration.objects.get().client_secret == "secret-2"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("north,uuid-9,,refresh-1,", "fill in client_secret, redirect_uri."),
        (f"north,uuid-9,,refresh-1,{URI}", "fill in client_secret."),
        ("north,uuid-9,secret-9,,", "fill in redirect_uri."),
        ("north,,,refresh-1,", "client_id is missing"),
        (f"north,,secret-9,,{URI}", "client_id is missing"),
        ("north,uuid-9,secret-9,,no address", "redirect_uri: Enter a valid URL"),
        (f"north,{'u' * 65},secret-9,,{URI}", "client_id: Ensure this value has at most 64"),
        (f"north,two words,secret-9,,{URI}", "client_id has"),
        (f"north,uuid-9,two words,,{URI}", "client_secret has"),
        (f"north,uuid-1,secret-other,,{URI}", "Line 2 has another client_secret"),
    ],
)
def test_a_row_that_says_too_little_or_nonsense_is_named_with_what_is_wrong(row, says) -> None:
    report = load(f"{HEADER}south,uuid-1,secret-1,,{URI}\n{row}\n")
    assert counts(report) == (1, 0, 0, [3])
    assert says in report.errors[0].message
    assert "secret-" not in report.errors[0].message


def test_a_bad_row_makes_no_integration_public() -> None:
    load(f"subdomain,role,client_id,client_secret,redirect_uri\nnorth,,uuid-1,secret-1,{URI}\nsouth,boss,uuid-1,,\n")
    assert not Integration.objects.get().is_public


def test_a_row_that_the_database_refuses_leaves_its_integration_to_the_next(monkeypatch) -> None:
    stored = Account.save

    def save(account: Account, *args, **kwargs) -> None:
        if account.subdomain == "north":
            Account.objects.bulk_create([AccountFactory.build(subdomain="north", group=account.group)])
        stored(account, *args, **kwargs)

    monkeypatch.setattr(Account, "save", save)
    assert counts(load(f"{NORTH}south,uuid-1,,refresh-2,\n")) == (1, 0, 0, [2])
    assert Account.objects.get().integration.client_secret == "secret-1"


# -- refresh tokens --


def test_a_refresh_token_that_was_rotated_since_is_not_put_back() -> None:
    load(NORTH)
    account = Account.objects.get()
    token_pairs.store(account, account.integration, Tokens("access-2", "refresh-2", 86400))
    assert counts(load(NORTH)) == (0, 0, 1, [])
    pair = TokenPair.objects.get()
    assert (pair.refresh_token, pair.access_token) == ("refresh-2", "access-2")


def test_another_refresh_token_takes_the_place_of_the_stored_pair_and_asks_for_a_new_check() -> None:
    load(NORTH)
    Account.objects.update(health=Account.Health.RECONNECT, paused=True)
    assert counts(load(NORTH.replace("refresh-1", "refresh-9"))) == (0, 1, 0, [])
    account = Account.objects.get()
    assert (account.pair.refresh_token, account.pair.generation) == ("refresh-9", 2)
    assert (account.health, account.paused) == (Account.Health.UNKNOWN, True)
    assert account.token_expires_at is not None


def test_a_refresh_token_makes_an_account_with_a_long_lived_token_one_of_oauth() -> None:
    AccountFactory(subdomain="north")
    assert counts(load(NORTH)) == (0, 1, 0, [])
    assert Account.objects.get().uses_oauth


def test_of_both_kinds_in_one_row_the_long_lived_token_is_used_and_that_is_said() -> None:
    text = NORTH.replace("subdomain,", "subdomain,token,").replace("north,", "north,token-1,")
    report = load(text)
    assert not Account.objects.get().uses_oauth
    assert not TokenPair.objects.exists()
    assert "long-lived token is used" in notes(report)[0][1]
    assert counts(load(text)) == (0, 0, 1, [])


def test_a_long_lived_token_ends_the_pair_that_was_there() -> None:
    load(NORTH)
    load("subdomain,token\nnorth,token-1\n")
    account = Account.objects.get()
    assert (account.uses_oauth, account.pair.refresh_token) == (False, "")
    assert counts(load(NORTH)) == (0, 0, 1, [])


def test_a_file_with_the_old_token_does_not_undo_a_consent() -> None:
    load("subdomain,token\nnorth,token-1\n")
    load(NORTH)
    load("subdomain,token\nnorth,token-1\n")
    assert Account.objects.get().uses_oauth


# -- what is trimmed is said --


@pytest.mark.parametrize("cell", [" secret-1", "secret-1 ", '" secret-1 "', "\u00a0secret-1"])
def test_spaces_around_a_secret_are_removed_and_that_is_said(cell) -> None:
    report = load(f"{HEADER}north,uuid-1,{cell},,{URI}\n")
    assert counts(report) == (1, 0, 0, [])
    assert notes(report) == [(2, "Spaces around client_secret were removed.")]
    assert Integration.objects.get().client_secret == "secret-1"


def test_the_command_says_what_was_trimmed_and_ends_well(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}north , uuid-1, secret-1,,{URI}\n")
    out = io.StringIO()
    call_command("import_accounts", str(tmp_path / "a.csv"), stdout=out, stderr=io.StringIO())
    assert "line 2: Spaces around subdomain, client_id, client_secret were removed." in out.getvalue()
    assert "secret-1" not in out.getvalue()


# -- the rest --


def test_an_administrators_address_is_kept_and_checked() -> None:
    report = load("subdomain,email\nnorth,boss@north.example\nsouth,no address\n")
    assert counts(report) == (1, 0, 0, [3])
    assert report.errors[0].message == "email: Enter a valid email address."
    assert Account.objects.get().contact_email == "boss@north.example"


def test_an_import_writes_only_what_it_changes() -> None:
    """A check or a run may write the account's health beside it."""
    load(NORTH)
    with CaptureQueriesContext(connection) as queries:
        load("subdomain,name\nnorth,North\n")
    (update,) = [query["sql"] for query in queries if query["sql"].startswith("UPDATE")]
    assert update.startswith('UPDATE "accounts_account" SET "name" = \'North\' WHERE')


# -- what happened to accounts since --


@pytest.mark.django_db(transaction=True)
def test_an_account_that_only_has_an_integration_waits_for_its_consent() -> None:
    load(NORTH)
    load("subdomain,client_id\nsouth,uuid-1\n")
    south = Account.objects.get(subdomain="south")
    assert south.credential_kind == Account.CredentialKind.OAUTH
    with pytest.raises(CredentialProblem) as problem, client_for(south) as client:
        client.get("/account")
    assert "Connect" in problem.value.remedy


def test_a_token_that_takes_the_place_of_a_consent_is_told_before_and_kept_as_an_event() -> None:
    load(NORTH)
    file = "subdomain,token\nnorth,token-of-day\n"
    changes = preview_table(read_table(file.encode()), None).outcomes[0].changes
    assert [change.column for change in changes] == ["token", "refresh_token"]
    load(file)
    account = Account.objects.get()
    assert (account.credential_kind, account.pair.refresh_token) == (Account.CredentialKind.LONG_LIVED, "")
    assert "replaced the OAuth connection" in account.events.get().message


def test_the_old_name_of_a_renamed_account_makes_no_second_entry() -> None:
    load(NORTH)
    account = Account.objects.get()
    assert move(account.pk, "north", Place(7, "north-2"))
    report = load("subdomain,name\nnorth,North\n")
    assert counts(report) == (0, 0, 0, [2])
    assert "north-2" in report.errors[0].message
