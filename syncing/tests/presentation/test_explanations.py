"""Every reason that the documentation lists, and every state, has a sentence."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from accounts.models import Account
from syncing.models import AccountState, Drift, RunState
from syncing.presentation import explanations

TROUBLESHOOTING = re.compile(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", re.MULTILINE)


def documented() -> set[str]:
    text = Path(settings.BASE_DIR, "docs", "troubleshooting.md").read_text().split("## Reasons")[1]
    return {code for cell in TROUBLESHOOTING.findall(text) for code in re.findall(r"[a-z_]+", cell)}


def test_the_reasons_that_are_explained_are_those_that_are_documented():
    assert set(explanations.REASONS) == documented()


@pytest.mark.parametrize("states", [RunState, AccountState, Drift.State, Account.Health])
def test_every_state_has_a_sentence(states):
    assert [state for state in states.values if not explanations.state_sentence(state)] == []


@pytest.mark.parametrize("code", explanations.REASONS)
def test_a_reason_has_a_short_label_and_two_sentences(code):
    assert len(explanations.reason_label(code)) <= 40
    for text in (explanations.reason_sentence(code), explanations.reason_remedy(code)):
        assert text[0].isupper()
        assert text.endswith(".")


def test_a_code_that_nobody_knows_is_shown_as_it_is():
    assert explanations.reason_with_code("brand_new") == explanations.reason_label("brand_new") == "brand_new"
    assert explanations.reason_sentence("brand_new") == explanations.state_sentence("brand_new") == ""
