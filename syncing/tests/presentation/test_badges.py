"""A state looks the same wherever it is shown."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.models import Account
from accounts.tests.factories import AccountFactory
from syncing.presentation.badges import badge


@pytest.mark.django_db
def test_the_list_of_accounts_and_the_dashboard_agree_on_the_tone_of_every_health(
    admin_client: Client, settings: Settings, tmp_path
) -> None:
    settings.STATIC_ROOT = tmp_path
    for health in Account.Health:
        AccountFactory(health=health)
    html = admin_client.get(reverse("admin:accounts_account_changelist")).content.decode()
    missing = [health for health in Account.Health if badge(health, health.label) not in html]
    assert missing == []
    assert "ks-bad" in badge(Account.Health.IP_BLOCKED, "")
