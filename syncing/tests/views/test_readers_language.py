"""Who reads Portuguese or Spanish reads what KommoSync says in that language, whoever stored it."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.urls import reverse
from django.utils import translation

from accounts.kommo.errors import KommoError, NetworkError
from accounts.models import Account, AccountEvent
from accounts.own_words import translated
from accounts.services import events
from accounts.services.health.store import record_health
from accounts.tests.factories import AccountFactory
from syncing.adapters.usage import LEADS
from syncing.automation import watcher
from syncing.engine import match, safety
from syncing.engine.compare import OTHER_GROUP
from syncing.execution import sync
from syncing.models import LogEntry, Schedule, SyncRun
from syncing.presentation.labels import field_type_label, value_text
from syncing.records.account_runs import COUNTED, STOPPED
from syncing.records.log import log
from syncing.replication.ledger import DIFFERENT, INSTEAD
from syncing.tests.factories import AccountRunFactory, RunFactory

pytestmark = pytest.mark.django_db
LANGUAGES = ["pt-br", "es"]
HANDED_OVER = "its worker died; another worker will continue"
KOMMO_SAID = "Kommo's own words, as they came"


def errors(kind: type[KommoError] = KommoError) -> Iterator[type[KommoError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from errors(below)


def remedies() -> set[str]:
    """Everything that an error of Kommo may tell a person to do, places for facts left out."""
    named = {value for kind in errors() for name, value in vars(kind).items() if "remedy" in name}
    named |= {text for kind in errors() for text in getattr(kind, "remedies", {}).values()}
    return {text for text in named if isinstance(text, str) and text and "%(" not in text}


def said(text: str, language: str) -> str:
    with translation.override(language):
        return str(translation.gettext(text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("remedy", sorted(remedies()))
def test_what_is_wrong_with_a_connection_is_read_in_the_reader_s_language(admin_client, language, remedy) -> None:
    account = AccountFactory(subdomain="north")
    with translation.override("es" if language == "pt-br" else "pt-br"):  # of the worker that stores it
        record_health(account.pk, {"code": "unpaid", "message": KOMMO_SAID, "remedy": remedy})
        reason = Account.objects.get(pk=account.pk).health_reason
        events.note(account.pk, AccountEvent.Code.RECONNECT, reason)
    assert reason == f"{KOMMO_SAID}. {remedy}"
    lists = ("syncing:accounts", "syncing:dashboard", "admin:accounts_accountevent_changelist")
    addresses = [*map(reverse, lists), reverse("syncing:account", args=[account.pk])]
    reader = {"Accept-Language": language}
    texts = [unescape(admin_client.get(address, headers=reader).content.decode()) for address in addresses]
    file = admin_client.post(reverse("syncing:export_accounts"), {"format": "0"}, headers=reader)
    for text in [*texts, file.content.decode()]:
        assert remedy not in text
        assert KOMMO_SAID in text
        assert said(remedy, language)[:60] in text


SHRUNK = safety.SHRUNK % {"lost": 3, "total": 4, "which": "pipelines", "percent": "75.00", "allowed": 20}
LEFT = "north: GET /leads/pipelines: no answer in time"
CHANGED = DIFFERENT % {"what": INSTEAD % {"attribute": "name", "found": "Offer", "expected": "Quote"}}
OTHER_TYPE = match.OTHER_TYPE % {"ours": "text", "theirs": "date"}
CODE = "Its code is 'SALES' in the master; a code can only be given at creation."
KEPT = LEADS[0] % {"count": 12}
FAR = STOPPED % {"requests": 5, "done": COUNTED["created"] % {"count": 2}, "last": "reading /leads/pipelines"}
STORED = (
    SHRUNK, "no answer in time", NetworkError.remedy, "instead of", OTHER_TYPE, CODE, KEPT, FAR, "stopped after",
    "reading /leads", sync.MASTER_REMEDY, watcher.TOO_SLOW[0], HANDED_OVER,
)  # fmt: skip


@pytest.fixture
def run() -> SyncRun:
    """A run in which everything that can be told of an account is told of one."""
    cast = AccountFactory.cast()
    group = cast["north"].group
    error = {"code": "guard", "message": SHRUNK, "remedy": sync.MASTER_REMEDY}
    run = RunFactory(group=group, state="partial", reason="guard", error=error)
    left = {"code": "unreachable", "message": LEFT, "remedy": NetworkError.remedy}
    AccountRunFactory(run=run, account=cast["north"], state="failed", reason="unreachable", error=left)
    item = {"kind": "custom_field", "name": "Budget", "parent": "leads"}
    document = {
        "changes": [{**item, "action": "update", "fields": {}, "outcome": "unverified", "message": CHANGED}],
        "extras": [{**item, "message": KEPT}],
        "conflicts": [{**item, "message": OTHER_TYPE}],
        "manual": [{**item, "message": CODE}],
    }
    AccountRunFactory(run=run, account=cast["south"], state="partial", reason="conflict", document=document)
    AccountRunFactory(run=run, account=cast["west"], state="cancelled", reason="cancelled", note=FAR)
    AccountRunFactory(run=run, account=cast["east"], state="queued", note=HANDED_OVER)
    log(run.pk, "%(why)s Forced: %(reason)s", facts={"why": SHRUNK, "reason": "We know."}, account_run_id=None)
    Schedule.objects.create(group=group, kind="drift", cron="0 3 * * *", problem=watcher.TOO_SLOW[0])
    return run


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_became_of_a_run_is_read_in_the_reader_s_language(admin_client, run, language) -> None:
    account_runs = [reverse("admin:syncing_accountrun_change", args=[each.pk]) for each in run.account_runs.all()]
    of_run = [reverse(f"syncing:{name}", args=[run.pk]) for name in ("run_log", "run_log_csv", "plan_csv")]
    lists = [reverse(f"syncing:{name}") for name in ("dashboard", "todo", "automation")]
    page = reverse("admin:syncing_syncrun_change", args=[run.pk])
    text = ""
    for address in (page, f"{page}?state=queued", *account_runs, *of_run, *lists):
        answer = admin_client.get(address, headers={"Accept-Language": language})
        assert answer.status_code == 200, address
        content = answer.content if not answer.streaming else b"".join(answer.streaming_content)
        text += unescape(content.decode())
    assert [stored for stored in STORED if stored in text] == []
    with translation.override(language):
        told = [translated(stored) for stored in (SHRUNK, LEFT, CHANGED, OTHER_TYPE, CODE, KEPT, FAR)]
    assert [words for words in told if words not in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_in_a_log_is_found_in_it(admin_client, run, language) -> None:
    log(run.pk, sync.MASTER_REMEDY)
    with translation.override(language):
        words = translated(sync.MASTER_REMEDY)[3:30]
    page = reverse("syncing:run_log", args=[run.pk])
    answer = admin_client.get(page, {"q": words.upper()}, headers={"Accept-Language": language})
    assert [entry.message for entry in answer.context["entries"]] == [sync.MASTER_REMEDY]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_of_log_entries_names_and_filters_actions_and_kinds_in_words(admin_client, run, language) -> None:
    facts = {"run": run, "message": "", "details": {}}
    for action, kind in (("create", "custom_field"), ("update", "stage")):
        LogEntry.objects.create(action=action, kind=kind, name=f"the {kind}", **facts)
    page = reverse("admin:syncing_logentry_changelist")
    answer = admin_client.get(page, {"action": "create", "kind": "custom_field"}, headers={"Accept-Language": language})
    text = re.sub(r"<[^>]*>", "|", unescape(answer.content.decode()))
    assert "the custom_field" in text
    assert "the stage" not in text
    assert not re.search(r"\|(create|update|delete|custom_field|stage)\|", text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_type_and_the_unknown_group_of_a_field_are_words(language) -> None:
    with translation.override(language):
        assert value_text("date_time", "type") == field_type_label("date_time") != "date_time"
        assert value_text(OTHER_GROUP, "group") == said(OTHER_GROUP, language)
        assert value_text("date_time", "name") == "date_time"
