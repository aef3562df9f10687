"""What goes wrong when people copy: separators, invisible characters, addresses of elsewhere, tokens of others."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import reverse

from accounts.models import Account, Integration
from accounts.services.importing import ImportReport, import_accounts, preview_table
from accounts.services.tables.table import quoted, read_table
from accounts.simulator.tokens import make_jwt
from accounts.tests.factories import AccountFactory, GroupFactory
from accounts.tests.test_import_admin import look
from accounts.tests.test_import_files import book

pytestmark = pytest.mark.django_db
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u202a\u2069"


def load(content: str | bytes) -> ImportReport:
    return import_accounts(io.BytesIO(content if isinstance(content, bytes) else content.encode()))


def errors(report: ImportReport) -> dict[int, str]:
    return dict(report.errors)


def tokens() -> dict[str, str]:
    return {account.subdomain: account.token for account in Account.objects.all()}


# -- sep= --


@pytest.mark.parametrize(
    ("hint", "delimiter"),
    [
        ("sep=;", ";"),
        ("SEP=,", ","),
        ('"sep=;"', ";"),
        ("\ufeffsep=;", ";"),
        ("sep=;;;;", ";"),
        ("sep=\t", "\t"),
        ("sep=|", "|"),
        ("\n  sep=;", ";"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_that_excel_is_told_is_taken_and_lines_are_counted_with_it(
    hint: str, delimiter: str, end: str
) -> None:
    rows = [["subdomain", "role", "name"], ["north", "slave", '"A, B"'], ["south", "boss", "C"]]
    text = "\n".join([hint, *(delimiter.join(row) for row in rows)])

    report = load(text.replace("\n", end))

    assert Account.objects.get().name == "A, B"
    assert list(errors(report)) == [4 + hint.count("\n")]


def test_the_separator_line_of_a_sheet_that_was_csv_is_no_header() -> None:
    report = load(book(["sep=;"], ["subdomain", "role"], ["north", "slave"], ["south", "boss"]))

    assert (report.created, list(errors(report))) == (1, [4])


def test_an_account_may_be_called_sep() -> None:
    assert load("subdomain\nsep\n").created == 1


# -- invisible characters --


def csv(*rows: list[str]) -> bytes:
    return "\n".join(";".join(row) for row in rows).encode()


@pytest.mark.parametrize("mark", [*INVISIBLE, "\u00a0", "\u202f", "\u3000", "\ufe0f", "\U000e0020"])
@pytest.mark.parametrize("pattern", ["{mark}{cell}", "{cell}{mark}"])
@pytest.mark.parametrize("as_file", [csv, book])
def test_what_nobody_sees_is_no_part_of_headers_subdomains_roles_and_tokens(
    mark: str, pattern: str, as_file: Any
) -> None:
    rows = [["subdomain", "role", "token"], ["north", "master", "token-of-north"]]

    report = load(as_file(*([pattern.format(mark=mark, cell=cell) for cell in row] for row in rows)))

    assert report.errors == []
    account = Account.objects.get()
    assert (account.subdomain, account.role, account.token) == ("north", "master", "token-of-north")
    assert "were removed." in report.all_notes[0].message


@pytest.mark.parametrize("mark", INVISIBLE)
def test_what_nobody_sees_inside_is_removed_and_said(mark: str) -> None:
    report = load(f"sub{mark}domain,ro{mark}le,token,name\nno{mark}rth,sla{mark}ve,token{mark}-of-north,Nor{mark}th\n")

    assert report.errors == []
    assert [note.message for note in report.all_notes] == [
        "Invisible characters in subdomain, role, token were removed."
    ]
    assert tokens() == {"north": "token-of-north"}
    assert Account.objects.get().name == f"Nor{mark}th"  # emoji and some scripts need them


def test_a_name_keeps_the_joiners_of_its_emoji_and_loses_what_is_around_it() -> None:
    load("subdomain,name\nnorth,\ufeff\u200b👨\u200d👩\u200d👧 Família ❤\ufe0f\u200b\u00a0\n")

    assert Account.objects.get().name == "👨\u200d👩\u200d👧 Família ❤\ufe0f"


def test_a_line_of_nothing_visible_is_a_blank_line() -> None:
    report = load(f"{INVISIBLE}\nsubdomain,name\n\u00a0,{INVISIBLE}\nnorth,\n")

    assert (report.created, report.errors) == (1, [])


# -- addresses of elsewhere --


@pytest.mark.parametrize("text", ["north.amocrm.ru", "https://north.amocrm.ru/leads", "filial-sao-paulo-2.amocrm.com"])
def test_an_account_of_elsewhere_is_refused_by_name(text: str) -> None:
    report = load(f"subdomain,name\n{text},North\nsouth.kommo.com,South\n")

    (message,) = errors(report).values()
    assert (
        message == f"'{text}' is not the address of an account here: they are all at https://{{subdomain}}.kommo.com."
    )
    assert [account.subdomain for account in Account.objects.all()] == ["south"]


def test_the_page_of_an_account_refuses_it_as_well(admin_client) -> None:
    sent = {"group": GroupFactory().pk, "role": "slave", "subdomain": "north.amocrm.ru"}
    inline = {"exclusions-TOTAL_FORMS": 0, "exclusions-INITIAL_FORMS": 0}

    answer = admin_client.post(reverse("admin:accounts_account_add"), {**sent, **inline})

    assert "This is not the address of an account here" in answer.content.decode()
    assert not Account.objects.exists()


# -- tokens of others --


def test_one_token_in_two_rows_is_taken_for_neither() -> None:
    report = load("subdomain,token\nnorth,tok\nsouth,tok\neast,another\n")

    assert errors(report) == {
        2: "south (line 3) has the same token: copy each account's own.",
        3: "north (line 2) has the same token: copy each account's own.",
    }
    assert tokens() == {"east": "another"}


@pytest.mark.parametrize("again", ["", "north,tok\n"])
def test_a_token_that_is_stored_for_another_account_is_not_taken(again: str) -> None:
    load("subdomain,token\nnorth,tok\nsouth,old\n")

    report = load(f"subdomain,token\n{again}south,tok\n")

    assert list(errors(report).values()) == ["north has the same token: copy each account's own."]
    assert tokens() == {"north": "tok", "south": "old"}


def test_tokens_that_were_swapped_by_mistake_are_put_right_in_one_file() -> None:
    load("subdomain,token\nnorth,of-south\nsouth,of-north\n")

    report = load("subdomain,token\nnorth,of-north\nsouth,of-south\n")

    assert (report.updated, report.errors) == (2, [])
    assert tokens() == {"north": "of-north", "south": "of-south"}


def test_a_swap_of_which_one_half_is_refused_is_refused_as_a_whole() -> None:
    load("subdomain,role,token\nmaster,master,m\nnorth,,of-south\nsouth,,of-north\n")

    report = load("subdomain,role,token\nnorth,master,of-north\nsouth,slave,of-south\n")

    assert set(errors(report)) == {2, 3}
    assert tokens() == {"master": "m", "north": "of-south", "south": "of-north"}


def test_a_master_whose_token_is_refused_leaves_the_group_its_old_one() -> None:
    load("subdomain,role,token\nmaster,master,m\nnorth,slave,n\n")

    report = load("subdomain,role,token\nmaster,slave,\nnorth,master,x\nsouth,slave,x\n")

    assert set(errors(report)) == {2, 3, 4}
    assert Account.objects.get(role="master").subdomain == "master"


def token_of(account_id: int, serial: int) -> str:
    return make_jwt(account_id=account_id, user_id=1, issued_at=0, expires_at=2**31, serial=serial)


def test_two_tokens_of_one_account_are_told_by_its_number() -> None:
    report = load(f"subdomain,token\nnorth,{token_of(7, 1)}\nsouth,{token_of(7, 2)}\neast,{token_of(8, 1)}\n")

    message = "This token is for Kommo account 7, like that of north (line 2): copy each account's own token."
    assert errors(report)[3] == message
    assert set(errors(report)) == {2, 3}
    assert set(tokens()) == {"east"}


def test_a_token_of_an_account_that_is_known_by_its_number_is_not_taken_for_another() -> None:
    AccountFactory(subdomain="north", kommo_id=7)

    report = load(f"subdomain,token\nsouth,{token_of(7, 1)}\n")

    assert "Kommo account 7, like that of north:" in errors(report)[2]


def test_one_refresh_token_in_two_rows_is_taken_for_neither() -> None:
    header = "subdomain,client_id,client_secret,redirect_uri,refresh_token\n"
    row = "{name},id-1,secret-1,https://sync.example.com/oauth/callback,refresh-1\n"

    report = load(header + row.format(name="north") + row.format(name="south"))

    assert errors(report)[2] == "south (line 3) has the same refresh_token: copy each account's own."
    assert not Account.objects.exists()
    assert not Integration.objects.exists()


def test_the_preview_says_the_same() -> None:
    content = b"subdomain,token\nnorth,tok\nsouth,tok\n"

    assert errors(preview_table(read_table(content))) == errors(load(content))


def test_the_command_and_the_page_say_it(admin_client, tmp_path, capsys) -> None:
    content = b"sep=;\nsubdomain;token\nnorth;tok\nsouth;tok\neast.amocrm.ru;of-east\n"
    file = tmp_path / "accounts.csv"
    file.write_bytes(content)

    with pytest.raises(SystemExit) as ended:
        call_command("import_accounts", str(file))
    page = look(admin_client, content).content.decode()

    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "line 3: south (line 4) has the same token" in said
    assert "line 5: 'east.amocrm.ru' is not the address" in said
    assert "south (line 4) has the same token" in page
    assert "&#x27;east.amocrm.ru&#x27; is not the address" in page


def test_the_page_of_an_account_takes_no_token_of_another(admin_client) -> None:
    load(f"subdomain,token\nnorth,tok\neast,{token_of(7, 1)}\nsouth,own\n")
    south = Account.objects.get(subdomain="south")
    url = reverse("admin:accounts_account_change", args=[south.pk])
    sent = {"group": south.group_id, "role": "slave", "subdomain": "so\u200buth"}
    sent |= {"exclusions-TOTAL_FORMS": 0, "exclusions-INITIAL_FORMS": 0}

    refused = [admin_client.post(url, {**sent, "new_token": token}) for token in ("tok", token_of(7, 2))]
    taken = admin_client.post(url, {**sent, "new_token": "\ufeffo\u200bwn "})

    assert "This token belongs to north: copy this account" in refused[0].content.decode()
    assert "This token belongs to east: copy this account" in refused[1].content.decode()
    assert taken.status_code == 302
    assert tokens()["south"] == "own"


# -- what a message shows --


@pytest.mark.parametrize(
    "text",
    [
        *("north.amocrm.ru", "filial-sao-paulo-centro-2", "Administrador da conta", "São Paulo", "x@example.com"),
        *("token-of-x", "7bbe4da5-6a7b-4b5c-8e0a-0c5f1a2b3c4d"),
    ],
)
def test_a_message_shows_the_text_it_means(text: str) -> None:
    assert quoted(text) == repr(text)


JWT = make_jwt(account_id=7, user_id=1, issued_at=0, expires_at=2**31, serial=1)


@pytest.mark.parametrize(
    "text",
    [
        *(JWT, JWT.lower(), JWT.rpartition(".")[2], f"north {JWT}"),
        *("def50200" + "0a1b2c3d" * 40, "Qx7" * 21, "q" * 64, "https://north.kommo.com/?token=" + "a1" * 20),
    ],
)
def test_a_message_never_shows_what_may_be_a_token(text: str) -> None:
    assert quoted(text) == "***"


def test_an_endless_text_is_cut() -> None:
    assert len(quoted("no such group " * 100)) < 100


@pytest.mark.parametrize(
    "line",
    [
        "subdomain,token,name\nnorth,,eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln",
        f"subdomain,name\nnorth,{'a1' * 32}",
        f"subdomain,client_id,client_secret,redirect_uri\nnorth,{'a1' * 32},{'0b' * 16},https://x.example/back",
    ],
    ids=["token as name", "secret as name", "secret as client_id"],
)
def test_a_secret_in_a_column_that_is_shown_is_not_stored(line: str) -> None:
    report = load(line)

    assert "looks like a token or a secret" in errors(report)[2]
    assert Account.objects.count() + Integration.objects.count() == 0


@pytest.mark.parametrize("client_id", ["3f2a8c1e-5b7d-4e90-a1b2-c3d4e5f60718", "uuid-1"])
def test_an_integration_id_and_a_long_name_are_no_secrets(client_id: str) -> None:
    name = "Donaudampfschifffahrtsgesellschaft 2026, Filial São Paulo"

    load(f'subdomain,name,client_id,client_secret,redirect_uri\nnorth,"{name}",{client_id},s,https://x.example/back')

    assert (Account.objects.get().name, Integration.objects.get().client_id) == (name, client_id)
