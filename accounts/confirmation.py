"""Asks before an admin action is carried out, on a page that names what it is about to touch."""

from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import model_ngettext
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

CONFIRMED = "confirmed"


def is_confirmed(request: HttpRequest) -> bool:
    return request.POST.get(CONFIRMED) == "yes"


def ask(
    request: HttpRequest,
    model_admin: "ModelAdmin[Any]",
    queryset: QuerySet[Any],
    *,
    action: str,
    title: str,
    question: str,
    button: str,
    template: str = "accounts/confirm_action.html",
    **extra: Any,
) -> TemplateResponse:
    """Renders the page; its button sends the same action again, confirmed. `extra` goes to the template."""
    items = list(queryset)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "title": title,
        "question": question,
        "button": button,
        "action": action,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "confirmed_name": CONFIRMED,
        "items": items,
        "noun": model_ngettext(model_admin.opts, len(items)),
        **extra,
    }
    return TemplateResponse(request, template, context)
