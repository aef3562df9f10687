"""Journeys through the console as people make them: an installation of real processes, and persons at its pages.

A journey is written once, in the English of the code. A person reads it in their language, and goes it with a mouse, a
finger or the keys alone, with or without JavaScript.
"""

import csv
import re
from functools import cache
from pathlib import Path
from typing import Any, Self

from django.utils import translation
from django.utils.translation import gettext, ngettext

from accounts.tests.tables import make_tables
from syncing.operations.child_processes import free_port, wait_for_http, web_server
from syncing.operations.workspace import HOST, Workspace
from syncing.tests.installation import sqlite_rows
from syncing.tests.test_translations import catalogue

SETTINGS = {
    "KOMMO_RATE_PER_ACCOUNT": "50",
    "KOMMO_RATE_PER_IP": "0",
    "SYNC_WORKERS": "1",
    "SYNC_THREADS": "4",
    "SYNC_TICK": "1",
    "TIME_ZONE": "America/Sao_Paulo",
}
MASTER, SLAVES = "master", ("slave-001", "slave-002", "slave-003")
TABS = 300  # presses of the key until something is taken for out of reach


class Console:
    """Simulator, web server and worker, each a process of its own; empty, but for its administrator."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.workspace = Workspace(directory)
        self.settings = {**SETTINGS, **settings}
        self.url = ""
        self.password = ""
        self.tokens: dict[str, str] = {}

    def __enter__(self) -> Self:
        workspace = self.workspace.__enter__()
        workspace.configure(self.settings)
        make_tables(workspace.directory / "kommosync.sqlite3")
        workspace.start_simulator("--accounts", str(len(SLAVES)), "--seed", "empty", "--limit-key", "none")
        with workspace.csv.open(encoding="utf-8", newline="") as file:
            self.tokens = {row["subdomain"]: row["token"] for row in csv.DictReader(file)}
        (self.password,) = re.findall(r"shown only this once: (\S+)", workspace.setup())
        port = free_port(None, HOST)
        self.url = f"http://{HOST}:{port}"
        web = workspace.start("web", *web_server(HOST, port))
        workspace.start_worker()
        log = workspace.logs / "web.log"
        wait_for_http(f"{self.url}/healthz", web, what="The web server", log=log, seconds=60)
        return self

    def __exit__(self, *error: Any) -> None:
        self.workspace.__exit__(*error)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return sqlite_rows(self.workspace.directory / "kommosync.sqlite3", sql)

    # -- Kommo, as a person uses it there --

    def edit(self, subdomain: str, op: str, **facts: Any) -> Any:
        return self.workspace.ask_simulator("POST", "/_sim/edit", {"subdomain": subdomain, "op": op, **facts})

    def renew_token(self, subdomain: str) -> str:
        self.tokens[subdomain] = self.edit(subdomain, "issue_token")["token"]
        return self.tokens[subdomain]

    def delay(self, subdomain: str, *, seconds: float) -> None:
        """Lets the next write of an account take so long."""
        fault = {"kind": "slow", "subdomain": subdomain, "method": "write", "seconds": seconds}
        self.workspace.ask_simulator("POST", "/_sim/faults", fault)

    def pipelines(self, subdomain: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.tokens[subdomain]}"}
        found = self.workspace.ask_simulator("GET", f"/{subdomain}/api/v4/leads/pipelines", headers=headers)
        return list(found["_embedded"]["pipelines"])

    def pipeline(self, subdomain: str, name: str) -> dict[str, Any]:
        return next(each for each in self.pipelines(subdomain) if each["name"] == name)

    def stages(self, subdomain: str, pipeline: str) -> list[str]:
        """Returns the names of the stages that an account can change, in their order."""
        stages = self.pipeline(subdomain, pipeline)["_embedded"]["statuses"]
        return [each["name"] for each in stages if each["is_editable"]]

    def rename_stage(self, subdomain: str, pipeline: str, name: str, to: str) -> None:
        found = self.pipeline(subdomain, pipeline)
        (stage,) = (each["id"] for each in found["_embedded"]["statuses"] if each["name"] == name)
        self.edit(subdomain, "change", kind="stage", key=[found["id"], stage], name=to)

    def funnels(self, subdomain: str) -> dict[str, list[str]]:
        """Returns the names of the stages of each pipeline, as an account has them now."""
        return {
            each["name"]: [stage["name"] for stage in each["_embedded"]["statuses"]]
            for each in self.pipelines(subdomain)
        }


# What is read on a page: its texts, and the words that are heard or hovered instead.
TEXTS = """() => {
    const found = new Set();
    const keep = (text) => found.add((text || "").replace(/\\s+/g, " ").trim());
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        if (!walker.currentNode.parentElement.closest("script, style, code")) {
            keep(walker.currentNode.data);
        }
    }
    for (const name of ["placeholder", "title", "aria-label", "alt"]) {
        document.querySelectorAll(`[${name}]`).forEach((element) => keep(element.getAttribute(name)));
    }
    document.querySelectorAll("input[type=submit]").forEach((element) => keep(element.value));
    keep(document.title);
    return [...found].filter((text) => /[a-z]{2}/i.test(text));
}"""
# The clock of a field for times shows it by itself: the field has no focus then, though it is the active element.
SHOWS_FOCUS = """() => {
    const active = document.activeElement;
    const shown = [active, active.matches("label > input") ? active.parentElement : active];
    return active === document.body || active.matches("input[type=time]:not(:focus)") || shown.some((element) => {
        const style = getComputedStyle(element);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    });
}"""
# Layout shifts that nobody's press has caused, since the page was opened.
JUMPS = """() => new Promise((resolve) => {
    const found = [];
    const observer = new PerformanceObserver((list) => found.push(...list.getEntries()));
    observer.observe({type: "layout-shift", buffered: true});
    setTimeout(() => resolve(found.filter((each) => !each.hadRecentInput).map((each) => ({
        value: each.value,
        moved: each.sources.map((source) => source.node && (source.node.outerHTML || source.node.data).slice(0, 90)),
    }))), 50);
})"""

# Words that are none in Portuguese or Spanish, and how English writes dates and hours.
ENGLISH = re.compile(
    r"\b(the|of|and|are|was|were|with|this|that|not|have|from|here|your|you|ago)\b"
    r"|\b(Jan|Feb|Apr|Aug|Sept|Oct|Dec)\.? \d|\b[ap]\.?m\.?(?!\w)",
    re.IGNORECASE,
)
# What the simulated Kommo calls its things.
DATA = frozenset(
    {
        "Pipeline",
        "Phone",
        "Email",
        "Position",
        "Address",
        "Web",
        "Main",
        "Statistics",
        "Incoming leads",
        "Master",
        "master",
        *(f"Slave {number}" for number in range(10)),
    }
)


@cache
def is_english(text: str, language: str) -> bool:
    """Whether somebody who reads this language is shown a text of the code that is not translated."""
    if text in DATA:
        return False
    return bool(ENGLISH.search(text)) or text in untranslated(language)


@cache
def untranslated(language: str) -> frozenset[str]:
    """The texts of the code without names and numbers in them that are others in this language."""
    entries = catalogue(language.replace("pt-BR", "pt_BR"))
    same = {text for entry in entries for text in (entry.msgstr, *entry.msgstr_plural.values())}
    return frozenset(entry.msgid for entry in entries) - same


class Person:
    """Somebody at a page of the console. `keys`: goes by the keyboard alone; `plain`: has no JavaScript."""

    def __init__(self, page: Any, language: str = "en", *, keys: bool = False, plain: bool = False) -> None:
        self.page = page
        self.language = language
        self.keys, self.plain = keys, plain
        self.presses = 0

    def word(self, text: str, **facts: Any) -> str:
        """Returns what a text of the code is in the person's language."""
        with translation.override(self.language):
            return gettext(text) % facts if facts else gettext(text)

    def words(self, one: str, many: str, n: int) -> str:
        with translation.override(self.language):
            return ngettext(one, many, n) % {"n": n, "accounts": n}

    # -- what there is --

    @property
    def main(self) -> Any:
        return self.page.get_by_role("main")

    def field(self, label: str) -> Any:
        return self.main.get_by_label(self.word(label), exact=True).filter(visible=True).first

    def pressable(self, name: str) -> Any:
        """Returns what bears this name and can be pressed."""
        facts = {"name": name, "exact": True}
        opens = self.main.locator("summary").filter(has_text=re.compile(rf"^\s*{re.escape(name)}\s*$"))
        return self.main.get_by_role("button", **facts).or_(self.main.get_by_role("link", **facts)).or_(opens).first

    def sees(self, text: str) -> None:
        """Waits for a text of the code, loading the page again and again where it cannot renew itself."""
        place = self.main.get_by_text(self.word(text)).filter(visible=True).first
        if self.plain:
            for _ in range(120):
                if place.is_visible():
                    break
                self.page.wait_for_timeout(500)
                self._renew()
        place.wait_for()
        self.read()

    def _renew(self) -> None:
        """Presses what renews the page of an open run; other pages are loaded again."""
        shows_more = self.pressable(self.word("Show how far it is now"))
        if shows_more.is_visible():
            shows_more.click()
        else:
            self.page.reload()

    def read(self) -> None:
        """Reads the page to its end: nothing of it is in another language than the person's."""
        if self.language != "en":
            foreign = [text for text in self.page.evaluate(TEXTS) if is_english(text, self.language)]
            assert foreign == [], (foreign, self.page.url)

    # -- what one does --

    def log_in(self, console: Console) -> None:
        self.page.goto("/")
        self.write(self.page.locator("#id_username"), "admin")
        self.write(self.page.locator("#id_password"), console.password)
        self._press(self.page.locator("#login-form [type=submit]"))
        self.main.locator("h1").wait_for()

    def go(self, path: str) -> None:
        self.page.goto(path)

    def press(self, name: str) -> None:
        self._press(self.pressable(self.word(name)))

    def press_words(self, one: str, many: str, n: int) -> None:
        self._press(self.pressable(self.words(one, many, n)))

    def press_item(self, decision: str, name: str) -> None:
        self._press(self.pressable(f"{self.word(decision)} {name}"))

    def choose(self, label: str, choice: str) -> None:
        """Takes a choice of a list, with the keys by the beginning of its name."""
        place = self.field(label)
        if self.keys:
            self.reach(place)
            self.page.keyboard.type(self.word(choice))
        else:
            place.select_option(label=self.word(choice))

    def visit(self, section: str) -> None:
        """Goes to a section by the navigation, which a phone opens first."""
        menu = self.page.locator("[popovertarget=ks-sections]")
        if menu.is_visible():
            self._press(menu)
            self.presses -= 1  # one place, one choice
        self._press(self.page.get_by_role("navigation").get_by_role("link", name=self.word(section), exact=True).first)

    def tick(self, box: Any) -> None:
        self._press(box, key="Space")

    def write(self, place: Any, text: str) -> None:
        if self.keys:
            self.reach(place)
            self.page.keyboard.press("Control+A")
            self.page.keyboard.type(text)
        else:
            place.fill(text)

    def _press(self, target: Any, key: str = "Enter") -> None:
        self.presses += 1
        target.wait_for()
        self.read()
        if self.keys:
            self.reach(target)
            self.page.keyboard.press(key)
        else:
            target.click()

    def reach(self, target: Any) -> None:
        """Presses Tab until the target has the focus; each place on the way has to show that it has it."""
        target.wait_for()
        for _ in range(TABS):
            self.page.keyboard.press("Tab")
            assert self.page.evaluate(SHOWS_FOCUS), self.page.evaluate("document.activeElement.outerHTML")[:200]
            if target.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"{target} is out of reach of the keyboard on {self.page.url}")
