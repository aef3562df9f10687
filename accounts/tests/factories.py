"""Groups and accounts for tests."""

from typing import Any

import factory

from accounts.models import Account, Integration, SyncGroup


class GroupFactory(factory.django.DjangoModelFactory[SyncGroup]):
    """A sync group without accounts."""

    class Meta:
        model = SyncGroup
        django_get_or_create = ("name",)

    name = "Branches"


class AccountFactory(factory.django.DjangoModelFactory[Account]):
    """A slave with a token; `AccountFactory(master=True)` is the master of its group."""

    class Meta:
        model = Account

    class Params:
        master = factory.Trait(role=Account.Role.MASTER, subdomain="master", name="Master")

    group = factory.SubFactory(GroupFactory)
    role = Account.Role.SLAVE
    subdomain = factory.Sequence(lambda number: f"slave-{number}")
    name = factory.LazyAttribute(lambda account: account.subdomain.title())
    token = factory.LazyAttribute(lambda account: f"token-of-{account.subdomain}")

    @classmethod
    def cast(cls, group: SyncGroup | None = None, **facts: Any) -> dict[str, Account]:
        """The usual five of one group by subdomain: master, north, south, west, east."""
        group = group or GroupFactory()
        slaves = [cls(group=group, subdomain=name, **facts) for name in ("north", "south", "west", "east")]
        return {account.subdomain: account for account in (cls(group=group, master=True, **facts), *slaves)}


class IntegrationFactory(factory.django.DjangoModelFactory[Integration]):
    """A private integration that is set up."""

    class Meta:
        model = Integration

    name = factory.Sequence("Integration {}".format)
    client_id = factory.Sequence("client-{}".format)
    client_secret = "secret"
    redirect_uri = "https://sync.example.com/oauth/callback"
