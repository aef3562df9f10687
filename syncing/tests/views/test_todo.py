"""What is to be done by hand: from the last whole reading of each account, and gone with the next."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.tests.factories import AccountFactory, GroupFactory
from syncing.models import AccountRun, IdMapping
from syncing.tests.crm import planned, synced
from syncing.tests.factories import AccountRunFactory, RunFactory
from syncing.tests.house import House

pytestmark = pytest.mark.django_db

PAGE = reverse("syncing:todo")
WON = {"kind": "stage", "name": "Closed - won", "parent": "Sales", "message": "Rename it in Kommo's settings."}
FIELD = {"kind": "custom_field", "name": "Plan", "parent": "leads", "message": "A code can only be given at creation."}
TWINS = {"kind": "custom_field", "name": "Size", "parent": "leads", "message": "2 items of this name in the account."}


def reading(account, *manual, conflicts=(), **facts) -> AccountRun:
    """An account run that found this."""
    run = RunFactory(group=account.group, **{name: facts.pop(name) for name in ("type", "picked") if name in facts})
    document = {"changes": [], "extras": [], "conflicts": list(conflicts), "manual": list(manual)}
    return AccountRunFactory(run=run, account=account, document=document, **facts)


@pytest.fixture
def cast(db):
    return AccountFactory.cast()


def listed(client, **query: str) -> dict[str, list[str]]:
    tasks = client.get(PAGE, query).context["tasks"]
    return {task.name: [place.account.subdomain for place in task.places] for task in tasks}


def test_tasks_are_counted_by_what_is_unclear_and_what_the_api_cannot_do(admin_client, cast) -> None:
    reading(cast["west"], FIELD, WON, conflicts=[TWINS])
    html = admin_client.get(PAGE).content.decode()
    assert 'href="?what=manual"' in html
    assert set(listed(admin_client, what="conflicts")) == {"Size"}
    assert len(listed(admin_client, what="manual")) == 2


def test_equal_things_to_do_are_listed_once_with_their_accounts(admin_client, cast) -> None:
    for name in ("north", "south"):
        reading(cast[name], WON)
    reading(cast["west"], FIELD, conflicts=[TWINS])
    IdMapping.objects.create(account=cast["north"], kind="pipeline", master_key="7", slave_key="907", name="Sales")
    assert listed(admin_client) == {"Closed - won": ["north", "south"], "Plan": ["west"], "Size": ["west"]}
    html = admin_client.get(PAGE).content.decode()
    assert "north.kommo.com/settings/pipeline/leads/907" in html
    assert "south.kommo.com/settings/pipeline/leads/" in html
    assert "west.kommo.com/leads/add/" in html
    assert reverse("syncing:account", args=[cast["north"].pk]) in html
    assert listed(admin_client, q="plan") == {"Plan": ["west"]}
    assert listed(admin_client, q="north") == {"Closed - won": ["north"]}
    assert listed(admin_client, group=str(GroupFactory(name="Empty").pk)) == {}


def test_the_next_reading_ticks_off_what_is_done(admin_client, cast) -> None:
    reading(cast["north"], WON, FIELD)
    reading(cast["north"], FIELD)
    assert listed(admin_client) == {"Plan": ["north"]}
    reading(cast["north"])
    assert listed(admin_client) == {}
    assert "There is nothing to do by hand." in admin_client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    "facts",
    [
        {"delta": True},
        {"picked": [{"account": 1, "kind": "stage", "key": "7/71", "attribute": ""}]},
        {"state": "failed"},
        {"state": "queued"},
    ],
)
def test_what_has_not_looked_at_all_ticks_off_nothing(admin_client, cast, facts) -> None:
    reading(cast["north"], WON)
    reading(cast["north"], **facts)
    assert listed(admin_client) == {"Closed - won": ["north"]}


def test_a_reading_of_fields_says_nothing_about_pipelines(admin_client, cast) -> None:
    reading(cast["north"], WON, FIELD)
    reading(cast["north"], type="custom_fields")
    assert listed(admin_client) == {"Closed - won": ["north"]}
    reading(cast["north"], type="pipelines")
    assert listed(admin_client) == {}


def test_it_costs_as_much_with_many_accounts(admin_client, cast) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin_client.get(PAGE).status_code == 200
        return len(queries)

    reading(cast["north"], WON)
    cost()
    before = cost()
    for number in range(40):
        reading(AccountFactory(group=cast["north"].group), WON, {**FIELD, "name": f"Field {number}"})
    assert cost() == before <= 10


def test_it_is_for_those_who_may_see_runs(client, django_user_model) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x", is_staff=True))
    assert client.get(PAGE).status_code == 403


def test_a_real_reading_ticks_off_what_a_person_did_in_kommo(house: House, admin_client) -> None:
    """The name of a system stage: the API does not write it, a person does, and nobody has to say so here."""

    def won(account: str):
        sales = house.world.accounts[account].pipeline("Sales")
        return next(stage for stage in sales.stages if stage.id == 142)

    house.world.accounts["master"].add_pipeline("Sales", stages=["New"])
    synced(house)
    won("master").name = "Signed and paid"
    synced(house)
    assert set(listed(admin_client)) == {"Signed and paid"}
    places = set(house.accounts) - {"master"}
    assert set(listed(admin_client)["Signed and paid"]) == places
    own = house.world.accounts["north"].pipeline("Sales").id
    assert f"/settings/pipeline/leads/{own}" in admin_client.get(PAGE).content.decode()

    won("north").name = "Signed and paid"
    planned(house, accounts=[house.accounts["north"]])
    assert set(listed(admin_client)["Signed and paid"]) == places - {"north"}
