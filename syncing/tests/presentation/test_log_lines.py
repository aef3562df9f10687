"""The lines of a run's log: ours in the reader's language, Kommo's as they came, odd ones as they are stored."""

import pytest
from django.utils.translation import override

from syncing.models import LogEntry, RunState
from syncing.presentation.log_lines import log_text
from syncing.records.log import log
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db
SENTENCE = "Cancelled by %(who)s."


def logged(sentence: str, **more: object) -> LogEntry:
    log(RunFactory().pk, sentence, **more)  # type: ignore[arg-type]
    return LogEntry.objects.latest("pk")


def test_a_sentence_of_ours_is_stored_in_english_and_shown_in_the_reader_s_language() -> None:
    entry = logged(SENTENCE, facts={"who": "ana 100%"})
    assert entry.message == "Cancelled by ana 100%."
    with override("pt-br"):
        assert log_text(entry) == "Cancelada por ana 100%."


@pytest.mark.parametrize("said", ["", "100% of %(that)s", "Invalid value: \u202eabc"])
def test_what_others_said_is_shown_as_it_came(said: str) -> None:
    with override("es"):
        assert log_text(logged(said)) == said


@pytest.mark.parametrize("details", [{"sentence": SENTENCE, "facts": {}}, {"sentence": SENTENCE, "facts": "x"}, {}])
def test_facts_that_do_not_fit_leave_the_message(details: dict[str, object]) -> None:
    assert log_text(LogEntry(message="As stored.", details=details)) == "As stored."


def test_the_end_of_a_run_is_told_in_words(admin_client) -> None:
    run = RunFactory(state=RunState.PARTIAL)
    AccountRunFactory(run=run, state="failed")
    facts = {"state": "partial", "reason": "guard", "accounts": {"failed": 2, "changed": 1}, "summary": "partial"}
    log(run.pk, "%(summary)s", facts=facts, code="run_ended")
    assert log_text(LogEntry.objects.get()) == "Partial (Stopped by a limit). Failed: 2, Changed and verified: 1"
    log(run.pk, "%(summary)s", facts={**facts, "reasons": 3}, code="run_ended")
    assert log_text(LogEntry.objects.latest("pk")).startswith("Partial (3 reasons). Failed: 2")
    html = admin_client.get(f"/runs/{run.pk}/log").content.decode()
    assert "Partial (Stopped by a limit). Failed: 2, Changed and verified: 1" in html
