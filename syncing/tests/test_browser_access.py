"""Every page of the console, looked at by axe in both schemes, and measured: no sideways scrolling on any screen."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import Settings

from accounts.models import Account, Integration, Invite
from accounts.simulator.faults import Fault
from accounts.simulator.server import serve
from accounts.tests.factories import GroupFactory
from accounts.tests.laws import ONLY_DEEP
from accounts.tests.screens import AXE, NO_AXE, excess, out_of_sight, small_targets, violations
from syncing.models import AccountRetry, Channel, Message, RunMode, SavedView, Schedule, SyncRun, Window
from syncing.tests.installation import new_franchise

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
PHONE = 360
LONG_NAME = "Casa Clara do Rio Grande do Norte, Centro de Distribuição São-Gonçalo-do-Amarante-Industrial-Norte"
WIDTHS = (PHONE, 768, 900, 1024, 1280)
SECTIONS = ("/", "/accounts/", "/runs/", "/drift/?by=item", "/automation/", "/todo/", "/settings/")
DAILY = len(SECTIONS) + 3  # pages that every run looks at; the others are left to `make test-deep`
FIXED = (
    *(
        "/accounts/?q=nobody",
        "/accounts/export",
        "/accounts/ids?q=sales",
        "/accounts/invites/",
        "/runs/?state=failed",
        "/runs/?state=planned&since=2026-01-01&account=north",
        "/drift/",
    ),
    *(
        *("/settings/people/", "/settings/keys/", "/settings/integrations/", "/settings/audit/"),
        *("/auth/user/add/", "/auth/group/add/", "/syncing/apikey/add/", "/accounts/integration/add/"),
        "/accounts/account/import/",
        "/accounts/account/add/",
        "/connections/invite",
        "/oauth/thanks",
        "/settings/sessions/",
        "/automation/messages/",
        "/settings/second-factor/",
        "/auth/user/",
        "/settings/data/",
        "/search?q=a",
        "/search?q=",
        "/api/docs",
        "/password_change/",
    ),
    *("/accounts/checks/start", "/accounts/account/process_import/", "/syncing/channel/add/", "/syncing/auditentry/"),
)


@pytest.fixture
def pages(settings: Settings, admin_user: Any) -> Iterator[list[str]]:
    """The addresses of all pages, in an installation that has worked: a sync, an edit that was found, a plan, and a run
    in which every account failed for a reason of its own, with much to say.
    """
    settings.KOMMO_RATE_PER_ACCOUNT, settings.KOMMO_RATE_PER_IP = 1000, 0
    world = new_franchise(slaves=3)
    group = GroupFactory(requires_approval=False)
    with serve(world) as server:
        settings.KOMMO_URL_TEMPLATE = server.url_template
        for number, each in enumerate(world.accounts.values()):
            role = Account.Role.SLAVE if number else Account.Role.MASTER
            Account.objects.create(group=group, subdomain=each.subdomain, token=each.token, role=role)
        call_command("sync_all")
        slave = Account.objects.filter(role=Account.Role.SLAVE).order_by("pk").first()
        assert slave is not None
        master = next(iter(world.accounts.values()))
        copied = world.accounts[slave.subdomain].pipeline(next(iter(master.pipelines.values())).name)
        copied.stages[1].name = "Edited <b>here</b>"
        with suppress(SystemExit):  # 1: something differs
            call_command("drift", "--check")
        call_command("sync_all", "--plan")
        Account.objects.filter(pk=slave.pk).update(token="not a token", name=LONG_NAME)
        others = Account.objects.filter(role=Account.Role.SLAVE).exclude(pk=slave.pk)
        for kind, other in zip(("402", "403_plain"), others, strict=True):
            world.faults.add(Fault(kind, subdomain=other.subdomain, times=None))
        with pytest.raises(SystemExit):
            call_command("sync_all")
        Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *", next_at=timezone.now())
        Window.objects.create(group=group, kind="deny", cron="0 18 * * 5", minutes=3720)
        Channel.objects.create(name="Chat", kind="slack", address="x", failure="The service is in trouble.")
        integration = Integration.objects.create(name="Ours", client_id="id", redirect_uri="https://sync.example/oauth")
        for days in (-1, 14):
            ends = timezone.now() + timedelta(days=days)
            Invite.objects.create(account=slave, integration=integration, expires_at=ends)
        Message.objects.create(channel=Channel.objects.get(), title="3 of 3 failed", text="x\ny", failure="Too slow.")
        SavedView.objects.create(list="runs", name="Failed", parameters={"state": "failed"})
        AccountRetry.objects.create(account=slave, due_at=timezone.now())
        last, plan = SyncRun.objects.order_by("-pk")[0], SyncRun.objects.filter(mode=RunMode.PLAN).order_by("-pk")[0]
        worked = last.account_runs.order_by("pk")[0]
        drawn = f"/runs/{plan.pk}/plans/{plan.account_runs.get(account=slave).content_digest}"
        yield [
            *SECTIONS,
            *(f"/accounts/{slave.pk}/", f"/syncing/syncrun/{last.pk}/change/", drawn),
            *FIXED,
            *(f"/accounts/{slave.pk}/ids", f"/accounts/{slave.pk}/exclusions"),
            *(f"/drift/{slave.pk}/", f"/promote/{slave.pk}/", f"/accounts/account/{slave.pk}/change/"),
            *(f"/syncing/syncrun/{plan.pk}/change/", f"/runs/{last.pk}/log"),
            *(f"/runs/{plan.pk}/approve", f"/syncing/accountrun/{worked.pk}/change/", f"/runs/{last.pk}/rollback"),
            *(f"{drawn}?rest=yes&action=update", f"{drawn}/choose", f"/runs/{plan.pk}/send-back"),
            *(f"/groups/{group.pk}/start/apply", f"/accounts/syncgroup/{group.pk}/change/"),
            *(
                f"/settings/groups/{group.pk}/webhook",
                f"/accounts/syncgroup/{group.pk}/delete/",
                f"/auth/user/{admin_user.pk}/change/",
            ),
            *(f"/drift/{slave.pk}/revert", f"/accounts/account/{slave.pk}/history/"),
        ]


@pytest.mark.skipif(not AXE.exists(), reason=NO_AXE)
def test_axe_finds_nothing_on_the_pages_outside_the_frame(browser: Any) -> None:
    """The login, what a branch sees of an invite link that has ended, and a page that does not exist."""
    page, found = browser.new_page(), {}
    page.set_viewport_size({"width": 360, "height": 700})
    for path in ("/login/", "/invite/ended", "/oauth/thanks", "/oauth/callback?state=old"):
        page.goto(path)
        assert excess(page) <= 0, path
        if anything := violations(page):
            found[path] = anything
    assert found == {}


@pytest.mark.parametrize(
    ("language", "last"),
    [
        ("en", DAILY),
        *(pytest.param(each, None, marks=ONLY_DEEP, id=f"every page, {each}") for each in ("en", "pt-BR", "es")),
    ],
)
def test_every_page_fits_its_screen_and_axe_finds_nothing(
    pages: list[str], page: Any, language: str, last: int | None
) -> None:
    """No page scrolls sideways, no table hides what decides, and on a phone everything can be pressed with a finger.

    Axe reads the English pages.
    """
    page.set_extra_http_headers({"Accept-Language": language})
    wide, hidden, found = {}, {}, {}
    for path in pages[:last]:
        answer = page.goto(path)
        assert answer.status == 200, path
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            if (pixels := excess(page)) > 0:
                wide[path, width] = pixels
            if width == PHONE and (controls := [*out_of_sight(page), *small_targets(page)]):
                hidden[path] = controls
        if language == "en" and (anything := violations(page)):
            found[path] = anything
    assert (wide, hidden, found) == ({}, {}, {})
    if language == "en" and not AXE.exists():
        pytest.skip(NO_AXE)
