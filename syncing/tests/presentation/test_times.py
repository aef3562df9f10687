"""Times on pages: one way of writing them in each language, with the exact moment in the element."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.template import Context, Template
from django.utils import translation
from pytest_django import Settings

from syncing.presentation import times

TWELFTH = datetime(2026, 1, 12, 16, 5, 9, tzinfo=UTC)
TEMPLATES = Path(settings.BASE_DIR) / "templates"
# A text of an e-mail, a public page, the title of a picture, and times of a zone of their own.
PLAIN = {
    *("emails/invite.txt", "accounts/invite.html", "syncing/_overview_conformity.html", "console/_next_times.html"),
}


@pytest.mark.parametrize(
    ("language", "written"),
    [("en", "12 Jan 2026, 16:05"), ("pt-br", "12 jan 2026, 16:05"), ("es", "12 ene 2026, 16:05")],
)
def test_a_moment_names_its_month_in_the_language_of_the_reader(language: str, written: str) -> None:
    with translation.override(language):
        assert f">{written}</time>" in times.moment(TWELFTH)
        assert f">{written.partition(',')[0]}</time>" in times.day(TWELFTH)


def test_every_format_of_django_is_the_same_one() -> None:
    names = ("DATETIME_FORMAT", "SHORT_DATETIME_FORMAT")
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            rendered = {Template(f'{{{{ at|date:"{name}" }}}}').render(Context({"at": TWELFTH})) for name in names}
            assert len(rendered) == 1, language
            assert "/" not in rendered.pop()


def test_the_exact_moment_and_its_zone_are_in_the_element(settings: Settings) -> None:
    settings.TIME_ZONE = "America/Sao_Paulo"
    assert times.clock(TWELFTH) == (
        '<time datetime="2026-01-12T13:05:09-03:00" title="12 Jan 2026, 13:05:09 (America/Sao_Paulo)">13:05:09</time>'
    )
    with time_machine.travel(TWELFTH + timedelta(hours=2), tick=False):
        assert times.ago(TWELFTH).endswith('title="12 Jan 2026, 13:05:09 (America/Sao_Paulo)">2\xa0hours ago</time>')


def test_what_did_not_happen_is_a_dash_and_a_day_has_no_time() -> None:
    assert [function(None) for function in (times.moment, times.day, times.clock, times.ago)] == ["—"] * 4
    assert times.day(date(2026, 1, 12)) == '<time datetime="2026-01-12">12 Jan 2026</time>'


def test_no_template_writes_a_time_in_a_way_of_its_own() -> None:
    own = {
        str(path.relative_to(TEMPLATES))
        for path in TEMPLATES.rglob("*.*")
        if path.suffix in (".html", ".txt") and re.search(r"\|\s*(date|time|timesince|naturaltime)\b", path.read_text())
    }
    assert own == PLAIN
