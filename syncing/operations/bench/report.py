"""Shows what the bench measured: the figures, the most that each may be, and the table of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from syncing.operations.bench.lab import Measurement
from syncing.presentation.tables import table


@dataclass(frozen=True)
class Limit:
    """One figure and the most it may be. `exact`: a count; else it depends on the machine as well."""

    name: str
    value: float
    most: float
    exact: bool

    @property
    def is_met(self) -> bool:
        return self.value <= self.most

    def __str__(self) -> str:
        sign = "<=" if self.is_met else ">"
        return f"{self.name} {self.value:g} {sign} {self.most:g}{'' if self.is_met else '  MISSED'}"


@dataclass(frozen=True)
class ScenarioResult:
    scenario: str
    measured: Measurement
    limits: list[Limit] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Tells whether the run succeeded and every count is within its limit; times do not decide."""
        return self.measured.good and all(limit.is_met for limit in self.limits if limit.exact)

    def ratio(self) -> str:
        ratio = next((limit.value for limit in self.limits if limit.name == "ratio"), None)
        busy = " busy" if self.measured.is_on_busy_machine else ""
        return f"{ratio:.2f}{busy}" if ratio else ""

    def floor(self) -> str:
        limit = next((limit for limit in self.limits if limit.name.startswith("requests")), None)
        return f"{limit.value:g} / {limit.most:g}" if limit else ""

    def cells(self) -> tuple[object, ...]:
        m = self.measured
        return (
            *(self.scenario, m.requests, self.floor(), self.ratio(), f"{m.wall:.1f}", m.peak, m.refused),
            *(f"{m.memory:.0f}", f"{m.memory_in_all:.0f}", f"{m.ms_per_request:.1f}", "ok" if self.good else "ABOVE"),
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
            "cpu_ms_per_request": round(m.ms_per_request, 2) if m.requests else None,
            "worker_cpu_ms_per_request": round(m.worker_ms_per_request, 2) if m.worker_cpu and m.requests else None,
            "others_cpu_share": round(m.others, 2),
            "load": round(m.load, 2),
            "busy_machine": m.is_on_busy_machine,
            "limits": [{**asdict(limit), "kept": limit.is_met} for limit in self.limits],
            "good": self.good,
        }


HEAD = (
    *("scenario", "requests", "per slave/floor", "ratio", "wall s", "peak/s", "429"),
    *("MB", "MB in all", "CPU ms/request", ""),
)


def text(rows: Sequence[ScenarioResult]) -> str:
    """Returns the table, and below it the CPU per request, the machine, and every limit in words."""
    notes = [f"  {row.scenario}: {'; '.join(map(str, row.limits))}" for row in rows if row.limits]
    failed = [
        f"  {row.scenario}: the run ended {row.measured.document.get('state')}" for row in rows if not row.measured.good
    ]
    legend = [
        "MB: peak of all processes of KommoSync (worker with its children, command); in all: with simulator and bench.",
        "CPU: of the same processes, their start included. Times, ratios and memory depend on the machine too.",
        *(
            f"CPU per request: {row.measured.worker_ms_per_request:.1f} ms (the worker alone, without its start; "
            f"{row.scenario}, {row.measured.requests} requests)"
            for row in rows
            if row.measured.worker_cpu
        ),
        machine_of(rows),
    ]
    return "\n".join([table(HEAD, [row.cells() for row in rows]), *legend, "", "Limits", *notes, *failed])


def machine_of(rows: Sequence[ScenarioResult]) -> str:
    """Returns a sentence on whether the machine was quiet, by the scenario that others disturbed most."""
    worst = max(rows, key=lambda row: row.measured.others, default=None)
    if worst is None:
        return ""
    took = (
        f"other processes took at most {worst.measured.others:.0%} of the CPU (load {worst.measured.load:.1f} before)"
    )
    if not worst.measured.is_on_busy_machine:
        return f"The machine was quiet: {took}."
    busy = ", ".join(row.scenario for row in rows if row.measured.is_on_busy_machine)
    return f"The machine was BUSY: {took}. Times, ratios and CPU say little of: {busy}."
