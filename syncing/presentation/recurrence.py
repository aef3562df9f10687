"""Cron expressions as sentences, and the few kinds of times that a form offers instead of them."""

from collections.abc import Mapping

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

DAYS = "1-5"  # Monday to Friday, in the fifth part of an expression
EVERY_DAY, WORKDAYS, HOURLY, EXPERT = "day", "workdays", "hour", "cron"
# What a form offers: each weekday goes by its number in cron (0 is Sunday).
WEEKDAY_OF = {str((number + 1) % 7): name for number, name in WEEKDAYS.items()}
REPEATS: Mapping[str, object] = {
    EVERY_DAY: gettext_lazy("Every day"),
    WORKDAYS: gettext_lazy("Monday to Friday"),
    **WEEKDAY_OF,
    HOURLY: gettext_lazy("Every hour"),
    EXPERT: gettext_lazy("Cron expression"),
}


def cron_of(repeat: str, hour: int, minute: int) -> str:
    """Returns the expression of what a form offers; not of EXPERT, which is one already."""
    if repeat == HOURLY:
        return f"{minute} * * * *"
    day = {EVERY_DAY: "*", WORKDAYS: DAYS}.get(repeat, repeat)
    return f"{minute} {hour} * * {day}"


def form_times(cron: str) -> tuple[str, str]:
    """Returns what a form shows of an expression: a key of REPEATS, and the time as HH:MM ("" if it has none)."""
    minute, hour, *_others = [*cron.split(), "", ""]
    if minute.isdecimal() and (hour.isdecimal() or hour == "*"):
        at = int(hour) if hour.isdecimal() else 0, int(minute)
        for repeat in REPEATS:
            if repeat != EXPERT and cron_of(repeat, *at) == cron:
                return repeat, f"{at[0]:02d}:{at[1]:02d}"
    return EXPERT, ""


def place_of(zone: str) -> str:
    """Returns the place that a time zone is named after, for people: Sao Paulo for America/Sao_Paulo."""
    return zone.rpartition("/")[2].replace("_", " ")


def sentence_of(cron: str) -> str:
    """Returns when an expression comes, as people say it; the expression itself where that would be long."""
    minute, hour, date, month, day = [*cron.split(), *[""] * 5][:5]
    is_timed = minute.isdecimal() and month == "*"
    if is_timed and (hour, date, day) == ("*", "*", "*"):
        return _("Every hour at minute %(minute)s") % {"minute": minute}
    if is_timed and hour.isdecimal():
        facts = {"time": f"{int(hour):02d}:{int(minute):02d}", "date": date}
        if (date, day) == ("*", "*"):
            return _("Every day at %(time)s") % facts
        if (date, day) == ("*", DAYS):
            return _("Monday to Friday at %(time)s") % facts
        if date == "*" and day.isdecimal():
            return _("Every week at %(time)s: %(day)s") % {**facts, "day": WEEKDAY_OF[str(int(day) % 7)]}
        if day == "*" and date.isdecimal():
            return _("Every month on day %(date)s at %(time)s") % facts
    return _("At the times of %(cron)s") % {"cron": cron}
