"""Reviewing a plan with what browsers and people send besides what is asked: nothing of it is an error of ours."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.engine.snapshot import fingerprint, to_document
from syncing.models import AccountRun, MasterSnapshot, RunMode, RunState, SyncRun
from syncing.tests.engine.items import pipeline, snapshot, stage
from syncing.tests.factories import RunFactory
from syncing.tests.plans import change, document, planned

pytestmark = pytest.mark.django_db

ODD = ["\x00", "x" * 20_000, "../..", "💥", "%00", "' OR 1=1"]
TOO_LARGE = 2**70


@pytest.fixture
def plan(db) -> SyncRun:
    cast = AccountFactory.cast()
    master = snapshot(pipeline(7, "Sales", stage(71, "Offer"), stage(72, "Talks")))
    facts = {"type": "full", "document": to_document(master), "fingerprint": fingerprint(master)}
    read = MasterSnapshot.objects.create(group=cast["north"].group, **facts)
    run = RunFactory(group=cast["north"].group, mode=RunMode.PLAN, state=RunState.PLANNED, snapshot=read)
    for name in ("north", "south"):
        planned(run, cast[name], document(change("update", "Offer", {"color": ["#ffffff", "#99ccff"]})))
    AccountRun.objects.update(plan_digest="a" * 64)
    return run


def digest(plan: SyncRun) -> str:
    return plan.account_runs.all()[0].content_digest


def url(name: str, *args: Any) -> str:
    return reverse(f"syncing:{name}", args=args)


@pytest.mark.parametrize("odd", ODD)
def test_a_plan_that_nobody_knows_is_not_found(admin_client: Client, plan: SyncRun, odd: str) -> None:
    assert admin_client.get(f"/runs/{plan.pk}/plans/{odd}").status_code == 404
    assert admin_client.get(url("plan", RunFactory().pk, digest(plan))).status_code == 404
    for name in ("plan", "choose"):
        assert admin_client.get(url(name, TOO_LARGE, digest(plan))).status_code == 404
    for name in ("approve", "send_back", "roll_back", "force", "run_log", "run_log_csv"):
        assert admin_client.get(url(name, TOO_LARGE)).status_code == 404


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_approve_choose_and_narrow_nothing(admin_client: Client, plan: SyncRun, odd: str) -> None:
    for name in ("approve", "run_log"):
        assert admin_client.get(url(name, plan.pk), {"q": odd, "plan": odd, "account": odd}).status_code == 200
    assert admin_client.get(url("plan", plan.pk, digest(plan)), {"q": odd, "action": odd, "p": odd}).status_code == 200
    assert admin_client.post(url("approve", plan.pk), {"plan": odd, "account": odd}).status_code == 200
    answer = admin_client.post(url("choose", plan.pk, digest(plan)), {"item": odd})
    assert "No item was chosen" in answer.content.decode()
    assert SyncRun.objects.count() == 1


@pytest.mark.parametrize("comment", ["", " ", "\x00", "x" * 100_000])
def test_a_comment_that_cannot_be_stored_sends_nothing_back(admin_client: Client, plan: SyncRun, comment: str) -> None:
    answer = admin_client.post(url("send_back", plan.pk), {"comment": comment})
    assert answer.status_code == 200
    assert 'class="errorlist' in answer.content.decode()
    plan.refresh_from_db()
    assert plan.sent_back_at is None


def test_a_form_that_is_sent_twice_approves_once(admin_client: Client, plan: SyncRun) -> None:
    ticked = {"plan": digest(plan), "reason": ""}
    first, second = (admin_client.post(url("approve", plan.pk), ticked, follow=True) for _time in range(2))
    assert SyncRun.objects.filter(approved_plan=plan).count() == 1
    assert "was already approved" in second.content.decode()
    assert first.status_code == second.status_code == 200


def test_the_old_page_of_a_plan_that_was_sent_back_approves_nothing(admin_client: Client, plan: SyncRun) -> None:
    """A person goes back in the browser, to the form."""
    admin_client.post(url("send_back", plan.pk), {"comment": "No."})
    answer = admin_client.post(url("approve", plan.pk), {"plan": digest(plan)}, follow=True)
    assert "sent back by" in answer.content.decode()
    chosen = admin_client.post(url("choose", plan.pk, digest(plan)), {"item": "stage:7/71"}, follow=True)
    assert chosen.status_code == 200
    assert SyncRun.objects.count() == 1


def test_accounts_of_another_run_are_not_approved(admin_client: Client, plan: SyncRun) -> None:
    east = Account.objects.get(subdomain="east")
    assert admin_client.post(url("approve", plan.pk), {"account": str(east.pk)}).status_code == 200
    assert SyncRun.objects.count() == 1
