"""Files as Excel and people make them: what is understood, and what is named as no text, no table or no file."""

import io
import os
import random
import time
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from accounts.models import Account
from accounts.refusals import Refusal
from accounts.services.importing import ImportReport, import_accounts, preview_table
from accounts.services.tables.table import read_table
from accounts.tests.factories import AccountFactory, GroupFactory

pytestmark = pytest.mark.django_db
HEADER = ["subdomain", "role", "name", "token"]


def book(*rows: list[Any], **more: list[list[Any]]) -> bytes:
    """A workbook whose first sheet has these rows; `more` are further sheets by name."""
    made = Workbook()
    for row in rows:
        made.active.append(row)
    for name, lines in more.items():
        sheet = made.create_sheet(name)
        for line in lines:
            sheet.append(line)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def load(content: bytes) -> ImportReport:
    return import_accounts(io.BytesIO(content))


def counts(report: ImportReport) -> tuple[int, int, int, list[int]]:
    return report.created, report.updated, report.unchanged, [error.line for error in report.errors]


# -- XLSX --


def test_a_workbook_is_read_like_a_csv_file() -> None:
    content = book(HEADER, ["master", "MASTER", "Head office", "tok"], [], ["north", None, "Nörth 🏢", " tok-2 "])
    report = load(content)
    assert counts(report) == (2, 0, 0, [])
    assert [tuple(note) for note in report.all_notes] == [(4, "Spaces around token were removed.")]
    assert Account.objects.get(subdomain="north").token == "tok-2"
    assert counts(load(content)) == (0, 0, 2, [])


def test_numbers_are_taken_as_they_were_typed() -> None:
    assert counts(load(book(HEADER, [1234567, "slave", 123.0, 42], ["n2", None, 1.5, True]))) == (2, 0, 0, [])
    accounts = {account.subdomain: (account.name, account.token) for account in Account.objects.all()}
    assert accounts == {"1234567": ("123", "42"), "n2": ("1.5", "True")}


@pytest.mark.parametrize("at", [0, 2, 3], ids=["subdomain", "name", "token"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (datetime(2026, 3, 1), "a date"),
        (date(2026, 3, 1), "a date"),
        ("=1+1", "a formula"),
        ("=HYPERLINK(A1)", "a formula"),
        ("#REF!", "an error"),
        (12345678901234567890, "15 digits"),
        ("two\nlines", "line break"),
    ],
)
def test_a_cell_of_which_excel_made_something_else_costs_its_row_and_names_its_column(at, value, says) -> None:
    row: list[Any] = ["north", "slave", "North", "tok"]
    row[at] = value
    report = load(book(HEADER, row, ["south", "slave", "South", "tok"]))
    assert counts(report) == (1, 0, 0, [2])
    assert report.errors[0].message.startswith(HEADER[at])
    assert says in report.errors[0].message


def test_of_several_sheets_the_first_counts_and_that_is_said() -> None:
    report = load(book(HEADER, ["north"], Old=[["subdomain"], ["south"]]))
    assert counts(report) == (1, 0, 0, [])
    assert report.notes == ("The file has 2 sheets; only the first one, Sheet, was read.",)


def test_a_first_sheet_of_something_else_is_told_with_its_name() -> None:
    report = load(book(["Hello"], Accounts=[HEADER, ["north"]]))
    assert "Unknown columns: 1 ('hello')" in report.errors[0].message
    assert "Sheet" in report.notes[0]


def test_cells_beside_the_columns_are_an_error_of_their_line() -> None:
    assert counts(load(book(["subdomain", "name"], ["north", "North", "tok"], ["south"]))) == (1, 0, 0, [2])


@pytest.mark.parametrize("rows", [[], [[], []]])
def test_an_empty_workbook_is_told_to_be_empty(rows) -> None:
    with pytest.raises(Refusal, match="empty"):
        load(book(*rows))


def test_wrong_dimensions_written_by_other_programs_do_not_cut_the_sheet() -> None:
    parts = dict(_parts(book(HEADER, ["north"], ["south"])))
    sheet = parts["xl/worksheets/sheet1.xml"].replace(b'ref="A1:D3"', b'ref="A1:A1"')
    assert counts(load(_packed({**parts, "xl/worksheets/sheet1.xml": sheet}))) == (2, 0, 0, [])


# -- what is no file of accounts --


@pytest.mark.parametrize(
    "content",
    [
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "subdomain\nnorth\n".encode("utf-16"),
        "subdomain\nnorth\n".encode("utf-16-be"),
    ],
    ids=["xls-or-password", "utf-16", "utf-16-without-mark"],
)
def test_old_excel_and_utf_16_are_named(content) -> None:
    try:
        says = str(load(content).errors[0].message)
    except Refusal as error:
        says = str(error)
    assert any(word in says for word in (".xls ", "UTF-16", "NUL"))
    assert not Account.objects.exists()


def _parts(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _packed(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


GOOD = book(HEADER, ["north", "slave", "North", "tok"])


@pytest.mark.parametrize("lost", [name for name, _ in _parts(GOOD)])
@pytest.mark.parametrize("becomes", [None, b"", b"<no", b"<a/>"], ids=["missing", "empty", "broken", "other"])
def test_a_workbook_that_lacks_a_part_is_read_or_refused_and_never_crashes(lost, becomes) -> None:
    parts = {name: part for name, part in _parts(GOOD) if name != lost}
    content = _packed(parts if becomes is None else {**parts, lost: becomes})
    try:
        table = read_table(content)
    except Refusal:
        return
    assert table.errors or table.rows


def test_a_damaged_workbook_is_read_or_refused_and_never_crashes() -> None:
    chance = random.Random(7)
    for _ in range(300):
        content = bytearray(GOOD)
        for _ in range(chance.randint(1, 30)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            read_table(bytes(content[: chance.choice([len(content), chance.randrange(len(content))])]))
        except Refusal:
            continue


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused() -> None:
    bomb = _packed({**dict(_parts(GOOD)), "xl/sharedStrings.xml": b" " * (31 * 1024 * 1024)})
    assert len(bomb) < 1024 * 1024
    with pytest.raises(Refusal, match="30 MB"):
        read_table(bomb)


@pytest.mark.parametrize("row", ["1048576", "1000000000000000"])
def test_a_sheet_without_an_end_is_refused_at_once(row) -> None:
    far = load_workbook(io.BytesIO(GOOD))
    far.active["A99"] = "south"
    file = io.BytesIO()
    far.save(file)
    parts = dict(_parts(file.getvalue()))
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b'r="99"', f'r="{row}"'.encode()).replace(b'"A99"', f'"A{row}"'.encode())
    with pytest.raises(Refusal, match="below line 100000"):
        read_table(_packed(parts))


def test_a_line_without_an_end_costs_its_row_only() -> None:
    table = read_table(b"subdomain,name\nnorth," + b"x" * 200_000 + b"\nsouth,South\n")
    assert [row.cells["subdomain"] for row in table.rows] == ["south"]
    assert [error.line for error in table.errors] == [2]


def test_too_many_lines_are_refused_as_a_whole() -> None:
    with pytest.raises(Refusal, match="20000 lines"):
        load(b"subdomain\n" + b"".join(b"n%d\n" % at for at in range(20_001)))


def test_random_bytes_never_crash() -> None:
    chance = random.Random(11)
    for size in (1, 10, 1000, 100_000):
        for head in (b"", b"PK\x03\x04", b"\xef\xbb\xbf", b"subdomain,name\n"):
            try:
                read_table(head + chance.randbytes(size))
            except Refusal:
                continue


# -- CSV --


def test_a_header_may_be_in_any_case_and_informative_columns_are_told_not_to_count() -> None:
    report = load(b"SubDomain;NAME;Health;Paused\r\nnorth;North;Connected;yes\r\n")
    assert counts(report) == (1, 0, 0, [])
    assert report.notes == ("These columns are for information and were not read: health, paused.",)
    assert not Account.objects.get().paused


def test_a_quoted_formula_of_an_export_comes_back_as_it_was() -> None:
    load(b"subdomain,name\nnorth,'=1+1\nsouth,=1+1\neast,'quoted'\n")
    names = dict(Account.objects.values_list("subdomain", "name"))
    assert names == {"north": "=1+1", "south": "=1+1", "east": "'quoted'"}


def test_a_secret_keeps_the_quote_that_it_begins_with() -> None:
    load(b"subdomain,token\nnorth,'=token\n")
    assert Account.objects.get().token == "'=token"


# -- the group of a row --


def test_rows_may_name_their_groups() -> None:
    GroupFactory(name="Branches")
    GroupFactory(name="Franchise")
    report = load(b"subdomain,role,group\nm1,master,Branches\nm2,master,Franchise\nn1,,Franchise\n")
    assert counts(report) == (3, 0, 0, [])
    assert report.group == "Branches, Franchise"
    assert Account.objects.get(subdomain="n1").group.name == "Franchise"


def test_a_group_that_was_mistyped_is_not_made() -> None:
    GroupFactory(name="Branches")
    report = load(b"subdomain,group\nnorth,Branchs\nsouth,\n")
    assert counts(report) == (1, 0, 0, [2])
    assert "Branchs" in report.errors[0].message


def test_an_account_does_not_change_its_group_by_a_file() -> None:
    AccountFactory(subdomain="north", group=GroupFactory(name="Franchise"))
    GroupFactory(name="Branches")
    assert counts(load(b"subdomain,group\nnorth,Branches\n")) == (0, 0, 0, [2])


# -- many rows --


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_five_thousand_rows_are_planned_within_seconds(kind) -> None:
    rows = [[f"n{at}", "slave", f"N {at}", f"t{os.urandom(300).hex()}"] for at in range(5000)]
    lines = [",".join(HEADER), *(",".join(row) for row in rows)]
    content = book(HEADER, *rows) if kind == "xlsx" else "\n".join(lines).encode()
    started = time.thread_time()  # of the CPU: others may want the machine, too
    assert preview_table(read_table(content)).created == 5000
    assert time.thread_time() - started < 15


# -- endless workbooks --

FORMATTED = b'<row r="%d">' + b'<c r="A1" s="1"/>' * 100 + b"</row>"


def _with_cells(count: int) -> bytes:
    parts = dict(_parts(GOOD))
    rows = b"".join(FORMATTED % row for row in range(3, 3 + count // 100))
    name = "xl/worksheets/sheet1.xml"
    return _packed({**parts, name: parts[name].replace(b"</sheetData>", rows + b"</sheetData>")})


def test_a_sheet_of_more_than_200_000_cells_is_refused_before_one_is_loaded(monkeypatch) -> None:
    loaded: list[int] = []
    monkeypatch.setattr("accounts.services.tables.sheets._cell", lambda value, kind: loaded.append(1) or "")
    content = _with_cells(200_000)  # and the eight of the rows that are good

    with pytest.raises(Refusal, match="200,000 cells"):
        read_table(content)

    assert len(content) < 1024 * 1024
    assert not loaded


def test_cells_are_counted_whatever_the_encoding_of_the_sheet() -> None:
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(io.BytesIO(_with_cells(200_000))) as archive:
        sheet = archive.read(name).decode().replace("utf-8", "utf-16").replace("UTF-8", "UTF-16")

    with pytest.raises(Refusal, match="200,000 cells"):
        read_table(_packed({**dict(_parts(GOOD)), name: sheet.encode("utf-16")}))


@pytest.mark.parametrize("where", ["</sheetData>", "</row>"])
@pytest.mark.parametrize("bomb", ["<a>", "<a/>"])
def test_elements_that_would_pile_up_in_memory_are_never_loaded(where: str, bomb: str, monkeypatch) -> None:
    monkeypatch.setattr("accounts.services.tables.sheets.MOST_ELEMENTS", 3_000)
    parts, name = dict(_parts(GOOD)), "xl/worksheets/sheet1.xml"
    parts[name] = parts[name].replace(where.encode(), bomb.encode() * 100_000 + where.encode(), 1)
    iterated: list[int] = []
    monkeypatch.setattr("accounts.services.tables.sheets._cell", lambda value, kind: iterated.append(1) or "")

    with pytest.raises(Refusal, match="damaged"):
        read_table(_packed(parts))

    assert not iterated


@pytest.mark.parametrize("bomb", ["xl/sharedStrings.xml", "xl/worksheets/other.xml", "xl/other"])
def test_more_than_200_000_texts_are_refused(bomb: str) -> None:
    content = _packed({**dict(_parts(GOOD)), bomb: b"<sst>" + b"<si><t/></si>" * 200_001 + b"</sst>"})

    with pytest.raises(Refusal, match="200,000 texts"):
        read_table(content)


def test_endless_styles_are_refused() -> None:
    parts = dict(_parts(GOOD))
    styles = parts["xl/styles.xml"].replace(b"</cellXfs>", b"<xf/>" * 100_000 + b"</cellXfs>")

    with pytest.raises(Refusal, match="too many styles"):
        read_table(_packed({**parts, "xl/styles.xml": styles}))


def test_another_large_sheet_beside_the_accounts_harms_nothing() -> None:
    parts = dict(_parts(book(HEADER, ["north"], Data=[["x"]])))
    rows = b"".join(FORMATTED % row for row in range(2, 2003))
    name = "xl/worksheets/sheet2.xml"
    parts[name] = parts[name].replace(b"</sheetData>", rows + b"</sheetData>")

    assert [row.cells["subdomain"] for row in read_table(_packed(parts)).rows] == ["north"]
