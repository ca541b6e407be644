"""Small storms over `bot serve` in Slack, each with its seed; see bench/slack_storm.py."""

import importlib.util
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SEEDS = (1, 2)
SIZE = {"events": 500, "conversations": 30, "pace": 10.0, "kills": 2}

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))  # for what benchmarks share
spec = importlib.util.spec_from_file_location("slack_storm", BENCH / "slack_storm.py")
slack_storm = importlib.util.module_from_spec(spec)
sys.modules["slack_storm"] = slack_storm
spec.loader.exec_module(slack_storm)


@pytest.fixture(scope="module")
def reports():
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        return dict(
            zip(SEEDS, pool.map(lambda s: slack_storm.storm(s, **SIZE), SEEDS), strict=True)
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_message_ends_once_and_in_order(reports, seed):
    assert reports[seed].troubles == []
    assert reports[seed].counts["over a limit"] == 0


def test_it_was_a_storm(reports):
    faults = sum((report.faults for report in reports.values()), start=Counter())
    outcomes = sum((report.outcomes for report in reports.values()), start=Counter())
    assert set(outcomes) == {"answered", "refused", "failed"}
    assert faults["server killed"] == len(SEEDS) * SIZE["kills"]
    assert faults["PostgreSQL killed"] + faults["backend killed"] == len(SEEDS) * SIZE["kills"]
    assert min(faults[kind] for kind in ("rate_limit", "lost_reply", "lost_call", "status")) > 0
