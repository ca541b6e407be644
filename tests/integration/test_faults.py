"""Workers, commands and PostgreSQL killed at random points of a rebuild; see bench/faults.py."""

import importlib.util
import sys
from pathlib import Path

import pytest

RUNS = 20

spec = importlib.util.spec_from_file_location(
    "faults", Path(__file__).parents[2] / "bench" / "faults.py"
)
faults = importlib.util.module_from_spec(spec)
sys.modules["faults"] = faults
spec.loader.exec_module(faults)


@pytest.fixture(scope="module")
def outcomes():
    return {outcome.seed: outcome for outcome in faults.run_all(range(RUNS))}


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_is_killed_every_document_is_indexed_exactly_once(outcomes, seed):
    assert outcomes[seed].trouble == ""


def test_everything_has_been_killed(outcomes):
    killed = {victim for outcome in outcomes.values() for victim in outcome.kills}
    assert killed == {"worker", "command", "postmaster", "backend", "promotion"}


@pytest.fixture(scope="module")
def quiet():
    """Run without a kill: what is then embedded twice is nobody's fault but ours."""
    with faults.template() as folder, faults.copied(folder, "quiet") as world:
        yield world


def test_without_a_kill_nothing_is_embedded_twice(quiet):
    workers = [quiet.start("worker") for _ in range(2)]
    quiet.run("reindex", "--rebuild", "--embedder", "slow")
    for worker in workers:
        worker.terminate()
        worker.communicate(timeout=faults.PATIENCE)
        assert worker.returncode == 0
    lines = quiet.log.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 2 * faults.DOCUMENTS
