"""The admin: groups, accounts, and what connects them."""

from accounts.admin import accounts, events, groups, integrations, invites
from accounts.admin.accounts import AccountAdmin
from accounts.admin.groups import SyncGroupAdmin

__all__ = ["AccountAdmin", "SyncGroupAdmin", "accounts", "events", "groups", "integrations", "invites"]
