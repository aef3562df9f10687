"""The door for Kommo's webhooks and Salesbots: a known token asks for a sync of its group, nothing else matters.

Kommo signs nothing and wants an answer within 2 s (docs/kommo.md 7.1); more than 100 bad answers in two hours
disable the hook, so a known token always gets 202.
"""

import logging

from django.http import HttpRequest, JsonResponse

from accounts.refusals import Refusal
from syncing.api.http import ApiError, door
from syncing.services.actors import WEBHOOK
from syncing.services.keys import group_for_webhook
from syncing.services.runs.start import start_run

logger = logging.getLogger(__name__)

DRAIN_LIMIT = 2 * 1024 * 1024  # bytes of a body


def _webhook(request: HttpRequest, token: str) -> JsonResponse:
    """Starts a run of the token's group, or names the run that stands for it."""
    group = group_for_webhook(token)
    if group is None:
        raise ApiError(404, "no_such_token", "This webhook is unknown.", "Make a new token: webhook_token --rotate.")
    # Reads the body away, unseen: an answer before its end may be lost when the connection is closed.
    unread = DRAIN_LIMIT
    while unread > 0 and (chunk := request.read(min(unread, 64 * 1024))):
        unread -= len(chunk)
    try:
        run = start_run(group=group, by=WEBHOOK).run
    except Refusal as error:
        logger.warning("webhook of group %s starts nothing: %s", group.name, error.message)
        return JsonResponse({"run": None, "error": error.document}, status=202)
    return JsonResponse({"run": run.pk}, status=202)


webhook = door(_webhook, ["POST"])
