"""The URLs of the synchronisation."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
