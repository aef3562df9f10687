"""From an account that fails in a run of real workers to a message at a real server, and back to well."""

import csv
import io
import sys
from email import message_from_bytes, policy

import pytest

from accounts.tests.laws import ONLY_DEEP
from syncing.tests.installation import new_franchise, wait_until
from syncing.tests.notifications.sinks import http_sink, smtp_sink

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")]


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres+redis", marks=ONLY_DEEP)])
def test_a_failure_and_its_end_are_two_messages_by_a_real_worker(make, backend: str) -> None:
    installation = make(new_franchise(slaves=3), backend, SYNC_TICK="0.5", NOTIFY_PRIVATE="on")
    workspace, world = installation.workspace, installation.world
    token = world.accounts["branch-00"].token
    with http_sink() as sink:
        workspace.manage("channel", "add", "ops", "--url", f"json://{sink.address}/", "--events", "run_failed")
        workspace.start_worker()
        world.accounts["branch-00"].revoke_token()
        assert workspace.document("sync_all", "--queue", "--json")["state"] == "partial"
        wait_until(lambda: len(sink.taken) == 1, 90, "message")
        failed = sink.taken[0].json

        assert failed["title"] == "1 of 3 accounts failed: Default"
        assert "(branch-00)" in failed["message"]
        world.accounts["branch-00"].issue_token(value=token)
        for _ in range(2):
            assert workspace.document("sync_all", "--queue", "--json")["state"] == "succeeded"
        wait_until(lambda: len(sink.taken) == 2, 90, "message about the recovery")
        left = "SELECT count(*) FROM syncing_notice"
        wait_until(lambda: installation.rows(left) == [(0,)], 90, "end of all notices")
    assert [taken.json["title"] for taken in sink.taken[1:]] == ["All 3 accounts are in sync again: Default"]
    assert not any(token in str(taken.body) for taken in sink.taken)


def test_the_report_arrives_as_an_e_mail_with_a_table_and_a_file(make) -> None:
    slaves = 3
    with smtp_sink() as sink:
        installation = make(new_franchise(slaves=slaves), EMAIL_URL=f"smtp://127.0.0.1:{sink.port}")
        workspace = installation.workspace
        workspace.manage("sync_all")
        workspace.manage("channel", "add", "boss", "--email", "boss@franchise.example", "--events", "weekly_report")
        said = workspace.manage("channel", "report", "boss")
        assert "Reports on their way by the channel boss: 1." in said
        wait_until(lambda: len(sink.mails) == 1, 60, "e-mail")
    mail = message_from_bytes(sink.mails[0], policy=policy.default)

    assert mail["Subject"] == "3 of 3 accounts (100 %) equal the master: Default"
    assert mail.get_body(("plain",)) is not None
    table = mail.get_body(("html",))
    assert table is not None
    assert table.get_content().count("<tr>") == slaves + 1
    (file,) = mail.iter_attachments()
    assert file.get_filename().startswith("conformity-default-")
    rows = list(csv.DictReader(io.StringIO(file.get_content().removeprefix("\ufeff"))))
    assert [row["state"] for row in rows] == ["equal"] * slaves
