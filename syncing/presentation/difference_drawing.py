"""One difference as a picture: what the master has and what the account has, in the chips of a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncing.engine.refs import Kind
from syncing.presentation.drawing import AttributeChange, Chip, ChipRow, DrawnEdit, Mark, Side
from syncing.presentation.labels import attribute_label
from syncing.presentation.painting import draw_options
from syncing.presentation.sentences import LISTS, difference_sentence

# How a whole item differs, as its chip on the account's side tells.
WHOLE: Mapping[str, Mark] = {"create": Mark.MISSING, "delete": Mark.REMOVED, "extra": Mark.EXTRA}
NOTHING = ChipRow()


@dataclass(frozen=True)
class DrawnDifference:
    """`words`: what differs, in short where the chips tell the rest, else in a sentence."""

    words: str
    ours: ChipRow = NOTHING
    theirs: ChipRow = NOTHING


def draw_difference(edit: DrawnEdit) -> DrawnDifference:
    """Draws either side of a difference; where no picture helps, as with yes and no, it is a sentence alone."""
    sides = _sides(edit)
    if sides is None:
        return DrawnDifference(difference_sentence(edit))
    words = attribute_label(edit.attribute) if edit.attribute else difference_sentence(edit)
    return DrawnDifference(words, *(ChipRow(tuple(chips)) for chips in sides))


def _sides(edit: DrawnEdit) -> tuple[Sequence[Chip], Sequence[Chip]] | None:
    """Returns the chips of the master and those of the account."""
    change = AttributeChange(edit.attribute, edit.ours, edit.theirs)
    if not edit.attribute:
        return (), [Chip(edit.kind, edit.key, edit.name, mark=WHOLE[edit.action])]
    if edit.attribute == "name":
        here = Chip(edit.kind, edit.key, str(edit.theirs), mark=Mark.RENAMED, changes=(change,))
        return [Chip(edit.kind, edit.key, str(edit.ours))], [here]
    if edit.attribute == "color":
        here = Chip(edit.kind, edit.key, edit.name, color=str(edit.theirs), mark=Mark.CHANGED, changes=(change,))
        return [Chip(edit.kind, edit.key, edit.name, color=str(edit.ours))], [here]
    if edit.attribute == "enums":
        return draw_options(edit, Side.MASTER), draw_options(edit, Side.ACCOUNT)
    if edit.attribute in LISTS:
        return _stages(edit.ours, edit.theirs, Mark.ADDED), _stages(edit.theirs, edit.ours, Mark.EXTRA)
    return None


def _stages(values: Any, others: Any, mark: Mark) -> list[Chip]:
    """Draws a list of stages, each as `Pipeline / Stage`; those that the other side does not have are marked."""
    known = set(others or ())
    return [Chip(Kind.STAGE, "", name, mark=Mark.NONE if name in known else mark) for name in values or ()]
