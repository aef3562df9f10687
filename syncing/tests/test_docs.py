"""What the pages of docs/ and the comments name is there: files, folders, sections and guarantees."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from syncing.operations import envfile

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (ROOT, ROOT / "syncing", ROOT / "accounts")
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]
KOMMO, LIFECYCLE, ARCHITECTURE = (ROOT / "docs" / f"{name}.md" for name in ("kommo", "lifecycle", "architecture"))

README, TRANSLATED = ROOT / "README.md", sorted(ROOT.glob("README.*.md"))

PATH = re.compile(r"`(\w[\w*./-]*(?:\.(?:py|md|toml)|/))`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")
SECTIONS = re.compile(r"docs/kommo\.md ((?:N?\d+(?:\.\d+)?(?:, | and | to )?)+)")
SECTION = re.compile(r"N?\d+(?:\.\d+)?")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
ANCHOR = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
FIRST_CELL = re.compile(r"^\| (`.+?) \|", re.MULTILINE)
CODE_WORD = re.compile(r"`([A-Za-z]\w+)")
# The examples of a translation have names in its language.
EXAMPLES = {
    "README.pt-BR": {
        "contas.csv": "accounts.csv",
        "Filiais": "Branches",
        "norte": "north",
        "a filial muda de sede": "",
    },
    "README.es": {"cuentas.csv": "accounts.csv", "Sucursales": "Branches", "norte": "north", "la sucursal se muda": ""},
    "README": {"the branch is moving": ""},
}
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


def anchors(page: Path) -> set[str]:
    """Returns the names under which GitHub lets a link lead to the headings of a page."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    words = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\(.*?\)", "", heading)) for _, heading in HEADING.findall(text))
    return {each.strip().lower().replace(" ", "-") for each in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_link_to_a_section_finds_it(page: Path) -> None:
    links = ANCHOR.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if link[1] not in anchors((page.parent / link[0]) if link[0] else page)] == []


def named(text: str, heading: str) -> set[str]:
    """Returns the first words in code of the first column of the table under the heading: commands, or variables."""
    table = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {word for cell in FIRST_CELL.findall(table) for word in CODE_WORD.findall(cell)}


def test_readme_has_every_command_and_every_variable() -> None:
    text = README.read_text(encoding="utf-8")
    commands = {path.stem for app in APPS for path in (ROOT / app).glob("management/commands/[a-z]*.py")}
    assert len(commands) > 25
    assert named(text, "Commands") == commands
    assert named(text, "Settings") == set(envfile.variables())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_a_page_names_is_there(page: Path) -> None:
    called = set(re.findall(r"manage\.py (\w+)", page.read_text(encoding="utf-8")))
    assert called - set(get_commands()) == set()


def outline(page: Path) -> dict[str, list[str]]:
    """Returns what a translation of the page must have, too, each in its order."""
    text = page.read_text(encoding="utf-8")
    blocks = [
        re.sub(r" *(#.*)?$", "", block, flags=re.MULTILINE) for block in BLOCK.findall(text) if "csv\n" not in block
    ]
    for word, example in EXAMPLES[page.stem].items():
        blocks = [block.replace(word, example) for block in blocks]
    prose = BLOCK.sub("", text)
    links = [link for link in LINK.findall(prose) if not link.startswith("README")]
    return {
        "headings": [level for level, _ in HEADING.findall(prose)],
        "blocks": blocks,
        "links and pictures": links,
        "rows": [re.sub(r" [A-Z]+", "", cell) for cell in FIRST_CELL.findall(prose)],
        "tables": [str(len(line.split("|"))) for line in prose.splitlines() if line.startswith("|")],
    }


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_a_translation_of_readme_says_all_that_readme_says(page: Path) -> None:
    """The same sections, commands, links, pictures, and rows of tables, in the same order."""
    english, translation = outline(README), outline(page)
    assert {name: translation[name] for name in english} == english
