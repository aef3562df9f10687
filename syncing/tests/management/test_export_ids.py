"""`export_ids`: the id mappings of one slave, for other tools."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import IdMapping

pytestmark = pytest.mark.django_db


@pytest.fixture
def north() -> Account:
    north = AccountFactory(subdomain="north")
    for kind, master, slave, name, parent in [
        ("pipeline", "7", "70", "Sales", ""),
        ("enum", "leads/12/34", "leads/120/340", "Yes, please", "leads"),
        ("field_group", "leads/leads_1", "leads/leads_9", "Contract", "leads"),
    ]:
        IdMapping.objects.create(account=north, kind=kind, master_key=master, slave_key=slave, name=name, parent=parent)
    return north


def export(*args: str) -> str:
    out = io.StringIO()
    call_command("export_ids", *args, stdout=out)
    return out.getvalue()


def test_json_has_one_object_per_item(north: Account) -> None:
    rows = json.loads(export("--account", "north"))

    assert {(row["kind"], row["entity"], row["master_id"], row["slave_id"]) for row in rows} == {
        ("pipeline", "leads", 7, 70),
        ("enum", "leads", 34, 340),
        ("field_group", "leads", "leads_1", "leads_9"),
    }


def test_csv_has_one_line_per_item(north: Account) -> None:
    rows = list(csv.DictReader(io.StringIO(export("--account", "north", "--format", "csv"))))

    assert [row["name"] for row in rows if row["kind"] == "enum"] == ["Yes, please"]
    assert len(rows) == 3


def test_an_unknown_account_is_named(north: Account) -> None:
    with pytest.raises(CommandError, match="nowhere") as error:
        export("--account", "nowhere")

    assert error.value.returncode == 2
