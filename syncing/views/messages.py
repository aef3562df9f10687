"""Lists what channels were sent, what waits and what failed; sends it again, and tries channels."""

from typing import Any

from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts.kommo.texts import storable_id
from accounts.models import SyncGroup
from accounts.pages import actor_of, back_to_list, page, refusals_shown
from syncing.models import Channel, Event, SavedList
from syncing.presentation.messages import delivery_sentence
from syncing.selectors.messages import TEST, MessageListFilters, MessageState, found_messages, state_of, states_of
from syncing.services import channels
from syncing.services.channels import CHANGE_CHANNEL
from syncing.views.saved_views import list_views

MESSAGES_PER_PAGE = 50
SEEN_BY = ("syncing.view_message", "syncing.view_channel", CHANGE_CHANNEL)


@require_safe
def messages(request: HttpRequest) -> HttpResponse:
    """Lists the messages that are looked for; of one channel also how it does."""
    if not any(map(request.user.has_perm, SEEN_BY)):
        raise PermissionDenied
    filters = MessageListFilters.of(request.GET)
    saved = list_views(request, SavedList.MESSAGES, filters)
    if saved.opens:
        return HttpResponseRedirect(saved.opens)
    return page(request, "console/messages.html", {"title": _("Messages"), "saved": saved, **_list(request, filters)})


def _list(request: HttpRequest, filters: MessageListFilters) -> dict[str, Any]:
    known = list(Channel.objects.select_related("group").defer("address").order_by("name"))
    found = Paginator(found_messages(filters), MESSAGES_PER_PAGE).get_page(request.GET.get("p"))
    counts = states_of(filters)
    return {
        "filters": filters,
        "found": found,
        "rows": [
            {"message": each, "state": state_of(each), "sentence": delivery_sentence(each)}
            for each in found.object_list
        ],
        "counts": counts,
        "failed": sum(each.count for each in counts if each.state == MessageState.FAILED),
        "channels": known,
        "channel": next((each for each in known if str(each.pk) == filters.channel), None),
        "groups": SyncGroup.objects.order_by("name"),
        "events": Event.choices,
        "test": TEST,
    }


@require_POST
def send_again(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Hands the message that the form names to the workers again, or all of the channel that were not sent."""
    channel = _channel_or_404(request, channel_id)
    with refusals_shown(request, channel.name):
        number = channels.send_again(channel, storable_id(request.POST.get("message", "")), by=actor_of(request))
        text = ngettext(
            "%(n)d message was handed to the workers; this list says when it is sent.",
            "%(n)d messages were handed to the workers; this list says when they are sent.",
            number,
        )
        notes.success(request, text % {"n": number})
    return back_to_list(request, reverse("syncing:messages"))


@require_POST
def try_channel(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Sends a test message at once, and says how that ended."""
    channel = _channel_or_404(request, channel_id)
    with refusals_shown(request, channel.name):
        channels.test(channel, by=actor_of(request))
        notes.success(request, _("%(name)s: the test message was sent.") % {"name": channel.name})
    return back_to_list(request, reverse("syncing:messages"))


def _channel_or_404(request: HttpRequest, channel_id: int) -> Channel:
    if not request.user.has_perm(CHANGE_CHANNEL):
        raise PermissionDenied
    return get_object_or_404(Channel.objects.select_related("group"), pk=channel_id)
