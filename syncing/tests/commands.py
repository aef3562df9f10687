"""Commands as a test calls them."""

import io
import json
from typing import Any

from django.core.management import CommandError, call_command


def command(name: str, *args: str) -> tuple[int, str, str]:
    """Returns exit code, stdout and stderr."""
    out, errors = io.StringIO(), io.StringIO()
    code: Any = 0
    try:
        call_command(name, *args, stdout=out, stderr=errors)
    except SystemExit as end:
        code = end.code
    except CommandError as error:
        code = error.returncode
        errors.write(str(error))
    return code, out.getvalue(), errors.getvalue()


def command_document(name: str, *args: str) -> tuple[int, dict[str, Any]]:
    """Returns exit code and JSON document."""
    code, out, _ = command(name, *args, "--json")
    return code, json.loads(out)


def sync(*args: str) -> tuple[int, str, str]:
    """Returns exit code, stdout and stderr of `sync_all`."""
    return command("sync_all", *args)


def document(*args: str) -> tuple[int, dict[str, Any]]:
    """Returns exit code and JSON document of `sync_all`."""
    return command_document("sync_all", *args)
