"""The lists under Settings, and the way back to them from the forms."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from accounts.models import Integration, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.services.keys import create_key
from syncing.services.policy import fields
from syncing.services.roles import make_roles

pytestmark = pytest.mark.django_db


def may_log_in(client: Client, name: str) -> bool:
    client.logout()
    return client.post("/login/", {"username": name, "password": "long-Enough-77"}).status_code == 302


def html_of(client: Client, path: str) -> str:
    return client.get(path).content.decode()


def test_people_are_listed_with_their_roles_and_whether_they_may_log_in(admin_client: Client) -> None:
    make_roles()
    anna = User.objects.create_user("anna", is_staff=True, first_name="Anna", last_name="Lima")
    anna.groups.set(Group.objects.filter(name="approver"))
    User.objects.create_user("bento", is_staff=True, is_active=False)
    html = html_of(admin_client, "/settings/people/")
    anna_row, bento_row = (
        html.split(f"/auth/user/{User.objects.get(username=name).pk}/change/")[1].split("</li>")[0]
        for name in ("anna", "bento")
    )
    assert "Anna Lima" in anna_row
    assert "approver" in anna_row
    assert "may not log in" not in anna_row
    assert "may not log in" in bento_row
    assert "no role" in bento_row


def test_keys_say_what_they_may_and_whether_they_work(admin_client: Client) -> None:
    key, secret = create_key(name="Salesbot", scopes=["read", "trigger"])
    html = html_of(admin_client, "/settings/keys/")
    assert "Salesbot" in html
    assert "made on the command line" in html
    assert "never used" in html
    assert secret not in html
    type(key).objects.update(revoked=True)
    assert "Revoked" in html_of(admin_client, "/settings/keys/")


def test_integrations_say_how_many_accounts_they_connect(admin_client: Client) -> None:
    integration = Integration.objects.create(name="Ours", client_id="id", client_secret="hidden-key", is_public=True)
    assert "connects 0 accounts" in html_of(admin_client, "/settings/integrations/")
    AccountFactory(integration=integration, health="connected")
    AccountFactory(integration=integration, health="token_expired")
    html = html_of(admin_client, "/settings/integrations/")
    assert "connects 2 accounts" in html
    assert "1 is not connected" in html
    assert "hidden-key" not in html


def test_the_policy_says_what_its_dangerous_values_do(admin_client: Client) -> None:
    group = GroupFactory()
    html = html_of(admin_client, f"/accounts/syncgroup/{group.pk}/change/")
    questions = (
        "What is copied?",
        "What may be deleted?",
        "When is a person asked?",
        "What happens by itself?",
        "Limits",
    )
    places = [html.index(each) for each in questions]
    assert places == sorted(places)
    for field in ("pipelines", "stages", "groups", "fields", "options"):
        offered = html.split(f'name="unmatched_{field}"')[1].split("</select>")[0]
        assert offered.count("⚠") == 2, field


def test_every_setting_of_the_policy_is_on_its_page(admin_client: Client) -> None:
    group = GroupFactory()
    html = html_of(admin_client, f"/accounts/syncgroup/{group.pk}/change/")
    assert [name for name in fields() if f'name="{name}"' not in html] == []


def test_forms_lead_back_to_the_console(admin_client: Client) -> None:
    slave = AccountFactory(name="Lisbon")
    form = admin_client.get(f"/accounts/account/{slave.pk}/change/").context["adminform"].form
    data = {name: form[name].value() or "" for name in form.fields}
    kept = {"exclusions-TOTAL_FORMS": 0, "exclusions-INITIAL_FORMS": 0}
    data = {name: value for name, value in data.items() if value is not False}
    answer = admin_client.post(f"/accounts/account/{slave.pk}/change/", {**data, **kept, "name": "Porto"})
    assert (answer.status_code, answer.headers.get("Location")) == (302, f"/accounts/{slave.pk}/")
    slave.refresh_from_db()
    assert slave.name == "Porto"
    group = SyncGroup.objects.create(name="Empty")
    answer = admin_client.post(f"/accounts/syncgroup/{group.pk}/delete/", {"post": "yes"})
    assert answer.headers["Location"] == "/settings/"


def test_the_first_account_by_hand_is_led_to_a_group(admin_client: Client) -> None:
    link = 'href="/accounts/syncgroup/add/">Add a group</a> first.'
    assert link in html_of(admin_client, "/accounts/account/add/")
    GroupFactory()
    assert link not in html_of(admin_client, "/accounts/account/add/")


def test_a_new_person_may_use_the_console_by_the_roles_that_were_ticked(admin_client: Client, client: Client) -> None:
    make_roles()
    viewer = Group.objects.get(name="viewer")
    data = {"username": "carla", "password1": "long-Enough-77", "password2": "long-Enough-77", "groups": [viewer.pk]}
    assert admin_client.post("/auth/user/add/", data).headers["Location"] == "/settings/people/"
    assert may_log_in(client, "carla")
    assert client.get("/runs/").status_code == 200
    assert client.get("/settings/people/").status_code == 403


def test_the_form_of_a_person_keeps_the_password_and_shows_nothing_of_it(admin_client: Client, client: Client) -> None:
    bento = User.objects.create_user("bento", password="long-Enough-77", is_staff=True)
    page = f"/auth/user/{bento.pk}/change/"
    assert bento.password.split("$")[2] not in html_of(admin_client, page)
    answer = admin_client.post(page, {"username": "bento", "first_name": "Bento", "is_active": "on", "is_staff": "on"})
    assert answer.headers["Location"] == "/settings/people/"
    assert may_log_in(client, "bento")
    admin_client.post(page, {"username": "bento"})
    assert not may_log_in(client, "bento")


@pytest.mark.parametrize(("path", "status"), [("/nowhere/", 404), ("/settings/data/", 403)])
def test_a_page_that_is_not_shown_says_so_in_plain_words(client: Client, path: str, status: int) -> None:
    client.force_login(User.objects.create_user("anna", is_staff=True))
    answer = client.get(path)
    assert answer.status_code == status
    html = answer.content.decode()
    assert {404: "This page does not exist", 403: "You may not do this"}[status] in html
    assert "Go to the overview" in html


def test_forms_of_tables_say_where_they_stand(admin_client: Client) -> None:
    slave = AccountFactory(name="Lisbon")
    for path, trail in {
        f"/accounts/account/{slave.pk}/change/": ["/accounts/", f"/accounts/{slave.pk}/"],
        f"/accounts/syncgroup/{slave.group_id}/change/": ["/settings/"],
        "/syncing/apikey/add/": ["/settings/", "/settings/keys/"],
        "/syncing/channel/add/": ["/automation/"],
        "/syncing/logentry/": ["/settings/", "/settings/data/"],
        f"/accounts/syncgroup/{slave.group_id}/delete/": [
            "/settings/",
            f"/accounts/syncgroup/{slave.group_id}/change/",
        ],
    }.items():
        html = html_of(admin_client, path)
        shown = html.split('class="ks-trail">')[1].split("</p>")[0]
        assert [each.split('"')[0] for each in shown.split('href="')[1:]] == trail, path


def test_roles_are_named_in_the_readers_language_and_stored_as_they_are(admin_client: Client) -> None:
    make_roles()
    person = User.objects.create_user("ana", is_staff=True)
    person.groups.set([Group.objects.get(name="viewer"), Group.objects.create(name="Suporte")])
    for path in ("/settings/people/", f"/auth/user/{person.pk}/change/"):
        page = admin_client.get(path, headers={"accept-language": "pt-br"}).content.decode()
        assert "leitor" in page
        assert "aprovador" in page
        assert "Suporte" in page
        assert "viewer" not in page
    assert Group.objects.filter(name="viewer").exists()
