"""What the pages of docs/ and the comments name is there: files, folders, sections and guarantees."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (ROOT, ROOT / "syncing", ROOT / "accounts")
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]
KOMMO, LIFECYCLE, ARCHITECTURE = (ROOT / "docs" / f"{name}.md" for name in ("kommo", "lifecycle", "architecture"))

PATH = re.compile(r"`(\w[\w*./-]*(?:\.(?:py|md|toml)|/))`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
SECTIONS = re.compile(r"docs/kommo\.md ((?:N?\d+(?:\.\d+)?(?:, | and | to )?)+)")
SECTION = re.compile(r"N?\d+(?:\.\d+)?")
OUTSIDE = re.compile(r"(?<![\w/])(?:kommo-api|design|house|style|task-engine)\.md")


APPS = ("accounts", "syncing", "kommosync")
MODULES = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if path != Path(__file__)]
# All modules as one text, without the ends of lines in comments.
CODE = re.sub(r"\n\s*#?\s*", " ", "\n".join(path.read_text(encoding="utf-8") for path in MODULES))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_only_files_that_exist(page: Path) -> None:
    """A file named without a folder stands in that of the one before it."""
    missing, folder = [], page.parent
    text = page.read_text(encoding="utf-8")
    for name in PATH.findall(text):
        found = next((path for room in (*ROOMS, folder) for path in room.glob(name)), None)
        if found is None:
            missing.append(name)
        else:
            folder = found if found.is_dir() else found.parent
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert missing == []


def test_the_tree_names_every_folder_and_nothing_that_is_not_there() -> None:
    tree = re.search(r"## The tree\n+```\n(.*?)```", ARCHITECTURE.read_text(encoding="utf-8"), re.DOTALL)
    assert tree is not None
    named: set[Path] = set()
    parents = {-1: ROOT}
    for line in tree[1].splitlines():
        indent = len(line) - len(line.lstrip())
        names = re.match(r"(?:\w[\w/]*(?:\.py|/) ?)*", line.strip())
        parent = next(parents[at] for at in sorted(parents, reverse=True) if at < indent)
        here = [parent / name for name in names[0].split()] if names else []
        parents |= {indent: here[0]} if here else {}
        named |= {path for place in here for path in (place, *place.parents)}
    assert [path for path in named if not path.exists()] == []
    left_out = {"__pycache__", "tests", "migrations"}
    folders = {path.parent for path in MODULES if not left_out & set(path.relative_to(ROOT).parts)}
    assert folders - named == set()


def test_every_cited_section_about_kommo_exists_and_none_is_outside_the_repository() -> None:
    cited = {number for numbers in SECTIONS.findall(CODE) for number in SECTION.findall(numbers)}
    headings = re.findall(r"^##+ (N?\d+(?:\.\d+)?) ", KOMMO.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(cited) > 20
    assert cited - set(headings) == set()
    assert OUTSIDE.findall(CODE) == []


def test_every_cited_guarantee_and_step_of_a_run_exists() -> None:
    lifecycle = LIFECYCLE.read_text(encoding="utf-8")
    steps, _, guarantees = lifecycle.partition("## What a run guarantees")
    cited = set(re.findall(r"[Gg]uarantee (\d+) of docs/lifecycle\.md", CODE))
    assert cited >= {"2", "6", "7", "8"}
    assert cited <= set(re.findall(r"^(\d+)\. ", guarantees, re.MULTILINE))
    assert set(re.findall(r"docs/lifecycle\.md (\d+)", CODE)) <= set(re.findall(r"^(\d+)\. ", steps, re.MULTILINE))


def test_every_page_that_code_names_exists() -> None:
    named = set(re.findall(r"docs/(?:decisions/\d{4}|\w+\.md)", CODE))
    assert [name for name in named if not any(ROOT.glob(f"{name}*"))] == []
