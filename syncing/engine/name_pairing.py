"""Name pairing: finds for items that were sent those that came into being, where the ids do not say it.

Nothing here finds an item that was there before: that is done by its exact name alone (see `match`).
"""

import html
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence

from syncing.engine.candidates import normal_name

MOST_ESCAPES = 3  # once when it is stored, once when it is shown, once when it is written back


def pair_names(sent: Sequence[str], shown: Sequence[str]) -> dict[int, int]:
    """Returns index in `sent` -> index in `shown`; namesakes pair by order.

    Equal names first, then equal but for case and white space, then one another's only possible spelling.
    """
    pairs: dict[int, int] = {}
    for key in (str, normal_name):
        waiting: dict[str, list[int]] = defaultdict(list)
        for other, name in enumerate(shown):
            if other not in pairs.values():
                waiting[key(name)].append(other)
        for at, name in enumerate(sent):
            if at not in pairs and waiting[key(name)]:
                pairs[at] = waiting[key(name)].pop(0)
    left = [at for at in range(len(sent)) if at not in pairs]
    there = [at for at in range(len(shown)) if at not in pairs.values()]
    could_be = {at: [other for other in there if is_spelling(sent[at], shown[other])] for at in left}
    for at, others in could_be.items():
        if len(others) == 1 and sum(others[0] in rivals for rivals in could_be.values()) == 1:
            pairs[at] = others[0]
    return pairs


def pair_rest(pairs: Mapping[int, int], sent: int, shown: int) -> dict[int, int]:
    """Adds to `pairs` what is left over of `sent` and `shown` items in order, if it is as many of both."""
    left = [at for at in range(sent) if at not in pairs]
    there = [at for at in range(shown) if at not in pairs.values()]
    return dict(pairs) | (dict(zip(left, there, strict=True)) if len(left) == len(there) else {})


def pair_spellings(sent: Sequence[str], shown: Sequence[str]) -> dict[int, int]:
    """Pairs as `pair_names`; the rest by order, if each may be a spelling of its partner.

    Else a person may have made one of them, and ours was refused.
    """
    pairs = pair_names(sent, shown)
    whole = pair_rest(pairs, len(sent), len(shown))
    is_rest_alike = all(is_spelling(sent[at], shown[other]) for at, other in whole.items() if at not in pairs)
    return whole if is_rest_alike else pairs


def is_spelling(sent: str, shown: str) -> bool:
    """Returns True if `sent` may read `shown` on a server that escapes, trims, recases, drops or cuts names."""
    whole, part = _letters(sent), _letters(shown)
    return whole == part or (bool(part) and whole.startswith(part))


def _letters(text: str) -> str:
    for _ in range(MOST_ESCAPES):
        text = html.unescape(text)
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed.casefold() if character.isalnum())
