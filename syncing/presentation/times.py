"""Times on pages: elements that have the exact moment and its zone, for programs and for who rests there."""

from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from syncing.presentation import labels

NONE = SafeString("—")


def moment(time: datetime | None) -> SafeString:
    """Shows the day and the minute."""
    return _element(time, date_format(timezone.localtime(time), "DATETIME_FORMAT")) if time else NONE


def day(time: datetime | date | None) -> SafeString:
    """Shows the day alone."""
    if isinstance(time, datetime):
        return _element(time, date_format(timezone.localtime(time), "DATE_FORMAT"))
    if time is None:
        return NONE
    return format_html('<time datetime="{}">{}</time>', time.isoformat(), date_format(time, "DATE_FORMAT"))


def clock(time: datetime | None) -> SafeString:
    """Shows the second, where the day is clear from what is around."""
    return _element(time, f"{timezone.localtime(time):%H:%M:%S}") if time else NONE


def ago(time: datetime | None) -> SafeString:
    """Shows how long ago it was."""
    return _element(time, labels.ago(time)) if time else NONE


def near(time: datetime) -> SafeString:
    """Shows the day, if it is near as today, tomorrow or yesterday, and the minute."""
    return _element(time, labels.day_and_time(time))


def filled(text: str, **facts: Any) -> SafeString:
    """Returns a sentence with its facts in it, some of which are times; other texts are escaped."""
    return SafeString(
        text % {name: fact if isinstance(fact, int) else conditional_escape(fact) for name, fact in facts.items()}
    )


def _element(time: datetime, text: str) -> SafeString:
    local = timezone.localtime(time)
    exact = f"{date_format(local, 'DATE_FORMAT')}, {local:%H:%M:%S} ({timezone.get_current_timezone_name()})"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(timespec="seconds"), exact, text)
