"""The web server of `up`, without a proxy: clients that send too much, and clients that send too slowly."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from syncing.operations import envfile
from syncing.operations.child_processes import free_port, web_server
from syncing.operations.workspace import Workspace
from syncing.tests.installation import wait_until

pytestmark = [pytest.mark.timeout(180), pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
FILES, SIZE = 12, 9_900_000  # a post of 119 MB; 99 files were tried by hand (docs/decisions/0014)
HOST = "127.0.0.1"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of the web server, as `up` starts it."""
    with Workspace(tmp_path) as workspace:
        workspace.configure({name: make() for name, make in envfile.SECRETS.items()})
        port = free_port()
        web = workspace.start("web", *web_server(HOST, port))
        wait_until(lambda: answers(port), 60, "web server")
        yield port, web.pid


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/healthz", timeout=1).ok
    except requests.RequestException:
        return False


def seconds_to_answer(port: int) -> float:
    begun = time.perf_counter()
    return time.perf_counter() - begun if answers(port) else 60.0


def memory(pid: int) -> float:
    """Resident megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def many_files() -> Iterator[bytes]:
    content = b"x" * SIZE
    for number in range(FILES):
        yield b'--b\r\nContent-Disposition: form-data; name="f%02d"; filename="f.csv"\r\n\r\n' % number
        yield content
        yield b"\r\n"
    yield b"--b--\r\n"


def post_files(port: int, found: list[int]) -> None:
    with socket.create_connection((HOST, port), timeout=60) as client:
        size = sum(len(part) for part in many_files())
        head = "POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        client.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
        for part in many_files():
            client.sendall(part)
        found.append(int(client.recv(1000).split()[1]))


def test_posts_of_many_files_cost_no_memory_and_slow_clients_nobody_a_second(running: tuple[int, int]) -> None:
    port, web = running
    before, found, peak = memory(web), [], 0.0
    posts = [threading.Thread(target=post_files, args=(port, found)) for _ in range(3)]
    for post in posts:
        post.start()
    while any(post.is_alive() for post in posts):
        peak = max(peak, memory(web))
        time.sleep(0.01)
    assert found == [413, 413, 413]
    assert max(peak, memory(web)) - before < 50

    half = b"POST /login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nabc"
    with ExitStack() as stack:
        for data in (b"GET / HTTP/1.1\r\nX-Slow: ", half, b""):
            for _ in range(100):
                client = stack.enter_context(socket.create_connection((HOST, port), timeout=60))
                client.sendall(data)
        assert any(seconds_to_answer(port) < 1 for _ in range(10))
