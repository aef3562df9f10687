"""The commands of docs/n8n-and-make.md, one after the other in one shell, against a real web server and worker."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from syncing.operations.child_processes import free_port, wait_for_http, web_server
from syncing.operations.envfile import ROOT
from syncing.tests.installation import new_franchise

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="needs /proc"),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq; apt-get install"),
]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
HOST = "127.0.0.1"


def test_every_command_of_the_page_does_what_it_says(make) -> None:
    installation = make(new_franchise(slaves=3), "sqlite")
    workspace, port = installation.workspace, free_port()
    key = workspace.manage("api_key", "create", "flows", "--scope", "read", "--scope", "trigger").strip()
    child = workspace.start("web", *web_server(HOST, port))
    wait_for_http(
        f"http://{HOST}:{port}/healthz", child, what="The web server", log=workspace.logs / "web.log", seconds=60
    )
    workspace.start_worker()
    master, first, *_ = installation.accounts
    blocks = BLOCK.findall((ROOT / "docs" / "n8n-and-make.md").read_text(encoding="utf-8"))
    assert len(blocks) == 8, "each block has its place below"
    blocks[0] = f"KEY={key}\n"  # made above, as the page does
    script = "set -euo pipefail\n" + "echo '---'\n".join(blocks)
    script = script.replace(":8000", f":{port}").replace("/north/", f"/{first.subdomain}/")
    script = script.replace('"Sales"', json.dumps(next(iter(master.pipelines.values())).name))

    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr + done.stdout
    _key, _names, started, state, troubled, ids, cached, refused = done.stdout.split("---\n")
    assert json.loads(started) == {"run": 1, "status_url": f"http://{HOST}:{port}/api/sync/runs/1"}
    assert state == "succeeded\n"
    assert troubled == ""
    assert '"slave_id"' in ids
    assert cached == "304\n"
    assert json.loads(refused)["code"] == "no_such_run"
    installation.assert_converged()
