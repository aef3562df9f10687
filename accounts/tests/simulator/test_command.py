"""`manage.py kommo_simulator` as a process of its own."""

import csv
import http.client
import json
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from accounts.simulator import store


@contextmanager
def simulator(*arguments):
    command = [sys.executable, "manage.py", "kommo_simulator", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield process, line, int(re.search(r":(\d+)/", line)[1])
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        process.stdout.close()


def ask(port, method, path, token, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}"}
    connection.request(method, path, body=json.dumps(body) if body else None, headers=headers)
    answer = connection.getresponse()
    found = answer.status, json.loads(answer.read())
    connection.close()
    return found


def test_it_serves_writes_a_csv_and_keeps_its_world(tmp_path):
    state, table = tmp_path / "world.json", tmp_path / "accounts.csv"
    with simulator("--accounts", 2, "--state", state, "--csv", table, "--seed", "bench") as (_, line, port):
        rows = list(csv.DictReader(table.read_text().splitlines()))
        assert [(row["subdomain"], row["role"]) for row in rows] == [
            ("master", "master"), ("slave-001", "slave"), ("slave-002", "slave"),
        ]  # fmt: skip
        assert line.startswith(f"Simulated Kommo on http://127.0.0.1:{port}/{{subdomain}} ")
        item = {"name": "Kept", "type": "text"}
        path = "/slave-001/api/v4/contacts/custom_fields"
        assert ask(port, "POST", path, rows[1]["token"], [item])[0] == 201
    saved = store.load(state).accounts["slave-001"]
    assert saved.field("contacts", "Kept").type == "text"
    assert saved.accepts(rows[1]["token"])


def test_a_spoilt_state_file_is_a_clear_error(tmp_path):
    path = tmp_path / "world.json"
    path.write_text("{}")
    with pytest.raises(CommandError, match="Delete it to start anew"):
        call_command("kommo_simulator", state=path)
