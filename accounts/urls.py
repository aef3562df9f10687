"""The URLs of the accounts beside the admin's own: connecting, inviting, and the hook that Kommo calls."""

from django.contrib import admin
from django.urls import URLPattern, path

from accounts.views import checks, connect, hooks, invites

app_name = "accounts"
staff = admin.site.admin_view

urlpatterns: list[URLPattern] = [
    path("accounts/checks/start", staff(checks.start), name="check_start"),
    path("accounts/checks/<int:check_id>/", staff(checks.check), name="check"),
    path("accounts/checks/<int:check_id>/live", staff(checks.check_live), name="check_live"),
    path("accounts/checks/<int:check_id>/again", staff(checks.again), name="check_again"),
    path("connections/<int:account_id>/connect", staff(connect.connect), name="connect"),
    path("connections/invite", staff(invites.invite_many), name="invite_many"),
    path("oauth/callback", connect.callback, name="callback"),
    path("oauth/disabled", hooks.disabled, name="disabled"),
    path("oauth/thanks", invites.thanks, name="thanks"),
    path("invite/<str:token>", invites.invite, name="invite"),
]
