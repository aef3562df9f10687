"""Requests below /play: who may send them, and what they are answered with."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from accounts.simulator.messages import SimAnswer
from accounts.simulator.play import controls, page
from accounts.simulator.play.actions import ACTIONS, EDITS, Form, NotPossible
from accounts.simulator.play.followers import Follower, Followers
from accounts.simulator.problems import ProblemAnswer
from accounts.simulator.world import World

ROOT = "/play"
HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
FILES = {"play.css": "text/css; charset=utf-8", "play.js": "text/javascript; charset=utf-8"}
HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    # Not "no-referrer", which would make the origin of our own forms "null".
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY = 64 * 1024
REMEMBERED = 6


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One request of a browser, as far as the page looks at it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    ip: str
    host: str
    origin: str
    site: str

    @classmethod
    def of(cls, environ: Mapping[str, Any], body: bytes) -> PageRequest:
        return cls(
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
            body=body,
            ip=environ.get("REMOTE_ADDR", ""),
            host=environ.get("HTTP_HOST", ""),
            origin=environ.get("HTTP_ORIGIN", ""),
            site=environ.get("HTTP_SEC_FETCH_SITE", ""),
        )


class Play:
    """The page of one world; `kommosync` is the address of the KommoSync that syncs it, if there is one."""

    def __init__(self, world: World, kommosync: str = "") -> None:
        self.world = world
        self.kommosync = kommosync
        self.followers = Followers(world)
        self.happened: deque[page.PlayedEvent] = deque(maxlen=REMEMBERED)
        self._lock = Lock()

    def answers(self, path: str) -> bool:
        """Returns whether a path is this page's; an account of the same name comes first."""
        return (path == ROOT or path.startswith(f"{ROOT}/")) and ROOT[1:] not in self.world.accounts

    def handle(self, request: PageRequest) -> SimAnswer:
        if refusal := why_refused(request):
            return SimAnswer(403, refusal.encode(), TEXT, HEADERS)
        name = request.path.removeprefix(ROOT).strip("/")
        if request.method == "GET" and name in FILES:
            content = Path(__file__).with_name(name).read_text(encoding="utf-8")
            more = controls.palette_rules() if name == "play.css" else ""
            return SimAnswer(200, f"{content}{more}".encode(), FILES[name], HEADERS)
        if request.method == "GET" and not name:
            return self._show(request.query.get("slave", ""))
        if request.method == "POST" and name in ACTIONS:
            return self._perform(name, request)
        return SimAnswer(404, b"There is nothing here; the page is /play.", TEXT, HEADERS)

    def _show(self, slave: str, *, refusal: str = "", status: int = 200) -> SimAnswer:
        """Returns the page with this slave, or with the first one."""
        accounts = list(self.world.accounts.values())
        if not accounts:
            return SimAnswer(404, b"This simulated Kommo has no accounts.", TEXT, HEADERS)
        followers = self.followers.all()
        self._tell_if_followed(followers)
        view = page.View(
            world=self.world,
            kommosync=self.kommosync,
            master=accounts[0],
            slave=next(
                (each for each in accounts[1:] if each.subdomain == slave), accounts[1] if accounts[1:] else None
            ),
            followers=followers,
            seconds_waited=self.followers.seconds_waited(),
            happened=list(self.happened),
            refusal=refusal,
        )
        return SimAnswer(status, page.document(view).encode("utf-8", "replace"), HTML, HEADERS)

    def _perform(self, name: str, request: PageRequest) -> SimAnswer:
        """Does what a button says, then leads back to the page; where it cannot be done the page says why."""
        if len(request.body) > MAX_BODY:
            return SimAnswer(413, b"The form is too large.", TEXT, HEADERS)
        values = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        slave = values.get("slave", "")
        account = self.world.accounts.get(values.get("account", ""))
        if account is None:
            return self._show(slave, refusal="There is no such account.", status=400)
        try:
            sentence = ACTIONS[name](Form(self.world, account, values))
        except NotPossible as reason:
            return self._show(slave, refusal=str(reason), status=400)
        except ProblemAnswer as problem:
            return self._show(slave, refusal=f"Kommo refuses this: {_reason(problem)}", status=400)
        is_master = account is next(iter(self.world.accounts.values()))
        if name in EDITS and is_master:
            self.followers.note_edit()
        self._tell(sentence, page.hint(name, is_master=is_master))
        return SimAnswer(303, b"", HTML, (("Location", f"{ROOT}?slave={quote(slave)}"), *HEADERS))

    def _tell(self, sentence: str, hint: page.Hint | None) -> None:
        with self._lock:
            self.happened.appendleft(page.PlayedEvent(self.world.clock(), sentence, hint))

    def _tell_if_followed(self, followers: list[Follower]) -> None:
        seconds = self.followers.seconds_until_followed(followers)
        if seconds is not None:
            sentence = f"All {len(followers)} slaves have it: the last was written {seconds:.0f} s after your edit."
            self._tell(sentence, page.FOLLOWED)


def why_refused(request: PageRequest) -> str:
    """Returns why a request is not let in; "" if it is: from this machine, and from this page.

    The name of the host is checked as well: a foreign page may have a name that leads to this machine.
    """
    if not _is_loopback(request.ip):
        return "This page is for the machine that it runs on."
    if _name_of(request.host) not in LOOPBACK_NAMES:
        return "This page is asked for as 127.0.0.1 or localhost only."
    is_foreign = request.origin not in ("", f"http://{request.host}") or request.site in ("cross-site", "same-site")
    if request.method != "GET" and is_foreign:
        return "This form was sent by another page."
    return ""


def _name_of(host: str) -> str:
    """Returns the name in a Host header, without the port; "" for what is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # an address in brackets that is none
        return ""


def _is_loopback(ip: str) -> bool:
    try:
        return ip_address(ip).is_loopback
    except ValueError:
        return False


def _reason(problem: ProblemAnswer) -> str:
    """Returns what Kommo complains of."""
    entries = problem.extra.get("validation-errors", ())
    errors = [f"{error['path']}: {error['detail']}" for entry in entries for error in entry["errors"]]
    return " ".join(errors) or f"{problem.detail}."
