"""Which room may import which: the layers of docs/architecture.md, in their own words beside import-linter's."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOORS = (
    "syncing.urls",
    "syncing.admin",
    "syncing.views",
    "syncing.api",
    "syncing.webhooks",
    "syncing.tasks",
    "syncing.management",
    "syncing.operations",
    "syncing.web",
)
MIDDLE = ("syncing.records", "syncing.selectors", "syncing.adapters", "syncing.notifications")
DJANGO = ("django", "django_q", "kommosync", "environ")

# room -> what no module in it may import
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "accounts": ("syncing", "kommosync"),
    "syncing": ("kommosync",),
    "accounts.kommo": (*DJANGO, "accounts.models", "accounts.services", "accounts.conf", "accounts.simulator"),
    "accounts.simulator": (*DJANGO, "accounts.kommo", "accounts.models", "accounts.services", "requests"),
    "accounts.services": ("accounts.admin", "accounts.management", "accounts.simulator"),
    "accounts.models": ("accounts.services", "accounts.kommo", "accounts.simulator"),
    "syncing.adapters": (*DJANGO, "syncing.models", "syncing.records", "accounts.models", "accounts.simulator"),
    "syncing.services": (*DOORS, "accounts.simulator"),
    "syncing.records": (*DOORS, "syncing.services", "accounts.simulator"),
    "syncing.selectors": (*DOORS, "syncing.services", "accounts.simulator"),
    "syncing.notifications": (*DOORS, "syncing.services", "accounts.simulator"),
    "syncing.models": (*DOORS, *MIDDLE, "syncing.services"),
    "syncing.management": ("accounts.simulator",),
    "syncing.operations": ("accounts.simulator",),
}
VALUE_MODULES = {
    *("__future__", "abc", "bisect", "collections", "dataclasses", "enum", "functools", "hashlib", "heapq"),
    "html",
    *("itertools", "json", "math", "operator", "re", "string", "types", "typing", "unicodedata"),
}


def production() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours but tests and migrations, with its syntax tree."""
    for app in ("accounts", "syncing"):
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if not {"tests", "migrations"} & set(parts):
                yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


MODULES = dict(production())


def imported(tree: ast.Module) -> set[str]:
    """The dotted names that a module imports; relative imports do not exist here (see below)."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return names


def lies_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def offences(room: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{module} imports {name}"
        for module, tree in MODULES.items()
        if lies_in(module, room)
        for name in sorted(imported(tree))
        if any(lies_in(name, target) for target in forbidden) and not lies_in(name, room)
    ]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    assert offences(room, FORBIDDEN[room]) == []


def test_the_engine_imports_only_itself_and_value_modules() -> None:
    allowed = ("syncing.engine", *VALUE_MODULES)
    wrong = [
        f"{module} imports {name}"
        for module, tree in MODULES.items()
        if lies_in(module, "syncing.engine")
        for name in imported(tree)
        if not any(lies_in(name, room) for room in allowed)
    ]
    assert wrong == []


def test_the_simulator_needs_nothing_but_the_standard_library() -> None:
    known = (*sys.stdlib_module_names, "accounts.simulator")
    wrong = [
        f"{module} imports {name}"
        for module, tree in MODULES.items()
        if lies_in(module, "accounts.simulator")
        for name in imported(tree)
        if not any(lies_in(name, room) for room in known)
    ]
    assert wrong == []


def test_no_module_imports_inside_a_function_or_relatively() -> None:
    wrong = []
    for module, tree in MODULES.items():
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
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]
    assert len(broad) <= 1, broad


def test_the_rules_name_rooms_that_exist() -> None:
    named = {*FORBIDDEN, *(name for targets in FORBIDDEN.values() for name in targets if "." in name)}
    assert [name for name in sorted(named) if not any(lies_in(module, name) for module in MODULES)] == []
