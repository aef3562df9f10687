"""A workspace with a simulated Kommo in it (environment, database, processes), shared by demo and bench."""

import json
import os
import subprocess
from collections.abc import Mapping
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from accounts.refusals import Refusal
from syncing.operations import envfile
from syncing.operations.child_processes import MANAGE, end, free_port, port_is_free, spawn, wait_for_http

HOST = "127.0.0.1"


class Workspace:
    """One directory that holds everything: `env`, the database, `simulator.json`, `accounts.csv`, `logs/`.

    A context manager: on leaving it ends every process it started, the last one first.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.env_file = self.directory / "env"
        self.csv = self.directory / "accounts.csv"
        self.state = self.directory / "simulator.json"
        self.logs = self.directory / "logs"
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.simulator_port = 0

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    # -- environment and commands --

    def configure(self, values: Mapping[str, str], *, port: int | None = None) -> None:
        """Writes the environment file: `values`, and those that make the workspace independent of everything else."""
        own = {"VAR_DIR": str(self.directory), "DATABASE_URL": ""}  # SQLite in VAR_DIR
        envfile.replace(self.env_file, {**own, **values})
        self._set_port(free_port(port, HOST))

    def set_environment(self, **values: str) -> None:
        """Sets variables for the commands and processes that start from now on."""
        envfile.replace(self.env_file, values)

    @property
    def environment(self) -> dict[str, str]:
        # A proxy of the environment must not be asked for the simulator.
        return envfile.child_environment(self.env_file, NO_PROXY=HOST, no_proxy=HOST)

    def manage(self, *args: str, expect: tuple[int, ...] = (0,), show_progress: bool = False) -> str:
        """Runs a command of manage.py to its end and returns its stdout; raises Refusal on another exit code."""
        log = self.logs / f"{args[0]}.log"
        with log.open("wb") as errors:
            child = spawn(
                [*MANAGE, *args],
                env=self.environment,
                stdout=subprocess.PIPE,
                output=None if show_progress else errors,
            )
            self.children[args[0]] = child
            printed, _ = child.communicate()
        del self.children[args[0]]
        text = printed.decode()
        if child.returncode not in expect:
            why = log.read_text(encoding="utf-8", errors="replace").strip() or text.strip()
            raise Refusal("command_failed", f"`manage.py {args[0]}` ended with {child.returncode}:\n{why[-2000:]}")
        return text

    def document(self, *args: str, show_progress: bool = False) -> dict[str, Any]:
        """Returns the JSON document that a command prints, even if it fails; raises Refusal without one."""
        text = self.manage(*args, expect=(0, 1, 2), show_progress=show_progress)
        try:
            document: dict[str, Any] = json.loads(text)
        except ValueError as error:
            errors = (self.logs / f"{args[0]}.log").read_text(encoding="utf-8", errors="replace")
            raise Refusal(
                "command_failed", f"`manage.py {args[0]}` printed no document:\n{(errors or text)[-2000:]}"
            ) from error
        return document

    def setup(self, *more: str) -> str:
        """Runs `setup` (secrets, database, static files, superuser) and returns its output."""
        return self.manage("setup", "--env", str(self.env_file), *more)

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Starts a process that stays; its output goes to logs/NAME.log."""
        with (self.logs / f"{name}.log").open("ab") as output:
            child = spawn(command, env=self.environment, output=output)
        self.children[name] = child
        return child

    # -- the simulated Kommo --

    def start_simulator(self, *options: str) -> None:
        """Starts it on the port of `configure`, or on another if somebody took it meanwhile; raises Refusal."""
        try:
            self._start_simulator(*options)
        except Refusal:
            if port_is_free(HOST, self.simulator_port):
                raise
            self._set_port(free_port(None, HOST))
            self._start_simulator(*options)
        if not self.csv.is_file():
            raise Refusal("not_started", f"The simulated Kommo wrote no {self.csv.name}.")

    def _set_port(self, port: int) -> None:
        self.simulator_port = port
        kommo = f"http://{HOST}:{port}"
        own = {"KOMMO_URL_TEMPLATE": f"{kommo}/{{subdomain}}", "KOMMO_OAUTH_URL": f"{kommo}/oauth"}
        envfile.replace(self.env_file, own)

    def _start_simulator(self, *options: str) -> None:
        child = self.start(
            "simulator",
            *(*MANAGE, "kommo_simulator", "--host", HOST, "--port", str(self.simulator_port)),
            *("--csv", str(self.csv), *options),
        )
        url = f"http://{HOST}:{self.simulator_port}/_sim/state"
        wait_for_http(url, child, what="The simulated Kommo", log=self.logs / "simulator.log", seconds=60)

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self.start("worker", *MANAGE, "worker")

    def ask_simulator(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Sends a request to the simulator and returns its answer's JSON; raises Refusal unless it is 200."""
        connection = HTTPConnection(HOST, self.simulator_port, timeout=60)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, body=raw, headers=dict(headers or {}))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refusal("command_failed", f"simulator: {method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content) if content else None

    # -- the end --

    def stop(self, name: str) -> None:
        child = self.children.pop(name, None)
        if child is not None:
            end(child)

    def stop_all(self) -> None:
        for name in reversed(list(self.children)):
            self.stop(name)

    def pids(self) -> list[int]:
        """Returns the ids of this process and all that it started."""
        return [os.getpid(), *(child.pid for child in self.children.values())]
