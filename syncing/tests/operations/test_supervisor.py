"""Keeping programs running: a dead one comes back, a hopeless one ends it, and nobody is left behind."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from accounts.refusals import Refusal
from syncing.operations import child_processes, supervisor
from syncing.operations.supervisor import Program, ProgramSupervisor

Popen = subprocess.Popen[bytes]


def launcher(code: str, made: list[Popen]) -> Callable[[], Popen]:
    def launch() -> Popen:
        made.append(child_processes.spawn([sys.executable, "-c", code]))
        return made[-1]

    return launch


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_program_that_dies_is_started_again_and_all_end_at_the_stop() -> None:
    made: list[Popen] = []
    said: list[str] = []
    running = ProgramSupervisor([Program("worker", launcher("import time; time.sleep(60)", made))], said.append)
    running.start()
    thread = threading.Thread(target=running.run)
    thread.start()

    made[0].kill()
    wait_until(lambda: len(made) == 2)
    running.stop.set()
    thread.join(60)

    assert not thread.is_alive()
    assert "worker ended (exit -9)" in said[0]
    assert [child.poll() is not None for child in made] == [True, True]


def test_it_gives_up_on_a_program_that_never_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MOST_STARTS", 2)
    monkeypatch.setattr(supervisor, "LOOK_EVERY", 0.01)
    made: list[Popen] = []
    other: list[Popen] = []
    programs = [
        Program("worker", launcher("import sys; sys.exit(3)", made)),
        Program("web server", launcher("import time; time.sleep(60)", other)),
    ]
    running = ProgramSupervisor(programs, lambda text: None)
    running.start()

    with pytest.raises(Refusal, match=r"worker ended 2 times in a row \(exit 3\)"):
        running.run()

    assert other[0].poll() is not None


def test_a_child_that_ignores_the_request_to_stop_is_ended_with_its_own_children(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = (
        "import pathlib, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        f"pathlib.Path({str(ready)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    child = child_processes.spawn([sys.executable, "-c", code])
    wait_until(lambda: ready.exists() and bool(ready.read_text()))

    assert child_processes.end(child, grace=0.2) == -9

    grandchild = Path(f"/proc/{ready.read_text()}/stat")
    wait_until(lambda: not grandchild.exists() or " Z " in grandchild.read_text())


def test_a_port_in_use_is_noticed_and_another_is_found() -> None:
    free = child_processes.free_port()
    assert child_processes.port_is_free("127.0.0.1", free)
    server = child_processes.spawn([sys.executable, "-m", "http.server", str(free), "--bind", "127.0.0.1"], output=-3)
    try:
        child_processes.wait_for_http(f"http://127.0.0.1:{free}/", server, what="It", log=None, seconds=20)
        assert not child_processes.port_is_free("127.0.0.1", free)
        assert child_processes.free_port(free) != free
    finally:
        child_processes.end(server)


def test_a_server_that_ends_at_once_is_said_to_have_ended_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("Address already in use\n")
    child = child_processes.spawn([sys.executable, "-c", "raise SystemExit(7)"])
    with pytest.raises(Refusal, match=r"(?s)It ended at once \(exit 7\).*already in use"):
        child_processes.wait_for_http("http://127.0.0.1:9/", child, what="It", log=tmp_path / "x.log", seconds=20)
