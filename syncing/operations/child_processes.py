"""Child processes: each a group of its own, ended when this process dies, without leaving anything behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from accounts.refusals import Refusal
from syncing.operations.envfile import ROOT
from syncing.worker.orphans import send_on_parent_death

MANAGE = [sys.executable, str(ROOT / "manage.py")]


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    stdout: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Starts `command` from the checkout. `output` takes both streams, `stdout` only the first; None inherits."""
    return subprocess.Popen(  # noqa: S603  (our own commands only)
        list(command),
        env=None if env is None else dict(env),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else output,
        stderr=output,
        start_new_session=True,
        preexec_fn=partial(send_on_parent_death, signal.SIGTERM),
    )


def end(child: subprocess.Popen[bytes], *, grace: float = 20.0) -> int:
    """Asks the child to stop, waits up to `grace` seconds, then ends its whole group; returns its exit code."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    return child.returncode


def web_server(host: str, port: int) -> list[str]:
    """Returns the command of the web server: one process, as SQLite has one writer and pages wait for nothing else."""
    return [*MANAGE, "web", "--host", host, "--port", str(port)]


def address(host: str, port: int) -> str:
    """Returns the address for a browser on this machine."""
    name = "127.0.0.1" if host in {"0.0.0.0", ""} else host  # noqa: S104
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def port_is_free(host: str, port: int) -> bool:
    """Tells whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, host: str = "127.0.0.1") -> int:
    """Returns `preferred` if nobody has it, else any that is free."""
    if preferred and port_is_free(host, preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_for_http(url: str, child: subprocess.Popen[bytes], *, what: str, log: Path | None, seconds: float) -> None:
    """Returns as soon as `url` gives any answer; raises Refusal when the child ends or time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise Refusal("not_started", f"{what} ended at once (exit {child.returncode}){_see(log)}")
        if _answers(url):
            return
        time.sleep(0.1)
    raise Refusal("not_started", f"{what} did not answer on {url} within {seconds:.0f} s{_see(log)}")


def _answers(url: str) -> bool:
    """Returns whether anything answers, be it a redirect to HTTPS; never asks a proxy of the environment."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path or "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def _see(log: Path | None) -> str:
    if log is None or not log.is_file():
        return "."
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    return "\n  ".join([f"; the end of {log}:", *last])
