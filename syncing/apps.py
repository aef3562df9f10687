"""The app of the synchronisation."""

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.checks import register
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from accounts.checks import INSTALLATION
from syncing import conf
from syncing.checks import CHECKS, SLOW_CHECKS


class SyncingConfig(AppConfig):
    name = "syncing"
    verbose_name = _("Synchronisation")

    def ready(self) -> None:
        for check in CHECKS:
            register(check, INSTALLATION)
        for check in SLOW_CHECKS:
            register(check)
        if conf.log_format() == "json":
            import_string("syncing.logs.log_last_words")()
        if dsn := conf.sentry_dsn():
            import_string("syncing.sentry.start")(dsn)
        # After django-axes, which comes first in INSTALLED_APPS and has counted by then.
        user_login_failed.connect(import_string("syncing.logins.on_login_failed"))
        user_logged_in.connect(import_string("syncing.logins.on_logged_in"))
        told_otherwise = import_string("accounts.services.upkeep.emails.told_otherwise")
        told_otherwise.connect(import_string("syncing.notifications.notices.mails_connections"))
