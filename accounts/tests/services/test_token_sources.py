"""The stored pair of an account in use: renewed when it must be, kept when that fails, ended when Kommo says so."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from accounts.kommo.errors import GrantRefused, KommoError, NotFound, ServerError
from accounts.kommo.oauth import Tokens
from accounts.kommo.stopping import Stop, Stopped
from accounts.models import Account, AccountEvent, Integration, TokenPair
from accounts.own_words import translated
from accounts.services.credentials import database_thread, token_pairs
from accounts.services.credentials.clients import client_for, tokens_for
from accounts.services.credentials.token_sources import CredentialProblem
from accounts.services.credentials.transports import transport_for
from accounts.simulator.account import SimAccount
from accounts.simulator.faults import Fault
from accounts.simulator.oauth.integrations import SimIntegration
from accounts.simulator.world import World
from accounts.tests.factories import AccountFactory
from accounts.tests.oauth import TOKEN_PATH, connected, refreshes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("simulator")]


@pytest.fixture
def ours(both: tuple[Integration, SimIntegration]) -> Integration:
    return both[0]


@pytest.fixture
def north(world: World, ours: Integration) -> Account:
    """An account whose access token has run out."""
    account = connected(world, ours, "north", lives=-10)
    world.accounts["north"].grants.expire()
    return account


@pytest.fixture
def theirs(world: World, north: Account) -> SimAccount:
    return world.accounts["north"]


def ask(account: Account, **facts: Any) -> Any:
    with client_for(account, read_only=True, **facts) as client:
        return client.get("/account")


def pair_of(account: Account) -> TokenPair:
    return TokenPair.objects.get(pk=account.pk)


def test_a_fresh_access_token_is_used_without_a_request_for_it(world, ours) -> None:
    account = connected(world, ours, "south")
    assert ask(account)["subdomain"] == "south"
    assert refreshes(world) == 0


def test_an_expired_token_is_renewed_before_it_is_used_and_stored_with_its_times(north, theirs, world) -> None:
    assert ask(north)["id"] == theirs.account_id
    assert [record.path for record in world.log] == [TOKEN_PATH, "/api/v4/account"]
    pair = pair_of(north)
    assert theirs.accepts(pair.access_token)
    assert pair.generation == 2
    assert 86000 < (pair.access_expires_at - pair.obtained_at).total_seconds() <= 86400
    north.refresh_from_db()
    assert (north.token_expires_at - pair.obtained_at).days == 90


def test_a_refresh_counts_among_the_requests_of_the_client(north) -> None:
    with client_for(north, read_only=True) as client:
        client.get("/account")
        assert client.requests == 2


def test_a_token_that_kommo_refuses_is_renewed_once_and_the_request_repeated(world, ours) -> None:
    account = connected(world, ours, "south")
    world.accounts["south"].grants.expire()
    assert ask(account)["subdomain"] == "south"
    assert [record.status for record in world.log] == [401, 200, 200]


def test_a_second_refusal_is_final(world, ours) -> None:
    account = connected(world, ours, "south")
    world.faults.add(Fault("401", path="/api/v4", times=None))
    with pytest.raises(KommoError) as refused:
        ask(account)
    assert refused.value.code == "unauthorised"
    asked = [(record.path.removeprefix("/api/v4"), record.status) for record in world.log]
    lookup = ("/oauth2/account/current/subdomain", 200)  # the account may have moved; it has not
    assert asked == [("/account", 401), (TOKEN_PATH, 200), ("/account", 401), lookup]


@pytest.mark.parametrize("kind", ["500", "504", "reset", "500_applied", "reset_applied", "truncated", "garbage"])
def test_an_answer_that_is_lost_or_broken_is_asked_for_again_with_the_old_token(kind, north, world) -> None:
    world.faults.add(Fault(kind, path=TOKEN_PATH))
    assert ask(north)["subdomain"] == "north"
    assert refreshes(world) == 2


def test_a_kommo_that_stays_broken_keeps_the_pair_and_fails_this_account_for_now(north, theirs, world) -> None:
    fault = world.faults.add(Fault("500", path=TOKEN_PATH, times=None))
    with pytest.raises(ServerError):
        ask(north)
    assert fault.hits == 3
    pair = pair_of(north)
    assert (pair.generation, pair.ended_at, pair.lease_until) == (1, None, None)
    world.faults.clear()
    assert ask(north)["subdomain"] == "north"


def test_a_post_whose_token_could_not_be_renewed_surely_did_not_happen(north, world) -> None:
    world.faults.add(Fault("504", path=TOKEN_PATH, times=None))
    with client_for(north) as client, pytest.raises(ServerError) as failure:
        client.post("/leads/pipelines", [{"name": "x"}])
    assert not failure.value.outcome_unknown
    assert not failure.value.retryable


def test_who_waits_for_a_refresh_that_fails_hears_of_it_instead_of_trying_himself(north, world) -> None:
    fault = world.faults.add(Fault("500", path=TOKEN_PATH, times=None))
    codes: list[str] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        try:
            ask(north)
        except KommoError as error:
            codes.append(error.code)

    crew = [threading.Thread(target=work) for _ in range(8)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert codes == ["server_error"] * 8
    assert fault.hits == 3


def test_a_revoked_grant_needs_a_person_and_is_asked_once_only(north, theirs, both, world) -> None:
    theirs.uninstall(both[1])
    for _ in range(3):
        with pytest.raises(GrantRefused) as refused:
            ask(north)
        assert refused.value.code == "token_revoked"
        assert "Connect" in refused.value.remedy
    assert refreshes(world) == 1
    north.refresh_from_db()
    assert north.health == Account.Health.RECONNECT
    assert "revoked" in north.health_reason
    assert north.events.get().code == AccountEvent.Code.RECONNECT


def test_a_changed_secret_ends_without_a_loop_and_the_right_one_makes_it_good_again(north, both, world) -> None:
    ours, sim = both
    world.new_secret(sim)
    for _ in range(2):
        with pytest.raises(GrantRefused):
            ask(north)
    assert refreshes(world) == 1
    Integration.objects.filter(pk=ours.pk).update(client_secret=sim.client_secret)
    assert token_pairs.revive(ours) == 1
    assert ask(north)["subdomain"] == "north"


def test_a_late_refusal_does_not_end_a_pair_that_somebody_else_has_stored_meanwhile(north, theirs, ours) -> None:
    """Two winners, as after a lease that ran out: the second one's token is revoked by the first one's use."""
    transport = transport_for(north)
    with transport:
        late = database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
        pair = theirs.grants.refresh(ours.client_id, late.refresh_token)
        assert database_thread.run(lambda: token_pairs.store_renewed(late, Tokens(pair.access, pair.refresh, 86400)))
        assert not database_thread.run(
            lambda: token_pairs.end(late, {"code": "token_revoked", "message": "m", "remedy": "r"})
        )
        assert tokens_for(north, transport).current() == pair.access


def test_the_reason_of_an_end_is_stored_in_english_and_read_in_the_language_of_its_reader(north) -> None:
    remedy = GrantRefused.remedies["token_revoked"]
    pair = token_pairs.acquire(north.pk, lease=token_pairs.FRESH)
    with translation.override("pt-br"):
        assert token_pairs.end(pair, {"code": "token_revoked", "message": "m.", "remedy": remedy})
        said = f"m. {translation.gettext(remedy)}"
    stored = Account.objects.get(pk=north.pk).health_reason
    assert stored == AccountEvent.objects.get().message == f"m. {remedy}" != said
    with translation.override("pt-br"):
        assert translated(stored) == said


def test_a_pair_that_came_after_all_takes_the_end_back(north, theirs, ours) -> None:
    first = database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
    assert database_thread.run(lambda: token_pairs.end(first, {"code": "token_revoked", "message": "m", "remedy": "r"}))
    pair = theirs.grants.refresh(ours.client_id, first.refresh_token)
    assert database_thread.run(lambda: token_pairs.store_renewed(first, Tokens(pair.access, pair.refresh, 86400)))
    assert ask(north)["subdomain"] == "north"


def test_an_account_that_was_never_connected_is_told_to_connect_without_a_request(world, ours, north) -> None:
    TokenPair.objects.all().delete()
    with pytest.raises(CredentialProblem) as problem:
        ask(north)
    assert "Connect" in problem.value.remedy
    assert len(world.log) == 0


def test_a_stop_ends_the_wait_for_somebody_elses_refresh(north) -> None:
    database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
    stop = Stop()
    threading.Timer(0.2, stop.set, ["cancelled"]).start()
    with pytest.raises(Stopped, match="cancelled"):
        ask(north, stop=stop)


def test_a_blocked_ip_met_at_the_token_endpoint_stops_everything_and_keeps_the_pair(north, world) -> None:
    AccountFactory(subdomain="south", token=world.add_account("south").token)
    world.faults.add(Fault("403_plain", times=None))
    stop = Stop()
    with pytest.raises(KommoError) as blocked:
        ask(north, stop=stop)
    assert blocked.value.code == "ip_blocked"
    assert stop.is_set
    assert pair_of(north).ended_at is None
    assert [record.path for record in world.log] == [TOKEN_PATH, *["/api/v4/account"] * 2]  # its own, the other's


def test_a_token_endpoint_behind_a_firewall_stops_nobody_and_keeps_the_pair(north, world) -> None:
    world.faults.add(Fault("403_plain", path=TOKEN_PATH, times=None))
    stop = Stop()
    with pytest.raises(KommoError) as refused:
        ask(north, stop=stop)
    assert refused.value.code == "bad_answer"
    assert not stop.is_set
    assert pair_of(north).ended_at is None
    world.faults.clear()
    assert ask(north)["subdomain"] == "north"


def test_an_account_that_alone_refuses_to_renew_its_tokens_has_another_whitelist(north, world) -> None:
    AccountFactory(subdomain="south", token=world.add_account("south").token)
    world.faults.add(Fault("403_plain", subdomain="north", times=None))
    stop = Stop()
    with pytest.raises(KommoError) as refused:
        ask(north, stop=stop)
    assert refused.value.code == "ip_not_allowed"
    assert not stop.is_set
    assert pair_of(north).ended_at is None


def test_a_renamed_account_is_found_again_by_its_refresh_token(north, world) -> None:
    world.rename_account("north", "north-2")
    assert ask(north)["subdomain"] == "north-2"
    north.refresh_from_db()
    assert north.subdomain == "north-2"
    event = north.events.get()
    assert event.code == AccountEvent.Code.RENAMED
    assert "north-2" in event.message


def test_a_renamed_account_with_a_good_token_is_found_again_at_its_first_request(world, ours) -> None:
    account = connected(world, ours, "south")
    world.rename_account("south", "south-2")
    assert ask(account)["subdomain"] == "south-2"
    account.refresh_from_db()
    assert account.subdomain == "south-2"


def test_a_new_subdomain_that_another_entry_has_is_not_taken_from_it(world, ours, north) -> None:
    south = connected(world, ours, "south", kommo_id=None)
    world.rename_account("south", "old-south")
    world.rename_account("north", "south")
    with pytest.raises(NotFound):
        ask(north)
    south.refresh_from_db()
    assert south.subdomain == "south"


def test_the_tokens_of_a_pair_show_in_no_repr(north) -> None:
    row = pair_of(north)
    pair = database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
    with client_for(north) as client:
        shown = f"{row!r} {row} {pair!r} {client!r} {vars(client)!r}"
    secrets = (row.access_token, row.refresh_token, row.integration.client_secret)
    assert not [secret for secret in secrets if secret in shown]


# -- found by attacking it --


def test_a_call_that_fails_takes_no_other_along() -> None:
    def wrong() -> None:
        raise OverflowError("not of the others' making")

    outcomes: list[Any] = []
    start = threading.Barrier(6)

    def work(call: Any) -> None:
        start.wait()
        try:
            outcomes.append(database_thread.run(call))
        except OverflowError as error:
            outcomes.append(error)

    crew = [threading.Thread(target=work, args=(wrong if at % 2 else lambda: "done",)) for at in range(6)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert sum(each == "done" for each in outcomes) == 3
    assert sum(isinstance(each, OverflowError) for each in outcomes) == 3


def test_an_odd_hint_ends_the_pair_and_is_stored(north, world) -> None:
    body = '{"hint": "Invalid \\u0000 refresh \\ud800 token"}'
    world.faults.add(Fault("answer", path=TOKEN_PATH, status=400, body=body, content_type="application/problem+json"))
    with pytest.raises(GrantRefused):
        ask(north)
    assert pair_of(north).ended_at is not None
    assert north.events.get().code == AccountEvent.Code.RECONNECT


@pytest.mark.parametrize(("status", "body"), [(400, "<html>Bad Request</html>"), (401, "proxy"), (405, "{}")])
def test_a_page_of_what_stands_before_kommo_does_not_end_the_pair(status, body, north, world) -> None:
    world.faults.add(Fault("answer", path=TOKEN_PATH, status=status, body=body, content_type="text/html", times=None))
    with pytest.raises(KommoError):
        ask(north)
    assert pair_of(north).ended_at is None
    world.faults.clear()
    assert ask(north)["subdomain"] == "north"


def test_a_refusal_of_keys_that_are_corrected_by_now_does_not_end_the_pair(north, ours) -> None:
    late = database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
    Integration.objects.filter(pk=ours.pk).update(client_secret="corrected")
    assert not database_thread.run(
        lambda: token_pairs.end(late, {"code": "unauthorised", "message": "m", "remedy": "r"})
    )
    assert pair_of(north).ended_at is None


def test_a_pair_that_came_after_all_takes_the_bad_health_back(north, theirs, ours) -> None:
    first = database_thread.run(lambda: token_pairs.acquire(north.pk, lease=token_pairs.FRESH))
    database_thread.run(lambda: token_pairs.end(first, {"code": "token_revoked", "message": "m", "remedy": "r"}))
    pair = theirs.grants.refresh(ours.client_id, first.refresh_token)
    database_thread.run(lambda: token_pairs.store_renewed(first, Tokens(pair.access, pair.refresh, 86400)))
    north.refresh_from_db()
    assert north.health == Account.Health.UNKNOWN


def test_a_lease_of_a_clock_that_was_set_back_binds_nobody(north) -> None:
    TokenPair.objects.update(lease_until=timezone.now() + timedelta(days=365))
    assert ask(north)["subdomain"] == "north"


def test_a_client_that_was_loaded_before_a_move_finds_it_done(world, ours) -> None:
    account = connected(world, ours, "south")
    world.rename_account("south", "south-2")
    with client_for(account, read_only=True) as first, client_for(account, read_only=True) as second:
        assert first.get("/account")["subdomain"] == "south-2"
        assert second.get("/account")["subdomain"] == "south-2"
    assert account.events.count() == 1


def test_a_token_endpoint_that_redirects_is_looked_for_elsewhere(north, world) -> None:
    world.rename_account("north", "north-2")
    world.add_account("other")
    world.faults.add(Fault("answer", subdomain="north", path=TOKEN_PATH, status=301, body=""))
    assert ask(north)["subdomain"] == "north-2"


def test_a_stranger_at_the_new_address_is_refused_and_the_entry_stays(north, world, ours) -> None:
    """A look-up that is wrong: Kommo names the right id, but somebody else lives there."""
    account = connected(world, ours, "south")
    stranger = world.add_account("victim")
    stranger.tokens[account.pair.access_token] = world.accounts["south"].tokens[account.pair.access_token]
    world.rename_account("south", "south-2")
    said = {"id": account.kommo_id, "subdomain": "victim"}
    world.faults.add(Fault("answer", path="/oauth2/account/", body=json.dumps(said), times=None))
    with client_for(account) as client, pytest.raises(KommoError) as refused:
        client.post("/leads/pipelines", [{"name": "x"}])
    assert refused.value.code == "wrong_account"
    assert [record.method for record in world.log.of("victim")] == ["GET"]
    account.refresh_from_db()
    assert account.subdomain == "south"
