"""Workers, commands and PostgreSQL killed at random points of a rebuild; see bench/faults.py."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

RUNS = 20
AT_ONCE = 2  # most of a run waits for signs of life that do not come

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import faults  # noqa: E402 - found in the folder above


@pytest.fixture(scope="module")
def folder():
    with faults.template() as folder:
        yield folder


def test_without_a_kill_nothing_is_embedded_twice(folder):
    """What is then embedded twice is nobody's fault but ours."""
    with faults.copied(folder, "quiet") as world:
        workers = [world.start("worker") for _ in range(2)]
        world.run("reindex", "--rebuild", "--embedder", "slow")
        for worker in workers:
            worker.terminate()
            worker.communicate(timeout=faults.PATIENCE)
            assert worker.returncode == 0
        lines = world.log.read_text().splitlines()
        assert len(lines) == len(set(lines)) == 2 * faults.DOCUMENTS


@pytest.fixture(scope="module")
def begun(folder):
    """What is killed, several at once: the deadly document's world, and one a seed."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        deadly = pool.submit(embed_what_is_deadly, folder)
        yield deadly, [pool.submit(faults.run, folder, seed) for seed in range(RUNS)]


@pytest.mark.parametrize("seed", range(RUNS))
def test_whatever_is_killed_every_document_is_indexed_exactly_once(begun, seed):
    _, outcomes = begun
    assert outcomes[seed].result().trouble == ""


def test_everything_has_been_killed(begun):
    _, outcomes = begun
    killed = {victim for outcome in outcomes for victim in outcome.result().kills}
    assert killed == {"worker", "command", "postmaster", "backend", "promotion"}


def test_a_document_that_kills_its_workers_is_set_aside(begun):
    """Called again and again, a command that dies at one document ends, and tells which it is."""
    deadly, _ = begun
    codes, told, status = deadly.result()
    assert codes[-1] == 0
    assert 3 <= len(codes) <= 6
    assert told == 1
    assert [one["state"] for one in status["versions"]] == ["live", "ready"]
    assert status["versions"][1]["indexed"] == faults.DOCUMENTS - 1
    (refused,) = status["quarantined"]
    assert (refused["document"], refused["version"]) == ("n7", 2)
    assert "have died" in refused["error"]


def embed_what_is_deadly(folder):
    """Rebuild until it ends: the exit codes, and that of `bot index status` with what it says."""
    with faults.copied(folder, "deadly") as world:
        documents = {f"n{n}": faults.text_of(n) for n in range(faults.DOCUMENTS)}
        world.write(documents | {"n7": "This text is deadly for whoever embeds it."})
        world.run("reindex")
        codes = []
        while not codes or codes[-1] == 9:
            process = world.start("reindex", "--rebuild", "--embedder", "slow")
            process.communicate(timeout=faults.PATIENCE)
            codes.append(process.returncode)
        process = world.start("index", "status", "--json")
        status = json.loads(process.communicate(timeout=faults.PATIENCE)[0])
        return codes, process.returncode, status
