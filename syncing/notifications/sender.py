"""The process that Apprise runs in: takes one task from stdin, sends the message, says on stdout how that ended.

It knows no Django, no database and no secret but the address it sends to. Whatever connection Apprise or its plugins
open, by a redirect or by a name that leads elsewhere than a moment ago, is refused when it leads to a private address.
"""

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies

import apprise
import requests
from apprise.manager_plugins import NotificationManager
from requests.adapters import HTTPAdapter

from syncing.notifications.networks import addresses_of, is_private, literal

LONGEST_LIFE = 20  # seconds; whoever started this process kills it before, unless it was killed itself
CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})  # CPython's audit events
TEAMS = frozenset({"workflow", "workflows"})
LINK = re.compile(r"https?://\S+")
SENT, NOT_SENT, NOT_UNDERSTOOD, HTTP = "sent", "not_sent", "not_understood", "http"
PRIVATE, TIMEOUT, TLS, UNREACHABLE = "private", "timeout", "tls", "unreachable"


class PrivateConnection(OSError):
    """A connection to a private address was refused."""


class Guard:
    """Refuses every connection of this process to a private address, for good; proxies of the environment may be."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = {address for host in allowed for address in [literal(host) or ""] if address}
        self._allowed |= {address for host in allowed if not literal(host) for address in addresses_of(host)}
        self.has_refused = False
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raises PrivateConnection where this process is about to connect to a private address."""
        if event not in CONNECTING or (event != "socket.connect" and arguments[1] is None):
            return
        target = arguments[1]
        # A name here would be looked up after this, and a path is a socket of this machine.
        address = literal(str(target[0])) if isinstance(target, tuple) else None
        if address is None or (is_private(address) and address not in self._allowed):
            self.has_refused = True
            raise PrivateConnection("a private address")


class Witness:
    """Remembers how the last request of Apprise's plugins ended, which they tell only to their log."""

    def __init__(self) -> None:
        self.status = 0
        self.trouble = ""

    def watch(self) -> Self:
        """Watches all requests of this process from now on."""
        HTTPAdapter.send = self._watched(HTTPAdapter.send)  # type: ignore[method-assign]
        return self

    def _watched(self, send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        """Returns `send` with a note of how each request ended."""

        def watched(*args: Any, **kwargs: Any) -> requests.Response:
            try:
                answer = send(*args, **kwargs)
            except requests.RequestException as error:
                self.status, self.trouble = 0, trouble_of(error)
                raise
            self.status, self.trouble = answer.status_code, ""
            return answer

        return watched


def trouble_of(error: requests.RequestException) -> str:
    if isinstance(error, requests.Timeout):
        return TIMEOUT
    return TLS if isinstance(error, requests.exceptions.SSLError) else UNREACHABLE


def service_of(url: str) -> apprise.NotifyBase | None:
    """Returns the plugin of an address; None when Apprise does not understand it."""
    asset = apprise.AppriseAsset(app_id="KommoSync", app_desc="KommoSync", app_url="")
    asset.async_mode = asset.http_redirects = False
    # Else every message shows a picture that the program of its reader loads from Apprise's site.
    asset.image_url_mask = asset.image_url_logo = ""
    return apprise.Apprise.instantiate(url, asset=asset)


def deliver(url: str, title: str, text: str) -> bool | None:
    """Sends a message; returns whether the service took it, None when Apprise does not understand the address."""
    service = service_of(url)
    if service is None:
        return None
    sending = apprise.Apprise(asset=service.asset)
    sending.add(service)
    if service.schema in TEAMS:
        return bool(sending.notify(body=card_text(text), title=title, body_format=apprise.NotifyFormat.MARKDOWN))
    return bool(sending.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT))


def card_text(text: str) -> str:
    """Returns a text for a card of Teams: Markdown, in which one line break is none, and a bare address no link."""
    return "\n\n".join(LINK.sub(r"[\g<0>](\g<0>)", line) for line in text.splitlines())


def outcome_of(task: dict[str, Any]) -> dict[str, Any]:
    """Does a task and returns how it ended.

    {"url", "title", "text", "private"}: send it. {"url"}: understand it, return it as Apprise writes it. {}: return all
    {"schemes"} of Apprise.
    """
    if "url" not in task:
        return {"schemes": sorted(NotificationManager().schemas())}  # type: ignore[no-untyped-call]
    if "text" not in task:
        service = service_of(task["url"])
        if service is None:
            return {"outcome": NOT_UNDERSTOOD}
        return {"outcome": NOT_SENT, "url": service.url()}  # type: ignore[no-untyped-call]
    proxies = [host for proxy in getproxies().values() if (host := urlsplit(proxy).hostname)]
    guard = None if task["private"] else Guard(proxies)
    witness = Witness().watch()
    taken = deliver(task["url"], task["title"], task["text"])
    if taken is None:
        return {"outcome": NOT_UNDERSTOOD}
    if taken:
        return {"outcome": SENT}
    if guard is not None and guard.has_refused:
        return {"outcome": PRIVATE}
    if witness.status:
        return {"outcome": HTTP, "status": witness.status}
    return {"outcome": witness.trouble or NOT_SENT}


def end_with(parent: int) -> None:
    """Ends this process soon after the one that started it."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    signal.alarm(LONGEST_LIFE)
    answer, sys.stdout = sys.stdout, open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  (to the end)
    task = json.load(sys.stdin)
    threading.Thread(target=end_with, args=(task["parent"],), daemon=True).start()
    json.dump(outcome_of(task), answer)
    answer.flush()


if __name__ == "__main__":
    main()
