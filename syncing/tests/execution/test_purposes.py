"""The two tables of purposes: every purpose has its row in both."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from syncing.execution.purposes import STEPS
from syncing.models import RunPurpose
from syncing.purposes import COMPARING, PURPOSES
from syncing.tests.factories import AccountRunFactory, RunFactory


def test_every_purpose_has_a_row_in_both_tables() -> None:
    assert set(PURPOSES) == set(STEPS) == set(RunPurpose.values)


def test_only_a_promotion_writes_a_master_and_only_with_two_permissions() -> None:
    writing = [name for name, purpose in PURPOSES.items() if purpose.writes_master]
    assert writing == [RunPurpose.PROMOTION]
    assert {purpose.role for name, purpose in PURPOSES.items() if name not in writing} == {Account.Role.SLAVE}
    assert PURPOSES[RunPurpose.PROMOTION].approved_by == ("syncing.approve_plan", "syncing.promote")


def test_what_compares_with_the_master_reads_it() -> None:
    assert set(COMPARING) == {RunPurpose.SYNC, RunPurpose.DRIFT}
    assert all(STEPS[name].reading for name in COMPARING)
    assert STEPS[RunPurpose.ROLLBACK].reading is None


@pytest.mark.django_db
def test_pages_show_a_run_whose_purpose_was_changed_by_hand(admin_client: Client) -> None:
    run = RunFactory(purpose="odd", mode="plan", state="planned")
    account_run = AccountRunFactory(run=run, state="planned")
    pages = [
        reverse("admin:index"),
        reverse("syncing:dashboard"),
        reverse("admin:syncing_syncrun_change", args=[run.pk]),
        reverse("admin:syncing_accountrun_change", args=[account_run.pk]),
    ]
    assert [admin_client.get(page).status_code for page in pages] == [200] * len(pages)
