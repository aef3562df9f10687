"""Stages of a pipeline ("statuses" in Kommo's API), their colours and descriptions."""

from dataclasses import dataclass
from functools import lru_cache

MAX_STAGES = 100  # per pipeline, system stages included, docs/kommo.md 2
WON, LOST = 142, 143  # the same ids in every pipeline of every account, docs/kommo.md 4.3
INCOMING_TYPE = 1

# The complete palette that Kommo accepts, docs/kommo.md 4.4.
PALETTE = (
    "#fffeb2", "#fffd7f", "#fff000", "#ffeab2", "#ffdc7f", "#ffce5a", "#ffdbdb",
    "#ffc8c8", "#ff8f92", "#d6eaff", "#c1e0ff", "#98cbff", "#ebffb1", "#deff81",
    "#87f2c0", "#f9deff", "#f3beff", "#ccc8f9", "#eb93ff", "#f2f3f4", "#e6e8ea",
)  # fmt: skip

# Colours of stages that Kommo makes itself; it does not take them back.
_SYSTEM_COLORS = {"#99ccff": "#98cbff", "#ffff99": "#fffd7f", "#ffcc66": "#ffce5a", "#ffcccc": "#ffc8c8"}

# Names that Kommo gives to system stages, by account language; they are no difference.
DEFAULT_SYSTEM_NAMES = frozenset({
    "incoming leads", "closed - won", "closed - lost", "closed won", "closed lost",
    "leads de entrada", "etapa de leads de entrada", "entrada de leads", "venda ganha", "venda perdida",
    "fechado - ganho", "fechado - perdido", "fechado ganho", "fechado perdido",
    "leads entrantes", "clientes potenciales entrantes", "logrado con éxito", "ventas perdidos", "venta ganada",
    "venta perdida", "ventas ganadas", "ventas perdidas", "cerrado - ganado", "cerrado - perdido",
    "неразобранное", "успешно реализовано", "закрыто и не реализовано",
})  # fmt: skip


@dataclass(frozen=True)
class Description:
    """One of up to three descriptions; `level` is newbie, candidate or master."""

    id: int | None
    level: str
    text: str


@dataclass(frozen=True)
class Stage:
    """A stage as one account has it. `descriptions` is None when they were not read."""

    id: int
    name: str
    sort: int
    color: str
    type: int
    editable: bool
    descriptions: tuple[Description, ...] | None = None

    @property
    def is_system(self) -> bool:
        """Returns True for won, lost and incoming; never by name ("Lost contact - retry" is an ordinary stage)."""
        return self.id in (WON, LOST) or self.type == INCOMING_TYPE

    @property
    def natural_id(self) -> str | None:
        """Returns the name of a system stage that means the same in every pipeline; None for an ordinary stage."""
        if self.id in (WON, LOST):
            return str(self.id)
        return "incoming" if self.is_system else None


def has_default_name(stage: Stage) -> bool:
    """Returns True also for one whose name is not known: there is nothing to bring."""
    name = stage.name.strip().casefold()
    return stage.is_system and (not name or name in DEFAULT_SYSTEM_NAMES)


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


@lru_cache(maxsize=256)
def palette_color(color: str) -> str:
    """Returns the colour of the palette that stands for `color` (any case, any hex, with or without #)."""
    lowered = "#" + color.strip().lower().lstrip("#")
    if lowered in PALETTE:
        return lowered
    if lowered in _SYSTEM_COLORS:
        return _SYSTEM_COLORS[lowered]
    try:
        wanted = _rgb(lowered)
    except (ValueError, IndexError):
        return PALETTE[0]
    return min(PALETTE, key=lambda known: sum((a - b) ** 2 for a, b in zip(wanted, _rgb(known), strict=True)))
