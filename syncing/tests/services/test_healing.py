"""What is done with edits of an item: who may say it, of which items, and what it does at once."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from accounts.actors import Actor
from accounts.models import SyncGroup
from accounts.refusals import Refusal
from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AuditEntry, Drift, DriftChange, HealingRule, IdMapping, ItemMode
from syncing.services.actors import COMMAND
from syncing.services.healing import BY_GROUP, set_mode
from syncing.tests.factories import DriftFactory, difference, extra, missing

pytestmark = pytest.mark.django_db


@pytest.fixture
def group() -> SyncGroup:
    """North and south have the stage Offer, and differ in it; west lacks it."""
    cast = AccountFactory.cast()
    for name in ("north", "south"):
        DriftFactory(account=cast[name], rows=[difference(), difference("7/72", name="Deal"), extra()])
        IdMapping.objects.create(
            account=cast[name], kind="stage", master_key="7/71", slave_key="9/91", name="Offer", parent="Sales"
        )
    DriftFactory(account=cast["west"], rows=[difference(action="create", attribute="", cause="master")])
    return cast["master"].group


def keys(name: str) -> list[str]:
    return [row["key"] for row in Drift.objects.get(account__subdomain=name).differences]


def test_a_mode_is_stored_once_with_its_names_and_audited(group: SyncGroup) -> None:
    set_mode(group, kind="stage", key="7/71", mode=ItemMode.LOCKED, by=COMMAND)
    set_mode(group, kind="stage", key="7/71", mode=ItemMode.REPORTED, by=COMMAND)
    rule = HealingRule.objects.get()
    assert (rule.name, rule.parent, rule.mode, str(rule)) == ("Offer", "Sales", "reported", "stage Offer: Report edits")
    entry = AuditEntry.objects.filter(action="healing").latest("pk")
    assert (entry.actor, entry.group) == ("command line", "Branches")
    assert entry.details == {
        "kind": "stage", "key": "7/71", "name": "Offer", "parent": "Sales", "mode": ["locked", "reported"]
    }  # fmt: skip
    set_mode(group, kind="stage", key="7/71", mode=BY_GROUP, by=COMMAND)
    assert not HealingRule.objects.exists()


def test_what_is_left_to_accounts_leaves_the_drift_of_those_that_have_it_at_once(group: SyncGroup) -> None:
    set_mode(group, kind="stage", key="7/71", mode=ItemMode.LOCAL, by=COMMAND)
    assert (keys("north"), keys("south")) == (["7/72", "=old"], ["7/72", "=old"])
    assert keys("west") == ["7/71"]  # it still gets it
    assert [change.gone[0]["name"] for change in DriftChange.objects.all()] == ["Offer", "Offer"]


def test_an_item_that_no_account_has_yet_is_known_by_its_difference(group: SyncGroup) -> None:
    DriftFactory(account=AccountFactory(group=group), rows=[missing()])
    set_mode(group, kind="custom_field", key="leads/12", mode=ItemMode.LOCAL, by=COMMAND)
    assert HealingRule.objects.get().name == "Budget"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"key": "7/99"}, "no_such_item"),
        ({"kind": "pipeline"}, "no_such_item"),
        ({"kind": "pipeline", "key": "=old"}, "no_such_item"),  # the slave's own
        ({"kind": "enum", "key": "leads/1/2"}, "no_such_item"),
        ({"kind": "nonsense"}, "no_such_item"),
        ({"mode": "nonsense"}, "bad_mode"),
        ({"mode": ""}, "bad_mode"),
    ],
)
def test_what_makes_no_sense_is_refused(group: SyncGroup, facts: dict[str, Any], code: str) -> None:
    IdMapping.objects.create(
        account=group.accounts.get(subdomain="north"), kind="enum", master_key="leads/1/2", slave_key="leads/3/4"
    )
    with pytest.raises(Refusal) as refused:
        set_mode(group, **{"kind": "stage", "key": "7/71", "mode": "locked", **facts}, by=COMMAND)
    assert refused.value.code == code
    assert not HealingRule.objects.exists()
    assert not AuditEntry.objects.exists()


def test_another_group_knows_nothing_of_it(group: SyncGroup) -> None:
    with pytest.raises(Refusal):
        set_mode(GroupFactory(name="Others"), kind="stage", key="7/71", mode="locked", by=COMMAND)


def test_only_who_may_accept_differences_may_say_it(group: SyncGroup) -> None:
    clerk = User.objects.create_user("clerk", password="-")
    with pytest.raises(Refusal, match="clerk may not decide"):
        set_mode(group, kind="stage", key="7/71", mode="locked", by=Actor.of_user(clerk, "admin"))
    clerk.user_permissions.add(Permission.objects.get(codename="accept_drift"))
    clerk = User.objects.get(pk=clerk.pk)
    set_mode(group, kind="stage", key="7/71", mode="locked", by=Actor.of_user(clerk, "admin"))
    assert AuditEntry.objects.get().actor == "clerk"
