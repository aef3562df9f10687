"""What somebody looks for in a list, as the address of its page has it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class ListFilters:
    """The base of the filters of a list, each of them a text; "" for anything."""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        return cls(**{field.name: parameters.get(field.name, "").strip() for field in fields(cls)})

    def __bool__(self) -> bool:
        return any(vars(self).values())
