"""Workers, commands and PostgreSQL killed at random points of a rebuild; see bench/faults.py."""

import json
import sys
from pathlib import Path

import pytest

RUNS = 20

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import faults  # noqa: E402 - found in the folder above


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


def test_a_document_that_kills_its_workers_is_set_aside():
    """Called again and again, a command that dies at one document ends, and tells which it is."""
    with faults.template() as folder, faults.copied(folder, "deadly") as world:
        documents = {f"n{n}": faults.text_of(n) for n in range(faults.DOCUMENTS)}
        world.write(documents | {"n7": "This text is deadly for whoever embeds it."})
        world.run("reindex")
        codes = []
        while not codes or codes[-1] == 9:
            process = world.start("reindex", "--rebuild", "--embedder", "slow")
            process.communicate(timeout=faults.PATIENCE)
            codes.append(process.returncode)
        assert codes[-1] == 0
        assert 3 <= len(codes) <= 6
        process = world.start("index", "status", "--json")
        status = json.loads(process.communicate(timeout=faults.PATIENCE)[0])
        assert process.returncode == 1
    assert [one["state"] for one in status["versions"]] == ["live", "ready"]
    assert status["versions"][1]["indexed"] == faults.DOCUMENTS - 1
    (refused,) = status["quarantined"]
    assert (refused["document"], refused["version"]) == ("n7", 2)
    assert "have died" in refused["error"]
