"""The environment file: nothing lost, nothing readable by others, nothing taken from this process by mistake."""

import re
from pathlib import Path

import pytest

from syncing.operations import envfile

ROOT = Path(__file__).resolve().parents[3]


def test_a_new_file_has_fresh_secrets_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "sub" / ".env"

    added = envfile.complete(path, envfile.SECRETS)

    assert added == ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS"]
    assert path.stat().st_mode & 0o777 == 0o600
    values = envfile.read(path)
    assert len(values["SECRET_KEY"]) >= 50
    assert len(values["FIELD_ENCRYPTION_KEYS"]) == 44


def test_an_existing_value_is_never_overwritten_and_every_other_line_stays(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("# mine\nexport SECRET_KEY='kept'\nFIELD_ENCRYPTION_KEYS=\nUNKNOWN=1\n")

    assert envfile.complete(path, envfile.SECRETS) == ["FIELD_ENCRYPTION_KEYS"]

    lines = path.read_text().splitlines()
    assert lines[:2] == ["# mine", "export SECRET_KEY='kept'"]
    assert lines[3:] == ["UNKNOWN=1"]
    assert envfile.read(path)["SECRET_KEY"] == "kept"


def test_a_second_time_it_changes_nothing_but_a_mode_that_is_too_open(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    envfile.complete(path, envfile.SECRETS)
    before = path.read_text()
    path.chmod(0o644)

    assert envfile.complete(path, envfile.SECRETS) == []

    assert path.read_text() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SECRET_KEY=old\n")

    with pytest.raises(UnicodeEncodeError):
        envfile.replace(path, {"SECRET_KEY": "\udcff"})

    assert path.read_text() == "SECRET_KEY=old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_child_takes_our_variables_from_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://live")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")

    environment = envfile.child_environment(tmp_path / "env")

    assert "DATABASE_URL" not in environment
    assert environment["SOMETHING_ELSE"] == "kept"
    assert environment["KOMMOSYNC_ENV_FILE"] == str(tmp_path / "env")


def test_every_variable_of_the_settings_is_explained_in_the_example_and_in_the_readme() -> None:
    source = (ROOT / "kommosync" / "settings.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z0-9_]+)"', source))
    assert read == set(envfile.variables())
    readme = (ROOT / "README.md").read_text()
    assert [name for name in sorted(read) if f"`{name}`" not in readme] == []
