"""Serves a simulated Kommo: for trying things out, for the demo and for the bench."""

from __future__ import annotations

import csv
import os
import re
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.simulator import store
from accounts.simulator.oauth.integrations import SimIntegration, check_redirect
from accounts.simulator.seed import seed_demo, seed_master
from accounts.simulator.server import RunningServer, serve
from accounts.simulator.world import World

SAVE_EVERY = 3.0


class Command(BaseCommand):
    """`manage.py kommo_simulator`: one master and slaves behind one address, the account in the path."""

    help = "Serves a simulated Kommo (a master and slaves) on this machine; for tests, the demo and the bench."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8100, help="0: any free one")
        parser.add_argument("--accounts", type=int, default=119, help="number of slaves")
        parser.add_argument("--seed", choices=["demo", "bench", "empty"], default="demo")
        parser.add_argument("--latency-ms", type=float, default=0.0)
        parser.add_argument("--limit-key", choices=["ip", "account", "none"], default="account")
        parser.add_argument("--rate", type=int, default=7, help="requests per second that the limit allows")
        parser.add_argument("--state", type=Path, metavar="FILE", help="keep the world in this file")
        parser.add_argument(
            "--oauth-redirect", metavar="URI", help="create a public integration with this redirect URI"
        )
        parser.add_argument(
            "--kommosync", metavar="URL", default="", help="address of KommoSync, for links on the page to play on"
        )
        parser.add_argument("--csv", type=Path, metavar="FILE", help="write the accounts for import_accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        if not _is_loopback(kommosync := options["kommosync"].rstrip("/")):
            raise CommandError("--kommosync must be an address of this machine, as http://127.0.0.1:8000")
        world = _world(options["seed"], options["accounts"], options["state"])
        # Here nobody edits the accounts but through HTTP.
        world.cache_reads = True
        world.limits.key, world.limits.per_second = options["limit_key"], options["rate"]
        integration = _integration(world, options["oauth_redirect"]) if options["oauth_redirect"] else None
        if options["csv"]:  # it holds tokens: only its owner may read it
            opened = os.open(options["csv"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(opened, "w", encoding="utf-8", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["subdomain", "role", "name", "token"])
                for at, account in enumerate(world.accounts.values()):
                    rows.writerow([account.subdomain, "slave" if at else "master", account.name, account.token])
        try:
            server = serve(world, options["host"], options["port"], options["latency_ms"] / 1000, kommosync)
        except OSError as error:
            raise CommandError(f"Cannot listen on {options['host']}:{options['port']}: {error}") from error
        self._run(server, integration, options["state"])

    def _run(self, server: RunningServer, integration: SimIntegration | None, state: Path | None) -> None:
        """Serves until a signal comes; saves the world whenever it has changed, and at last."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: server.stopped.set())
        world, saved = server.world, -1
        self.stdout.write(f"Simulated Kommo on {server.url_template} (1 master, {len(world.accounts) - 1} slaves)")
        if integration is not None:  # in one line what an operator enters, as Kommo's page "Keys and scopes" shows it
            keys = f"client id {integration.client_id}, client secret {integration.client_secret}"
            page = f"{server.url}/oauth?client_id={integration.client_id}"
            self.stdout.write(f"OAuth integration: {keys}, authorize at {page}")
        self.stdout.write(f"Play with it: {server.url}/play")
        self.stdout.flush()
        while not server.stopped.wait(SAVE_EVERY):
            if state is not None and world.changes != saved:
                saved = world.changes
                store.save(world, state)
        server.stop()
        if state is not None:
            store.save(world, state)


def _is_loopback(url: str) -> bool:
    return not url or re.fullmatch(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", url) is not None


def _world(seed: str, slaves: int, state: Path | None) -> World:
    if state is not None and state.exists():
        try:
            return store.load(state)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(f"Cannot read the saved world {state}: {error}. Delete it to start anew.") from error
    world = World()
    if seed == "demo":
        seed_demo(world, slaves=slaves)
        return world
    master = world.add_account("master", name="Master")
    if seed == "bench":
        seed_master(master)
    for number in range(1, slaves + 1):
        world.add_account(f"slave-{number:03d}", name=f"Slave {number}")
    return world


def _integration(world: World, redirect_uri: str) -> SimIntegration:
    """Returns the public integration of the saved world with this address; a new one where there is none."""
    try:
        check_redirect(redirect_uri)
    except ValueError as error:
        raise CommandError(f"--oauth-redirect: {error}") from error
    for integration in world.integrations.values():
        if integration.is_public:
            integration.redirect_uri = redirect_uri
            world.mark_changed()
            return integration
    return world.add_integration(redirect_uri=redirect_uri)
