"""The app of the synchronisation."""

from django.apps import AppConfig
from django.core.checks import register
from django.utils.translation import gettext_lazy as _

from syncing.checks import CHECKS


class SyncingConfig(AppConfig):
    name = "syncing"
    verbose_name = _("Synchronisation")

    def ready(self) -> None:
        for check in CHECKS:
            register(check)
