"""Makes a message of a digest for one channel: in its language and the time zone of the group, as text and HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.utils import timezone, translation

from syncing import conf
from syncing.models import EMAIL, Channel, Event
from syncing.notifications import report_words, wording
from syncing.notifications.decision import TellingDecision
from syncing.notifications.digests import Digest
from syncing.notifications.speech import LINES, Content, Speech

LONGEST_TITLE = 200  # characters
LONGEST_LINE = 500


@dataclass(frozen=True)
class RenderedMessage:
    """The columns of a message that its reader sees."""

    title: str
    text: str
    html: str = ""
    attachment_name: str = ""
    attachment: str = ""


def render(digest: Digest, decision: TellingDecision | None, channel: Channel) -> RenderedMessage:
    """Returns the message that tells `digest` in `channel`; `decision` is None for news."""
    zone = ZoneInfo(digest.group.time_zone) if digest.group else timezone.get_default_timezone()
    speech = Speech(in_chat=channel.kind != EMAIL, group=digest.group.name if digest.group else "")
    with translation.override(channel.language), timezone.override(zone):
        if digest.event == Event.WEEKLY_REPORT:
            content = report_words.content(digest, speech)
        else:
            content = wording.content(digest, decision, speech)
        return _message(content, channel)


def _message(content: Content, channel: Channel) -> RenderedMessage:
    """Returns the words as text, and for e-mail as HTML with the attachment."""
    title = _cut(content.title, LONGEST_TITLE)
    lines = [_cut(line, LONGEST_LINE) for line in content.lines if line][:LINES]
    link = f"{conf.public_url()}{content.path}" if conf.public_url() else ""
    text = "\n".join([*lines, link or content.place])
    if channel.kind != EMAIL:
        return RenderedMessage(title, text)
    facts: Mapping[str, Any] = {"title": title, "lines": lines, "link": link, "place": content.place}
    html = render_to_string("notifications/message.html", {**facts, "table": content.table})
    return RenderedMessage(title, text, html, content.attachment_name, content.attachment)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
