"""Laws of what is kept and what is deleted, for any master, any slave and any edits (`accounts.tests.laws`)."""

import pytest
from hypothesis import given

from accounts.simulator.account import SimAccount
from accounts.simulator.server import RunningServer
from accounts.tests import laws
from accounts.tests.laws import seeds
from syncing.engine.refs import Kind
from syncing.engine.rules import NO_RULES
from syncing.engine.snapshot import refs_in
from syncing.replication.contract import Result
from syncing.tests.replication.policy_stories import ALL, OURS, Key, Story, existing, names_of, used

pytestmark = pytest.mark.law
law = laws.law(daily=3)


@law
@given(seed=seeds)
def test_with_keep_nothing_of_the_slave_ever_goes(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    for _ in range(3):
        before = existing(story.south.account)
        result = story.sync(NO_RULES)
        assert before <= existing(story.south.account)
        assert story.south.sent("DELETE") == []
        story.settled(NO_RULES, result)
        story.live()


@law
@given(seed=seeds)
def test_with_delete_created_only_what_we_made_goes_and_what_the_master_gave_up_does(
    anywhere: RunningServer, seed: int
) -> None:
    story = Story(anywhere, seed)
    account = story.south.account
    for _ in range(3):
        desired = story.desired()
        wanted = set(refs_in(desired))
        before, made, busy = existing(account), set(story.south.created), used(account)
        given_up = {(ref.kind, key) for ref, key in story.south.known.items() if ref not in wanted} & made

        result = story.sync(OURS, desired)

        gone = before - existing(account)
        assert gone <= made, "nobody else's things"
        assert gone.isdisjoint(busy)
        kept_in_step = {(ref.kind, key) for ref, key in story.south.known.items() if ref in wanted}
        left = (given_up & existing(account)) - kept_in_step
        assert left == {key for key in left if _is_explained(key, kept_in_step, account, result)}, result.document
        story.settled(OURS, result)
        story.live()


def _is_explained(key: Key, kept_in_step: set[Key], account: SimAccount, result: Result) -> bool:
    """By an extra that says why it stays, or because what it is inside of stays as the slave's own."""
    kind, name = key[0], names_of(account)[key]
    owner = {Kind.STAGE: Kind.PIPELINE, Kind.ENUM: Kind.CUSTOM_FIELD}.get(kind)
    if owner is not None and (owner, key[1].rpartition("/")[0]) not in kept_in_step:
        return True
    extras = [row for row in result.document["extras"] if (row["kind"], row["name"]) == (str(kind), name)]
    return any(row.get("message") for row in extras)


@law
@given(seed=seeds)
def test_with_delete_all_nothing_in_use_goes_and_what_stays_says_why(anywhere: RunningServer, seed: int) -> None:
    story = Story(anywhere, seed)
    account = story.south.account
    for _ in range(2):
        before, busy = existing(account), used(account)

        result = story.sync(ALL)

        assert (before - existing(account)).isdisjoint(busy)
        assert all(row.get("message") for row in result.document["extras"]), result.document["extras"]
        story.settled(ALL, result)
        story.live()
