"""The audit in the admin: looked at and taken along, never changed; and what the admin itself writes into it."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from accounts.actors import Actor
from accounts.admin import SyncGroupAdmin
from accounts.models import Account, SyncGroup, UnmatchedItems
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import ApiKey, AuditAction, AuditEntry, Trigger
from syncing.services import audit, policy
from syncing.services.actors import WEBHOOK
from syncing.tests.factories import RunFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:syncing_auditentry_changelist")
ANA = Actor("ana", Trigger.ADMIN)


@pytest.fixture
def entries() -> list[AuditEntry]:
    """Ana changed a policy and overrode limits, a webhook started a run."""
    group = GroupFactory()
    return [
        audit.note(AuditAction.POLICY, by=ANA, group=group, details={"wave_size": [0, 10]}),
        audit.note(AuditAction.OVERRODE, by=ANA, run=RunFactory(group=group), reason="=We <moved>"),
        audit.note(AuditAction.STARTED, by=WEBHOOK, group=GroupFactory(name="Others")),
    ]


def shown(client: Client, query: str) -> list[str]:
    return [entry.action for entry in client.get(f"{LIST}?{query}").context["cl"].queryset]


def test_the_newest_decision_comes_first_and_the_page_of_one_tells_everything(
    admin_client: Client, entries: list[AuditEntry]
) -> None:
    assert shown(admin_client, "") == ["started", "overrode", "policy"]

    html = admin_client.get(reverse("admin:syncing_auditentry_change", args=[entries[1].pk])).content.decode()

    assert "=We &lt;moved&gt;" in html
    assert reverse("admin:syncing_syncrun_change", args=[entries[1].run]) in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("action__exact=overrode", ["overrode"]),
        ("via=webhook", ["started"]),
        ("group=Others", ["started"]),
        ("q=moved", ["overrode"]),
        ("q=ANA", ["overrode", "policy"]),
        ("q=áná", ["overrode", "policy"]),
        ("q=éz", []),
        ("at__gte=2199-01-01+00:00:00%2B00:00", []),
    ],
)
def test_the_list_can_be_searched_and_filtered(
    admin_client: Client, entries: list[AuditEntry], query: str, found: list[str]
) -> None:
    assert shown(admin_client, query) == found


def test_a_run_is_found_by_its_number(admin_client: Client, entries: list[AuditEntry]) -> None:
    assert shown(admin_client, f"q={entries[1].run}") == ["overrode"]


def test_those_who_may_not_look_see_no_list(client: Client, entries: list[AuditEntry]) -> None:
    client.force_login(User.objects.create_user("clerk", is_staff=True))

    assert client.get(LIST).status_code == 403


def test_nobody_adds_changes_or_deletes_an_entry(rf, admin_client: Client, entries: list[AuditEntry]) -> None:
    entry = entries[0]
    request = rf.get("/")
    request.user = User.objects.get(username="admin")
    model_admin = admin.site.get_model_admin(AuditEntry)
    assert model_admin.get_actions(request) == {}

    page = reverse("admin:syncing_auditentry_change", args=[entry.pk])
    doors = [reverse("admin:syncing_auditentry_add"), reverse("admin:syncing_auditentry_delete", args=[entry.pk]), page]
    assert [admin_client.post(door, {"post": "yes", "reason": "another"}).status_code for door in doors] == [403] * 3
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})

    assert AuditEntry.objects.count() == 3
    assert AuditEntry.objects.get(pk=entry.pk).reason == ""


def test_the_list_costs_the_same_for_few_and_many(admin_client: Client, django_assert_max_num_queries) -> None:
    for _ in range(100):
        audit.note(AuditAction.POLICY, by=ANA, group=None)
    with django_assert_max_num_queries(9):
        admin_client.get(LIST)


# -- policies --


def form_of(group: SyncGroup) -> dict[str, object]:
    """What the browser sends back of the group's page when nothing is changed."""
    names = [name for _, options in SyncGroupAdmin.fieldsets for name in options["fields"] if name != "created_at"]
    values = {name: getattr(group, name) for name in names}
    return {name: "on" if value is True else value for name, value in values.items() if value is not False}


def test_the_page_of_a_group_holds_its_whole_policy() -> None:
    shown = {name for _, options in SyncGroupAdmin.fieldsets for name in options["fields"]}

    assert policy.fields().keys() <= shown


def test_a_change_of_a_policy_is_written_down_with_what_was_before(admin_client: Client) -> None:
    group = GroupFactory()
    page = reverse("admin:accounts_syncgroup_change", args=[group.pk])
    sent = form_of(group) | {
        "unmatched_stages": UnmatchedItems.DELETE_CREATED,
        "wave_size": 10,
        "requires_approval": "on",
    }

    assert admin_client.post(page, sent).status_code == 302

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.via, entry.group) == ("policy", "admin", "admin", group.name)
    assert entry.details == {
        "unmatched_stages": ["keep", "delete_created"],
        "wave_size": [0, 10],
        "requires_approval": [False, True],
    }


def test_saving_without_a_change_writes_nothing_down(admin_client: Client) -> None:
    group = GroupFactory()

    assert (
        admin_client.post(reverse("admin:accounts_syncgroup_change", args=[group.pk]), form_of(group)).status_code
        == 302
    )

    assert not AuditEntry.objects.exists()


def test_a_policy_that_is_out_of_bounds_changes_nothing(admin_client: Client) -> None:
    group = GroupFactory()
    page = reverse("admin:accounts_syncgroup_change", args=[group.pk])

    html = admin_client.post(page, form_of(group) | {"max_delete_share": 101}).content.decode()

    assert "100" in html
    assert SyncGroup.objects.get().max_delete_share == 10
    assert not AuditEntry.objects.exists()


def test_a_pilot_is_chosen_on_its_page_and_found_in_the_list(admin_client: Client) -> None:
    north = AccountFactory(subdomain="north")
    AccountFactory(subdomain="south")
    sent = {"group": north.group_id, "role": "slave", "subdomain": "north", "name": "North", "is_pilot": "on"}
    inline = {"exclusions-TOTAL_FORMS": 0, "exclusions-INITIAL_FORMS": 0}

    admin_client.post(reverse("admin:accounts_account_change", args=[north.pk]), {**sent, **inline})

    assert Account.objects.get(is_pilot=True) == north
    entry = AuditEntry.objects.get()
    assert (entry.account, entry.group, entry.details) == ("north", north.group.name, {"is_pilot": [False, True]})
    found = admin_client.get(reverse("admin:accounts_account_changelist"), {"is_pilot__exact": 1})
    assert [account.subdomain for account in found.context["cl"].queryset] == ["north"]
    assert ">pilot</span>" in found.content.decode()


# -- keys --


def test_nobody_gives_a_key_a_right_to_decide_that_they_have_not(client: Client) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=("add_apikey", "view_apikey")))
    client.force_login(clerk)
    url = reverse("admin:syncing_apikey_add")

    client.post(url, {"name": "bot", "scopes": ["read", "approve"]})
    assert not ApiKey.objects.exists()

    clerk.user_permissions.add(*Permission.objects.filter(codename__in=("approve_plan", "view_syncrun")))
    client.post(url, {"name": "bot", "scopes": ["read", "approve"]})
    assert (ApiKey.objects.get().scopes, ApiKey.objects.get().made_by) == (["read", "approve"], clerk)
