"""Reads the address at which a command listens, and opens it."""

import errno
import socket
from argparse import ArgumentParser, ArgumentTypeError

from django.core.management.base import CommandError

from syncing.web.server import listen

LAST_PORT = 65535


def add_address_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=port_number, default=8000)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: reachable by others (default: %(default)s)")


def port_number(text: str) -> int:
    """Reads a port; raises ArgumentTypeError for what is none."""
    if not text.isdecimal() or not 0 < int(text) <= LAST_PORT:
        raise ArgumentTypeError(f"{text} is not a port: they go from 1 to {LAST_PORT}")
    return int(text)


def listener_at(host: str, port: int) -> socket.socket:
    """Returns a bound socket; raises CommandError."""
    try:
        return listen(host, port)
    except OSError as error:
        remedy = f" Stop what uses it, or choose another: --port {port + 1}" if error.errno == errno.EADDRINUSE else ""
        raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}.{remedy}") from error
