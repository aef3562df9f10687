"""Runs that a sentence names are links to their pages."""

import pytest
from django.utils import translation
from django.utils.safestring import mark_safe

from syncing.presentation.links import linking_runs, run_url


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Run 5 plans it; run 12 is next."),
        ("pt-br", "A execução 5 planeja; a Execução 12 espera."),
        ("es", "La ejecución 5; ejecución 12."),
    ],
)
def test_each_run_is_a_link(language: str, text: str) -> None:
    with translation.override(language):
        html = linking_runs(text)
    assert [run_url(number) in html for number in (5, 12)] == [True, True]
    assert html.count("<a ") == 2


@pytest.mark.parametrize("text", ["Rerun 5", "run five", "5 runs", "run 5x", "<b>runs</b>"])
def test_nothing_else_is(text: str) -> None:
    assert "<a " not in linking_runs(text)


def test_what_is_around_is_escaped_and_html_of_ours_stays() -> None:
    assert linking_runs("<i>run 5</i>").startswith("&lt;i&gt;<a ")
    ours = mark_safe("<b>run 5</b>")
    assert linking_runs(ours) == ours
