"""Cron expressions as people say them, and what the form makes of a day and a time."""

import pytest

from syncing.cron import validate_cron
from syncing.presentation.recurrence import EXPERT, REPEATS, cron_of, sentence_of


@pytest.mark.parametrize(
    ("cron", "sentence"),
    [
        ("0 3 * * *", "Every day at 03:00"),
        ("5 18 * * 1-5", "Monday to Friday at 18:05"),
        ("0 18 * * 5", "Every week at 18:00: Friday"),
        ("0 18 * * 7", "Every week at 18:00: Sunday"),
        ("30 6 1 * *", "Every month on day 1 at 06:30"),
        ("15 * * * *", "Every hour at minute 15"),
        ("*/5 * * * *", "At the times of */5 * * * *"),
        ("0 3 1 1 *", "At the times of 0 3 1 1 *"),
        ("0 3 1 * 1", "At the times of 0 3 1 * 1"),
        ("0 9,17 * * *", "At the times of 0 9,17 * * *"),
        ("0 3 * * mon", "At the times of 0 3 * * mon"),
        ("rubbish", "At the times of rubbish"),
        ("", "At the times of "),
    ],
)
def test_a_sentence(cron: str, sentence: str) -> None:
    assert sentence_of(cron) == sentence


@pytest.mark.parametrize("repeat", [each for each in REPEATS if each != EXPERT])
def test_what_the_form_offers_is_an_expression_and_has_a_sentence(repeat: str) -> None:
    cron = cron_of(repeat, 3, 7)
    validate_cron(cron)
    assert "At the times" not in sentence_of(cron)
