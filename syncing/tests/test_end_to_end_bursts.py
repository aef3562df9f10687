"""A burst of webhooks against a real web server."""

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import pytest

from accounts.tests.laws import ONLY_DEEP
from syncing.operations.child_processes import free_port, wait_for_http, web_server
from syncing.tests.installation import Installation, new_franchise

pytestmark = [pytest.mark.timeout(180), pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]
HOST, POSTS, THREADS = "127.0.0.1", 100, 20


class Webhook:
    """The webhook of the only group, at a web server of its own."""

    def __init__(self, installation: Installation) -> None:
        workspace = installation.workspace
        self.path = f"/api/sync/webhook/{workspace.manage('webhook_token').strip()}"
        self.port = free_port()
        child = workspace.start("web", *web_server(HOST, self.port))
        log = workspace.logs / "web.log"
        wait_for_http(f"http://{HOST}:{self.port}/healthz", child, what="The web server", log=log, seconds=60)

    def post(self) -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self.port, timeout=60)
        try:
            connection.request("POST", self.path, b'{"leads": {"status": [{"id": 1}]}}')
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def burst(self) -> Counter[tuple[int, bytes]]:
        with ThreadPoolExecutor(THREADS) as pool:
            return Counter(pool.map(lambda _: self.post(), range(POSTS)))


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=ONLY_DEEP)])
def test_a_burst_is_accepted_and_makes_one_run_and_one_follow_up(make, backend: str) -> None:
    installation = make(new_franchise(slaves=4), backend)
    webhook = Webhook(installation)

    assert webhook.burst() == {(202, b'{"run": 1}'): POSTS}
    installation.change("UPDATE syncing_syncrun SET state = 'running', fence = 1")  # as a worker begins it
    assert webhook.burst() == {(202, b'{"run": 2}'): POSTS}

    assert installation.rows("SELECT joins_triggers FROM syncing_syncrun ORDER BY id") == [(False,), (True,)]
    assert installation.rows("SELECT count(*) FROM syncing_auditentry WHERE action = 'started'") == [(2,)]
