"""The roles: what `setup` gives them, that every page and button obeys, and that no page offers what is refused."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.test import Client
from django.urls import Resolver404, get_resolver, resolve, reverse
from django.utils import timezone

from accounts.models import Account, ConnectionCheck, Integration, Invite
from accounts.tests.factories import AccountFactory
from syncing.engine.grouping import content_digest
from syncing.models import (
    AcceptedDifference,
    AccountState,
    Channel,
    Exclusion,
    Message,
    RunMode,
    RunState,
    SavedView,
    Schedule,
    SyncRun,
    Window,
)
from syncing.services.keys import create_key
from syncing.services.roles import ROLES, make_roles, permissions_of
from syncing.tests.factories import AccountRunFactory, DriftFactory, RunFactory, difference, extra, missing
from syncing.tests.plans import change, document, item, planned

pytestmark = pytest.mark.django_db

EVERYBODY = ""
PLAN = document(change("create", "Contract"), change("delete", "Old"), extras=[item("Own way", "Kept.")])
# What each address needs, whoever asks: "GET" of a page, "POST" of a button. A new page or button gets its line here.
DOORS: dict[str, dict[str, str]] = {
    "syncing:dashboard": {"GET": EVERYBODY},
    "syncing:search": {"GET": EVERYBODY},
    "syncing:settings": {"GET": EVERYBODY},
    "syncing:sessions": {"GET": EVERYBODY},
    "syncing:end_session": {"POST": EVERYBODY},  # of one's own; the service refuses those of others
    "syncing:end_other_sessions": {"POST": EVERYBODY},
    "syncing:second_factor": {"GET": EVERYBODY},  # one's own
    "syncing:begin_second_factor": {"POST": EVERYBODY},
    "syncing:set_up_second_factor": {"GET": EVERYBODY, "POST": EVERYBODY},
    "syncing:make_recovery_codes": {"POST": EVERYBODY},
    "syncing:switch_second_factor_off": {"POST": EVERYBODY},
    "syncing:people": {"GET": "auth.view_user"},
    "syncing:keys": {"GET": "syncing.view_apikey"},
    "syncing:integrations": {"GET": "accounts.view_integration"},
    "syncing:audit": {"GET": "syncing.view_auditentry"},
    "syncing:audit_file": {"GET": "syncing.view_auditentry"},
    "syncing:data": {"GET": "auth.change_user"},
    "syncing:data_of_app": {"GET": "auth.change_user"},
    "syncing:dashboard_live": {"GET": "syncing.view_syncrun"},
    "syncing:success": {"GET": "syncing.view_syncrun"},
    "syncing:try_again": {"POST": "syncing.plan_sync"},  # the run of the scene only plans
    "syncing:runs": {"GET": "syncing.view_syncrun"},
    "syncing:runs_live": {"GET": "syncing.view_syncrun"},
    "syncing:run_log": {"GET": "syncing.view_logentry"},
    "syncing:run_log_csv": {"GET": "syncing.view_logentry"},
    "syncing:accounts": {"GET": "accounts.view_account"},
    "syncing:export_accounts": {"GET": "accounts.export_account", "POST": "accounts.export_account"},
    "syncing:save_view": {"POST": EVERYBODY},  # one's own; the service asks who shares, changes and deletes
    "syncing:change_view": {"POST": EVERYBODY},
    "syncing:delete_view": {"POST": EVERYBODY},
    "syncing:automation": {"GET": "accounts.view_syncgroup"},
    "syncing:messages": {"GET": "syncing.view_message"},
    "syncing:send_again": {"POST": "syncing.change_channel"},
    "syncing:try_channel": {"POST": "syncing.change_channel"},
    "syncing:automation_watch": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_add_schedule": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_add_window": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_pause": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_change_schedule": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_change_window": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_switch_schedule": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_remove_schedule": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_remove_window": {"POST": "accounts.change_syncgroup"},
    "syncing:automation_resume": {"POST": "accounts.view_syncgroup"},  # refused with a message to who may not resume
    "syncing:run": {"GET": "syncing.view_syncrun"},
    "syncing:run_live": {"GET": "syncing.view_syncrun"},
    "syncing:run_json": {"GET": "syncing.view_syncrun"},
    "syncing:plan": {"GET": "syncing.view_syncrun"},
    "syncing:plan_csv": {"GET": "syncing.view_syncrun"},
    "syncing:plan_text": {"GET": "syncing.view_syncrun"},
    "syncing:account_run": {"GET": "syncing.view_accountrun"},
    "syncing:todo": {"GET": "syncing.view_accountrun"},
    "syncing:account": {"GET": "accounts.view_account"},
    "syncing:account_ids": {"GET": "syncing.view_idmapping"},
    "syncing:invites": {"GET": "accounts.view_invite"},
    "syncing:withdraw_invite": {"POST": "accounts.connect_account"},
    "syncing:renew_invite": {"POST": "accounts.connect_account"},
    "syncing:mail_invite": {"POST": "accounts.connect_account"},
    "syncing:ids": {"GET": "syncing.view_idmapping"},
    "syncing:ids_csv": {"GET": "syncing.view_idmapping"},
    "syncing:drift": {"GET": "syncing.view_drift"},
    "syncing:drift_list": {"GET": "syncing.view_drift"},
    "syncing:drift_account": {"GET": "syncing.view_drift"},
    "syncing:drift_row": {"GET": "syncing.view_drift"},
    "syncing:start plan": {"GET": "syncing.plan_sync", "POST": "syncing.plan_sync"},
    "syncing:start apply": {"GET": "syncing.start_sync", "POST": "syncing.start_sync"},
    "syncing:drift_check": {"POST": "syncing.plan_sync"},
    "syncing:drift_check_account": {"POST": "syncing.plan_sync"},
    "syncing:review": {"POST": "syncing.plan_sync"},
    "syncing:retry": {"POST": "syncing.plan_sync"},  # the run of the scene only plans
    "syncing:cancel": {"POST": "syncing.cancel_sync"},
    "syncing:continue": {"POST": "syncing.start_sync"},
    "syncing:force": {"GET": "syncing.override_limits", "POST": "syncing.override_limits"},
    "syncing:approve": {"GET": "syncing.approve_plan", "POST": "syncing.approve_plan"},
    "syncing:send_back": {"GET": "syncing.approve_plan", "POST": "syncing.approve_plan"},
    "syncing:choose": {"GET": "syncing.plan_sync", "POST": "syncing.plan_sync"},
    "syncing:roll_back": {"GET": "syncing.roll_back", "POST": "syncing.roll_back"},
    "syncing:promote": {"GET": "syncing.promote", "POST": "syncing.promote"},
    "syncing:revert": {"GET": "syncing.start_sync", "POST": "syncing.start_sync"},
    "syncing:revert_items": {"GET": "syncing.start_sync", "POST": "syncing.start_sync"},
    "syncing:accept": {"GET": "syncing.accept_drift", "POST": "syncing.accept_drift"},
    "syncing:accept_items": {"GET": "syncing.accept_drift", "POST": "syncing.accept_drift"},
    "syncing:withdraw": {"POST": "syncing.accept_drift"},
    "syncing:item_mode": {"GET": "syncing.accept_drift", "POST": "syncing.accept_drift"},
    "syncing:exclude": {"GET": "accounts.change_account", "POST": "accounts.change_account"},
    "syncing:webhook_token": {"GET": "accounts.change_syncgroup", "POST": "accounts.change_syncgroup"},
    "accounts:check_start": {"GET": "accounts.check_account", "POST": "accounts.check_account"},
    "accounts:check": {"GET": "accounts.check_account"},
    "accounts:check_live": {"GET": "accounts.check_account"},
    "accounts:check_again": {"POST": "accounts.check_account"},
    "accounts:connect": {"GET": "accounts.connect_account", "POST": "accounts.connect_account"},
    "accounts:invite_many": {"GET": "accounts.connect_account", "POST": "accounts.connect_account"},
    "admin:accounts_account_changelist": {"GET": "accounts.view_account"},
    "admin:accounts_account_change": {"GET": "accounts.view_account", "POST": "accounts.change_account"},
    "admin:accounts_account_add": {"GET": "accounts.add_account", "POST": "accounts.add_account"},
    "admin:accounts_account_delete": {"GET": "accounts.delete_account", "POST": "accounts.delete_account"},
    "admin:accounts_account_import": {"GET": "accounts.import_account"},
    "admin:accounts_account_export": {"GET": "accounts.export_account", "POST": "accounts.export_account"},
    "admin:accounts_invite_changelist": {"GET": "accounts.view_invite"},
    "admin:accounts_accountevent_changelist": {"GET": "accounts.view_accountevent"},
    "admin:accounts_integration_changelist": {"GET": "accounts.view_integration"},
    "admin:accounts_integration_change": {"GET": "accounts.view_integration", "POST": "accounts.change_integration"},
    "admin:accounts_syncgroup_changelist": {"GET": "accounts.view_syncgroup"},
    "admin:accounts_syncgroup_change": {"GET": "accounts.view_syncgroup", "POST": "accounts.change_syncgroup"},
    "admin:accounts_syncgroup_add": {"GET": "accounts.add_syncgroup", "POST": "accounts.add_syncgroup"},
    "admin:syncing_syncrun_changelist": {"GET": "syncing.view_syncrun"},
    "admin:syncing_accountrun_changelist": {"GET": "syncing.view_accountrun"},
    "admin:syncing_logentry_changelist": {"GET": "syncing.view_logentry"},
    "admin:syncing_idmapping_changelist": {"GET": "syncing.view_idmapping"},
    "admin:syncing_mastersnapshot_changelist": {"GET": "syncing.view_mastersnapshot"},
    "admin:syncing_accepteddifference_changelist": {"GET": "syncing.view_accepteddifference"},
    "admin:syncing_auditentry_changelist": {"GET": "syncing.view_auditentry"},
    "admin:syncing_message_changelist": {"GET": "syncing.view_message"},
    "admin:syncing_schedule_changelist": {"GET": "syncing.view_schedule"},
    "admin:syncing_schedule_add": {"GET": "accounts.change_syncgroup", "POST": "accounts.change_syncgroup"},
    "admin:syncing_window_changelist": {"GET": "syncing.view_window"},
    "admin:syncing_window_add": {"GET": "accounts.change_syncgroup", "POST": "accounts.change_syncgroup"},
    "admin:syncing_channel_changelist": {"GET": "syncing.view_channel"},
    "admin:syncing_channel_change": {"GET": "syncing.view_channel", "POST": "syncing.change_channel"},
    "admin:syncing_channel_add": {"GET": "syncing.add_channel", "POST": "syncing.add_channel"},
    "admin:syncing_apikey_changelist": {"GET": "syncing.view_apikey"},
    "admin:syncing_apikey_add": {"GET": "syncing.add_apikey", "POST": "syncing.add_apikey"},
    "admin:auth_user_changelist": {"GET": "auth.view_user"},
    "admin:auth_user_add": {"GET": "auth.add_user", "POST": "auth.add_user"},
    "admin:auth_group_changelist": {"GET": "auth.view_group"},
    "admin:django_q_failure_changelist": {"GET": "django_q.view_failure"},
}
# These ask for no person, but for what the address or the browser carries.
FOR_ANYBODY = {
    *("accounts:callback", "accounts:disabled", "accounts:thanks", "accounts:invite"),
    *("syncing:login", "syncing:login_code"),
}
ALSO = {  # beside the permission of the line above
    "syncing:force": "syncing.plan_sync",
    "syncing:webhook_token": "syncing.start_sync",
    "syncing:export_accounts": "accounts.view_account",
    "syncing:run_log": "syncing.view_syncrun",
    "syncing:run_log_csv": "syncing.view_syncrun",
    "admin:syncing_channel_add": "syncing.change_channel",
}


class Scene:
    """An installation in which every page has something to show and every button something to do."""

    def __init__(self) -> None:
        self.cast = AccountFactory.cast()
        self.north = north = self.cast["north"]
        self.group = north.group
        common = {
            "client_id": "id",
            "client_secret": "secret",
            "redirect_uri": "https://sync.example.com/oauth/callback",
        }
        self.integration = Integration.objects.create(name="Ours", **common)
        Account.objects.filter(pk=self.cast["west"].pk).update(integration=self.integration)
        self.plan = RunFactory(group=self.group, mode=RunMode.PLAN, state=RunState.PLANNED)
        self.account_run = planned(self.plan, north, PLAN)
        error = {"code": "guard", "message": "Too much.", "remedy": "Look."}
        facts = {"state": AccountState.REFUSED, "reason": "guard", "error": error}
        self.refused = AccountRunFactory(run=self.plan, account=self.cast["south"], **facts)
        self.open = RunFactory(group=self.group, state=RunState.RUNNING)
        DriftFactory(account=north, rows=[difference(), extra()])
        DriftFactory(account=self.cast["south"], rows=[missing()])
        self.exception = AcceptedDifference.objects.create(account=north, kind="stage", key="1/1", name="A", reason="R")
        Exclusion.objects.create(account=north, kind="pipeline", name="Sales")
        self.schedule = Schedule.objects.create(group=self.group, kind="drift", cron="0 3 * * *")
        self.window = Window.objects.create(group=self.group, kind="deny", cron="0 3 1 1 *", minutes=60)
        ended = {"account": north, "integration": self.integration, "expires_at": timezone.now()}
        self.invite = Invite.objects.create(**ended)
        self.check = ConnectionCheck.objects.create()
        address = "https://hooks.example.com/x"
        self.channel = Channel.objects.create(name="ops", address=address, kind="json")
        Message.objects.create(channel=self.channel, event="run_failed", title="1 of 4 failed", failure="Refused.")
        self.view = SavedView.objects.create(list="runs", name="Failed", parameters={"state": "failed"})
        create_key(name="reader", scopes=["read"])

    def url(self, name: str) -> str:
        name, _blank, mode = name.partition(" ")
        query = ""
        if name == "syncing:item_mode" or name == "syncing:accept":
            query = "?kind=stage&key=7/71&attribute=color"
        if name.endswith("_items"):
            query = f"?group={self.group.pk}&kind=stage&key=7/71&attribute=color&action=update"
        return reverse(name, args=self._args(name, mode)) + query

    def _args(self, name: str, mode: str) -> list[Any]:
        run = self.open if name == "syncing:cancel" else self.plan
        args: dict[str, Any] = {"run_id": run.pk, "account_run_id": self.account_run.pk, "account_id": self.north.pk}
        args |= {"group_id": self.group.pk, "mode": mode, "check_id": self.check.pk, "exception_id": self.exception.pk}
        args |= {"schedule_id": self.schedule.pk, "window_id": self.window.pk}
        args |= {"invite_id": self.invite.pk, "view_id": self.view.pk, "channel_id": self.channel.pk}
        args["digest"] = content_digest(PLAN)
        args["format"] = "csv"
        if name.startswith("admin:"):
            rows = {"account": self.north, "syncgroup": self.group, "integration": self.integration}
            row = {**rows, "channel": self.channel}[name.split("_")[1]] if name.endswith(("change", "delete")) else None
            return [row.pk] if row else []
        pattern = next(each for each in routes() if each[0] == name)[1]
        return [args[each] for each in re.findall(r"<\w+:(\w+)>", pattern)]

    def data(self, name: str) -> dict[str, Any]:
        """What the button sends, as far as something must be sent for the address to exist."""
        if name == "syncing:drift_check":
            return {"group": self.group.pk}
        if name == "syncing:automation_resume":
            return {"account": self.north.pk}
        if name == "syncing:try_again":
            return {"account_runs": self.refused.pk}
        if name.endswith("_items"):
            what = {"kind": "stage", "key": "7/71", "attribute": "color", "action": "update"}
            return {"group": self.group.pk, **what}
        return {}


def routes() -> Iterator[tuple[str, str]]:
    """The names and patterns of our own addresses that people use."""
    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "app_name", "") in ("syncing", "accounts"):
            for each in resolver.url_patterns:
                yield f"{resolver.app_name}:{each.name}", str(each.pattern)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture(params=[*ROLES, "nobody"])
def role(request: pytest.FixtureRequest) -> str:
    """Each role, and a person of the staff who was given none."""
    return str(request.param)


@pytest.fixture
def person(role: str) -> User:
    make_roles()
    made = User.objects.create_user("anna", password="-", is_staff=True)
    made.groups.set(Group.objects.filter(name=role))
    return made


@pytest.fixture
def browser_of_person(client: Client, person: User) -> Client:
    client.force_login(person)
    client.raise_request_exception = True
    return client


def may(person: User, name: str, method: str) -> bool:
    needed = [DOORS[name][method], ALSO.get(name, EVERYBODY)]
    return all(person.has_perm(each) for each in needed if each)


# -- what setup makes --


def test_setup_makes_the_roles_once_and_brings_them_back() -> None:
    assert [str(each) for each in make_roles()] == ["viewer", "operator", "approver", "administrator"]
    assert make_roles() == []
    viewer, anna = Group.objects.get(name="viewer"), User.objects.create_user("anna")
    anna.groups.add(viewer)
    viewer.permissions.remove(Permission.objects.get(codename="view_drift"))
    viewer.permissions.add(Permission.objects.get(codename="start_sync"))
    own = Group.objects.create(name="night shift")
    own.permissions.add(Permission.objects.get(codename="cancel_sync"))

    assert [str(each) for each in make_roles()] == ["viewer (+1, -1)"]

    anna = User.objects.get(pk=anna.pk)
    assert anna.has_perm("syncing.view_drift")
    assert not anna.has_perm("syncing.start_sync")
    assert own.permissions.count() == 1


def test_nobody_both_plans_and_approves_but_administrators() -> None:
    make_roles()
    for name in ("operator", "approver"):
        held = set(permissions_of(name, ()))
        assert not {"syncing.start_sync", "syncing.approve_plan"} <= held
        assert not any(each.startswith(("auth.", "accounts.delete_")) for each in held)
        assert not {"accounts.change_syncgroup", "syncing.change_channel", "syncing.override_limits"} & held


def test_only_administrators_hold_what_no_table_names() -> None:
    make_roles()
    known = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    ours = {each for each in known if each.startswith(("accounts.", "syncing."))}
    assert ours <= set(permissions_of("administrator", known))


# -- pages and buttons --


def test_every_page_and_button_has_a_line() -> None:
    known = {name.partition(" ")[0] for name in DOORS} | FOR_ANYBODY
    api = re.compile(r"syncing:(api_|healthz|readyz|metrics|webhook$)")
    asked = {name for name, pattern in routes() if not api.match(name) and not pattern.startswith(("api/", "^api/"))}
    assert asked - known == set()


def test_pages_open_for_those_who_may_and_for_nobody_else(
    scene: Scene, browser_of_person: Client, person: User
) -> None:
    wrong = []
    for name in [name for name in DOORS if "GET" in DOORS[name]]:
        status = browser_of_person.get(scene.url(name)).status_code
        if (status == 403) == may(person, name, "GET") or status >= 404:
            wrong.append((name, status))
    assert wrong == [], wrong


def test_buttons_work_for_those_who_may_and_for_nobody_else(
    scene: Scene, browser_of_person: Client, person: User
) -> None:
    wrong = []
    for name in [name for name in DOORS if "POST" in DOORS[name]]:
        with transaction.atomic():
            status = browser_of_person.post(scene.url(name), scene.data(name)).status_code
            transaction.set_rollback(True)
        if (status == 403) == may(person, name, "POST") or status >= 404:
            wrong.append((name, status))
    assert wrong == [], wrong


# -- what pages offer --


class Offers(HTMLParser):
    """The links of a page, and where its buttons send forms; a form without a button offers nothing."""

    def __init__(self, base: str, html: str) -> None:
        super().__init__()
        self.base, self.links, self.posts = base, set[str](), set[str]()
        self._forms: dict[str, str] = {}  # of forms that are posted: id to address
        self._pressed: list[tuple[str, str]] = []  # of buttons: the id of the form, an address of its own
        self._here = ""
        self.feed(html)
        for form, own in self._pressed:
            target = own or self._forms.get(form)
            if target is not None:
                self.posts.add(urljoin(base, target))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._here = found.get("id") or f"form {len(self._forms)}"
            if found.get("method", "").lower() == "post":
                self._forms[self._here] = found.get("action", "")
        elif (tag == "button" or tag == "input") and found.get("type", "submit" if tag == "button" else "") == "submit":
            self._pressed.append((found.get("form", self._here), found.get("formaction", "")))
        elif tag == "a" and not urlsplit(found.get("href", "#")).netloc and not found.get("href", "#").startswith("#"):
            self.links.add(urljoin(self.base, found["href"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._here = ""


def name_of(url: str) -> str:
    """The name of the address, as DOORS has it."""
    try:
        found = resolve(urlsplit(url).path)
    except Resolver404:
        return ""
    return f"{found.view_name} {found.kwargs['mode']}" if found.view_name == "syncing:start" else found.view_name


def walk(client: Client) -> Iterator[tuple[str, int, Offers]]:
    """Follows every link from the first page on, at most three of one kind."""
    todo, seen, times = ["/"], {"/"}, dict[str, int]()
    while todo:
        url = todo.pop()
        times[name_of(url)] = times.get(name_of(url), 0) + 1
        if times[name_of(url)] > 3 or name_of(url) == "admin:logout":
            continue
        response = client.get(url)
        is_html = response.headers.get("Content-Type", "").startswith("text/html")
        offers = Offers(url, response.content.decode() if is_html else "")
        yield url, response.status_code, offers
        todo += sorted(offers.links - seen)
        seen |= offers.links


def refused(person: User, url: str, offers: Offers) -> Iterator[tuple[str, str]]:
    """The buttons of a page that would answer 403."""
    for target in offers.posts:
        name = name_of(target)
        if "POST" in DOORS.get(name, {}) and not may(person, name, "POST") and target != url:
            yield url, target


def lists_of_the_admin(url: str, offers: Offers) -> Iterator[tuple[str, str]]:
    """Links into lists that belong below Settings, Data."""
    if not name_of(url).startswith("admin:") and name_of(url) not in ("syncing:data", "syncing:data_of_app"):
        lists = {name for name in map(name_of, offers.links) if name.endswith("_changelist")}
        yield from ((url, each) for each in lists)


def test_pages_offer_nothing_that_is_refused_and_lead_into_the_admin_only_at_its_door(
    scene: Scene, browser_of_person: Client, person: User
) -> None:
    """One walk for both: it opens every page that a person can reach."""
    wrong, visited = list[Any](), set()
    for url, status, offers in walk(browser_of_person):
        visited.add(name_of(url))
        if status >= 400:
            wrong.append((url, status))
        wrong += [*refused(person, url, offers), *lists_of_the_admin(url, offers)]
    assert wrong == [], wrong
    if person.groups.exists():
        assert {"syncing:run", "syncing:drift", "syncing:account"} <= visited
    assert ("syncing:data" in visited) is person.has_perm("auth.change_user")


def test_a_viewer_is_offered_no_action_in_the_lists(scene: Scene, client: Client) -> None:
    make_roles()
    anna = User.objects.create_user("anna", password="-", is_staff=True)
    anna.groups.set(Group.objects.filter(name="viewer"))
    client.force_login(anna)
    for name in ("admin:accounts_account_changelist", "admin:accounts_syncgroup_changelist"):
        page = client.get(reverse(name))
        assert 'name="action"' not in page.content.decode()
        for action in ("pause", "sync_selected", "plan_selected", "delete_selected"):
            client.post(reverse(name), {"action": action, "_selected_action": [scene.north.pk], "apply": "1"})
    assert SyncRun.objects.count() == 2
    assert not Account.objects.filter(paused=True).exists()
    assert Account.objects.count() == 5
