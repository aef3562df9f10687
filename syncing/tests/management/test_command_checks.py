"""What a command looks at before it works: what can be wrong with the installation, not the code of the pages."""

import pytest
from django.core.checks.registry import registry
from django.core.management import get_commands, load_command_class

from accounts import checks as of_accounts
from accounts.checks import INSTALLATION
from syncing import checks as of_syncing

OURS = sorted(name for name, app in get_commands().items() if app in ("accounts", "syncing"))
NEED_NONE = {"bench", "demo", "doctor", "kommo_simulator", "rotate_keys", "setup"}


@pytest.mark.parametrize("name", OURS)
def test_a_command_checks_the_installation_and_loads_no_pages_for_it(name: str) -> None:
    app = get_commands()[name]
    asked = load_command_class(app, name).requires_system_checks
    assert list(asked) == ([] if name in NEED_NONE else [INSTALLATION])


def test_every_check_of_ours_is_among_them() -> None:
    asked = [check for check in registry.get_checks() if INSTALLATION in check.tags]
    assert {*of_accounts.CHECKS, *of_syncing.CHECKS} <= set(asked)
