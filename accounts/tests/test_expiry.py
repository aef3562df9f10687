"""How long a token is good for: in the list of accounts, by which it can be sorted and narrowed."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from accounts.tests.factories import AccountFactory

pytestmark = pytest.mark.django_db
LIST = reverse("admin:accounts_account_changelist")


@pytest.fixture(autouse=True)
def collected(settings, tmp_path) -> None:
    """A directory of collected static files: without one whitenoise warns."""
    settings.STATIC_ROOT = tmp_path


@pytest.mark.parametrize(
    ("days", "tone", "says"),
    [
        (-1, "bad", "expired"),
        (0.2, "bad", "expires in 1 day"),
        (6.5, "warn", "expires in 7 days"),
        (29.9, "info", "expires in 30 days"),
        (30.1, "", "expires in 31 days"),
        (400, "", "expires in 400 days"),
    ],
)
def test_the_list_says_how_long_a_token_is_good_for(admin_client, days, tone, says) -> None:
    AccountFactory(token_expires_at=timezone.now() + timedelta(days=days))
    cell = cells(admin_client.get(LIST))[0]
    assert strip_tags(cell) == says
    assert (f"ks-badge ks-{tone}" in cell) == bool(tone)


@pytest.mark.parametrize(
    ("days", "health", "says"),
    [(80, "connected", "renews itself"), (20, "unpaid", "expires in 20 days"), (80, "reconnect", "-")],
)
def test_a_pair_renews_itself_unless_it_could_not_for_long(admin_client, days, health, says) -> None:
    expires_at = timezone.now() + timedelta(days=days)
    AccountFactory(token="", credential_kind="oauth", health=health, token_expires_at=expires_at)
    assert strip_tags(cells(admin_client.get(LIST))[0]) == says


def test_the_list_is_sorted_by_expiry_and_narrowed_by_it(admin_client) -> None:
    for name, days, health in [
        ("later", 90, "connected"), ("north", 20, "connected"), ("south", -2, "token_expired"), ("west", 3, "reconnect")
    ]:  # fmt: skip
        AccountFactory(subdomain=name, token_expires_at=timezone.now() + timedelta(days=days), health=health)
    column = list(admin_client.get(LIST).context["cl"].list_display).index("token_expiry")
    assert names(admin_client.get(LIST, {"o": column})) == ["south", "west", "north", "later"]
    assert names(admin_client.get(LIST, {"token": "soon"})) == ["north"]
    assert names(admin_client.get(LIST, {"token": "expired"})) == ["south"]
    assert names(admin_client.get(LIST, {"token": "connect"})) == ["south", "west"]


def names(answer) -> list[str]:
    return [account.subdomain for account in answer.context["cl"].result_list]


def cells(answer) -> list[str]:
    """The column of the expiry."""
    return re.findall(r'<td class="field-token_expiry[^>]*>(.*?)</td>', answer.content.decode())
