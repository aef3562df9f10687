"""The app of the accounts."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _

from accounts.checks import CHECKS, INSTALLATION


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        for check in CHECKS:
            register(check, INSTALLATION)
