"""The account itself, its users, the webhook list that tells an administrator's token, and customers, which are off."""

from __future__ import annotations

from typing import Any

from accounts.simulator.messages import Call, SimAnswer, nothing, success
from accounts.simulator.problems import ProblemAnswer
from accounts.simulator.render import link

EXTRAS: dict[str, Any] = {
    "users_groups": [{"id": 0, "name": "Sales", "uuid": None}],
    "task_types": [{"id": 1, "name": "Follow-up", "color": None, "icon_id": None, "code": "FOLLOW_UP"}],
    "datetime_settings": {
        "date_pattern": "d.m.Y H:i",
        "timezone": "America/Sao_Paulo",
        "timezone_offset": "-03:00",
    },
}


def show_account(call: Call) -> SimAnswer:
    """Shows the account (docs/kommo.md 8)."""
    account = call.account
    body: dict[str, Any] = {
        "id": account.account_id,
        "name": account.name,
        "subdomain": account.subdomain,
        "created_at": account.created_at,
        "created_by": 0,
        "updated_at": account.created_at,
        "updated_by": 0,
        "current_user_id": account.user_id,
        "country": "BR",
        "currency": "BRL",
        "currency_symbol": "R$",
        "customers_mode": "unavailable",
        "is_unsorted_on": True,
        "is_loss_reason_enabled": True,
        "is_helpbot_enabled": False,
        "is_technical_account": False,
        "contact_name_display_order": 1,
        "mobile_feature_version": 0,
        "language": account.language,
        "_links": link(f"{call.base}/api/v4/account"),
    }
    extras = {name: value for name, value in EXTRAS.items() if call.wants(name)}
    if extras:
        body["_embedded"] = extras
    return success(body)


def show_user(call: Call, number: str) -> SimAnswer:
    if int(number) != call.account.user_id:
        raise ProblemAnswer(404, "User not found")
    return success(_user(call))


def list_users(call: Call) -> SimAnswer:
    _admins_only(call)
    body = {"_total_items": 1, "_page": 1, "_page_count": 1, "_links": link(call.url)}
    return success({**body, "_embedded": {"users": [_user(call)]}})


def list_webhooks(call: Call) -> SimAnswer:
    """Lists no webhooks, as there are none; but only administrators may know (docs/kommo.md 8)."""
    _admins_only(call)
    return nothing()


def refuse_customers(call: Call, *_: str) -> SimAnswer:
    raise ProblemAnswer(422, "Customers disabled")


def _admins_only(call: Call) -> None:
    if not call.account.admin:
        raise ProblemAnswer(403, "Insufficient rights")


def _user(call: Call) -> dict[str, Any]:
    account = call.account
    return {
        "id": account.user_id,
        "name": f"Owner of {account.name}",
        "email": f"owner@{account.subdomain}.example",
        "lang": account.language,
        "rights": {
            "is_admin": account.admin,
            "is_free": False,
            "is_active": True,
            "group_id": None,
            "role_id": None,
        },
        "_links": link(f"{call.base}/api/v4/users/{account.user_id}"),
    }
