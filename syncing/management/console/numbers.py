"""Reads numbers of the command line, so that a wrong one ends a command with a sentence."""

from accounts.kommo.texts import LONGEST_ID, storable_id
from accounts.refusals import Refusal


def whole_number(text: str, flag: str) -> int:
    """Returns the number; raises Refusal."""
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > LONGEST_ID:
        raise Refusal("usage", f"{flag} {text} is not a whole number.")
    return int(text)


def id_of(text: str, what: str) -> int:
    """Returns the id in a text; raises Refusal for a text that is none."""
    number = storable_id(text)
    if number is None:
        raise Refusal("usage", f"{text} is not the number of a {what}.", f"See `{what} list`.")
    return number


def hours_of(text: str, flag: str) -> float:
    """Returns a number of hours, with or without a fraction; raises Refusal."""
    try:
        return float(text)
    except ValueError as error:
        raise Refusal("usage", f"{flag} {text} is not a number of hours.") from error
