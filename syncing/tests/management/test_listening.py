"""Where `up`, `web` and `demo` listen: a wrong address ends them with a sentence."""

import socket
from argparse import ArgumentTypeError

import pytest
from django.core.management import CommandError, call_command

from syncing.management.console.listening import listener_at, port_number


@pytest.mark.parametrize("command", ["up", "web", "demo"])
@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999", "http", "8000.5", ""])
def test_what_is_no_port_is_a_wrong_flag(command: str, port: str) -> None:
    with pytest.raises(CommandError, match="is not a port: they go from 1 to 65535"):
        call_command(command, f"--port={port}")
    with pytest.raises(ArgumentTypeError):
        port_number(port)


def test_a_port_that_is_in_use_is_said_with_what_to_do() -> None:
    with listener_at("127.0.0.1", 0) as used:
        used.listen()
        port = used.getsockname()[1]
        with pytest.raises(CommandError, match=f"Address already in use. Stop what uses it, .* --port {port + 1}"):
            listener_at("127.0.0.1", port)


def test_an_address_of_another_machine_is_not_called_in_use() -> None:
    with pytest.raises(CommandError, match=r"Cannot listen on 192\.0\.2\.1, port 8000: Cannot assign"):
        listener_at("192.0.2.1", 8000)


def test_a_port_is_a_number() -> None:
    assert port_number("8000") == 8000
    with listener_at("127.0.0.1", 0) as listener:
        assert listener.family == socket.AF_INET
