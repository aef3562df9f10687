"""The page of an account: drawn beside its master, left out by clicking, its ids; who sees and changes what."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Account, AccountEvent
from accounts.services import events
from accounts.tests.factories import AccountFactory, IntegrationFactory
from syncing.engine.snapshot import fingerprint, packed, to_document
from syncing.models import (
    AccountRun,
    AuditEntry,
    Drift,
    DriftChange,
    Exclusion,
    IdMapping,
    MasterSnapshot,
    SlaveSnapshot,
    SyncRun,
)
from syncing.tests.engine.items import field, group, pipeline, snapshot, stage
from syncing.tests.factories import (
    AccountRunFactory,
    DriftFactory,
    EqualDriftFactory,
    RunFactory,
    difference,
    extra,
    missing,
)

pytestmark = pytest.mark.django_db


def url(name: str, account: Account) -> str:
    return reverse(f"syncing:{name}", args=[account.pk])


@pytest.fixture
def cast() -> dict[str, Account]:
    """North renamed a stage, lacks a field and has a pipeline of its own; the others were never read."""
    cast = AccountFactory.cast()
    stages = (stage(71, "Offer", 20), stage(72, "Talks", 30))
    budget = field(12, "Budget", "numeric", group_id="leads_1")
    master = snapshot(pipeline(7, "Sales", *stages), pipeline(8, "After"), group("leads_1", "Data"), budget)
    read = MasterSnapshot.objects.create(
        group=cast["north"].group, type="full", document=to_document(master), fingerprint=fingerprint(master)
    )
    run = RunFactory(group=cast["north"].group, snapshot=read)
    rows = [difference(attribute="name", ours="Offer", theirs="Quote"), missing(parent="leads/Data"), extra()]
    DriftFactory(account=cast["north"], run=run, rows=rows)
    AccountRunFactory(run=run, account=cast["north"])
    IdMapping.objects.create(account=cast["north"], kind="pipeline", master_key="7", slave_key="907", name="Sales")
    return cast


def marks(drawn: Any) -> dict[str, str]:
    return {chip.name: str(chip.mark) for chip in drawn if chip.mark}


def test_a_funnel_that_only_the_account_has_is_drawn_once_its_stages_were_read(admin_client, cast) -> None:
    north = cast["north"]
    old = extra(key="=Old", kind="pipeline", name="Old", parent="", slave_key="950")
    Drift.objects.filter(account=north).delete()
    DriftFactory(account=north, run=SyncRun.objects.get(), rows=[old])
    html = admin_client.get(url("account", north)).content.decode()
    assert "its stages have not been read yet" in html
    before = packed(snapshot(pipeline(950, "Old", stage(951, "First call", 20)), pipeline(907, "Sales")))
    SlaveSnapshot.objects.create(account_run=north.account_runs.get(), account=north, document=before)
    response = admin_client.get(url("account", north))
    drawn = next(each for each in response.context["picture"].funnels if each.ours is None)
    assert "First call" in [stage.name for stage in drawn.theirs.stages]
    assert "have not been read yet" not in response.content.decode()


def test_an_account_is_drawn_beside_its_master(admin_client, cast) -> None:
    response = admin_client.get(url("account", cast["north"]))
    sales, after, old = response.context["picture"].funnels
    assert marks(sales.theirs.stages) == {"Quote": "renamed"}
    assert marks(sales.ours.stages) == {"Offer": "renamed"}
    assert not after.rows
    assert (old.ours, str(old.theirs.title.mark)) == (None, "extra")
    data = next(each for each in response.context["picture"].groups if each.theirs.title.name == "Data")
    assert [str(each.title.mark) for each in data.theirs.fields] == ["missing"]
    html = response.content.decode()
    assert "Renamed: “Quote” here, “Offer” in the master." in html
    assert "The master has it, this account does not." in html
    assert "Edited in the account" in html
    assert url("revert", cast["north"]) in html
    one = f"group={cast['north'].group_id}&amp;kind=stage&amp;key=7%2F71&amp;attribute=name&amp;action=update"
    assert f"{reverse('syncing:revert_items')}?{one}&amp;account={cast['north'].pk}" in html
    assert f"{url('accept', cast['north'])}?kind=stage&amp;key=7%2F71&amp;attribute=name" in html
    assert f"{url('promote', cast['north'])}?pick=stage%7C9%2F91%7Cname" in html
    assert "/settings/pipeline/leads/907" in html


def test_what_differs_opens_to_its_cause_and_its_buttons_without_a_script(admin_client, cast) -> None:
    html = admin_client.get(url("account", cast["north"])).content.decode()
    quote, field = (html[html.index(text) :] for text in ("Quote</span>", "Budget</span>"))
    for opened, action in ((quote, "promote"), (field, "accept")):
        details = opened[opened.index("</summary>") : opened.index("</details>")]
        assert "ks-badge" in details  # the cause
        assert reverse("syncing:revert_items") in details
        assert url(action, cast["north"]) in details
    assert html.count("Renamed: “Quote” here") == 1


def test_differences_that_have_no_place_in_the_picture_are_listed(admin_client, cast) -> None:
    cast["north"].drift.delete()
    run = RunFactory(group=cast["north"].group, snapshot=MasterSnapshot.objects.get())
    DriftFactory(account=cast["north"], run=run, rows=[difference("7/79", name="Gone meanwhile")])
    response = admin_client.get(url("account", cast["north"]))
    assert [row.name for row in response.context["picture"].undrawn] == ["Gone meanwhile"]
    assert "Differences that are not drawn" in response.content.decode()


def test_the_history_has_everything_that_happened_in_one_order(admin_client, cast) -> None:
    north = cast["north"]
    Exclusion.objects.create(account=north, kind="stage", name="Elsewhere")
    admin_client.post(url("exclude", north), {"item": ["stage|Talks"]})
    events.note(north.pk, AccountEvent.Code.EXPIRES, "In 3 days.")
    DriftChange.objects.create(account=north, at=timezone.now(), appeared=[{"kind": "stage"}], gone=[])
    admin_client.post(url("exclude", north), {"was": ["stage|Talks"]})
    texts = [each.text for each in admin_client.get(url("account", north)).context["history"]]
    assert texts[:4] == [
        "No longer left out: stage Talks",
        "1 difference appeared",
        "Token expires soon. In 3 days.",
        "Left out of syncs: stage Talks",
    ]
    assert texts[4].startswith(f"Sync #{AccountRun.objects.get(account=north).run_id}: ")


def test_the_history_is_of_what_a_person_may_see(client, cast) -> None:
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(clerk)
    clerk.user_permissions.add(Permission.objects.get(codename="view_account"))
    events.note(cast["north"].pk, AccountEvent.Code.CONNECTED)
    history = client.get(url("account", cast["north"])).context["history"]
    assert [each.label for each in history] == ["Connection"]


def test_names_of_accounts_are_text_on_every_page(admin_client, cast) -> None:
    evil = "<script>alert(1)</script>"
    rows = [
        difference(attribute="name", ours="Offer", theirs=evil),
        difference("7/72", attribute="color", theirs='red"/><script>alert(1)</script>'),
        extra(name=evil),
    ]
    cast["north"].drift.delete()
    run = RunFactory(group=cast["north"].group, snapshot=MasterSnapshot.objects.get())
    DriftFactory(account=cast["north"], run=run, rows=rows)
    Account.objects.filter(pk=cast["north"].pk).update(name=evil)
    by_item = f"{reverse('syncing:drift')}?by=item"
    accounts = reverse("syncing:accounts")
    for page in (url("account", cast["north"]), url("exclude", cast["north"]), by_item, accounts):
        html = admin_client.get(page).content.decode()
        assert "alert(1)" in html
        assert "<script>alert" not in html


def test_the_master_and_an_account_that_nobody_has_read(admin_client, cast) -> None:
    master = admin_client.get(url("account", cast["master"]))
    assert [each.theirs.title.name for each in master.context["picture"].funnels] == ["Sales", "After"]
    south = admin_client.get(url("account", cast["south"])).content.decode()
    assert "This account has not been read yet." in south
    MasterSnapshot.objects.all().delete()
    assert "The master has not been read yet." in admin_client.get(url("account", cast["master"])).content.decode()


def test_readings_of_a_part_are_put_together(admin_client, cast) -> None:
    """A later run has read the pipelines alone: its pipelines, and the fields of the reading before."""
    part = snapshot(pipeline(7, "Sales", stage(71, "Offer", 20)))
    document = {**to_document(part), "groups": None, "fields": None}
    read = MasterSnapshot.objects.create(
        group=cast["north"].group, type="pipelines", document=document, fingerprint=fingerprint(part)
    )
    cast["north"].drift.run = RunFactory(group=cast["north"].group, snapshot=read)
    cast["north"].drift.save()
    picture = admin_client.get(url("account", cast["north"])).context["picture"]
    assert [len(each.theirs.stages) for each in picture.funnels] == [4, 0]
    assert "Data" in [each.theirs.title.name for each in picture.groups]


def test_the_page_costs_as_much_with_many_differences(admin_client, cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(url("account", cast["north"])).status_code == 200
        return len(queries)

    cost()
    before = cost()
    rows = [difference(f"7/{number}", name=f"Stage {number}") for number in range(80)]
    cast["north"].drift.delete()
    DriftFactory(account=cast["north"], run=RunFactory(group=cast["north"].group), rows=rows)
    for number in range(60):
        AccountRunFactory(run=RunFactory(group=cast["north"].group), account=cast["north"])
        IdMapping.objects.create(account=cast["north"], kind="stage", master_key=f"7/{number}", slave_key=f"9/{number}")
    assert cost() <= before <= 24


def test_who_may_only_look_sees_no_buttons(client, cast) -> None:
    clerk = User.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(clerk)
    assert client.get(url("account", cast["north"])).status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_account"))
    html = client.get(url("account", cast["north"])).content.decode()
    assert "Renamed" not in html
    clerk.user_permissions.add(Permission.objects.get(codename="view_drift"))
    html = client.get(url("account", cast["north"])).content.decode()
    assert "Renamed" in html
    assert not any(word in html for word in (">Revert", ">Accept", ">Promote", "Check now", "Choose what", ">Edit<"))
    assert client.get(url("exclude", cast["north"])).status_code == 403
    assert client.post(url("exclude", cast["north"]), {"item": "pipeline|Sales"}).status_code == 403
    assert not Exclusion.objects.exists()


def test_what_is_to_be_done_by_hand_is_marked_and_listed(admin_client, cast) -> None:
    won = {"kind": "stage", "name": "Closed - won", "parent": "Sales", "message": "Rename it in Kommo's settings."}
    document = {"changes": [], "extras": [], "conflicts": [], "manual": [won]}
    AccountRunFactory(run=RunFactory(group=cast["north"].group), account=cast["north"], document=document)
    response = admin_client.get(url("account", cast["north"]))
    sales = response.context["picture"].funnels[0]
    assert marks(sales.theirs.stages)["Closed - won"] == "manual"
    assert "Closed - won" not in marks(sales.ours.stages)
    assert "Rename it in Kommo&#x27;s settings." in response.content.decode()


def test_a_connection_that_needs_somebody_says_so(admin_client, cast) -> None:
    Account.objects.filter(pk=cast["north"].pk).update(health="token_expired", health_reason="It ended.")
    html = admin_client.get(url("account", cast["north"])).content.decode()
    head = html[: html.index('id="funnels"')]
    assert "has passed its end date" in head
    assert "It ended." in head
    assert f"{reverse('admin:accounts_account_change', args=[cast['north'].pk])}#id_new_token" in head
    assert reverse("accounts:connect", args=[cast["north"].pk]) not in html  # it has no integration
    assert reverse("syncing:integrations") in html
    integration = IntegrationFactory(is_public=True)
    assert reverse("accounts:invite_many") in admin_client.get(url("account", cast["north"])).content.decode()
    Account.objects.update(integration=integration, credential_kind="oauth")
    head = admin_client.get(url("account", cast["north"])).content.decode().partition('id="funnels"')[0]
    assert f'<a class="ks-button" href="{reverse("accounts:connect", args=[cast["north"].pk])}">Connect</a>' in head


def test_what_is_wrong_stands_under_the_title_with_its_button(admin_client, client, cast) -> None:
    """As on the overview, but what differs is drawn below."""
    north = cast["north"]
    facts = {"state": "failed", "reason": "validation", "error": {"message": "No such value."}}
    failed = AccountRunFactory(account=north, run=RunFactory(group=north.group), **facts)
    AccountRunFactory(account=cast["south"], run=RunFactory(group=north.group), state="failed", reason="unreachable")
    html = admin_client.get(url("account", north)).content.decode()
    head = html[: html.index('class="ks-jump"')]
    assert "Kommo refused an item" in head
    assert "No such value." in head
    assert f'name="account_runs" value="{failed.pk}"' in head
    assert "Kommo not reached" not in head
    assert "Edited in accounts" not in html
    look = User.objects.create_user("look", is_staff=True)
    look.user_permissions.set(Permission.objects.filter(codename="view_account"))
    client.force_login(look)
    assert "Kommo refused an item" not in client.get(url("account", north)).content.decode()


@pytest.mark.parametrize(
    ("health", "text"), [("unpaid", "The paid or trial period"), ("not_admin", "is no administrator")]
)
def test_a_lost_connection_is_told_to_who_may_not_see_runs(client, cast, health, text) -> None:
    Account.objects.filter(pk=cast["north"].pk).update(health=health)
    look = User.objects.create_user("look", is_staff=True)
    look.user_permissions.set(Permission.objects.filter(codename="view_account"))
    client.force_login(look)
    html = client.get(url("account", cast["north"])).content.decode()
    assert text in html[: html.index('class="ks-jump"')]


def test_why_it_is_not_known_whether_it_is_in_sync_is_said(admin_client, cast) -> None:
    EqualDriftFactory(account=cast["west"], converged_at=timezone.now() - timedelta(days=9))
    html = admin_client.get(url("account", cast["west"])).content.decode()
    assert "It was in sync when it was last read. That is more than a week ago." in html


def test_a_run_that_failed_says_why(admin_client, cast) -> None:
    AccountRunFactory(account=cast["south"], state="failed", reason="unpaid")
    html = admin_client.get(url("account", cast["south"])).content.decode()
    assert "The paid or trial period of this account in Kommo has ended" in html


# -- left out --


def test_what_is_ticked_is_left_out_and_audited(admin_client, cast) -> None:
    page = url("exclude", cast["north"])
    Exclusion.objects.create(account=cast["north"], kind="stage", name="Elsewhere")
    assert 'value="stage|Talks"' in admin_client.get(page).content.decode()
    admin_client.post(page, {"item": ["stage|Talks", "custom_field|Budget", "stage|Nowhere", "x"]})
    assert set(cast["north"].exclusions.values_list("kind", "name")) == {
        ("stage", "Talks"), ("custom_field", "Budget"), ("stage", "Elsewhere"),
    }  # fmt: skip
    assert AuditEntry.objects.count() == 1
    again = admin_client.get(page)
    assert again.content.decode().count(" checked>") == 2
    assert "Stage Elsewhere" in again.content.decode()
    admin_client.post(page, {"item": ["custom_field|Budget"], "was": ["stage|Talks", "custom_field|Budget"]})
    assert set(cast["north"].exclusions.values_list("name", flat=True)) == {"Budget", "Elsewhere"}
    drawn = admin_client.get(url("account", cast["north"])).context["picture"]
    data = next(each for each in drawn.groups if each.theirs.title.name == "Data")
    assert [str(each.title.mark) for each in data.ours.fields] == ["added"]  # the last reading knew nothing of it


def test_two_tabs_do_not_undo_each_others_ticks(admin_client, cast) -> None:
    page = url("exclude", cast["north"])
    Exclusion.objects.create(account=cast["north"], kind="custom_field", name="Budget")
    assert '<input type="hidden" name="was" value="custom_field|Budget">' in admin_client.get(page).content.decode()
    before = {"item": ["custom_field|Budget"], "was": ["custom_field|Budget"]}
    admin_client.post(page, {**before, "item": ["custom_field|Budget", "stage|Talks"]})
    admin_client.post(page, {**before, "item": []})
    assert list(cast["north"].exclusions.values_list("kind", "name")) == [("stage", "Talks")]


def test_what_the_master_has_lost_meanwhile_is_named(admin_client, cast) -> None:
    items = ["stage|Talks", "stage|<b>Gone</b>"]
    html = admin_client.post(url("exclude", cast["north"]), {"item": items}, follow=True).content.decode()
    assert "no longer has it: &lt;b&gt;Gone&lt;/b&gt;." in html
    assert "Stored: from the next run on, syncs leave out" in html


def test_an_excluded_item_is_marked(admin_client, cast) -> None:
    """As the plans take it: a name is found in spite of case, and what is inside goes with it."""
    Exclusion.objects.create(account=cast["north"], kind="stage", name="talks")
    Exclusion.objects.create(account=cast["north"], kind="field_group", name="Data")
    picture = admin_client.get(url("account", cast["north"])).context["picture"]
    data = next(each for each in picture.groups if each.theirs.title.name == "Data")
    assert str(data.ours.title.mark) == "excluded"
    sales = admin_client.get(url("account", cast["north"])).context["picture"].funnels[0]
    assert marks(sales.theirs.stages)["Talks"] == "excluded"
