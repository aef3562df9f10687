"""Plan, review, approve, apply: from every door, against a simulated Kommo where accounts change in between."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.models import SyncGroup
from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from syncing.execution.foreground import run_to_the_end
from syncing.execution.stop_signs import StopOnSignal
from syncing.models import AuditEntry, RunMode, SyncRun
from syncing.services.keys import create_key, make_webhook_token
from syncing.tests.commands import command, command_document

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def master(simulator: RunningServer, world: World) -> SimAccount:
    """The usual cast over HTTP, in a group that wants approvals; the master has a pipeline that no slave has."""
    for name, account in AccountFactory.cast().items():
        account.token = world.add_account(name).token
        account.save()
    SyncGroup.objects.update(requires_approval=True)
    found = world.accounts["master"]
    found.add_pipeline("Sales", stages=["New", "Offer"])
    return found


@pytest.fixture
def ben(transactional_db: None) -> User:
    user = User.objects.create_user("ben", password="-", is_staff=True)
    codes = ("approve_plan", "plan_sync", "view_syncrun")
    user.user_permissions.add(*Permission.objects.filter(codename__in=codes))
    return user


def plan_number() -> int:
    code, said = command_document("sync_all", "--plan")
    assert (code, said["state"]) == (0, "planned")
    return int(said["run"])


def states(said: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {account["subdomain"]: (account["state"], account["reason"]) for account in said["accounts"]}


def pipelines(account: SimAccount) -> set[str]:
    return {pipeline.name for pipeline in account.pipelines.values()}


def somebody_edits(slave: SimAccount) -> None:
    """What the plan would make is there already, with another stage."""
    slave.add_pipeline("Sales", stages=["Old"])


# -- the command --


def test_exactly_the_account_that_changed_since_is_refused(master: SimAccount, world: World, ben: User) -> None:
    plan = plan_number()
    somebody_edits(world.accounts["south"])

    code, said = command_document("approve", str(plan), "--by", "ben", "--reason", "Looks right")

    assert code == 1
    assert states(said) == {
        **dict.fromkeys(("north", "west", "east"), ("changed", None)),
        "south": ("refused", "stale_plan"),
    }
    refused = next(account for account in said["accounts"] if account["subdomain"] == "south")
    assert refused["error"]["remedy"]
    assert {change["outcome"] for change in refused["changes"]} == {"skipped"}  # the new plan, for the new review
    assert not [record for record in world.log.of("south") if record.method != "GET"]
    assert "Sales" in pipelines(world.accounts["north"])


def test_what_was_reviewed_again_and_approved_is_written(master: SimAccount, world: World, ben: User) -> None:
    plan = plan_number()
    somebody_edits(world.accounts["south"])
    _, applied = command_document("approve", str(plan), "--by", "ben")
    client = Client()
    client.force_login(ben)

    url = reverse("syncing:review", args=[applied["run"]])
    assert url in client.get(reverse("admin:syncing_syncrun_change", args=[applied["run"]])).content.decode()
    client.post(url)
    review = SyncRun.objects.first()
    assert review is not None
    run_to_the_end(review, stop=StopOnSignal())
    code, said = command_document("approve", str(review.pk), "--by", "ben")

    assert (code, states(said)) == (0, {"south": ("changed", None)})


def test_nothing_is_written_before_the_approval(master: SimAccount, world: World, ben: User) -> None:
    plan = plan_number()

    code, out, errors = command("sync_all")
    assert code == 2
    assert "approve RUN" in errors
    assert {record.method for record in world.log} == {"GET"}

    code, out, _ = command("approve", str(plan), "--by", "ben", "--account", "north")
    assert code == 0
    assert "succeeded: 1 changed" in out
    assert not [record for record in world.log if record.method != "GET" and record.subdomain != "north"]


def test_the_audit_tells_the_whole_story(master: SimAccount, ben: User) -> None:
    plan = plan_number()
    command_document("approve", str(plan), "--by", "ben", "--reason", "Looks right")

    code, out, _ = command("audit", "--format", "json")
    rows = json.loads(out)

    assert code == 0
    assert [(row["action"], row["actor"], row["via"]) for row in reversed(rows)] == [
        ("started", "command line", "command"),
        ("started", "ben", "command"),
        ("approved", "ben", "command"),
    ]
    assert (rows[0]["run"], rows[0]["reason"]) == (plan, "Looks right")


# -- REST --


def bearer(*scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_key(name='-'.join(scopes), scopes=scopes)[1]}"}


def post(client: Client, plan: int, headers: dict[str, str], body: object = None) -> Any:
    data = json.dumps(body or {})
    return client.post(f"/api/sync/runs/{plan}/approve", data, content_type="application/json", headers=headers)


def test_a_key_that_may_approve_starts_the_run(master: SimAccount, world: World, client: Client) -> None:
    plan = plan_number()
    somebody_edits(world.accounts["south"])

    answer = post(client, plan, bearer("approve"), {"accounts": ["north", "south"], "reason": "Looks right"})

    assert answer.status_code == 202
    run = SyncRun.objects.get(pk=answer.json()["run"])
    assert answer.json()["status_url"].endswith(f"/api/sync/runs/{run.pk}")
    run = run_to_the_end(run, stop=StopOnSignal())
    found = dict(run.account_runs.values_list("account__subdomain", "state"))
    assert found == {"north": "changed", "south": "refused"}
    approved = AuditEntry.objects.get(action="approved")
    assert (approved.actor, approved.via, approved.reason) == ("approve", "api", "Looks right")


# -- webhooks --


def test_a_webhook_plans_where_plans_need_approval_and_a_burst_joins_it(
    master: SimAccount, world: World, client: Client
) -> None:
    url = f"/api/sync/webhook/{make_webhook_token(SyncGroup.objects.get())}"

    first, second = client.post(url), client.post(url)

    assert first.status_code == second.status_code == 202
    run = SyncRun.objects.get()
    assert first.json() == second.json() == {"run": run.pk}
    assert (run.mode, run.trigger) == (RunMode.PLAN, "webhook")
    run_to_the_end(run, stop=StopOnSignal())
    assert {record.method for record in world.log} == {"GET"}
    assert set(run.account_runs.values_list("state", flat=True)) == {"planned"}
