"""What somebody looks for in a list, as the address of its page has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Self

from django.db.models import Model, Q
from django.utils import timezone

from accounts.kommo.texts import storable, storable_id
from accounts.text_search import LONGEST

KNOWN = "is_known"


def filter_by(is_known: Callable[[str], bool]) -> Any:
    """Declares a filter that takes only values for which `is_known` is true."""
    return field(default="", metadata={KNOWN: is_known})


def one_of(*values: str) -> Any:
    return filter_by(frozenset(values).__contains__)


def an_id() -> Any:
    return filter_by(lambda value: storable_id(value) is not None)


def an_id_of(model: type[Model]) -> Any:
    """Declares a filter that takes the id of a row that is there: of one that was deleted nothing would be listed."""

    def is_there(value: str) -> bool:
        key = storable_id(value)
        return key is not None and model._default_manager.filter(pk=key).exists()

    return filter_by(is_there)


def a_day() -> Any:
    """Declares a filter that takes a day as YYYY-MM-DD."""
    return filter_by(lambda value: day_of(value) is not None)


def day_of(value: str) -> date | None:
    """Returns the day; None for none, and for the first and the last that there are: some zones lack their midnight."""
    try:
        day = date.fromisoformat(value)
    except ValueError:
        return None
    return day if date.min < day < date.max else None


def in_days(column: str, since: str, until: str) -> Q:
    """Returns the condition that a moment is between the first and the last of these days; "" for no bound."""
    wanted = Q()
    if first := day_of(since):
        wanted &= Q(**{f"{column}__gte": _midnight(first)})
    if last := day_of(until):
        wanted &= Q(**{f"{column}__lt": _midnight(last + timedelta(days=1))})
    return wanted


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


@dataclass(frozen=True)
class ListFilters:
    """The base of the filters of a list, each of them a text; "" for anything. `sort`: the order, "" for the usual one.

    What an address has of other values is left out and told: `ignored`, as "state=nonsense".
    """

    q: str = ""
    sort: str = field(default="", metadata={KNOWN: frozenset[str]().__contains__})
    ignored: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        values, ignored = {}, []
        for each in cls._parameters():
            value = storable(str(parameters.get(each.name, ""))).strip()[:LONGEST]
            if not value or each.metadata.get(KNOWN, bool)(value):
                values[each.name] = value
            else:
                ignored.append(f"{each.name}={value}")
        return cls(**values, ignored=tuple(ignored))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Returns the names of the parameters of an address that the list knows."""
        return tuple(each.name for each in cls._parameters())

    @classmethod
    def _parameters(cls) -> list[Any]:
        return [each for each in fields(cls) if each.name != "ignored"]

    @property
    def values(self) -> dict[str, str]:
        """Returns what is looked for, and the order, as the parameters of an address."""
        return {name: value for name in self.names() if (value := getattr(self, name))}

    def without(self, name: str) -> Self:
        """Returns the same without the value of `name`, which the list turned out not to know: left out, and told."""
        left_out: dict[str, Any] = {name: "", "ignored": (*self.ignored, f"{name}={getattr(self, name)}")}
        return replace(self, **left_out)

    def __bool__(self) -> bool:
        return any(name != "sort" for name in self.values)
