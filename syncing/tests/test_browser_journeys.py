"""Whole journeys of people in a browser, through real processes: what they see, and what Kommo holds afterwards."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.tests.laws import only_deep
from syncing.tests.installation import wait_until
from syncing.tests.journeys import JUMPS, MASTER, SLAVES, Console, Person

pytestmark = pytest.mark.timeout(400)
MOST_CLICKS = 12  # after the file is chosen
MOST_SHIFT = 0.02  # of layout while a run is watched: numbers get longer. From 0.1 on it counts as bad
PATIENCE = 60_000  # milliseconds: a machine may be busy
FIRST, SECOND, THIRD = SLAVES
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}


@pytest.fixture
def console(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Console]:
    """An installation of real processes; its parameter: settings of it."""
    with Console(tmp_path, **getattr(request, "param", {})) as made:
        yield made


@pytest.fixture
def someone(console: Console, screens: Callable[..., Any]) -> Callable[..., Person]:
    """Makes a person who is logged in; `screen`: facts of their browser."""

    def arrive(language: str = "en", *, keys: bool = False, plain: bool = False, **screen: Any) -> Person:
        context = screens(console.url, locale=language, java_script_enabled=not plain, **screen)
        person = Person(context.new_page(), language, keys=keys, plain=plain)
        person.log_in(console)
        return person

    return arrive


def test_the_first_sync_and_the_first_trouble_are_gone_through(
    console: Console, someone: Callable[..., Person]
) -> None:
    person = someone()
    bring_the_first_sync_to_its_end(console, person)
    repair_a_token(console, person)


@only_deep
def test_a_franchise_is_run_in_a_browser_alone(console: Console, someone: Callable[..., Person]) -> None:
    person = someone()
    bring_the_first_sync_to_its_end(console, person)
    decide_about_drift(console, person)
    approve_a_part_of_a_plan(console, person)
    make_a_schedule(console, person)


@only_deep
@pytest.mark.parametrize("console", [{"LANGUAGE_CODE": "pt-br"}], indirect=True, ids=["pt-br"])
def test_a_franchise_is_run_on_a_dark_phone_in_portuguese(console: Console, someone: Callable[..., Person]) -> None:
    person = someone("pt-BR", **PHONE)
    bring_the_first_sync_to_its_end(console, person)
    repair_a_token(console, person)
    decide_about_drift(console, person)
    approve_a_part_of_a_plan(console, person)
    make_a_schedule(console, person)
    see_a_schedule_start_a_run(console, person)


@only_deep
def test_a_franchise_is_run_without_javascript(console: Console, someone: Callable[..., Person]) -> None:
    person = someone(plain=True)
    bring_the_first_sync_to_its_end(console, person)
    repair_a_token(console, person)
    approve_a_part_of_a_plan(console, person)


@only_deep
def test_a_franchise_is_run_with_the_keys_alone(console: Console, someone: Callable[..., Person]) -> None:
    person = someone(keys=True)
    bring_the_first_sync_to_its_end(console, person)
    find_an_account_by_the_keys(person)
    approve_a_part_of_a_plan(console, person)


# -- the journeys --


def bring_the_first_sync_to_its_end(console: Console, person: Person) -> None:
    """From nothing to a verified sync, the last run being watched."""
    console.edit(MASTER, "add", kind="pipeline", name="Vendas", stages=["Proposta", "Contrato"])
    person.press("Import a CSV file")
    person.page.set_input_files("#id_import_file", str(console.workspace.csv))
    person.presses = 0
    person.press("Check the file")
    person.press_words("Import %(accounts)s account", "Import %(accounts)s accounts", 1 + len(SLAVES))
    person.press("Check all connections")
    person.sees("All of them are connected. Next: plan a sync on the overview; a plan writes nothing.")
    person.press("Go to the overview")
    person.press("Plan")
    person.sees("The plan is made; nothing was written.")
    assert all("Vendas" not in console.funnels(slave) for slave in SLAVES)
    person.visit("Overview")  # left and found again: it knows how far one was
    expect(person.main.locator("[aria-current=step] h3")).to_have_text(person.word("Sync"), timeout=PATIENCE)
    person.press("Sync now")
    console.delay(THIRD, seconds=8)
    person.press("Yes, sync now")
    watch_the_run(person)
    assert person.presses <= MOST_CLICKS
    for slave in SLAVES:
        assert console.funnels(slave) == console.funnels(MASTER)
    assert console.rows("SELECT state FROM syncing_syncrun ORDER BY id") == [("planned",), ("succeeded",)]
    assert console.rows("SELECT DISTINCT state FROM syncing_accountrun WHERE run_id = 2") == [("changed",)]


def watch_the_run(person: Person) -> None:
    """Follows a run of which one account takes some seconds: nothing is loaded again, nothing jumps."""
    progress = person.main.locator("#ks-run progress")
    progress.wait_for()
    if person.plain:
        person.sees("Every account equals the master now, checked by reading it again.")
        return
    person.page.evaluate("window.isSamePage = true")
    account = person.main.locator("#ks-parts td a").first
    account.focus()
    place = account.get_attribute("href")
    expect(progress).to_have_attribute("value", re.compile("[12]"), timeout=PATIENCE)
    person.sees("Every account equals the master now, checked by reading it again.")
    assert progress.get_attribute("value") == str(len(SLAVES))
    assert person.pressable(person.word("Cancel the run")).count() == 0
    assert person.page.evaluate("window.isSamePage")
    assert person.page.evaluate("document.activeElement.getAttribute('href')") == place
    jumps = person.page.evaluate(JUMPS)
    assert sum(each["value"] for each in jumps) < MOST_SHIFT, jumps


def repair_a_token(console: Console, person: Person) -> None:
    """A run fails where the token was taken back; the line of the overview leads to a new one, and to the end."""
    console.edit(SECOND, "revoke_token")
    console.edit(MASTER, "add", kind="stage", pipeline_id=console.pipeline(MASTER, "Vendas")["id"], name="Retorno")
    person.visit("Overview")
    person.press("Sync now")
    person.press("Yes, sync now")
    person.sees("Retry failed accounts")
    assert "Retorno" in console.funnels(FIRST)["Vendas"]
    person.visit("Overview")
    person.press("Store a new token")
    person.write(person.page.locator("#id_new_token"), console.renew_token(SECOND))
    person._press(person.page.locator("[name=_save]"))
    person.visit("Accounts")
    person.press("Check all connections")
    person.press("Yes, check them")
    person.sees("All of them are connected. Next: plan a sync on the overview; a plan writes nothing.")
    person.press("Go to the overview")
    person.press("Try again")
    person.sees("Every account equals the master now, checked by reading it again.")
    assert console.funnels(SECOND) == console.funnels(MASTER)
    assert console.rows("SELECT DISTINCT health FROM accounts_account") == [("connected",)]
    person.visit("Overview")
    person.sees("Nothing needs you now.")


def decide_about_drift(console: Console, person: Person) -> None:
    """Two stages were renamed in two accounts each: one is accepted in both at once, the other put back in both."""
    for slave in (FIRST, SECOND):
        console.rename_stage(slave, "Vendas", "Proposta", "Orçamento")
    for slave in (SECOND, THIRD):
        console.rename_stage(slave, "Vendas", "Contrato", "Assinatura")
    person.visit("Drift")
    person.press("Check now")
    person.sees("The plan is made; nothing was written.")
    person.visit("Drift")
    person.press("By item")
    person.press_item("Accept", "Proposta")
    person.write(person.main.locator("textarea"), "O nome deles.")
    person.press("Accept")
    person.press_item("Revert", "Contrato")
    person.press("Revert")
    person.sees("Every account equals the master now, checked by reading it again.")
    assert [console.stages(slave, "Vendas")[:2] for slave in SLAVES] == [
        ["Orçamento", "Contrato"],
        ["Orçamento", "Contrato"],
        ["Proposta", "Contrato"],
    ]
    accepted = "SELECT account.subdomain, row.reason FROM syncing_accepteddifference row "
    join = "JOIN accounts_account account ON account.id = row.account_id ORDER BY 1"
    assert console.rows(accepted + join) == [(FIRST, "O nome deles."), (SECOND, "O nome deles.")]


def approve_a_part_of_a_plan(console: Console, person: Person) -> None:
    """One account of three is approved; the others wait, until their plan is sent back with a comment."""
    console.edit(MASTER, "add", kind="stage", pipeline_id=console.pipeline(MASTER, "Vendas")["id"], name="Indicação")
    person.visit("Overview")
    person.press("Plan")
    person.sees("The plan is made; nothing was written.")
    plan = person.page.url
    person.press("Approve")
    person.tick(person.main.locator("input[name=plan]").first)
    person.tick(person.main.get_by_label("Slave 3"))
    person.write(person.main.locator("#id_reason"), "Primeiro uma só.")
    person.press("Approve and apply")
    person.sees("Every account equals the master now, checked by reading it again.")
    assert ["Indicação" in console.stages(slave, "Vendas") for slave in SLAVES] == [False, False, True]
    person.go(plan)
    person.press("Send back")
    person.write(person.main.locator("#id_comment"), "Esperem o verão.")
    person.press("Send back")
    person.main.get_by_text("Esperem o verão.").first.wait_for()
    assert person.pressable(person.word("Approve")).count() == 0
    assert ["Indicação" in console.stages(slave, "Vendas") for slave in SLAVES] == [False, False, True]


def make_a_schedule(console: Console, person: Person) -> None:
    """A check every night, in a sentence; the next times stand beside it."""
    person.visit("Automation")
    person.press("Add a schedule")
    person.choose("What", "Check for drift")
    person.choose("When", "Every day")
    person.press("Add")
    person.main.get_by_text(person.word("Every day at %(time)s", time="03:00")).wait_for()
    assert console.rows("SELECT kind, cron, enabled FROM syncing_schedule") == [("drift", "0 3 * * *", 1)]


def see_a_schedule_start_a_run(console: Console, person: Person) -> None:
    """A schedule of every minute is carried out by the worker, and found in the list of runs."""
    person.press("Add a schedule")
    person.choose("When", "Cron expression")
    person.write(person.field("Cron expression"), "* * * * *")
    person.press("Add")
    started = "SELECT count(*) FROM syncing_syncrun WHERE trigger = 'schedule' AND state NOT IN ('queued', 'running')"
    wait_until(lambda: console.rows(started)[0][0] > 0, 90, "run of the schedule")
    person.visit("Runs")
    person.sees("Schedule")


def find_an_account_by_the_keys(person: Person) -> None:
    person.page.keyboard.press("/")
    person.page.keyboard.type("slave-002")
    person.page.keyboard.press("Enter")
    person.press("Slave 2")
    person.main.locator("h1:text-is('Slave 2')").wait_for()
