"""The admin pages of groups and accounts."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from accounts.models import Account, ConnectionCheck, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_account_changelist")
ADD = reverse("admin:accounts_account_add")
IMPORT = reverse("admin:accounts_account_import")


def page_of(account: Account) -> str:
    return reverse("admin:accounts_account_change", args=[account.pk])


def form_of(account: Account, **changes: object) -> dict[str, object]:
    known = {"group": account.group_id, "role": account.role, "name": account.name, "subdomain": account.subdomain}
    no_rows = {"exclusions-TOTAL_FORMS": 0, "exclusions-INITIAL_FORMS": 0}
    return {**known, **no_rows, "new_token": "", **changes}


def queued() -> list[tuple]:
    return [message.task["args"] for message in OrmQ.objects.all()]


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    """A directory of collected static files: without one whitenoise warns."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def viewer(client):
    """A client that may see accounts, and nothing else."""
    user = User.objects.create_user("viewer", password="-", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_account"))
    client.force_login(user)
    return client


def allow(client, codename: str) -> None:
    User.objects.get(username="viewer").user_permissions.add(Permission.objects.get(codename=codename))


# -- the list --


def test_the_list_shows_health_with_its_reason_and_links_to_kommo(admin_client) -> None:
    AccountFactory(subdomain="west", health=Account.Health.TOKEN_EXPIRED, health_reason="<b>Make a new one.</b>")
    html = admin_client.get(LIST).content.decode()
    assert '<span class="ks-badge ks-bad">Token expired</span>' in html
    assert "&lt;b&gt;Make a new one.&lt;/b&gt;" in html
    assert 'href="https://west.kommo.com"' in html


def test_the_list_costs_the_same_queries_for_3_and_for_120_accounts(admin_client) -> None:
    counts = []
    for many in (3, 117):
        AccountFactory.create_batch(many)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert admin_client.get(LIST).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def test_the_list_and_the_page_of_an_account_never_read_a_secret(admin_client, settings) -> None:
    account = AccountFactory()
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    for url in (LIST, page_of(account)):
        assert admin_client.get(url).status_code == 200


@pytest.mark.parametrize("wanted", ["nor", "North", "1001"])
def test_the_search_finds_name_subdomain_and_id(admin_client, wanted) -> None:
    AccountFactory(subdomain="north", name="North", kommo_id=1001)
    AccountFactory(subdomain="south", kommo_id=2002)
    html = admin_client.get(LIST, {"q": wanted}).content.decode()
    assert "north.kommo.com" in html
    assert "south.kommo.com" not in html


@pytest.mark.parametrize(
    "query", ["role__exact=slave", "health__exact=unpaid", "paused__exact=0", "group__id__exact={group}"]
)
def test_the_list_can_be_filtered(admin_client, query) -> None:
    account = AccountFactory(health=Account.Health.UNPAID)
    AccountFactory(group=GroupFactory(name="Other"), master=True, subdomain="other", paused=True)
    html = admin_client.get(f"{LIST}?{query.format(group=account.group_id)}").content.decode()
    assert account.subdomain in html
    assert "other.kommo.com" not in html


def test_an_expired_token_is_marked_in_the_list(admin_client) -> None:
    AccountFactory(token_expires_at=timezone.now() - timedelta(days=1))
    AccountFactory(token_expires_at=timezone.now() + timedelta(days=90))
    assert admin_client.get(LIST).content.decode().count("ks-badge ks-bad") == 1


# -- the form --


def test_a_stored_token_is_shown_as_set_and_never_leaves_the_server(admin_client) -> None:
    account = AccountFactory(subdomain="north")
    html = admin_client.get(page_of(account)).content.decode()
    assert "••• set" in html
    assert "token-of-north" not in html


def test_an_empty_token_input_keeps_the_stored_token_untouched(admin_client) -> None:
    account = AccountFactory(subdomain="north", health=Account.Health.CONNECTED)
    answer = admin_client.post(page_of(account), form_of(account, name="New name"))
    assert answer.status_code == 302
    account = Account.objects.get()
    assert (account.name, account.token, account.health) == ("New name", "token-of-north", "connected")


def test_a_new_token_replaces_the_old_one_and_asks_for_a_new_check(admin_client) -> None:
    account = AccountFactory(subdomain="north", health=Account.Health.TOKEN_REVOKED)
    admin_client.post(page_of(account), form_of(account, new_token=" token-of-day "))
    account = Account.objects.get()
    assert (account.token, account.health) == ("token-of-day", "unknown")
    html = admin_client.get(reverse("admin:accounts_account_history", args=[account.pk])).content.decode()
    assert "token-of-day" not in html


def test_another_subdomain_asks_for_a_new_check(admin_client) -> None:
    account = AccountFactory(health=Account.Health.NOT_FOUND)
    admin_client.post(page_of(account), form_of(account, subdomain="south"))
    assert Account.objects.get().health == Account.Health.UNKNOWN


def test_an_account_is_added_with_a_pasted_address(admin_client) -> None:
    group = GroupFactory()
    data = {"group": group.pk, "role": "slave", "subdomain": "https://North.kommo.com/", "new_token": "token-of-north"}
    assert admin_client.post(ADD, data).status_code == 302
    account = Account.objects.get()
    assert (account.subdomain, account.token) == ("north", "token-of-north")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"subdomain": "no rth"}, "not the subdomain"),
        ({"subdomain": "taken"}, "already exists"),
        ({"role": "master"}, "already has the master head"),
        ({"new_token": "two words"}, "one word"),
        ({"name": "x" * 256}, "at most 255"),
    ],
)
def test_a_wrong_value_is_refused_beside_its_field(admin_client, changes, says) -> None:
    account = AccountFactory(subdomain="north")
    AccountFactory(subdomain="taken")
    AccountFactory(master=True, subdomain="head")
    answer = admin_client.post(page_of(account), form_of(account, **changes))
    assert answer.status_code == 200
    (field,) = changes
    assert says in str(answer.context["adminform"].form.errors[field])


def test_a_viewer_sees_an_account_without_any_input(viewer) -> None:
    html = viewer.get(page_of(AccountFactory(subdomain="north"))).content.decode()
    assert "••• set" in html
    assert "token-of-north" not in html
    assert 'name="new_token"' not in html


# -- "Check connection" --


def select(accounts: list[Account], **more: str) -> dict[str, object]:
    return {"action": "check_connection", "_selected_action": [account.pk for account in accounts], **more}


def test_a_check_asks_first_and_names_the_accounts(admin_client) -> None:
    accounts = AccountFactory.create_batch(2)
    html = admin_client.post(LIST, select(accounts)).content.decode()
    assert all(account.subdomain in html for account in accounts)
    assert queued() == []


def test_a_confirmed_check_is_left_to_the_workers_and_leads_to_its_page(
    admin_client, django_capture_on_commit_callbacks
) -> None:
    accounts = AccountFactory.create_batch(2)
    AccountFactory()
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin_client.post(LIST, select(accounts, confirmed="yes"))
    check = ConnectionCheck.objects.get()
    assert answer["Location"] == reverse("accounts:check", args=[check.pk])
    assert queued() == [(check.pk,)]
    assert set(check.items.values_list("account", flat=True)) == {account.pk for account in accounts}


def test_a_check_needs_its_own_permission(viewer) -> None:
    accounts = [AccountFactory()]
    assert "check_connection" not in viewer.get(LIST).content.decode()
    viewer.post(LIST, select(accounts, confirmed="yes"))
    assert queued() == []
    allow(viewer, "check_account")
    assert "check_connection" in viewer.get(LIST).content.decode()


# -- groups --


def test_the_groups_show_their_master_and_link_to_their_accounts(admin_client) -> None:
    accounts = AccountFactory.cast()
    group = accounts["master"].group
    GroupFactory(name="Empty")
    html = admin_client.get(reverse("admin:accounts_syncgroup_changelist")).content.decode()
    assert f'<a href="{LIST}?group__id__exact={group.pk}">5</a>' in html
    assert '<td class="field-master">master</td>' in html
    assert "ks-badge ks-bad" in html


def test_a_group_that_still_has_accounts_is_not_deleted(admin_client) -> None:
    group = AccountFactory().group
    admin_client.post(reverse("admin:accounts_syncgroup_delete", args=[group.pk]), {"post": "yes"})
    assert SyncGroup.objects.filter(pk=group.pk).exists()


@pytest.mark.parametrize("language", ["pt-br", "es"])
def test_the_pages_open_in_the_other_languages(admin_client, language) -> None:
    account = AccountFactory()
    for url in (LIST, page_of(account), ADD, IMPORT):
        assert admin_client.get(url, headers={"accept-language": language}).status_code == 200
