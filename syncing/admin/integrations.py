"""Integrations lead back to the console's list."""

from django.contrib import admin

from accounts.admin.integrations import IntegrationAdmin
from accounts.models import Integration
from syncing.admin.console import InConsole

admin.site.unregister(Integration)


@admin.register(Integration)
class ConsoleIntegrationAdmin(InConsole, IntegrationAdmin):
    pass
