"""The page as a whole: what just happened, who follows, the master, one slave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from accounts.simulator.account import SimAccount
from accounts.simulator.play import controls, panels, trouble
from accounts.simulator.play.followers import Follower
from accounts.simulator.play.html import Html, element, join
from accounts.simulator.world import World

RECENT = 60.0
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%233b82c4'/%3E%3Cpath d='M5 4l7 4-7 4z' fill='white'/%3E%3C/svg%3E"
)


@dataclass(frozen=True, slots=True)
class Hint:
    """What follows from an event, and where in KommoSync it is seen: a path and the name of its link."""

    text: str
    path: str
    link: str


@dataclass(frozen=True, slots=True)
class PlayedEvent:
    """Something that was done here; `at` is wall-clock time."""

    at: float
    sentence: str
    hint: Hint | None


RUNS, DRIFT = "/syncing/syncrun/", "/drift/"
BROUGHT = Hint("KommoSync sees it at its next look and brings it to the slaves when the master rests.", RUNS, "Runs")
FOLLOWED = Hint("", RUNS, "See the run")
TO_APPROVE = Hint(
    "KommoSync deletes nothing by itself: if the policy of the group allows it, a plan waits for your approval.",
    RUNS,
    "Runs",
)
DRIFTED = Hint("To KommoSync this is drift: a check finds it, and you decide.", DRIFT, "Drift")
FAILING = Hint("The next run that needs this account says so; the others go on.", RUNS, "Runs")
REPAIRED = Hint("KommoSync tries failed accounts again by itself.", RUNS, "Runs")


def hint(action: str, *, is_master: bool) -> Hint:
    """Returns what follows from an action."""
    if action == "cause-trouble":
        return FAILING
    if action.startswith("repair"):
        return REPAIRED
    if not is_master:
        return DRIFTED
    return TO_APPROVE if action.startswith("delete") else BROUGHT


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    world: World
    kommosync: str
    master: SimAccount
    slave: SimAccount | None
    followers: list[Follower]
    seconds_waited: float | None
    happened: list[PlayedEvent]
    refusal: str


def document(view: View) -> Html:
    """Returns the whole page."""
    here = f"/play?slave={quote(view.slave.subdomain)}" if view.slave else "/play"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", "Play with the simulated Kommo"),
        element("link", rel="icon", href=ICON),
        element("link", rel="stylesheet", href="/play/play.css"),
        element("script", src="/play/play.js", defer=True),
    )
    body = element(
        "body",
        _header(view),
        _happened(view),
        element("main", _follow(view), _accounts(view)),
        data_here=here,
        data_silent="The simulated Kommo does not answer. Is the demo still running?",
    )
    return join(Html("<!doctype html>\n"), element("html", head, body, lang="en"))


def _header(view: View) -> Html:
    links = [_link(view, path, name) for path, name in (("/", "Dashboard"), (RUNS, "Runs"), (DRIFT, "Drift"))]
    return element(
        "header",
        element("h1", "Play with the simulated Kommo"),
        element(
            "p",
            "Here you are a person in Kommo: change something in the master, and watch KommoSync bring it to every "
            "slave by itself. No real account is touched.",
        ),
        element("nav", element("span", "KommoSync:"), links, aria_label="KommoSync") if view.kommosync else None,
    )


def _link(view: View, path: str, name: str) -> Html | None:
    """Returns a link into KommoSync, in one window beside this one; None without its address."""
    if not view.kommosync:
        return None
    return element("a", name, href=f"{view.kommosync}{path}", target="kommosync", rel="noopener")


def _happened(view: View) -> Html:
    """Returns what was done last, always in sight, and a few events before it."""
    if view.refusal:
        first = element("p", element("strong", "Not done. "), view.refusal, class_="now refused")
    elif view.happened:
        first = element("p", _event(view, view.happened[0]), class_="now")
    else:
        first = element("p", "Nothing yet. Add a stage in the master, for a start.", class_="now")
    before = view.happened if view.refusal else view.happened[1:]
    earlier = element(
        "details",
        element("summary", "Before that"),
        element("ul", [element("li", _time(each), _event(view, each)) for each in before] or element("li", "Nothing.")),
        data_keep="earlier",
    )
    return element("section", element("div", first, role="status"), earlier, id="happened", data_part=True)


def _event(view: View, event: PlayedEvent) -> Html:
    link = _link(view, event.hint.path, event.hint.link) if event.hint else None
    text = f" {event.hint.text}" if event.hint and event.hint.text else ""
    return join(event.sentence, element("span", text, " ", link, class_="hint"))


def _time(event: PlayedEvent) -> Html:
    return element("time", datetime.fromtimestamp(event.at, UTC).astimezone().strftime("%H:%M:%S"))


def _follow(view: View) -> Html:
    """Returns one square per slave, green when it has all that the master has."""
    follow = sum(each.follows for each in view.followers)
    total = len(view.followers)
    in_trouble = sum(bool(each.trouble) for each in view.followers)
    count = element("strong", f"{follow} of {total}")
    squares = [_square(each, each.account is view.slave) for each in view.followers]
    shown = view.slave.subdomain if view.slave else ""
    repair = controls.form(view.master, shown, "repair-everything", controls.button("Repair everything"))
    return element(
        "section",
        element("h2", count, " slaves have all that the master has"),
        element("progress", value=follow, max=total or 1, aria_label="Slaves that have all that the master has"),
        element("ol", squares, class_="squares"),
        element("p", _waits(view), " ", _asked(view), class_="quiet"),
        element("div", f"{in_trouble} in trouble. ", repair, class_="trouble") if in_trouble else None,
        id="followers",
        data_part=True,
    )


def _square(follower: Follower, is_chosen: bool) -> Html:
    name = follower.account.name
    state = "has all" if follower.follows else f"differs in {follower.differences}"
    said = f"{name}: {state}" + (f", {follower.trouble}" if follower.trouble else "")
    kind = ("follows" if follower.follows else "behind") + (" troubled" if follower.trouble else "")
    link = element(
        "a",
        class_=kind,
        href=f"/play?slave={quote(follower.account.subdomain)}#slave",
        title=said,
        aria_label=said,
        aria_current="true" if is_chosen else None,
    )
    return element("li", link)


def _waits(view: View) -> Html | None:
    if view.seconds_waited is None:
        return None
    return element("strong", f"Your last edit in the master was {view.seconds_waited:.0f} s ago.", class_="waits")


def _asked(view: View) -> str:
    """Returns how busy KommoSync is, from the log of the requests."""
    now = view.world.monotonic()
    recent = view.world.log.after(now - RECENT)
    of_master = [each for each in recent if each.subdomain == view.master.subdomain]
    last = f", the last one {now - of_master[0].at:.0f} s ago" if of_master else ""
    slaves = len(recent) - len(of_master)
    return (
        f"In the last minute KommoSync sent {len(of_master)} requests to the master{last}, and {slaves} to the slaves."
    )


def _accounts(view: View) -> Html:
    slave = view.slave
    if slave is None:
        return element("div", panels.master(view.master, ""), class_="accounts")
    fails = trouble.badges(view.world).get(slave.subdomain, "")
    beside = panels.slave(slave, view.master, view.followers, fails)
    return element("div", panels.master(view.master, slave.subdomain), beside, class_="accounts")
