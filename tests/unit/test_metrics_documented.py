"""docs/operators/monitoring.md has every metric with its labels; its alerts ask for no other."""

import re
from pathlib import Path

import yaml

from bot.monitoring.metrics import GAUGES, Metrics

PAGE = Path(__file__).parents[2] / "docs" / "operators" / "monitoring.md"
TEXT = PAGE.read_text(encoding="utf-8")
ALERTS = [
    rule
    for block in re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for group in yaml.safe_load(block).get("groups", [])
    for rule in group["rules"]
]


def metrics():
    """Every metric's name and labels, as Prometheus shows them."""
    found = {name: tuple(labels) for name, (_, _, labels) in GAUGES.items()}
    found["domainbot_database_up"] = ()
    own = Metrics()
    for counter in (own.turns, own.jobs):
        found[f"{counter._name}_total"] = tuple(counter._labelnames)
    for histogram in (own.turn_seconds, own.job_seconds):
        found[histogram._name] = tuple(histogram._labelnames)
    return found


def test_every_metric_is_documented_with_its_labels():
    rows = re.findall(r"^\| `(domainbot_\w+)` \| (.*?)\| ", TEXT, re.MULTILINE)
    told = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == metrics()


def test_alerts_ask_for_metrics_that_there_are():
    assert len(ALERTS) >= 2
    known = set(metrics())
    for rule in ALERTS:
        asked = set(re.findall(r"domainbot_\w+", rule["expr"]))
        assert asked
        assert {re.sub(r"_bucket$", "", name) for name in asked} <= known, rule["alert"]
        for name, inside in re.findall(r"(domainbot_\w+)\{(.*?)\}", rule["expr"]):
            labels = set(re.findall(r"(\w+)(?:!=|=)", inside)) - {"le"}
            assert labels <= set(metrics()[re.sub(r"_bucket$", "", name)])
        assert rule["annotations"]["summary"]
