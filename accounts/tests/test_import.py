"""`import_accounts`: good rows are kept, every bad one is named by its line."""

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts.fields import WrongEncryptionKey
from accounts.models import Account, SyncGroup
from accounts.refusals import Refusal
from accounts.services.importing import ImportReport, import_accounts
from accounts.tests.factories import AccountFactory, GroupFactory

pytestmark = pytest.mark.django_db
CAST = """subdomain,role,name,token
master,master,Head office,token-of-master
north,slave,North,token-of-north
south,,South,token-of-south
"""


def load(text: str | bytes, group: str | None = None) -> ImportReport:
    return import_accounts(io.BytesIO(text if isinstance(text, bytes) else text.encode()), group)


def counts(report: ImportReport) -> tuple[int, int, int, list[int]]:
    return report.created, report.updated, report.unchanged, [error.line for error in report.errors]


def roles() -> dict[str, str]:
    return dict(Account.objects.values_list("subdomain", "role"))


# -- what goes in --


def test_a_file_makes_the_accounts_and_a_group_when_there_is_none() -> None:
    assert counts(load(CAST)) == (3, 0, 0, [])
    assert roles() == {"master": "master", "north": "slave", "south": "slave"}
    assert SyncGroup.objects.get().name == "Default"
    assert Account.objects.get(subdomain="north").token == "token-of-north"


def test_the_same_file_again_changes_nothing() -> None:
    load(CAST)
    assert counts(load(CAST)) == (0, 0, 3, [])


def test_a_row_updates_the_account_of_its_subdomain_and_an_empty_cell_keeps_what_is_stored() -> None:
    load(CAST)
    Account.objects.update(health=Account.Health.CONNECTED)
    report = load("subdomain,name,token\nnorth,,new-token\nmaster,,\nsouth,Far south,\n")
    assert counts(report) == (0, 2, 1, [])
    north, south = Account.objects.get(subdomain="north"), Account.objects.get(subdomain="south")
    assert (north.name, north.token, north.health) == ("North", "new-token", Account.Health.UNKNOWN)
    assert (south.name, south.token, south.health) == ("Far south", "token-of-south", Account.Health.CONNECTED)
    assert roles()["master"] == "master"


@pytest.mark.parametrize(
    "content",
    [
        b'\xef\xbb\xbfsubdomain;role;name;token\r\nnorth;slave;"O\'Neil; ""N""";tok\r\n',
        b'token\tname\tsubdomain\ntok\t"O\'Neil; ""N"""\tnorth\n',
        b'\n\n Subdomain , NAME , Token \n\n "north" , "O\'Neil; ""N""" , tok \n , , \n\n',
        b'subdomain,name,token\rnorth,"O\'Neil; ""N""",tok\r',
        b'subdomain,name,token,\nhttps://north.kommo.com/,"O\'Neil; ""N""",tok,\n',
    ],
    ids=["bom-semicolon-crlf", "tab-other-order", "spaces-blank-lines", "old-mac", "pasted-url"],
)
def test_files_as_programs_write_them_are_understood(content) -> None:
    assert counts(load(content)) == (1, 0, 0, [])
    account = Account.objects.get()
    assert (account.subdomain, account.name, account.token) == ("north", 'O\'Neil; "N"', "tok")


def test_names_keep_emoji_html_and_rare_line_separators() -> None:
    name = "🏢 <b>São\u2028Paulo</b>"
    load(f"subdomain,name\nnorth,{name}\n")
    assert Account.objects.get().name == name


# -- bad rows --


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",slave,Nobody,tok", "missing"),
        ("no rth,slave,North,tok", "subdomain"),
        ("https://example.com/,slave,North,tok", "subdomain"),
        ("north,boss,North,tok", "boss"),
        (f"north,slave,{'x' * 256},tok", "255"),
        ("north,slave,North\0,tok", "NUL"),
        ("north,slave,North,two words", "token"),
        ("north,slave,North,tök", "token"),
        ("north,slave,North,tok,more", "5 cells"),
        ('north,slave,"North,tok', "quotation mark"),
        ("south,slave,Again,tok", "line 2"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_are_kept(row, says) -> None:
    report = load(f"subdomain,role,name,token\nsouth,slave,South,tok-2\n{row}\neast,slave,East,tok-4\n")
    assert counts(report) == (2, 0, 0, [3])
    assert says in report.errors[0].message
    assert set(roles()) == {"south", "east"}


def test_a_line_that_is_not_utf8_is_named_and_the_others_are_kept() -> None:
    report = load("subdomain,name\nnorth,Norte\nsouth,Sul é\neast,Leste\n".encode("cp1252"))
    assert counts(report) == (2, 0, 0, [3])
    assert "UTF-8" in report.errors[0].message


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    assert counts(load("\n\nsubdomain,role\r\n\r\nnorth,boss\r\n"))[3] == [5]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("subdomain,color,token", "2 ('color')"),
        ("name,token", "subdomain"),
        ("subdomain,name,Name", "same name"),
        ("subdomain,,token", "2 ('')"),
    ],
)
def test_a_wrong_header_is_named_with_the_known_columns(header, says) -> None:
    report = load(f"{header}\nnorth,x,y\n")
    assert [error.line for error in report.errors] == [1]
    assert says in report.errors[0].message
    assert not Account.objects.exists()
    assert not SyncGroup.objects.exists()


@pytest.mark.parametrize("content", [b"", b"\n \n", "subdomain\nnorth\n".encode("utf-16")])
def test_what_is_no_table_is_refused_as_a_whole(content) -> None:
    with pytest.raises(Refusal) as refused:
        load(content)
    assert refused.value.code == "unreadable_file"


def test_no_message_quotes_a_secret() -> None:
    report = load(
        "subdomain,role,token\nnorth,boss,token-of-north\nsouth,slave,token-of-south x\n"
        "token-of-east!,slave,tok\nwest,slave,token-of-west,x\n"
    )
    text = " ".join(error.message for error in report.errors)
    assert len(report.errors) == 4
    assert not any(f"token-of-{name}" in text for name in ("north", "south", "west"))


@pytest.mark.parametrize(
    "content",
    [
        "north,slave,North,eyJ0eXAi.{secret}\n",
        "subdomain,role,token\neyJ0eXAi.{secret},slave,north\n",
        "subdomain,role,token\nnorth,eyJ0eXAi.{secret},slave\n",
    ],
    ids=["no-header", "token-as-subdomain", "token-as-role"],
)
def test_a_shifted_column_does_not_bring_a_secret_into_a_message(content) -> None:
    report = load(content.format(secret="token-of-north" * 5))
    (error,) = report.errors
    assert "***" in error.message
    assert "eyj0" not in error.message.lower()


# -- one master, one group --


def test_a_second_master_in_the_file_is_refused() -> None:
    report = load(CAST + "west,MASTER,West,tok\n")
    assert counts(report) == (3, 0, 0, [5])
    assert "line 2" in report.errors[0].message


def test_a_second_master_beside_the_stored_one_is_refused_and_named() -> None:
    load(CAST)
    report = load("subdomain,role\nwest,master\n")
    assert counts(report) == (0, 0, 0, [2])
    assert "master" in report.errors[0].message
    assert roles()["master"] == "master"


@pytest.mark.parametrize("lines", [("north,master", "master,slave"), ("master,slave", "north,master")])
def test_the_master_may_change_within_one_file_in_any_order(lines) -> None:
    load(CAST)
    assert counts(load("subdomain,role\n" + "\n".join(lines))) == (0, 2, 0, [])
    assert roles() == {"master": "slave", "north": "master", "south": "slave"}


def test_the_only_master_cannot_be_taken_away() -> None:
    load(CAST)
    assert counts(load("subdomain,role\nmaster,slave\n")) == (0, 0, 0, [2])
    assert roles()["master"] == "master"


def test_an_account_of_another_group_is_refused_and_stays_there() -> None:
    AccountFactory(subdomain="north", group=GroupFactory(name="Franchise"))
    report = load("subdomain\nnorth\nsouth\n", "Branches")
    assert counts(report) == (1, 0, 0, [2])
    assert "Franchise" in report.errors[0].message
    assert Account.objects.get(subdomain="north").group.name == "Franchise"


def test_a_named_group_is_made_once() -> None:
    load(CAST, "Branches")
    load("subdomain\neast\n", " Branches ")
    assert SyncGroup.objects.get().accounts.count() == 4


def test_of_several_groups_one_must_be_named() -> None:
    GroupFactory(name="Branches")
    GroupFactory(name="Franchise")
    with pytest.raises(Refusal, match="Branches, Franchise"):
        load(CAST)


@pytest.mark.parametrize("name", [" ", "x" * 121])
def test_a_group_name_that_cannot_be_is_refused(name) -> None:
    with pytest.raises(Refusal, match="Group"):
        load(CAST, name)


def test_after_a_lost_key_an_import_stores_the_tokens_anew(settings) -> None:
    load(CAST)
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert counts(load(CAST.replace("south,,South,token-of-south\n", ""))) == (0, 2, 0, [])
    assert Account.objects.get(subdomain="north").token == "token-of-north"
    with pytest.raises(WrongEncryptionKey):
        _ = Account.objects.get(subdomain="south").token


def test_a_secret_that_no_key_opens_stays_where_the_file_brings_no_other(settings) -> None:
    load(CAST)
    key = settings.FIELD_ENCRYPTION_KEYS
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert counts(load("subdomain,name,token\nnorth,Far north,\nsouth,South,\n")) == (0, 1, 1, [])
    settings.FIELD_ENCRYPTION_KEYS = [*settings.FIELD_ENCRYPTION_KEYS, *key]
    north = Account.objects.get(subdomain="north")
    assert (north.name, north.token) == ("Far north", "token-of-north")


def test_a_row_that_the_database_refuses_costs_only_itself(monkeypatch) -> None:
    stored = Account.save

    def save(account: Account, *args, **kwargs) -> None:
        if account.subdomain == "north":
            Account.objects.bulk_create([AccountFactory.build(subdomain="north", group=account.group)])
        stored(account, *args, **kwargs)

    monkeypatch.setattr(Account, "save", save)
    assert counts(load(CAST)) == (2, 0, 0, [3])


def test_a_thousand_rows_take_seconds_not_minutes(django_assert_max_num_queries) -> None:
    rows = "".join(f"n{number},slave,N,{'t' * 1000}{number}\n" for number in range(1000))
    with django_assert_max_num_queries(3100):
        assert load("subdomain,role,name,token\n" + rows).created == 1000


# -- the command --


def run(path, *args: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_accounts", str(path), *args, stdout=out, stderr=err)
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


def test_the_command_prints_counts_and_ends_0(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(CAST)
    code, out, err = run(tmp_path / "a.csv", "--group", "Branches")
    assert (code, err) == (0, "")
    assert "3 created" in out
    assert "token-of" not in out


def test_the_command_names_bad_lines_on_stderr_and_ends_1(tmp_path) -> None:
    (tmp_path / "a.csv").write_text(CAST + "west,boss,West,token-of-west\n")
    code, out, err = run(tmp_path / "a.csv")
    assert code == 1
    assert err.startswith("line 5: ")
    assert "token-of" not in out + err
    assert Account.objects.count() == 3


@pytest.mark.parametrize("make", ["missing", "directory", "empty"])
def test_the_command_ends_2_when_there_is_no_file_to_read(tmp_path, make) -> None:
    path = tmp_path if make == "directory" else tmp_path / "a.csv"
    if make == "empty":
        path.write_text("")
    code, _, err = run(path)
    assert code == 2
    assert err


@pytest.mark.parametrize("content", [b"PK\x03\x04\x9d\xe7\x00", "subdomain,nome do usu\xe1rio\n".encode("latin-1")])
@pytest.mark.django_db
def test_a_file_that_is_no_text_is_said_to_be_none(content: bytes) -> None:
    report = import_accounts(io.BytesIO(content))
    assert [line for line, _ in report.errors] == [1]
    assert "UTF-8" in report.errors[0][1]
