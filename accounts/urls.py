"""The URLs of the accounts beside the admin's own: connecting, inviting, and what Kommo calls."""

from django.contrib import admin
from django.urls import URLPattern, path

from accounts.views import connect, hooks, invites

app_name = "accounts"
staff = admin.site.admin_view

urlpatterns: list[URLPattern] = [
    path("connections/<int:account_id>/connect", staff(connect.connect), name="connect"),
    path("connections/invite", staff(invites.invite_many), name="invite_many"),
    path("oauth/callback", connect.callback, name="callback"),
    path("oauth/disabled", hooks.disabled, name="disabled"),
    path("oauth/thanks", invites.thanks, name="thanks"),
    path("invite/<str:token>", invites.invite, name="invite"),
]
