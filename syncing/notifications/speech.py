"""What all messages are made of: a title, lines, where to look; and how names and numbers are said in them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncing.notifications.harmless import harmless

LINES = 5  # of a message, at most; the link comes after them
NAMED = 3  # accounts that a line names; of the others it says how many
LONGEST_SENTENCE = 300  # characters of an error or of a reason that a person gave


@dataclass(frozen=True)
class MessageTable:
    """Rows for an e-mail."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Content:
    """The words of a message; `path` of the page that shows more, `place` in words where no address is known."""

    title: str
    lines: Sequence[str]
    path: str
    place: str
    table: MessageTable | None = None
    attachment_name: str = ""
    attachment: str = ""


@dataclass(frozen=True)
class Speech:
    """How something is said in one channel; `in_chat`: to a service that formats what it is sent."""

    in_chat: bool
    group: str
    names: Mapping[str, str] = field(default_factory=dict)  # of accounts, by subject

    @property
    def about(self) -> str:
        """Returns the name of the group, for a title."""
        return self.name(self.group)

    def name(self, text: str) -> str:
        return harmless(text, in_chat=self.in_chat)

    def sentence(self, text: str) -> str:
        return harmless(text, in_chat=self.in_chat, length=LONGEST_SENTENCE)

    def accounts(self, subjects: Collection[str]) -> str:
        """Returns the names of the first accounts, and how many more there are."""
        names = sorted(self.names.get(subject, subject) for subject in subjects)
        shown = ", ".join(self.name(name) for name in names[:NAMED])
        if len(names) <= NAMED:
            return shown
        return _("%(names)s and %(count)s more") % {"names": shown, "count": number(len(names) - NAMED)}

    def counted(self, label: str, subjects: Collection[str]) -> str:
        """Returns a label with how many accounts, and which."""
        text = ngettext(
            "%(label)s: %(count)s account (%(names)s)", "%(label)s: %(count)s accounts (%(names)s)", len(subjects)
        )
        return text % {"label": label, "count": number(len(subjects)), "names": self.accounts(subjects)}

    def well_again(self, subjects: Collection[str]) -> str:
        """Returns which accounts are well again; "" for none."""
        return sentences(self.counted(_("Well again"), subjects)) if subjects else ""

    def grouped(
        self, bad: Mapping[str, str], labels: Mapping[str, str], remedies: Mapping[str, str], most: int
    ) -> list[str]:
        """Returns a line for each reason with its accounts, the most frequent first; at most `most` lines."""
        by_reason: dict[str, list[str]] = defaultdict(list)
        for subject, reason in bad.items():
            by_reason[reason].append(subject)
        ordered = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
        shown = ordered if len(ordered) <= most else ordered[: most - 1]
        lines = [
            sentences(self.counted(labels.get(reason, reason), subjects), remedies.get(reason, ""))
            for reason, subjects in shown
        ]
        if left := ordered[len(shown) :]:
            facts = {"reasons": number(len(left)), "accounts": number(sum(len(each) for _reason, each in left))}
            lines.append(_("And %(reasons)s more reasons, in accounts: %(accounts)s.") % facts)
        return lines


def sentences(*parts: str) -> str:
    """Joins parts that are not empty, each with a full stop at its end."""
    texts = filter(None, map(str.strip, parts))
    return " ".join(text if text[-1] in ".!?…" else f"{text}." for text in texts)


def number(count: int) -> str:
    return number_format(count, force_grouping=True)


def moment(time: datetime) -> str:
    """Returns a time as the clock on the wall of the group shows it, with its zone: the reader may be elsewhere."""
    return f"{bare_moment(time)} ({timezone.get_current_timezone_name()})"


def bare_moment(time: datetime) -> str:
    """Returns the same for a column of a table, without the zone."""
    return date_format(timezone.localtime(time), "DATETIME_FORMAT")


def day(time: datetime) -> str:
    return date_format(timezone.localtime(time), "DATE_FORMAT")
