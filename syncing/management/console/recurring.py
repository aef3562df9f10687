"""The flags, and the times, that schedules and windows have in common on the command line."""

from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


def add_recurring_flags(parser: ArgumentParser, kinds: list[str]) -> None:
    """Adds the flags that schedules and windows have in common."""
    parser.add_argument("--group", metavar="NAME", help="the sync group; may be left out if there is only one")
    parser.add_argument("--kind", required=True, help=f"one of {', '.join(kinds)}")
    parser.add_argument("--cron", required=True, help="five parts, as in '0 3 * * *'")
    parser.add_argument("--time-zone", metavar="ZONE", default="", help="as America/Sao_Paulo; else that of the group")


def recurring_values(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the columns that these flags are for."""
    return {"kind": options["kind"], "cron": options["cron"].strip(), "time_zone": options["time_zone"].strip()}


def shown_times(times: Iterable[datetime]) -> str:
    """Returns times in their own zone, side by side."""
    return ", ".join(f"{time:%Y-%m-%d %H:%M}" for time in times)
