"""Embedding against sentence-transformers' defaults, both on the processor, in one run.

    python bench/embedding.py FOLDER --peer-python PYTHON

FOLDER holds a `corpus.jsonl` of `title` and `text` (BEIR's shape). PYTHON has sentence-transformers
and torch in an environment of its own; without it our side is measured alone. Both sides take turns
in processes of their own, with the same weights and texts; the table shows medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

QUESTION = "How do I reset my password?"
WORDS = {"short": 22, "chunk": 140}  # about 30 and 200 tokens


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="folder with a corpus.jsonl")
    parser.add_argument("--peer-python", help="a python that has sentence-transformers")
    parser.add_argument("--texts", type=int, default=192, help="of chunk length; of short ones ×4")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", choices=WORKERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.folder)
    else:
        compare(arguments.folder, arguments.peer_python, arguments.texts, arguments.rounds)


def compare(folder: Path, peer_python: str | None, count: int, rounds: int) -> None:
    """Let both sides take turns, and print the table."""
    pythons = {"ours": sys.executable} | ({"peer": peer_python} if peer_python else {})
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        shared = Path(name)
        (shared / "texts.json").write_text(json.dumps(texts(folder, count)))
        (shared / "model").write_text(str(_model()))
        run(sys.executable, "ours", shared)  # hashes the weights, once a home
        for _ in range(rounds):
            for side, python in pythons.items():
                for measure, value in run(python, side, shared).items():
                    found[side, measure].append(value)
        report({key: statistics.median(values) for key, values in found.items()})
        print(f"texts: {count * 4} short, {count} chunk; {rounds} rounds; precision: {precision()}")
        if peer_python:
            print(f"least cosine to the float32 reference: {least_cosine(shared):.6f}")


def texts(folder: Path, count: int) -> dict[str, list[str]]:
    """Cut the corpus to texts of two lengths."""
    with (folder / "corpus.jsonl").open() as lines:
        records = [json.loads(line) for line in lines]
    words = [f"{record.get('title', '')} {record['text']}".split() for record in records]
    cut = {
        length: [" ".join(each[:size]) for each in words if len(each) >= size]
        for length, size in WORDS.items()
    }
    return {"short": cut["short"][: count * 4], "chunk": cut["chunk"][:count]}


def run(python: str, side: str, shared: Path) -> dict[str, float]:
    """Run one side in a new process; seconds to the first vector, then texts a second."""
    command = [python, __file__, str(shared), "--worker", side]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.perf_counter() - started
        measured: dict[str, float] = json.loads(process.stdout.read() or "{}")
    if process.returncode:
        raise SystemExit(f"{side} failed, see above")
    return {"cold first vector, s": first, **measured}


def work(side: str, shared: Path) -> None:
    """Embed one question, say so, then embed in bulk."""
    embed = WORKERS[side](shared)
    embed([QUESTION])
    print("first", flush=True)
    measured = {"memory after it, MB": _resident()}
    import numpy as np

    for length, some in json.loads((shared / "texts.json").read_text()).items():
        embed(some[:32])  # both sides prepare something for new lengths
        started = time.perf_counter()
        vectors = embed(some)
        measured[f"{length} texts/s"] = len(some) / (time.perf_counter() - started)
        np.save(shared / f"{side}-{length}.npy", vectors)
    print(json.dumps(measured))


def _ours(shared: Path) -> Callable[[Sequence[str]], Any]:
    from bot_minilm.embedder import MiniLM

    embedder = MiniLM(None, shared / "home")
    return lambda some: embedder.bot_embed(some, "document")


def _peer(shared: Path) -> Callable[[Sequence[str]], Any]:
    from sentence_transformers import (  # type: ignore[import-not-found,unused-ignore]
        SentenceTransformer,
    )

    model = SentenceTransformer((shared / "model").read_text(), device="cpu")
    return lambda some: model.encode(list(some))


WORKERS = {"ours": _ours, "peer": _peer}


def _model() -> Path:
    from bot_minilm.weights import installed

    if (folder := installed()) is None:
        raise SystemExit("The weights are not installed; run `make setup`.")
    return folder


def precision() -> str:
    from bot_minilm.graph import precision

    return precision()


def _resident() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def least_cosine(shared: Path) -> float:
    import numpy as np

    pairs = [[np.load(shared / f"{side}-{length}.npy") for side in WORKERS] for length in WORDS]
    return min(float((ours * peer).sum(axis=1).min()) for ours, peer in pairs)


def report(found: dict[tuple[str, str], float]) -> None:
    """Print a Markdown table; a ratio above 1 says that ours is better."""
    print("| | ours | sentence-transformers | ratio |\n|---|---|---|---|")
    for measure in dict.fromkeys(measure for _, measure in found):
        ours, peer = found["ours", measure], found.get(("peer", measure))
        row = [measure, f"{ours:.2f}"]
        if peer is None:
            row += ["–", "–"]
        else:
            ratio = ours / peer if measure.endswith("/s") else peer / ours
            row += [f"{peer:.2f}", f"{ratio:.1f}×"]
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
