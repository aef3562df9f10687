"""Exclusions: set on the account's page, and written down."""

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.models import AuditEntry, Exclusion

PREFIX = "exclusions"


@pytest.fixture
def cast(db: None) -> dict[str, Account]:
    return AccountFactory.cast()


def page(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def save(client, account: Account, *rows: tuple[str, str], **more: str):
    """Posts the account's page with these exclusions (new ones, unless `more` says which they are)."""
    form = client.get(page(account)).context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    data = {name: value for name, value in data.items() if value not in (None, False)}
    data |= {f"{PREFIX}-TOTAL_FORMS": str(len(rows)), f"{PREFIX}-INITIAL_FORMS": "0"}
    for number, (kind, name) in enumerate(rows):
        data |= {f"{PREFIX}-{number}-kind": kind, f"{PREFIX}-{number}-name": name}
    return client.post(page(account), data | more)


def kept(account: Account) -> list[tuple[str, str]]:
    return list(Exclusion.objects.filter(account=account).values_list("kind", "name"))


def test_kinds_and_names_are_left_out_and_who_said_so_is_written_down(admin_client, cast) -> None:
    response = save(admin_client, cast["north"], ("pipeline", "  Events "), ("custom_field", ""))
    assert response.status_code == 302
    assert kept(cast["north"]) == [("custom_field", ""), ("pipeline", "Events")]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.account) == ("policy", "admin", "north")
    assert entry.details == {"exclusions": [[], ["custom_field", "pipeline Events"]]}


def test_two_names_that_differ_in_case_are_two_exclusions(admin_client, cast) -> None:
    assert save(admin_client, cast["north"], ("pipeline", "Events"), ("pipeline", "EVENTS")).status_code == 302
    assert kept(cast["north"]) == [("pipeline", "EVENTS"), ("pipeline", "Events")]


def test_the_same_twice_is_refused(admin_client, cast) -> None:
    response = save(admin_client, cast["north"], ("pipeline", "Events"), ("pipeline", " Events"))
    assert "Please correct the duplicate" in response.content.decode()
    response = save(admin_client, cast["north"], ("stage", ""), ("stage", " "))
    assert response.status_code == 200
    assert kept(cast["north"]) == []
    assert not AuditEntry.objects.exists()


def test_an_exclusion_is_deleted_and_that_is_written_down(admin_client, cast) -> None:
    row = Exclusion.objects.create(account=cast["north"], kind="pipeline", name="Events")
    known = {f"{PREFIX}-INITIAL_FORMS": "1", f"{PREFIX}-0-id": str(row.pk), f"{PREFIX}-0-account": cast["north"].pk}
    save(admin_client, cast["north"], ("pipeline", "Events"), **known, **{f"{PREFIX}-0-DELETE": "on"})
    assert kept(cast["north"]) == []
    assert AuditEntry.objects.get().details == {"exclusions": [["pipeline Events"], []]}


def test_saving_an_account_without_changing_its_exclusions_writes_nothing_down(admin_client, cast) -> None:
    assert save(admin_client, cast["north"]).status_code == 302
    assert not AuditEntry.objects.filter(details__has_key="exclusions").exists()


def test_who_may_only_look_at_accounts_changes_no_exclusion(client, cast) -> None:
    Exclusion.objects.create(account=cast["north"], kind="pipeline", name="Events")
    user = User.objects.create_user("clerk", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    html = client.get(page(cast["north"])).content.decode()
    assert "Events" in html
    assert f'name="{PREFIX}-0-kind"' not in html
    assert client.post(page(cast["north"]), {}).status_code == 403


def test_changing_the_account_is_the_only_permission_it_needs(client, cast) -> None:
    user = User.objects.create_user("clerk", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="change_account"))
    client.force_login(user)
    save(client, cast["north"], ("pipeline", "Events"))
    assert kept(cast["north"]) == [("pipeline", "Events")]


def test_a_master_is_not_spared_anything(admin_client, cast) -> None:
    assert PREFIX not in admin_client.get(page(cast["master"])).content.decode()
    assert admin_client.get(reverse("admin:accounts_account_add")).status_code == 200
