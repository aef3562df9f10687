"""The writer: behind the fence, a batch per commit, one bad part alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.kommo.stopping import Stopped
from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.adapters.outcomes import Outcome
from syncing.engine.refs import Kind, Ref
from syncing.execution import recorder
from syncing.execution.recorder import Progress, Recorder, Unit
from syncing.leases import claims
from syncing.leases.claims import Claim
from syncing.models import AccountRun, IdMapping, LogEntry, MasterSnapshot, SyncRun
from syncing.records.mappings import store_mappings
from syncing.records.outcomes import changes_of
from syncing.replication.contract import Mapped, Result
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import result

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> SyncRun:
    run = RunFactory(state="running")
    run.snapshot = MasterSnapshot.objects.create(group=run.group, type="full", document={}, fingerprint="x")
    run.save()
    return run


@pytest.fixture
def pen() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def claimed(run: SyncRun, number: int = 1) -> list[Claim]:
    for _ in range(number):
        AccountRunFactory(run=run, account=AccountFactory(group=run.group), state="queued")
    return claims.claim_accounts("lane", number)


@pytest.fixture
def claim(run: SyncRun) -> Claim:
    return claimed(run)[0]


def row(claim: Claim) -> AccountRun:
    return AccountRun.objects.get(pk=claim.account_run_id)


def mapped(master: str, slave: str, *, ours: bool = True) -> Mapped:
    return Mapped(Ref(Kind.PIPELINE, master), slave, "Sales", "", ours)


def made(name: str = "Sales", state: str = "done", action: str = "create") -> Outcome:
    return Outcome(action, "pipeline", name, "", state, fields={"name": [None, name]})


def mappings(claim: Claim) -> dict[str, str]:
    rows = IdMapping.objects.filter(account=claim.account_id)
    return dict(rows.values_list("master_key", "slave_key"))


def test_what_happened_is_in_the_database_when_record_returns(pen: Recorder, claim: Claim) -> None:
    pen.record(claim, [made()], [mapped("7", "70")], [])

    entry = LogEntry.objects.get(account_run=claim.account_run_id)
    assert (entry.action, entry.kind, entry.name, entry.code) == ("create", "pipeline", "Sales", "done")
    assert mappings(claim) == {"7": "70"}


def test_a_stale_fence_may_not_write(pen: Recorder, claim: Claim) -> None:
    AccountRun.objects.filter(pk=claim.account_run_id).update(fence=claim.fence + 1)

    with pytest.raises(Stopped) as lost:
        pen.record(claim, [made()], [mapped("7", "70")], [])
    with pytest.raises(Stopped, match="lost_claim"):
        pen.finish(claim, result("changed"), [])

    assert lost.value.code == "lost_claim"
    assert not LogEntry.objects.exists()
    assert mappings(claim) == {}
    assert row(claim).state == "running"


def test_an_account_that_became_the_master_meanwhile_is_written_no_more(pen: Recorder, claim: Claim) -> None:
    Account.objects.filter(pk=claim.account_id).update(role=Account.Role.MASTER)
    with pytest.raises(Stopped) as lost:
        pen.record(claim, [made()], [mapped("7", "70")], [])
    assert lost.value.code == "lost_claim"
    pen.finish(claim, result("skipped"), [])
    assert row(claim).state == "skipped"


def test_an_account_that_was_taken_back_may_not_be_written(pen: Recorder, claim: Claim) -> None:
    AccountRun.objects.filter(pk=claim.account_run_id).update(state="queued")

    with pytest.raises(Stopped, match="lost_claim"):
        pen.record(claim, [made()], [], [])


def test_many_threads_share_one_commit(pen: Recorder, run: SyncRun, monkeypatch: pytest.MonkeyPatch) -> None:
    batches: list[int] = []
    commit = recorder._commit
    monkeypatch.setattr(recorder, "_commit", lambda units: batches.append(len(units)) or commit(units))
    ours = claimed(run, 20)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda claim: pen.record(claim, [made()], [], []), ours))

    assert sum(batches) == 20
    assert len(batches) < 10


def test_one_part_that_cannot_be_stored_does_not_spoil_the_others(run: SyncRun) -> None:
    good, bad = claimed(run, 2)

    def unstorable() -> None:
        IdMapping.objects.create(account_id=bad.account_id, kind=None, master_key="1", slave_key="1")

    answers = recorder.commit(
        [Unit(bad, unstorable), Unit(good, lambda: store_mappings(good.account_id, [mapped("7", "70")], []))]
    )

    assert isinstance(answers[0], Exception)
    assert answers[1] is True
    assert mappings(good) == {"7": "70"}


def test_what_a_database_cannot_keep_is_left_out_of_names(pen: Recorder, claim: Claim) -> None:
    pen.record(claim, [made("Sa\x00les \ud83d")], [], [])

    assert LogEntry.objects.get().name == "Sales ?"


# -- id mappings --


def test_a_new_master_item_takes_the_slave_item_over_and_what_we_created_stays_ours(
    pen: Recorder, claim: Claim
) -> None:
    pen.record(claim, [], [mapped("7", "70")], [])
    pen.record(claim, [], [mapped("8", "70", ours=False)], [])

    assert mappings(claim) == {"8": "70"}
    assert IdMapping.objects.get().created_by_us


def test_two_items_may_change_places_in_one_go(pen: Recorder, claim: Claim) -> None:
    pen.record(claim, [], [mapped("7", "70"), mapped("8", "80")], [])
    pen.record(claim, [], [mapped("7", "80"), mapped("8", "70")], [])

    assert mappings(claim) == {"7": "80", "8": "70"}


def test_a_dropped_mapping_is_gone(pen: Recorder, claim: Claim) -> None:
    pen.record(claim, [], [mapped("7", "70"), mapped("8", "80")], [])
    pen.record(claim, [], [], [Ref(Kind.PIPELINE, "7")])

    assert mappings(claim) == {"8": "80"}


# -- ends --


def test_the_end_of_an_account_keeps_its_document_and_gives_the_claim_back(pen: Recorder, claim: Claim) -> None:
    pen.finish(claim, result("changed", created=3, requests=21), [])

    account_run = row(claim)
    assert (
        account_run.state,
        account_run.created,
        account_run.requests,
        account_run.lease_until,
        account_run.lane,
    ) == ("changed", 3, 21, None, "")
    assert account_run.finished_at


def test_what_an_earlier_attempt_did_counts_as_done_in_the_run(pen: Recorder, claim: Claim) -> None:
    pen.finish(claim, result("in_sync", requests=7), [made("Sales"), made("Sales", "failed"), made(action="adopt")])

    account_run = row(claim)
    assert (account_run.state, account_run.created, account_run.adopted) == ("changed", 1, 1)
    assert [change["outcome"] for change in account_run.document["changes"]] == ["done"]


def test_what_failed_in_an_earlier_attempt_is_told_by_its_last_outcome(pen: Recorder, claim: Claim) -> None:
    end = result("partial", created=1, requests=7)
    end.document["changes"] = changes_of([made("Sales")])

    pen.finish(claim, end, [made("Sales", "failed"), made("Leads", "failed"), made("Old")])

    account_run = row(claim)
    told = [(change["name"], change["outcome"]) for change in account_run.document["changes"]]
    assert told == [("Leads", "failed"), ("Old", "done"), ("Sales", "done")]
    assert account_run.created == 2


def test_an_account_handed_back_twice_tells_only_the_last_outcome(pen: Recorder, claim: Claim) -> None:
    pen.interrupt(claim, "handed_back", Progress([made("Sales", "failed"), made("Sales")], 5, "writing"))

    assert [change["outcome"] for change in row(claim).document["changes"]] == ["done"]


def test_an_attempt_that_was_handed_back_waits_again_and_counts_as_no_failure(pen: Recorder, claim: Claim) -> None:
    pen.interrupt(claim, "handed_back", Progress([made()], 5, "writing"))

    account_run = row(claim)
    assert (account_run.state, account_run.crashes, account_run.errors, account_run.requests, account_run.created) == (
        "queued",
        0,
        0,
        5,
        1,
    )


def test_an_attempt_that_was_handed_back_in_a_cancelled_run_is_cancelled(
    pen: Recorder, claim: Claim, run: SyncRun
) -> None:
    SyncRun.objects.filter(pk=run.pk).update(cancel_requested_at=run.created_at)

    pen.interrupt(claim, "handed_back", Progress([made()], 5, "writing"))

    assert (row(claim).state, row(claim).reason) == ("cancelled", "cancelled")
    assert "5 requests" in row(claim).note
    assert "created: 1" in row(claim).note


@pytest.mark.parametrize("end", [result("cancelled", requests=3), result("skipped"), result("in_sync")])
def test_an_account_that_was_not_asked_to_the_end_stays_as_bad_as_it_was(
    pen: Recorder, claim: Claim, end: Result
) -> None:
    Account.objects.filter(pk=claim.account_id).update(health="token_revoked")

    pen.finish(claim, end, [])

    assert Account.objects.get(pk=claim.account_id).health == "token_revoked"


def test_the_third_error_of_our_own_ends_the_account(pen: Recorder, run: SyncRun, claim: Claim) -> None:
    for attempt in range(3):
        assert row(claim).errors == attempt
        pen.own_error(claim, "KeyError in plan.py, line 12", Progress([], 2, "planning"))
        claim = (claims.claim_accounts("lane", 1) or [claim])[0]

    account_run = row(claim)
    assert (account_run.state, account_run.reason, account_run.errors, account_run.crashes) == (
        "failed",
        "internal",
        3,
        0,
    )
    assert "plan.py" in account_run.error["message"]
