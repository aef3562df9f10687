"""Rules of imports that import-linter cannot state; the layers of the rooms stand in pyproject.toml."""

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VALUE_MODULES = {
    *("__future__", "abc", "bisect", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "heapq"),
    "html",
    *("itertools", "json", "math", "operator", "re", "string", "types", "typing", "unicodedata", "zlib"),
}


@cache
def production() -> dict[str, ast.Module]:
    """Returns the syntax tree of every module of ours but tests and migrations."""
    trees: dict[str, ast.Module] = {}
    for app in ("accounts", "syncing"):
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not {"tests", "migrations"} & set(parts):
                name = ".".join(parts).removesuffix(".__init__")
                trees[name] = ast.parse(path.read_text(encoding="utf-8"))
    return trees


def imported(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports; relative imports do not exist here (see below)."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return names


def contracts() -> list[dict[str, Any]]:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = rules["tool"]["importlinter"]["contracts"]
    return found


def lies_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def test_the_engine_imports_only_itself_and_value_modules() -> None:
    allowed = ("syncing.engine", *VALUE_MODULES)
    wrong = [
        f"{module} imports {name}"
        for module, tree in production().items()
        if lies_in(module, "syncing.engine")
        for name in imported(tree)
        if not any(lies_in(name, room) for room in allowed)
    ]
    assert wrong == []


def test_the_engine_asks_no_clock() -> None:
    """Times are values there, too."""
    asked = [
        f"{module} asks for {node.attr}"
        for module, tree in production().items()
        if lies_in(module, "syncing.engine")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
    ]
    assert asked == []


def test_the_simulator_needs_nothing_but_the_standard_library() -> None:
    known = (*sys.stdlib_module_names, "accounts.simulator")
    wrong = [
        f"{module} imports {name}"
        for module, tree in production().items()
        if lies_in(module, "accounts.simulator")
        for name in imported(tree)
        if not any(lies_in(name, room) for room in known)
    ]
    assert wrong == []


def test_no_module_imports_inside_a_function_or_relatively() -> None:
    wrong = []
    for module, tree in production().items():
        functions = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
        inner = {node for function in functions for node in ast.walk(function)}
        for node in ast.walk(tree):
            hidden = node in inner and isinstance(node, ast.Import | ast.ImportFrom)
            relative = isinstance(node, ast.ImportFrom) and node.level
            if hidden or relative:
                wrong.append(f"{module}:{getattr(node, 'lineno', 0)}")
    assert wrong == []


def test_there_is_one_broad_except_in_the_project() -> None:
    broad = [
        module
        for module, tree in production().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert len(broad) <= 1, broad


def test_the_rules_name_rooms_that_exist() -> None:
    """A room that was renamed would otherwise be watched no more, without a word."""
    named: set[str] = set()
    for contract in contracts():
        named.update(contract.get("source_modules", ()), contract.get("forbidden_modules", ()))
        for container in contract.get("containers", ()):
            layers = " ".join(contract["layers"])
            named.update(f"{container}.{room}" for room in re.findall(r"\w+", layers))
    ours = [name for name in sorted(named) if name.split(".")[0] in ("accounts", "syncing")]
    assert [name for name in ours if not any(lies_in(module, name) for module in production())] == []


def test_only_its_own_command_imports_the_simulator() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, tree in production().items()
        if not any(lies_in(module, room) for room in ("accounts.simulator", "accounts.management"))
        for name in sorted(imported(tree))
        if lies_in(name, "accounts.simulator")
    ]
    assert wrong == []
