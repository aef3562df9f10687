"""docs/monitoring.md and the files beside it name the metrics that there are, and no others."""

import re
from pathlib import Path

from syncing.presentation.metrics import DEFINITIONS, MetricDefinition

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROW = re.compile(r"^\| (`kommosync_.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)


def names_of(definition: MetricDefinition) -> list[str]:
    """The names under which Prometheus stores it."""
    ends = ("_sum", "_count") if definition.kind == "summary" else ("",)
    return [definition.full_name + end for end in ends]


def test_the_table_is_what_the_code_says() -> None:
    rows = ROW.findall((DOCS / "monitoring.md").read_text(encoding="utf-8"))
    table = [(re.findall(r"`(\w+)`", names), re.findall(r"`(\w+)`", labels), text) for names, labels, text in rows]
    assert table == [(names_of(each), list(each.labels), each.help) for each in DEFINITIONS]
