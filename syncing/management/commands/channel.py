"""`channel add|list|test|report|remove`: by which ways people are told what happened."""

from typing import Any

from django.core.management.base import CommandParser

from accounts import conf as accounts_conf
from accounts.checks import INSTALLATION
from accounts.management.base import RefusingCommand
from accounts.refusals import Refusal
from syncing.automation import report
from syncing.management.console.output import write_json
from syncing.management.console.runcommand import group_if_named
from syncing.models import Channel, Event, TellWhen
from syncing.presentation.tables import table
from syncing.selectors.channels import channel_document, channels_of
from syncing.services import channels
from syncing.services.actors import COMMAND
from syncing.worker.messenger_supervisor import send_without_workers

HEAD = ("name", "group", "kind", "events", "when", "language", "last message", "failure")


class Command(RefusingCommand):
    help = "Adds, lists, tries and removes channels, by which people are told what happened (docs/messages.md)."
    requires_system_checks = (INSTALLATION,)

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a channel; try it with `channel test`")
        add.add_argument("name", metavar="NAME")
        add.add_argument("--group", metavar="NAME", help="tell only of this sync group, not of all")
        address = add.add_mutually_exclusive_group(required=True)
        address.add_argument("--email", metavar="ADDRESS", help="one e-mail address, or several with commas")
        address.add_argument("--url", metavar="APPRISE_URL", help="as slack://TOKEN_A/TOKEN_B/TOKEN_C")
        add.add_argument("--events", metavar="EVENT,...", help=f"of {', '.join(Event.values)}; without it: all")
        add.add_argument("--when", default=TellWhen.CHANGED.value, help=f"one of {', '.join(TellWhen.values)}")
        add.add_argument("--language", metavar="CODE", default=accounts_conf.language(), help="default: %(default)s")
        listing = actions.add_parser("list", help="list them, in the order in which they were added")
        listing.add_argument("--group", metavar="NAME", help="only those that are told of this group")
        for each in (add, listing):
            each.add_argument("--json", action="store_true", help="JSON on stdout")
        named = {
            "test": "send a test message",
            "report": "send the weekly conformity report now",
            "remove": "remove one, with its messages",
        }
        for action, text in named.items():
            actions.add_parser(action, help=text).add_argument("name", metavar="NAME")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        actions = {"add": self._add, "list": self._list, "test": self._test, "report": self._report}
        {**actions, "remove": self._remove}[action](options)

    def _add(self, options: dict[str, Any]) -> None:
        wanted = options["events"]
        channel = Channel(
            name=options["name"],
            group=group_if_named(options["group"]),
            address=_address_of(options),
            events=[name for each in wanted.split(",") if (name := each.strip())] if wanted else list(Event.values),
            when=options["when"],
            language=options["language"],
        )
        channels.add(channel, by=COMMAND)
        if options["json"]:
            write_json(self.stdout, channel_document(channel))
        else:
            self.stdout.write(f"Channel {channel.name} added. Try it: `channel test`.")

    def _list(self, options: dict[str, Any]) -> None:
        listed = channels_of(group_if_named(options["group"]))
        if options["json"]:
            write_json(self.stdout, [channel_document(channel) for channel in listed])
            return
        rows = [_cells(channel) for channel in listed]
        self.stdout.write(table(HEAD, rows) if rows else "There is no channel.")

    def _test(self, options: dict[str, Any]) -> None:
        channel = _named(options["name"])
        channels.test(channel, by=COMMAND)
        self.stdout.write(f"A test message was sent by the channel {channel.name}.")

    def _report(self, options: dict[str, Any]) -> None:
        channel = _named(options["name"])
        count = report.write_now(channel)
        send_without_workers()
        self.stdout.write(f"Reports on their way by the channel {channel.name}: {count}.")

    def _remove(self, options: dict[str, Any]) -> None:
        channel = _named(options["name"])
        channels.remove(channel, by=COMMAND)
        self.stdout.write(f"Channel {channel.name} removed.")


def _address_of(options: dict[str, Any]) -> str:
    """Returns the address of the flag that was used; raises Refusal for an URL as an e-mail address, or the reverse."""
    address: str = options["url"] if options["email"] is None else options["email"]
    if ("://" in address) != (options["email"] is None):
        raise Refusal("usage", "--email takes e-mail addresses, --url an address of Apprise with ://.", "")
    return address


def _named(name: str) -> Channel:
    """Returns the channel of this name; raises Refusal."""
    channel = Channel.objects.select_related("group").filter(name=name.strip()).first()
    if channel is None:
        raise Refusal("no_such_channel", f"There is no channel {name!r}.", "See `channel list`.")
    return channel


def _cells(channel: Channel) -> tuple[object, ...]:
    group = channel.group.name if channel.group else "all groups"
    events = "all" if set(channel.events) == set(Event.values) else ", ".join(channel.events)
    last = f"{channel.last_sent_at:%Y-%m-%d %H:%M}" if channel.last_sent_at else "none"
    name = channel.name if channel.enabled else f"{channel.name} (switched off)"
    return (name, group, channel.kind, events, channel.when, channel.language, last, channel.failure)
