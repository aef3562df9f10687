"""The simulator is a second opinion: it knows neither Django nor our client."""

import ast
import sys
from pathlib import Path

from accounts import simulator

OWN = "accounts.simulator"


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_it_imports_nothing_but_the_standard_library_and_itself():
    files = sorted(Path(simulator.__file__).parent.rglob("*.py"))
    names = {name for path in files for name in imported(path)}
    foreign = {name for name in names if not name.startswith(OWN) and name.split(".")[0] not in sys.stdlib_module_names}
    assert len(files) > 30
    assert foreign == set()
