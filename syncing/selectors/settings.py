"""Reads of the lists under Settings: people, API keys, integrations. None of them loads a secret."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet

from accounts.models import Account, Integration
from syncing.models import ApiKey


def people() -> QuerySet[User]:
    """Returns everybody who has a login, with their roles; who may log in comes first."""
    return User.objects.select_related("second_factor").prefetch_related("groups").order_by("-is_active", "username")


def roles() -> QuerySet[Any]:
    """Returns all roles; each has `members`, the number of its people."""
    return Group.objects.annotate(members=Count("user")).order_by("pk")


def keys() -> QuerySet[ApiKey]:
    """Returns all API keys, those that still work first."""
    return ApiKey.objects.select_related("made_by").defer("key_hash").order_by("revoked", "name")


def integrations() -> QuerySet[Any]:
    """Returns all integrations; each has `account_count`, and `lost_count` of those that are not connected."""
    lost = ~Q(accounts__health=Account.Health.CONNECTED)
    return Integration.objects.annotate(
        account_count=Count("accounts", distinct=True),
        lost_count=Count("accounts", filter=lost & Q(accounts__isnull=False), distinct=True),
    )
