"""Shows and starts in the admin what belongs to the synchronisation; names the admin."""

from django.contrib import admin

from syncing.admin import (
    accounts,
    audit,
    channels,
    drift,
    integrations,
    keys,
    messages,
    people,
    queue,
    readonly,
    recurring,
    runs,
)

__all__ = [
    "accounts",
    "audit",
    "channels",
    "drift",
    "integrations",
    "keys",
    "messages",
    "people",
    "queue",
    "readonly",
    "recurring",
    "runs",
]

admin.site.site_header = admin.site.site_title = "KommoSync"
admin.site.site_url = None
admin.site.enable_nav_sidebar = False  # the header leads everywhere
