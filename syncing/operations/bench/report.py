"""The bench's rows: what was measured, what it may be at most, and the table of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from syncing.operations.bench.lab import Measured
from syncing.presentation.tables import table


@dataclass(frozen=True)
class Limit:
    """One figure and the most it may be. `exact`: a count; else it depends on the machine as well."""

    name: str
    value: float
    most: float
    exact: bool

    @property
    def kept(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        sign = "<=" if self.kept else ">"
        return f"{self.name} {self.value:g} {sign} {self.most:g}{'' if self.kept else '  MISSED'}"


@dataclass(frozen=True)
class Row:
    scenario: str
    measured: Measured
    limits: list[Limit] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """The run succeeded and every count is within its limit; times do not decide."""
        return self.measured.good and all(limit.kept for limit in self.limits if limit.exact)

    def ratio(self) -> str:
        found = next((limit.value for limit in self.limits if limit.name == "ratio"), None)
        return f"{found:.2f}" if found else ""

    def floor(self) -> str:
        found = next((limit for limit in self.limits if limit.name.startswith("requests")), None)
        return f"{found.value:g} / {found.most:g}" if found else ""

    def cells(self) -> tuple[object, ...]:
        m = self.measured
        each = 1000 * m.cpu / m.requests if m.requests else 0.0
        return (
            *(self.scenario, m.requests, self.floor(), self.ratio(), f"{m.wall:.1f}", m.peak, m.refused),
            *(f"{m.memory:.0f}", f"{m.memory_in_all:.0f}", f"{each:.1f}", "ok" if self.good else "ABOVE"),
        )

    def as_dict(self) -> dict[str, Any]:
        m = self.measured
        return {
            "scenario": self.scenario,
            "state": m.document.get("state"),
            "requests": m.requests,
            "wall_s": round(m.wall, 2),
            "peak_per_second": m.peak,
            "refused_429": m.refused,
            "memory_mb": round(m.memory),
            "memory_in_all_mb": round(m.memory_in_all),
            "cpu_ms_per_request": round(1000 * m.cpu / m.requests, 2) if m.requests else None,
            "limits": [{**asdict(limit), "kept": limit.kept} for limit in self.limits],
            "good": self.good,
        }


HEAD = (
    *("scenario", "requests", "per slave/floor", "ratio", "wall s", "peak/s", "429"),
    *("MB", "MB in all", "CPU ms/request", ""),
)


def text(rows: Sequence[Row]) -> str:
    """The table, and below it every limit in words."""
    notes = [f"  {row.scenario}: {'; '.join(map(str, row.limits))}" for row in rows if row.limits]
    failed = [
        f"  {row.scenario}: the run ended {row.measured.document.get('state')}" for row in rows if not row.measured.good
    ]
    legend = [
        "MB: peak of all processes of KommoSync (worker with its children, command); in all: with simulator and bench.",
        "CPU: of the same processes, their start included. Times, ratios and memory depend on the machine too.",
    ]
    return "\n".join([table(HEAD, [row.cells() for row in rows]), *legend, "", "Limits", *notes, *failed])
