"""The environment file: read, completed and written so that only its owner can read it and nothing is lost."""

import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / ".env.example"
ASSIGNMENT = re.compile(r"^(?:export )?([A-Za-z_0-9]+)=(.*)$")


def fernet_key() -> str:
    return Fernet.generate_key().decode()


def secret_key() -> str:
    return secrets.token_urlsafe(48)


SECRETS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": secret_key,
    "FIELD_ENCRYPTION_KEYS": fernet_key,
}


def variables() -> list[str]:
    """Returns the names of all our environment variables, as .env.example lists them."""
    return [name for name, _value in _assignments(EXAMPLE.read_text(encoding="utf-8"))]


def read(path: Path) -> dict[str, str]:
    """Returns the variables of the file at `path`, none for a missing file. Quotes around a value are removed."""
    if not path.is_file():
        return {}
    return {
        name: value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
        for name, value in _assignments(path.read_text(encoding="utf-8"))
    }


def complete(path: Path, wanted: Mapping[str, Callable[[], str]]) -> list[str]:
    """Gives every variable of `wanted` that is missing or empty in the file a value; returns their names.

    An existing value is never changed, lines and comments stay as they are. A new file begins as .env.example.
    """
    existing = read(path)
    missing = {name: make() for name, make in wanted.items() if not existing.get(name)}
    if missing:
        text = path.read_text(encoding="utf-8") if path.is_file() else EXAMPLE.read_text(encoding="utf-8")
        _write(path, _with_values(text, missing))
    elif path.is_file() and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return list(missing)


def replace(path: Path, values: Mapping[str, str]) -> None:
    """Sets `values` in the file whatever was there; for files that are ours alone (demo, bench)."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    _write(path, _with_values(text, values))


def child_environment(path: Path, **more: str) -> dict[str, str]:
    """Returns the environment of a child process that takes every variable of ours from the file at `path`."""
    ours = {*variables(), "DJANGO_SETTINGS_MODULE"}
    others = {name: value for name, value in os.environ.items() if name not in ours}
    return {**others, "KOMMOSYNC_ENV_FILE": str(path), **more}


def _assignments(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        if match := ASSIGNMENT.match(line):
            yield match[1], match[2].strip()


def _with_values(text: str, values: Mapping[str, str]) -> str:
    rest, lines = dict(values), []
    for line in text.splitlines():
        match = ASSIGNMENT.match(line)
        lines.append(f"{match[1]}={rest.pop(match[1])}" if match and match[1] in rest else line)
    return "\n".join([*lines, *(f"{name}={value}" for name, value in rest.items())]) + "\n"


def _write(path: Path, text: str) -> None:
    """Replaces the file in one step: never half a file, never readable by others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # mkstemp's mode is 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
