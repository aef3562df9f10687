"""Tables that are only looked at, and fields that only some may see."""

from typing import Any

from django.http import HttpRequest

from accounts.admin.odd_values import TakesOddValues


class ReadOnlyAdmin(TakesOddValues):
    """Lets nobody add, edit or delete by hand."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def without_field(fieldsets: Any, name: str) -> Any:
    """Returns the fieldsets without one field."""
    return tuple(
        (title, {**options, "fields": tuple(each for each in options["fields"] if each != name)})
        for title, options in fieldsets
    )
