"""The audit: who did what by which door, and that nobody can change it afterwards."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts.actors import Actor
from accounts.tests.factories import AccountFactory
from syncing.models import AuditAction, AuditEntry, AuditIsFinal, Trigger
from syncing.selectors import audit as reads
from syncing.services import audit
from syncing.services.actors import COMMAND, SCHEDULE, WEBHOOK, of_key
from syncing.services.keys import create_key
from syncing.services.runs.start import cancel_run, start_run
from syncing.tests.factories import API, RunFactory

pytestmark = pytest.mark.django_db

ANA = Actor("ana", Trigger.ADMIN)


def entry(**facts: object) -> AuditEntry:
    return audit.note(AuditAction.POLICY, by=ANA, **facts)  # type: ignore[arg-type]


def test_an_entry_names_who_what_where_and_why() -> None:
    run = RunFactory()
    north = AccountFactory(subdomain="north")

    noted = entry(run=run, account=north, reason="  because \0", details={"wave_size": [0, 10]})

    noted.refresh_from_db()
    assert (noted.actor, noted.via, noted.action) == ("ana", "admin", "policy")
    assert (noted.run, noted.group, noted.account) == (run.pk, run.group.name, "north")
    assert (noted.reason, noted.details) == ("because", {"wave_size": [0, 10]})


def test_actors_are_called_as_they_are_known() -> None:
    key, _ = create_key(name="bot", scopes=["read"])

    assert Actor.of_user(User(pk=7, username="ana"), Trigger.COMMAND) == Actor("ana", "command", 7, "ana")
    assert of_key(key) == Actor("bot", "api", key_id=key.pk)
    assert (COMMAND.name, WEBHOOK.name, SCHEDULE.name) == ("command line", "webhook", "schedule")


def test_an_entry_outlives_the_run_group_and_account_that_it_speaks_of() -> None:
    run = RunFactory()
    noted = entry(run=run, account=AccountFactory(group=run.group, subdomain="north"))
    number, group = run.pk, run.group

    group.accounts.all().delete()
    group.delete()

    noted.refresh_from_db()
    assert (noted.run, noted.group, noted.account) == (number, group.name, "north")


# -- never changed --


def change(noted: AuditEntry) -> None:
    noted.reason = "another"
    noted.save()


@pytest.mark.parametrize(
    "attempt",
    [
        change,
        lambda noted: noted.delete(),
        lambda noted: AuditEntry.objects.update(reason="another"),
        lambda noted: AuditEntry.objects.filter(pk=noted.pk).delete(),
        lambda noted: AuditEntry.objects.bulk_update([noted], ["reason"]),
        lambda noted: AuditEntry.objects.bulk_create([noted], update_conflicts=True, update_fields=["reason"]),
        lambda noted: AuditEntry.objects.update_or_create(pk=noted.pk, defaults={"reason": "another"}),
    ],
    ids=["save", "delete", "update", "delete many", "bulk update", "bulk create", "update or create"],
)
def test_an_entry_is_never_changed_or_deleted(attempt) -> None:
    noted = entry(reason="as it was")

    with pytest.raises(AuditIsFinal), transaction.atomic():
        attempt(noted)

    assert AuditEntry.objects.get().reason == "as it was"


# -- what is noted --


def told() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "via"))


@pytest.mark.parametrize(
    ("by", "trigger", "name"),
    [
        (COMMAND, "command", "command line"),
        (WEBHOOK, "webhook", "webhook"),
        (SCHEDULE, "schedule", "schedule"),
        (API, "api", "REST API"),
    ],
)
def test_a_run_without_a_person_was_started_by_what_triggered_it(by: Actor, trigger: str, name: str) -> None:
    start_run(group=AccountFactory.cast()["north"].group, by=by)

    assert told() == [("started", name, trigger)]


def test_starting_joining_and_cancelling_are_noted_with_the_person() -> None:
    ana, ben = User.objects.create_user("ana"), User.objects.create_user("ben")
    group = AccountFactory.cast()["north"].group

    run = start_run(group=group, by=Actor.of_user(ana, "admin")).run
    start_run(group=group, by=Actor.of_user(ben, "admin"))
    cancel_run(run, by=Actor.of_user(ben, "admin"))

    assert told() == [("started", "ana", "admin"), ("started", "ben", "admin"), ("cancelled", "ben", "admin")]
    joined = AuditEntry.objects.get(actor="ben", action="started")
    assert (joined.run, joined.details["joined"]) == (run.pk, True)


def test_a_forced_run_is_noted_with_its_reason() -> None:
    group = AccountFactory.cast()["north"].group

    run = start_run(group=group, by=COMMAND, forced=True, force_reason="We moved").run

    overrode = AuditEntry.objects.get(action="overrode")
    assert (overrode.run, overrode.reason, overrode.group) == (run.pk, "We moved", group.name)


def test_a_run_that_cannot_start_leaves_no_entry() -> None:
    group = RunFactory().group  # without a master

    with pytest.raises(Exception, match="no master"):
        start_run(group=group, by=COMMAND)

    assert not AuditEntry.objects.exists()


# -- taken along --


def test_the_newest_entries_come_first_and_in_pages() -> None:
    first, second, third = entry(), entry(), entry()

    assert [each.pk for each in reads.entries()] == [third.pk, second.pk, first.pk]
    assert [each.pk for each in reads.entries(before=third.pk)] == [second.pk, first.pk]
    assert not reads.entries(since=timezone.now() + timedelta(hours=1)).exists()


def test_a_spreadsheet_gets_no_formulas() -> None:
    entry(reason='=HYPERLINK("http://x")', details={"name": ["a", 'b"\n']})

    text = "".join(reads.as_csv(reads.entries()))

    assert text.splitlines()[0] == "id,at,actor,via,action,group,account,run,reason,details"
    assert "\"'=HYPERLINK(" in text


def test_the_list_is_one_json_document_also_when_it_is_empty() -> None:
    assert json.loads("".join(reads.as_json(reads.entries()))) == []
    noted = entry(reason="Größe 🎉")
    entry()

    rows = json.loads("".join(reads.as_json(reads.entries())))

    assert [row["id"] for row in rows] == [noted.pk + 1, noted.pk]
    assert rows[1] | {"at": "", "id": 0} == {
        **{"id": 0, "at": "", "actor": "ana", "via": "admin", "action": "policy", "group": None, "account": None},
        **{"run": None, "reason": "Größe 🎉", "details": {}},
    }
