"""The page to play on, as a browser without JavaScript meets it: over real HTTP, by its own forms."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from accounts.simulator.account import SimAccount
from accounts.simulator.compare import differences
from accounts.simulator.model import PALETTE, SimPipeline
from accounts.simulator.play.actions import ACTIONS
from accounts.simulator.play.app import PageRequest, Play
from accounts.simulator.seed.copying import copy_configuration
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.store import dump_account
from accounts.simulator.world import World
from accounts.tests.simulator.browsing import Page, PlainBrowser

NASTY = "<script>alert(1)</script>\"><img src=x onerror='alert(2)'>"


@pytest.fixture
def world(world: World) -> World:
    """A master and two slaves that have all that it has."""
    master = world.add_account("master", name="Head office", with_default_pipeline=False)
    sales = master.add_pipeline("Sales", stages=["New", "Offer", "Contract"], is_main=True)
    master.add_pipeline("Renewals", stages=["Expires"])
    master.add_field("leads", "Source", "select", enums=("Google", "Radio"))
    assert [stage.name for stage in sales.ordinary] == ["New", "Offer", "Contract"]
    for name in ("north", "south"):
        copy_configuration(master, world.add_account(name, name=name.title(), with_default_pipeline=False))
    return world


@pytest.fixture
def server(world: World) -> Iterator[RunningServer]:
    with serve(world, kommosync="http://127.0.0.1:8000") as running:
        yield running


@pytest.fixture
def browser(server: RunningServer) -> PlainBrowser:
    return PlainBrowser(server.url)


@pytest.fixture
def master(world: World) -> SimAccount:
    return world.accounts["master"]


@pytest.fixture
def sales(master: SimAccount) -> SimPipeline:
    return master.pipeline("Sales")


def stages(account: SimAccount, pipeline: str = "Sales") -> list[str]:
    return [stage.name for stage in account.pipeline(pipeline).ordinary]


def everything(world: World) -> list[object]:
    return [dump_account(account) for account in world.accounts.values()]


def stage_form(page: Page, action: str, account: SimAccount, name: str) -> object:
    stage = account.stage("Sales", name)
    return page.form(action, account=account.subdomain, stage=str(stage.id))


# -- every button --


def test_every_action_has_a_button_on_the_page(browser) -> None:
    page = browser.open()
    page = browser.submit(page.form("cause-trouble"), "blocked")
    there = {action.removeprefix("/play/") for form in page.forms if form.method == "post" for action in form.actions}
    assert there == set(ACTIONS)


@pytest.mark.parametrize(("account", "place"), [("master", "the master"), ("north", "North")])
def test_a_stage_is_added_renamed_recoloured_moved_and_deleted(browser, world, account: str, place: str) -> None:
    edited = world.accounts[account]
    edited.add_lead(edited.pipeline("Sales").id, edited.stage("Sales", "Contract").id)

    page = browser.submit(browser.open().form("add-stage", account=account), name=" Visit ")
    assert stages(edited) == ["New", "Offer", "Contract", "Visit"]
    assert f"Added the stage “Visit” to “Sales” in {place}." in page.said

    page = browser.submit(stage_form(page, "rename-stage", edited, "Visit"), name="Second visit")
    assert stages(edited) == ["New", "Offer", "Contract", "Second visit"]
    assert f"Renamed the stage “Visit” to “Second visit” in {place}." in page.said

    page = browser.submit(stage_form(page, "recolor-stage", edited, "Offer"), PALETTE[8])
    assert edited.stage("Sales", "Offer").color == PALETTE[8]
    assert f"Gave the stage “Offer” another colour in {place}." in page.said

    page = browser.submit(stage_form(page, "move-stage-left", edited, "Second visit"), "◀ Left")
    assert stages(edited) == ["New", "Offer", "Second visit", "Contract"]
    assert f"Moved the stage “Second visit” before “Contract” in {place}." in page.said
    page = browser.submit(stage_form(page, "move-stage-right", edited, "New"), "Right ▶")
    assert stages(edited) == ["Offer", "New", "Second visit", "Contract"]

    page = browser.submit(stage_form(page, "delete-stage", edited, "Contract"), "Delete")
    assert stages(edited) == ["Offer", "New", "Second visit"]
    assert f"Deleted the stage “Contract” in {place}. Its leads (1) are in the first stage now." in page.said
    assert edited.blanked_names == 0
    untouched = world.accounts["south"]
    assert stages(untouched) == ["New", "Offer", "Contract"]


def test_a_funnel_is_added_and_deleted(browser, master) -> None:
    page = browser.submit(browser.open().form("add-pipeline"), name="Partners")
    assert stages(master, "Partners") == ["First contact"]
    partners = str(master.pipeline("Partners").id)
    page = browser.submit(page.form("delete-pipeline"), pipeline=partners)
    assert [each.name for each in master.ordered_pipelines] == ["Sales", "Renewals"]
    assert "Deleted the funnel “Partners” in the master." in page.said


def test_an_option_is_added_behind_the_others_which_keep_their_ids(browser, master) -> None:
    before = {each.id: each.value for each in master.field("leads", "Source").enums}
    page = browser.submit(browser.open().form("add-option"), value="Fair")
    after = {each.id: each.value for each in master.field("leads", "Source").ordered_enums}
    assert list(after.values()) == ["Google", "Radio", "Fair"]
    assert before.items() <= after.items()
    assert "Added the option “Fair” to the field “Source” in the master." in page.said


@pytest.mark.parametrize("account", ["master", "north"])
def test_a_field_is_added(browser, world, account: str) -> None:
    form = browser.open().form("add-field", account=account)
    page = browser.submit(form, name="Birthplace", type="textarea", entity="contacts")
    assert world.accounts[account].field("contacts", "Birthplace").type == "textarea"
    assert "Added the field “Birthplace” to the contacts" in page.said


def answer_of(server: RunningServer, account: SimAccount) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {account.token}"}
    connection.request("GET", f"/{account.subdomain}/api/v4/leads/pipelines", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("kind", "status", "badge"), [("broken", 500, "answers 500"), ("expired", 401, "token refused"),
                                  ("blocked", 403, "blocks us")],
)  # fmt: skip
def test_an_account_fails_until_it_is_repaired_and_no_other_does(
    browser, server, world, kind: str, status: int, badge: str
) -> None:
    north, south = world.accounts["north"], world.accounts["south"]
    page = browser.submit(browser.open().form("cause-trouble", account="north"), kind)
    assert badge in page.said
    assert "1 in trouble." in page.said
    for _ in range(3):
        found, body = answer_of(server, north)
        assert found == status
    if kind == "blocked":  # the web server in front answers, not Kommo
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(body)
    assert answer_of(server, south)[0] == 200
    page = browser.submit(page.form("repair", account="north"))
    assert badge not in page.said
    assert answer_of(server, north)[0] == 200


def test_one_account_is_repaired_and_another_is_not(browser, server, world) -> None:
    for name in ("north", "south"):
        browser.submit(browser.open(f"/play?slave={name}").form("cause-trouble", account=name), "broken")
    browser.submit(browser.open("/play?slave=north").form("repair", account="north"))
    assert [answer_of(server, world.accounts[name])[0] for name in ("north", "south")] == [200, 500]


def test_a_slow_account_answers_late_and_a_second_trouble_takes_the_place_of_the_first(browser, server, world) -> None:
    waited: list[float] = []
    world.sleep = waited.append
    north = world.accounts["north"]
    page = browser.submit(browser.open().form("cause-trouble", account="north"), "slow")
    assert answer_of(server, north)[0] == 200
    assert waited == [3.0]
    browser.submit(page.form("cause-trouble", account="north"), "broken")
    assert answer_of(server, north)[0] == 500
    assert waited == [3.0]


def test_everything_is_repaired_at_once_even_a_block_of_the_address(browser, server, world) -> None:
    page = browser.open()
    for name in ("north", "south"):
        page = browser.submit(browser.open(f"/play?slave={name}").form("cause-trouble", account=name), "broken")
    world.limiter.blocked.add("127.0.0.1")
    assert answer_of(server, world.accounts["master"])[0] == 403
    browser.submit(page.form("repair-everything"))
    assert [answer_of(server, account)[0] for account in world.accounts.values()] == [200, 200, 200]


# -- what it shows --


def test_it_shows_who_follows_and_how_long_the_last_one_took(browser, server, world, moment) -> None:
    page = browser.open()
    assert "2 of 2 slaves have all that the master has" in page.said
    page = browser.submit(page.form("add-stage", account="master"), name="Visit")
    assert "0 of 2 slaves have all that the master has" in page.said
    for name in ("north", "south"):
        moment.now += 10
        slave = world.accounts[name]
        body = json.dumps(
            [{"name": "Visit", "sort": 90, "color": world.accounts["master"].stage("Sales", "Visit").color}]
        )
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        path = f"/{name}/api/v4/leads/pipelines/{slave.pipeline('Sales').id}/statuses"
        connection.request("POST", path, body=body, headers={"Authorization": f"Bearer {slave.token}"})
        assert connection.getresponse().status == 200
        connection.close()
    assert differences(world.accounts["master"], world.accounts["north"]) == []
    moment.now += 5
    page = browser.open()
    assert "All 2 slaves have it: the last was written 20 s after your edit." in page.said
    assert "2 of 2 slaves have all that the master has" in page.said
    assert "sent 0 requests to the master, and 2 to the slaves" in page.said
    assert browser.open().said.count("All 2 slaves have it") == 1


def test_a_slave_is_chosen_and_stays_chosen_after_a_button(browser) -> None:
    page = browser.open("/play?slave=south")
    assert "Slave South" in page.said
    page = browser.submit(page.form("add-stage", account="south"), name="Own")
    assert browser.address == "/play?slave=south"
    assert "Slave South" in page.said
    assert "Slave North" in browser.open("/play?slave=nobody").said


def test_what_only_the_slave_has_is_marked(browser, world) -> None:
    world.accounts["north"].add_pipeline("Their own", stages=["A"])
    marked = [attributes for tag, attributes in browser.open().tags if "own" in (attributes.get("class") or "").split()]
    assert len(marked) == 1
    assert "Their own only here" in browser.open().said


def test_it_leads_to_kommosync_where_its_address_is_known(browser, world) -> None:
    links = {link for link in browser.open().links if not link.startswith("/play")}
    assert links == {f"http://127.0.0.1:8000{path}" for path in ("/", "/syncing/syncrun/", "/drift/")}
    with serve(world) as alone:
        assert [link for link in PlainBrowser(alone.url).open().links if not link.startswith("/play")] == []


def test_its_own_requests_are_neither_counted_nor_limited(browser, server, world) -> None:
    world.limits.key, world.limits.per_second = "ip", 1
    for _ in range(3):
        assert browser.open().status == 200
    assert len(world.log) == 0


def test_a_world_with_a_master_alone_and_one_with_nobody() -> None:
    world = World()
    with serve(world) as running:
        assert PlainBrowser(running.url).open().status == 404
        world.add_account("master")
        page = PlainBrowser(running.url).open()
        assert (page.status, "0 of 0 slaves" in page.said) == (200, True)
        assert page.form("add-stage").values["slave"] == ""


def test_an_account_of_the_name_of_the_page_keeps_its_api(world) -> None:
    account = world.add_account("play")
    with serve(world) as running:
        assert answer_of(running, account)[0] == 200


# -- bad input: a sentence, and nothing is changed --

GONE = "9" * 9
BAD = {
    "no name": ("add-stage", {"name": "  "}, "Kommo refuses this: name: This value should not be blank."),
    "long name": ("add-stage", {"name": "x" * 256}, "It should have 255 characters or less."),
    "funnel gone": ("add-stage", {"pipeline": GONE, "name": "A"}, "This funnel is no longer there."),
    "no number": ("add-stage", {"pipeline": "²", "name": "A"}, "This funnel is no longer there."),
    "stage gone": ("rename-stage", {"stage": GONE, "name": "A"}, "This stage is no longer there."),
    "won": ("rename-stage", {"stage": "142", "name": "A"}, "a stage of Kommo itself, which nobody can change."),
    "lost": ("delete-stage", {"stage": "143"}, "a stage of Kommo itself, which nobody can change."),
    "no colour": ("recolor-stage", {"color": ""}, "Kommo refuses this: color: This value should not be blank."),
    "colour": ("recolor-stage", {"color": "#123456"}, "Kommo refuses this: color: The value you selected is not"),
    "first": ("move-stage-left", {}, "“New” cannot be moved further."),
    "main funnel": ("delete-pipeline", {}, "Kommo refuses this: The main pipeline can not be deleted."),
    "no option": ("add-option", {"value": ""}, "Kommo refuses this: enums.2.value: This value should not be blank."),
    "field gone": ("add-option", {"field": GONE, "value": "A"}, "This field is no longer there."),
    "entity": ("add-field", {"name": "A", "entity": "customers"}, "A field belongs to leads, contacts or companies."),
    "type": ("add-field", {"name": "A", "type": "monetary"}, "This page makes no fields of this type."),
    "trouble": ("cause-trouble", {"kind": "fire"}, "There is no trouble of this kind."),
    "account": ("add-stage", {"account": "nobody", "name": "A"}, "There is no such account."),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_done_is_told_and_changes_nothing(browser, server, world, case: str) -> None:
    action, values, sentence = BAD[case]
    before = everything(world)
    sent = {**browser.open().form(action).values, **values}
    page = browser.ask("POST", f"/play/{action}", urlencode(sent), Origin=server.url)
    assert page.status == 400
    assert "Not done." in page.said
    assert sentence in page.said
    assert everything(world) == before
    assert world.faults.by_account() == {}
    assert "Not done." not in browser.open().said


def test_a_pipeline_takes_no_more_than_a_hundred_stages(browser, master, sales) -> None:
    for number in range(100 - len(sales.listed)):
        master.add_stage(sales, f"Stage {number}")
    page = browser.submit(browser.open().form("add-stage"), name="One too many")
    assert "Kommo refuses this: Limit 100 statuses per pipeline." in page.said
    assert len(sales.listed) == 100


def test_the_last_pipeline_and_one_with_leads_stay(browser, master, sales) -> None:
    renewals = master.pipeline("Renewals")
    master.add_lead(renewals.id, renewals.ordinary[0].id)
    page = browser.submit(browser.open().form("delete-pipeline"), pipeline=str(renewals.id))
    assert "Kommo refuses this: The pipeline has leads." in page.said
    master.delete_pipeline(renewals)
    page = browser.submit(browser.open().form("delete-pipeline"))
    assert "Kommo refuses this: The last pipeline can not be deleted." in page.said
    assert list(master.pipelines.values()) == [sales]


def test_nothing_else_is_there_and_no_form_is_too_large(browser, server) -> None:
    assert browser.open("/play/nothing").status == 404
    assert browser.open("/play/add-stage").status == 404
    assert browser.open("/play/../play.css").status == 404
    assert browser.ask("POST", "/play", "", Origin=server.url).status == 404
    assert browser.ask("POST", "/play/add-stage", "x" * 70_000, Origin=server.url).status == 413


# -- who may --


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": ""},
        {"Host": "[::1"},
        {"Host": "127.0.0.1@evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_a_form_of_another_page_is_refused_and_changes_nothing(browser, world, headers: dict[str, str]) -> None:
    before = everything(world)
    sent = urlencode({**browser.open().form("add-stage").values, "name": "Evil"})
    assert browser.ask("POST", "/play/add-stage", sent, **headers).status == 403
    assert everything(world) == before


@pytest.mark.parametrize(("ip", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 403), ("", 403)])
def test_another_machine_sees_nothing(world, ip: str, status: int) -> None:
    request = PageRequest("GET", "/play", {}, b"", ip, "127.0.0.1:8100", "", "")
    assert Play(world).handle(request).status == status


@pytest.mark.parametrize("host", ["localhost:8100", "127.0.0.1", "[::1]:8100"])
def test_this_machine_has_several_names(world, host: str) -> None:
    body = urlencode({"account": "master", "pipeline": "0"}).encode()
    request = PageRequest("POST", "/play/add-stage", {}, body, "127.0.0.1", host, f"http://{host}", "same-origin")
    assert Play(world).handle(request).status == 400


# -- what a browser gets --


def test_every_name_is_escaped(browser, world, master) -> None:
    nasty = world.add_account("nasty", name=NASTY)
    nasty.add_pipeline(NASTY, stages=[(NASTY, NASTY)])
    nasty.add_field("leads", NASTY, "select", enums=(NASTY,))
    page = browser.open("/play?slave=nasty")
    page = browser.submit(page.form("add-stage", account="master"), name=NASTY)
    page = browser.submit(stage_form(page, "rename-stage", master, NASTY), name=NASTY + "!")
    page = browser.submit(page.form("add-option"), value=NASTY)
    page = browser.open("/play?slave=" + urlencode({"": NASTY}))
    refused = browser.submit(stage_form(page, "rename-stage", master, NASTY + "!"), name=NASTY * 9)
    assert refused.status == 400
    for shown in (browser.open("/play?slave=nasty"), page, refused):
        assert NASTY in "".join(shown.words)
        assert "<script>" not in shown.text
        tags = {tag for tag, _ in shown.tags}
        assert "img" not in tags
        scripts = [attributes for tag, attributes in shown.tags if tag == "script"]
        assert scripts == [{"src": "/play/play.js", "defer": None}]
        assert not [name for _, attributes in shown.tags for name in attributes if name.startswith(("on", "style"))]


def test_the_policy_for_browsers_is_strict_and_the_files_are_there(browser) -> None:
    page = browser.open()
    policy = dict(each.split(" ", 1) for each in page.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("img-src") == "data:"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    style, script = browser.open("/play/play.css"), browser.open("/play/play.js")
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert [color for color in PALETTE if f'[value="{color}"] {{ background: {color}; }}' not in style.text] == []
