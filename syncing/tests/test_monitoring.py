"""docs/monitoring.md and the files beside it name the metrics and labels that there are, and no others."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from syncing.models import AccountState
from syncing.presentation.metrics import DEFINITIONS, MetricDefinition
from syncing.selectors.automation import OVERDUE

DOCS = Path(__file__).resolve().parents[2] / "docs"
ALERTS, DASHBOARD = DOCS / "monitoring" / "alerts.yml", DOCS / "monitoring" / "grafana-dashboard.json"
ROW = re.compile(r"^\| (`kommosync_.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
SERIES = re.compile(r"(kommosync_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
OF_PROMETHEUS = {"job", "instance"}


def names_of(definition: MetricDefinition) -> list[str]:
    """The names under which Prometheus stores it."""
    ends = ("_sum", "_count") if definition.kind == "summary" else ("",)
    return [definition.full_name + end for end in ends]


LABELS = {name: set(each.labels) for each in DEFINITIONS for name in names_of(each)}


def test_the_table_is_what_the_code_says() -> None:
    rows = ROW.findall((DOCS / "monitoring.md").read_text(encoding="utf-8"))
    table = [(re.findall(r"`(\w+)`", names), re.findall(r"`(\w+)`", labels), text) for names, labels, text in rows]
    assert table == [(names_of(each), list(each.labels), each.help) for each in DEFINITIONS]


def targets() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        yield from panel["targets"]


RULES = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
QUERIES = [*(rule["expr"] for rule in RULES), *(target["expr"] for target in targets())]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    series = SERIES.findall(query)
    assert series
    for name, selectors in series:
        used = {label for label, _, _ in MATCHER.findall(selectors)}
        assert used <= LABELS[name] | OF_PROMETHEUS, name
    known = set().union(*(LABELS[name] for name, _ in series)) | OF_PROMETHEUS
    for labels in re.findall(r"(?:by|on) \(([^)]*)\)", query):
        assert set(labels.split(", ")) <= known
    assert query.count("(") == query.count(")")


def test_a_query_asks_for_states_that_there_are() -> None:
    states = re.findall(r'accounts_by_last_run\{[^}]*state=~"([^"]*)"', " ".join(QUERIES))
    assert len(states) == 2
    assert all(set(state.split("|")) <= set(AccountState.values) for state in states)
    assert set(re.findall(r'code="(\w+)"', " ".join(QUERIES))) <= set(OVERDUE)


def test_every_metric_is_on_the_dashboard_but_these() -> None:
    shown = {name for target in targets() for name, _ in SERIES.findall(target["expr"])}
    assert set(LABELS) - shown == {
        "kommosync_build_info",
        "kommosync_accounts_paused",
        "kommosync_schedule_next_timestamp_seconds",
    }


def test_a_legend_names_labels_of_its_query() -> None:
    for target in targets():
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert re.search(rf"\bby \([^)]*\b{label}\b", target["expr"]), target


def test_there_are_three_alerts_with_words_for_a_person() -> None:
    assert len(RULES) == 3
    for rule in RULES:
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "warning")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_promtool_accepts_the_alerts() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db
@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: apt-get install prometheus")
def test_promtool_has_nothing_to_say_about_the_metrics(client: Any) -> None:
    text = client.get("/metrics", headers={"Host": "127.0.0.1"}).content
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
