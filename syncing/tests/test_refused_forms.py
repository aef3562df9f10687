"""What a person entered stays in the form when it is refused: nobody types a reason twice, or ticks a list again."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import Account
from syncing.models import RunMode, RunState, SyncRun
from syncing.services import choice, pauses, rollback
from syncing.services.actors import COMMAND
from syncing.tests.engine.items import pipeline, stage
from syncing.tests.factories import RunFactory
from syncing.tests.plans import planned
from syncing.tests.test_roles import PLAN, Scene
from syncing.tests.test_rollback_doors import wrote
from syncing.tests.views.test_plans import with_master

pytestmark = pytest.mark.django_db
TYPED = "What somebody took pains to write"


@pytest.fixture
def scene() -> Scene:
    """The group is paused, so that no run of it may start."""
    made = Scene()
    pauses.pause([made.group], reason="Audit", hours=1, by=COMMAND)
    return made


def text(answer: Any) -> str:
    return str(answer.content.decode())


def sent(client: Client, url: str, **data: Any) -> str:
    """Sends a form that is refused; returns the page, which says why."""
    number = SyncRun.objects.count()
    answer = client.post(url, data)
    assert answer.status_code == 200, answer.headers.get("Location")
    assert "is paused" in text(answer), text(answer)
    assert SyncRun.objects.count() == number
    return text(answer)


def test_the_start_of_a_run_keeps_its_name_its_reason_and_its_type(admin_client: Client, scene: Scene) -> None:
    page = sent(admin_client, scene.url("syncing:start plan"), name=TYPED, wish="My wish", type="pipelines")
    assert TYPED in page
    assert "My wish" in page
    assert 'value="pipelines" id="id_type_1" checked' in page.replace(" required", "")


def test_a_forced_run_keeps_its_reason(admin_client: Client, scene: Scene) -> None:
    assert TYPED in sent(admin_client, scene.url("syncing:force"), reason=TYPED)


def test_an_approval_keeps_its_reason_and_what_was_ticked(admin_client: Client, scene: Scene) -> None:
    planned(scene.plan, scene.cast["west"], PLAN)  # the same, so that its accounts can be ticked one by one
    page = sent(admin_client, scene.url("syncing:approve"), reason=TYPED, account=scene.north.pk)
    assert TYPED in page
    assert f'name="account" value="{scene.north.pk}" checked' in page
    assert page.count(" checked") == 1


def test_a_rollback_keeps_its_reason_and_what_was_ticked(admin_client: Client, scene: Scene) -> None:
    run = RunFactory(group=scene.group, state=RunState.SUCCEEDED)
    wrote(run, "north", ("create", "stage", "1/1", "Offer", {}))
    able = [each.account for each in rollback.forecasts_of(run) if not each.why_not]
    facts = {"which": "ticked", "mode": RunMode.PLAN, "account": [each.pk for each in able]}
    page = sent(admin_client, f"/runs/{run.pk}/rollback", reason=TYPED, **facts)
    assert TYPED in page
    assert page.count("checked") == 1 + len(able) == 2


def test_reverting_an_item_keeps_the_accounts_that_were_ticked(admin_client: Client, scene: Scene) -> None:
    url = scene.url("syncing:revert_items")
    page = sent(admin_client, url, **scene.data("syncing:revert_items"), account=scene.north.pk)
    assert f'value="{scene.north.pk}" checked' in page


def test_choosing_items_of_a_plan_keeps_the_ticks(
    admin_client: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "MOST", 0)
    with_master(scene.plan, pipeline(1, "Sales", stage(11, "Contract")))
    answer = admin_client.post(scene.url("syncing:choose"), {"item": "stage:1/11"})
    assert answer.status_code == 200
    assert "Choose fewer items" in text(answer)
    assert 'value="stage:1/11" checked' in text(answer)


def test_a_comment_on_a_plan_that_is_sent_back_already_comes_to_the_page_that_says_so(
    admin_client: Client, scene: Scene
) -> None:
    url = scene.url("syncing:send_back")
    admin_client.post(url, {"comment": "The first"})
    answer = admin_client.post(url, {"comment": TYPED})
    assert answer.status_code == 200
    assert "The first" in text(answer)


def test_nothing_is_called_accepted_where_every_account_refuses(
    admin_client: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between the reading of the page and the click the account has become as the master.
    monkeypatch.setattr("syncing.services.exceptions.is_covered", lambda *_facts: False)
    data = scene.data("syncing:accept_items") | {"reason": TYPED, "account": scene.north.pk}
    answer = admin_client.post(scene.url("syncing:accept_items"), data)
    assert answer.status_code == 200
    assert "there is no such difference now" in text(answer)
    assert TYPED in text(answer)
    assert "Accepted in 0" not in text(answer)


def test_invite_links_that_were_refused_stay_about_the_accounts_that_were_chosen(
    admin_client: Client, scene: Scene
) -> None:
    answer = admin_client.post("/connections/invite", {"ids": f"{scene.north.pk}", "how": "csv"})
    assert answer.status_code == 200
    assert answer.context["ids"] == f"{scene.north.pk}"
    assert list(answer.context["accounts"]) == [Account.objects.get(pk=scene.north.pk)]


def test_what_is_fine_starts_as_before(admin_client: Client) -> None:
    scene = Scene()
    SyncRun.objects.filter(pk=scene.open.pk).delete()
    planned(scene.plan, scene.cast["west"], PLAN)
    assert admin_client.post(scene.url("syncing:start plan"), {"name": TYPED}).status_code == 302
    assert SyncRun.objects.latest("pk").name == TYPED
