"""Child processes: each a group of its own, told when this process dies, and ended without leaving anything behind."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from syncing.operations.envfile import ROOT

MANAGE = [sys.executable, str(ROOT / "manage.py")]
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartFailed(Exception):
    """A child process did not come up; the message says which, and where its output is."""


def _die_with_parent() -> None:
    # Runs between fork and exec. Linux only: elsewhere a `kill -9` of the parent leaves its children behind.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def spawn(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    stdout: IO[bytes] | int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` from the checkout. `output` takes both streams, `stdout` only the first; None inherits."""
    return subprocess.Popen(  # noqa: S603  (our own commands only)
        list(command),
        env=None if env is None else dict(env),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )


def end(child: subprocess.Popen[bytes], *, grace: float = 20.0) -> int:
    """Ask the child to stop, wait up to `grace` seconds, then end its whole group; returns its exit code."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(grace)
        except subprocess.TimeoutExpired:
            _kill_group(child.pid)
            child.wait()
    return child.returncode


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def web_server(host: str, port: int) -> list[str]:
    """The web server: one process, because SQLite has one writer and the pages wait for nothing else."""
    return [*MANAGE, "web", "--host", host, "--port", str(port)]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def address(host: str, port: int) -> str:
    """What to type into a browser on this machine."""
    return f"http://{_bracketed('127.0.0.1' if host in {'0.0.0.0', ''} else host)}:{port}"  # noqa: S104


def port_is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(preferred: int | None = None, host: str = "127.0.0.1") -> int:
    """`preferred` if nobody has it, else any that is free."""
    if preferred and port_is_free(host, preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_for_http(url: str, child: subprocess.Popen[bytes], *, what: str, log: Path | None, seconds: float) -> None:
    """Return as soon as `url` gives any answer; raises StartFailed when the child ends or time runs out."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise StartFailed(f"{what} ended at once (exit {child.returncode}){_see(log)}")
        if _answers(url):
            return
        time.sleep(0.1)
    raise StartFailed(f"{what} did not answer on {url} within {seconds:.0f} s{_see(log)}")


def _answers(url: str) -> bool:
    """Any answer counts, also a redirect to HTTPS; a proxy of the environment is never asked."""
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
