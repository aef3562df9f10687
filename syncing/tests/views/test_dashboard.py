"""The dashboard: what it counts, what it names, what it costs."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from accounts.models import Account, SyncGroup
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.leases import processes
from syncing.middleware import POLICY
from syncing.models import AccountRun, AccountState, ProcessKind, RunMode, RunState, SyncRun, Window
from syncing.selectors import dashboard
from syncing.selectors.automation import automation_state
from syncing.selectors.fleet import common_words, fleet_accounts, fleet_of
from syncing.selectors.needs import needs
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

MANUAL = {"kind": "stage", "name": "Won", "parent": "Sales", "message": "Rename it by hand."}
CONFLICT = {"kind": "custom_field", "name": "Plan", "parent": "leads", "message": "Two of this name."}


@pytest.fixture
def cast() -> dict[str, Account]:
    return AccountFactory.cast()


def finished(cast, **states: str) -> SyncRun:
    run = RunFactory(group=cast["north"].group)
    for name, state in states.items():
        AccountRunFactory(run=run, account=cast[name], state=state)
    return run


def states() -> dict[str, str]:
    fleet = fleet_of(fleet_accounts(), timezone.now())
    return {tile.name: tile.state.key for tile in fleet.shown}


# -- numbers --


def test_every_slave_is_in_the_one_state_that_matters_most(cast) -> None:
    Account.objects.filter(subdomain="west").update(health="token_expired")
    finished(cast, north="failed", south="changed", west="failed")
    DriftFactory(account=cast["north"])
    EqualDriftFactory(account=cast["south"])
    DriftFactory(account=cast["east"], rows=[missing()])
    assert states() == {"North": "failed", "South": "equal", "West": "lost", "East": "differs"}
    finished(cast, north="in_sync", east="queued")
    Account.objects.filter(subdomain="south").update(paused=True)
    assert states() == {"North": "edited", "South": "paused", "West": "lost", "East": "working"}


def test_a_pause_that_is_over_and_an_account_that_nobody_read(cast) -> None:
    Account.objects.update(paused=True, paused_until=timezone.now() - timedelta(minutes=1))
    assert set(states().values()) == {"unread"}


def test_the_counts_are_those_of_the_group_and_text_whatever_state_is_shown(cast) -> None:
    other = AccountFactory(group=GroupFactory(name="Other"), subdomain="northern")
    finished(cast, north="failed")
    fleet = fleet_of(fleet_accounts(), timezone.now(), text="NORTH", state="failed")
    assert [tile.name for tile in fleet.shown] == ["North"]
    assert [(each.state.key, each.count) for each in fleet.counts] == [("failed", 1), ("unread", 1)]
    fleet = fleet_of(fleet_accounts(), timezone.now(), group=other.group_id)
    assert [tile.name for tile in fleet.shown] == ["Northern"]
    assert fleet.total == 1


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["Casa Clara Rio", "Casa Clara Olinda"], "Casa Clara "),
        (["Rio", "Rio Sul"], ""),
        (["Alone here"], ""),
        ([], ""),
    ],
)
def test_words_that_all_names_begin_with_are_left_out_of_the_tiles(names, common) -> None:
    assert common_words(names) == common


def test_the_board_of_a_group_has_the_progress_of_its_last_run_only(cast) -> None:
    finished(cast, north="failed", south="failed", west="failed")
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    for name, state in [("north", "changed"), ("south", "running"), ("west", "queued"), ("east", "failed")]:
        AccountRunFactory(run=run, account=cast[name], state=state)
    runs = dashboard.shown_runs()
    (board,) = dashboard.boards(fleet_accounts(), runs, automation_state())
    assert board.last is not None
    assert (board.last.run, board.last.progress.done, board.last.progress.total) == (run, 2, 4)
    assert board.last.progress.percent == 50
    assert board.master == cast["master"]
    assert [line.run for line in runs.open] == [run]


def test_the_time_left_is_that_of_the_pace_so_far(cast) -> None:
    run = RunFactory(
        group=cast["north"].group, state=RunState.RUNNING, started_at=timezone.now() - timedelta(minutes=4)
    )
    for name, state in [("north", "changed"), ("south", "running"), ("west", "queued")]:
        AccountRunFactory(run=run, account=cast[name], state=state)
    (line,) = dashboard.shown_runs().open
    assert line.left == "about 9 minutes left"  # 8, and the moment since
    SyncRun.objects.update(wave_held=True)
    assert dashboard.shown_runs().open[0].left == ""


def test_the_share_counts_the_last_ten_runs_that_can_be_judged(cast) -> None:
    for _ in range(5):
        finished(cast, north="failed")
    for _ in range(4):
        finished(cast, north="in_sync")
    finished(cast, north="cancelled", south="skipped")
    for _ in range(2):
        finished(cast, north="changed", west="in_sync")
    lines = {line.name: line for line in dashboard.success_shares()}
    assert len(lines["North"].account_runs) == 10
    assert lines["North"].percent == 66  # 3 failed, 6 good, 1 cancelled
    assert lines["South"].percent is None
    assert [line.name for line in dashboard.success_shares()] == ["North", "West", "South"]


def test_a_running_account_does_not_count_for_its_share(cast) -> None:
    finished(cast, north="in_sync")
    finished(cast, north="running")
    (line,) = dashboard.success_shares()
    assert (line.percent, len(line.account_runs)) == (100, 1)


def test_a_plan_is_no_success_and_the_page_says_in_words_how_syncs_ended(admin_client, cast) -> None:
    for _ in range(3):
        finished(cast, north="changed")
    SyncRun.objects.update(mode=RunMode.PLAN)
    AccountRun.objects.update(state=AccountState.PLANNED)
    assert dashboard.success_shares() == []
    finished(cast, north="changed")
    finished(cast, north="failed")
    (line,) = dashboard.success_shares()
    assert (line.percent, len(line.account_runs)) == (50, 2)
    html = admin_client.get("/dashboard/success").content.decode()
    assert "1 Changed and verified" in html
    assert "1 Failed" in html


# -- what needs somebody --


def test_equal_manual_items_are_told_once_with_all_their_accounts(cast) -> None:
    run = RunFactory(group=cast["north"].group)
    for name in ("north", "south"):
        AccountRunFactory(run=run, account=cast[name], document={"manual": [MANUAL], "conflicts": []})
    (need,) = needs(fleet_accounts())
    assert need.concern.title == "Won (Sales)"
    assert [who.name for who in need.accounts] == ["North", "South"]


def test_what_the_next_run_solved_needs_nobody_any_more(cast) -> None:
    AccountRunFactory(account=cast["north"], document={"conflicts": [CONFLICT]}, state=AccountState.PARTIAL)
    assert [need.concern.state for need in needs(fleet_accounts())] == ["conflict"]
    AccountRunFactory(account=cast["north"])
    assert needs(fleet_accounts()) == []


def test_an_account_in_bad_health_is_not_told_again_for_the_run_that_showed_it(cast) -> None:
    Account.objects.filter(subdomain="west").update(health="token_expired", health_reason="Ended yesterday.")
    error = {"code": "token_expired", "message": "Expired.", "remedy": "Make a new one."}
    AccountRunFactory(account=cast["west"], state=AccountState.FAILED, reason="token_expired", error=error)
    (need,) = needs(fleet_accounts())
    assert (need.concern.state, need.accounts[0].words) == ("token_expired", "Ended yesterday.")


def test_accounts_with_the_same_trouble_are_one_line_in_the_reader_s_language(cast, admin_client) -> None:
    said = {"west": "The token of west.kommo.com ended.", "east": "The token of east.kommo.com ended."}
    for name, words in said.items():
        Account.objects.filter(subdomain=name).update(health="token_expired", health_reason=words)
    with override("pt-br"):
        (need,) = needs(fleet_accounts())
    assert {who.name for who in need.accounts} == {"East", "West"}
    assert "token desta conta" in need.concern.text
    assert need.concern.remedy
    assert dict(need.reports) == {said["east"]: "East", said["west"]: "West"}
    html = admin_client.get("/").content.decode()
    details = html[html.index("<summary>What was reported") :]
    assert all(words in details and html.count(words) == 1 for words in said.values())


def test_what_failed_in_several_accounts_for_one_reason_is_one_line(cast) -> None:
    for name in ("north", "south"):
        error = {"code": "unreachable", "message": f"No answer from {name}.", "remedy": "Try later."}
        AccountRunFactory(account=cast[name], state=AccountState.FAILED, reason="unreachable", error=error)
    (need,) = needs(fleet_accounts())
    assert [words for words, _names in need.reports] == ["No answer from north.", "No answer from south."]


def test_whoever_asked_for_a_plan_that_was_sent_back_finds_it_first(cast, admin_client, admin_user) -> None:
    Account.objects.filter(subdomain="west").update(health="token_expired")
    sent = {"sent_back_at": timezone.now(), "sent_back_by": "ben", "sent_back_comment": "No.", "mode": RunMode.PLAN}
    for name, asker in (("south", User.objects.create_user("ana")), ("north", admin_user)):
        facts = {"requester_user_id": asker.pk, "requester_name": asker.username, "state": RunState.PLANNED, **sent}
        planned = {"state": AccountState.PLANNED, "plan_digest": "d"}
        AccountRunFactory(account=cast[name], run=RunFactory(group=cast[name].group, **facts), **planned)
    html = admin_client.get("/").content.decode()
    places = [html.index(text) for text in ("You asked for this plan.", "Token expired", "ana asked for this plan.")]
    assert places == sorted(places)


def test_a_failed_account_comes_with_its_remedy_before_the_manual_items(cast) -> None:
    error = {"code": "unreachable", "message": "No answer.", "remedy": "Try later."}
    AccountRunFactory(account=cast["east"], state=AccountState.FAILED, reason="unreachable", error=error)
    AccountRunFactory(account=cast["north"], document={"manual": [MANUAL]})
    first, second = needs(fleet_accounts())
    assert (first.concern.title, "then retry" in first.concern.remedy) == ("Kommo not reached", True)
    assert first.reports == [("No answer.", "East")]
    assert second.concern.state == "manual"


def test_a_token_that_ends_is_told_with_its_account_and_what_to_do_the_far_ones_at_the_end(cast) -> None:
    now = timezone.now()
    for name, days in [("north", 3), ("south", 20), ("west", 40), ("east", 5)]:
        Account.objects.filter(subdomain=name).update(token_expires_at=now + timedelta(days=days), health="connected")
    Account.objects.filter(subdomain="east").update(health="token_revoked", health_reason="Revoked.")
    AccountRunFactory(account=cast["north"], document={"manual": [MANUAL]})
    found = needs(fleet_accounts())
    assert [need.concern.state for need in found] == ["token_revoked", "expires_now", "manual", "expires_soon"]
    assert [who.name for who in found[1].accounts] == ["North (expires in 3 days)"]
    assert [who.name for who in found[3].accounts] == ["South (expires in 20 days)"]
    assert "Make a new long-lived token" in found[1].concern.text


@pytest.mark.parametrize(
    "health", ["reconnect", "disconnected", "token_revoked", "unpaid", "not_admin", "wrong_account"]
)
def test_every_bad_health_is_told_with_the_account_its_reason_and_a_link(cast, admin_client, health) -> None:
    Account.objects.filter(subdomain="west").update(health=health, health_reason="Do this.")
    (need,) = needs(fleet_accounts())
    assert (need.concern.state, need.reports) == (health, [("Do this.", "West")])
    assert need.concern.text
    assert need.concern.remedy
    assert reverse("syncing:account", args=[cast["west"].pk]) in admin_client.get("/").content.decode()


# -- drift --


def test_every_count_leads_to_the_accounts_that_it_counts(cast, admin_client) -> None:
    DriftFactory(account=cast["north"])
    DriftFactory(account=cast["south"], rows=[missing()])
    EqualDriftFactory(account=cast["west"], rows=[extra()])
    html = admin_client.get("/").content.decode()
    assert all(f'href="/?show={key}#ks-fleet"' in html for key in ("edited", "differs", "equal", "unread"))
    html = admin_client.get("/?show=edited").content.decode()
    assert ('ks-name">North<' in html, 'ks-name">South<' in html) == (True, False)
    assert "Somebody changed pipelines or fields in these accounts." in html


def test_the_same_edit_in_several_accounts_is_told_once_with_a_way_to_each(cast, admin_client) -> None:
    rows = [difference(), difference(attribute="name", cause="both"), missing(), extra(cause="slave")]
    for name in ("north", "south"):
        DriftFactory(account=cast[name], rows=rows)
    (need,) = needs(fleet_accounts())
    assert (need.concern.state, need.concern.title) == ("edited", "Offer (Sales)")
    assert [who.name for who in need.accounts] == ["North", "South"]
    assert reverse("syncing:drift_account", args=[cast["south"].pk]) in admin_client.get("/").content.decode()


def test_an_item_that_somebody_deleted_is_told_as_that(cast) -> None:
    DriftFactory(account=cast["north"], rows=[missing(cause="slave")])
    (need,) = needs(fleet_accounts())
    assert "deleted" in need.concern.text


def test_a_plan_that_waits_for_an_approval_is_told_with_its_run(cast) -> None:
    run = RunFactory(group=cast["north"].group, mode=RunMode.PLAN, state=RunState.PLANNED)
    for name, state in (("north", "planned"), ("south", "planned"), ("west", "in_sync")):
        AccountRunFactory(run=run, account=cast[name], state=state, plan_digest="d")
    assert needs(fleet_accounts()) == []
    SyncGroup.objects.update(requires_approval=True)
    (need,) = needs(fleet_accounts())
    assert (need.concern.label, need.concern.title) == ("Waits for approval", f"Plan #{run.pk}")
    assert [who.name for who in need.accounts] == ["North", "South"]
    finished(cast, north="changed", south="in_sync")
    assert needs(fleet_accounts()) == []


# -- the page --


def test_a_group_that_is_paused_or_frozen_says_until_when(admin_client, cast) -> None:
    group = cast["north"].group
    assert "is frozen" not in admin_client.get("/").content.decode()
    Window.objects.create(group=group, kind="deny", cron="0 0 * * *", minutes=24 * 60 - 1, time_zone="UTC")
    with time_machine.travel(datetime(2026, 5, 5, 12, tzinfo=UTC)):
        assert "The group Branches is frozen until 5 May 2026, 23:59 (UTC)." in admin_client.get("/").content.decode()
        SyncGroup.objects.update(paused=True, paused_until=datetime(2026, 5, 6, tzinfo=UTC), pause_reason="<audit>")
        html = admin_client.get("/").content.decode()
    assert "The group Branches is paused until 6 May 2026, 00:00 (UTC). Reason: &lt;audit&gt;." in html
    assert "is frozen" not in html


@pytest.mark.parametrize("is_superuser", [True, False])
def test_the_overview_of_1000_accounts_costs_few_queries(client, django_assert_max_num_queries, is_superuser) -> None:
    user = User.objects.create_user("anna", is_staff=True, is_superuser=is_superuser)
    user.user_permissions.set(Permission.objects.all())
    client.force_login(user)
    processes.arrive("worker", ProcessKind.WORKER)
    group = AccountFactory(master=True).group
    SyncGroup.objects.update(heal="revert", watch="apply", drift_hours=24)
    Account.objects.bulk_create(AccountFactory.build(group=group) for _ in range(999))
    slaves = list(Account.objects.filter(role="slave"))
    for state in (RunState.SUCCEEDED, RunState.RUNNING):
        run = RunFactory(group=group, state=state)
        AccountRun.objects.bulk_create(AccountRun(run=run, account=slave, state="in_sync") for slave in slaves)
    DriftFactory(account=slaves[0])
    with django_assert_max_num_queries(15):
        html = client.get("/").content.decode()
    assert html.count('class="ks-name"') == 999


def test_an_empty_system_says_what_to_do_first(admin_client) -> None:
    html = admin_client.get("/").content.decode()
    assert "Five steps to the first sync" in html
    assert "Import a CSV file" in html
    assert "Sync now" not in html
    assert "Needs you" not in html


def test_names_never_become_markup(admin_client) -> None:
    evil = "<script>alert(1)</script>"
    account = AccountFactory(name=evil, group=GroupFactory(name=evil), health="unpaid", health_reason=evil)
    AccountRunFactory(account=account, document={"manual": [{**MANUAL, "name": evil, "message": evil}]})
    html = admin_client.get("/").content.decode()
    assert "&lt;script&gt;alert(1)" in html
    assert evil not in html


def test_a_waiting_run_without_a_worker_is_said_aloud(admin_client, cast) -> None:
    RunFactory(group=cast["north"].group, state=RunState.QUEUED)
    assert "no worker process answers" in admin_client.get("/").content.decode()
    SyncRun.objects.update(queued_to_workers=False)
    assert "no worker process answers" not in admin_client.get("/").content.decode()


def test_staff_who_may_not_see_runs_are_told_so(client, cast) -> None:
    user = User.objects.create_user("clerk", password="-", is_staff=True)
    client.force_login(user)
    assert "You may not see runs" in client.get("/").content.decode()
    assert client.get("/dashboard/live").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_syncrun"))
    html = client.get("/").content.decode()
    assert "Latest runs" in html
    assert "Sync now" not in html


def test_the_live_parts_are_those_of_the_page(admin_client, cast) -> None:
    RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    page = admin_client.get("/").content.decode()
    answer = admin_client.get("/dashboard/live").json()
    assert answer["open"] is True
    assert {"ks-banners", "ks-needs", "ks-now", "ks-tiles", "ks-groups", "ks-conformity"} <= set(answer["parts"])
    for name in answer["parts"]:
        assert f'id="{name}"' in page
    SyncRun.objects.update(state=RunState.SUCCEEDED)
    assert admin_client.get("/dashboard/live").json()["open"] is False


def test_very_many_tiles_are_renewed_when_nothing_runs_and_their_counts_always(admin_client, monkeypatch, cast) -> None:
    monkeypatch.setattr("syncing.views.dashboard.LIVE_TILES", 3)
    run = RunFactory(group=cast["north"].group, state=RunState.RUNNING)
    parts = admin_client.get("/dashboard/live").json()["parts"]
    assert ("ks-counts" in parts, "ks-tiles" in parts) == (True, False)
    assert "ks-tiles" in admin_client.get("/dashboard/live?q=north").json()["parts"]
    SyncRun.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    assert "ks-tiles" in admin_client.get("/dashboard/live").json()["parts"]


def test_what_needs_somebody_and_what_is_frozen_comes_without_a_reload(admin_client, cast) -> None:
    assert "Last run failed" not in admin_client.get("/dashboard/live").json()["parts"]["ks-counts"]
    error = {"code": "unreachable", "message": "No answer.", "remedy": "Try later."}
    AccountRunFactory(account=cast["east"], state=AccountState.FAILED, reason="unreachable", error=error)
    SyncGroup.objects.update(paused=True, paused_until=timezone.now() + timedelta(hours=2), pause_reason="Stocktaking")
    parts = admin_client.get("/dashboard/live").json()["parts"]
    assert "No answer." in parts["ks-needs"]
    assert "Stocktaking" in parts["ks-banners"]
    assert "Last run failed" in parts["ks-counts"]


def test_a_page_that_has_everything_is_answered_304(admin_client, cast, django_assert_max_num_queries) -> None:
    AccountRunFactory(account=cast["east"], state=AccountState.FAILED, reason="unreachable")  # a form among the needs
    first = admin_client.get("/dashboard/live")
    assert "csrfmiddlewaretoken" in first.json()["parts"]["ks-needs"]
    assert "no-store" in first["Cache-Control"]
    with django_assert_max_num_queries(15):
        again = admin_client.get("/dashboard/live", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    Account.objects.filter(subdomain="west").update(name="Far West")
    changed = admin_client.get("/dashboard/live", headers={"If-None-Match": first["ETag"]})
    assert (changed.status_code, changed["ETag"] != first["ETag"]) == (200, True)


def test_every_page_forbids_what_is_not_ours(admin_client, client) -> None:
    assert admin_client.get("/")["Content-Security-Policy"] == POLICY
    assert client.get("/healthz")["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY


def test_the_demo_alone_has_a_link_to_its_simulated_kommo(admin_client, cast, settings) -> None:
    assert "simulated Kommo" not in admin_client.get("/").content.decode()
    settings.DEMO_PLAY_URL = "http://127.0.0.1:8100/play"
    page = admin_client.get("/").content.decode()
    assert '<a href="http://127.0.0.1:8100/play">Play with the simulated Kommo</a>' in page


def test_the_remedy_of_a_kind_of_need_is_said_once_and_its_lines_stand_together(admin_client, cast) -> None:
    for number, name in enumerate(("north", "south", "west")):
        DriftFactory(account=cast[name], rows=[difference(f"7/{number}", name=f"Stage {number}")])
    conflicts = [CONFLICT]
    AccountRunFactory(account=cast["east"], run=RunFactory(group=cast["east"].group), document={"conflicts": conflicts})
    response = admin_client.get("/")
    assert response.content.decode().count("See the differences on its drift page") == 1
    kinds = [each.need.concern.state for each in response.context["needs"]]
    assert sorted(kinds, key=kinds.index) == kinds
    assert kinds.count("edited") == 3
    remedies = [
        each.need.concern.remedy != "" for each in response.context["needs"] if each.need.concern.state == "edited"
    ]
    assert remedies == [True, False, False]
