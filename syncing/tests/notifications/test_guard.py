"""No plugin, thread or redirect of the process that sends reaches a private address, whatever it uses to connect."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

from syncing.tests.notifications.sinks import http_sink

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs 127.0.0.2")

# The whole of 127.0.0.0/8 is this machine: here 127.0.0.2 stands for an address outside.
PROGRAM = """
import json, socket, sys, threading
import requests
from syncing.notifications import sender

sender.is_private = lambda address: str(address) != "127.0.0.2"
guard = sender.Guard(json.loads(sys.argv[2]))
port, path, tried = int(sys.argv[1]), sys.argv[3], {}

def attempt(name, act):
    try:
        act()
        tried[name] = "connected"
    except Exception as error:
        tried[name] = type(error).__name__

def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"x", ("127.0.0.1", port))

def unix():
    with socket.socket(socket.AF_UNIX) as sending:
        sending.connect(path)

def elsewhere():
    thread = threading.Thread(target=attempt, args=("a thread", lambda: socket.create_connection(("127.0.0.1", port))))
    thread.start()
    thread.join()

attempt("outside", lambda: socket.create_connection(("127.0.0.2", port)).close())
attempt("a redirect", lambda: requests.post(f"http://127.0.0.2:{port}/", timeout=5))
attempt("a name", lambda: socket.create_connection(("localhost", port)).close())
attempt("an unresolved name", lambda: socket.socket().connect(("localhost", port)))
attempt("connect_ex", lambda: socket.socket().connect_ex(("127.0.0.1", port)))
attempt("a datagram", udp)
attempt("a socket of this machine", unix)
elsewhere()
print(json.dumps({"tried": tried, "has_refused": guard.has_refused}))
"""


def tried(port: int, *allowed: str, path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, str(port), json.dumps(allowed), str(path)],
        cwd=project.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        env={"NO_PROXY": "*"},
    )
    return dict(json.loads(done.stdout))


def test_every_way_to_connect_is_refused(tmp_path: Path) -> None:
    with http_sink(host="", status=307) as sink:
        sink.location = f"http://127.0.0.1:{sink.port}/inside"
        found = tried(sink.port, path=tmp_path / "socket")
        assert [taken.path for taken in sink.taken] == ["/"]  # the first hop alone
    refused = {name for name, how in found["tried"].items() if how in ("PrivateConnection", "ConnectionError")}
    assert found["tried"].pop("outside") == "connected"
    assert found["tried"].keys() == refused
    assert found["has_refused"] is True


def test_a_proxy_of_the_environment_may_be_private(tmp_path: Path) -> None:
    with http_sink(host="") as sink:
        found = tried(sink.port, "127.0.0.1", path=tmp_path / "socket")["tried"]
    assert found["a name"] == found["a thread"] == "connected"
    assert found["a socket of this machine"] == found["an unresolved name"] == "PrivateConnection"
