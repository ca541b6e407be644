"""How well the checker of citations tells supported claims from planted errors.

    python bench/support.py DATA/mtrag DATA/xquad_en

MTRAG: sentences of reference answers with the passages that they were written from. XQuAD:
sentences of the texts that hold an answer, shortened to a claim. Each is changed in four ways: a
number, a name, a negation, and a passage of another question. Thresholds were chosen on the half of
the claims whose hash is even; the table is of the other half.
"""

from __future__ import annotations

import json
import random
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from table import show

from bot.sentences import sentences
from bot.support import Source, doubt

_VERB = re.compile(r"\b(is|are|was|were|can|will|has|have|does|do|should|must|may)\b(?! not|n't)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
_NUMBER = re.compile(r"\d+")
Pair = tuple[str, list[str]]


def mtrag(folder: Path) -> Iterator[Pair]:
    for line in (folder / "reference_tasks.jsonl").open(encoding="utf-8"):
        task = json.loads(line)
        texts = [context["text"] for context in task["contexts"]]
        kind = task["answerability"]
        if not texts or "ANSWERABLE" not in kind:
            continue
        answer = task["targets"][0]["text"]
        for start, end in sentences(answer):
            if end - start > 40:
                yield answer[start:end], texts


def xquad(folder: Path) -> Iterator[Pair]:
    corpus = {row["_id"]: row["text"] for row in map(json.loads, (folder / "corpus.jsonl").open())}
    relevant = dict(
        line.split("\t")[:2] for line in (folder / "qrels.tsv").read_text().splitlines()
    )
    for row in map(json.loads, (folder / "queries.jsonl").open()):
        text = corpus.get(relevant.get(row["_id"], ""), "")
        answer = row["answers"][0]["text"]
        for start, end in sentences(text):
            sentence = text[start:end]
            if answer in sentence:
                # Not word for word: what stands in brackets and the first clause are left out.
                claim = re.sub(r" \([^)]*\)", "", sentence)
                yield re.sub(r"^[A-Z][^,]{3,40}, (\w)", lambda m: m[1].upper(), claim), [text]
                break


def planted(pairs: list[Pair], chance: random.Random) -> Iterator[tuple[str, str, list[str]]]:
    """Yield kind, claim and passages; the kind of a supported claim is empty."""
    names = [name for claim, _ in pairs for name in _NAME.findall(claim)]
    for number, (claim, texts) in enumerate(pairs):
        yield "", claim, texts
        whole = " ".join(texts)
        if found := _NUMBER.findall(claim):
            old = chance.choice(found)
            new = str(int(old) + chance.choice([1, 2, 10]))
            if new not in whole:
                yield "number", claim.replace(old, new), texts
        if found := _NAME.findall(claim):
            other = chance.choice(names)
            if other not in whole:
                yield "name", claim.replace(chance.choice(found), other), texts
        if _VERB.search(claim):
            yield "negation", _VERB.sub(r"\1 not", claim, count=1), texts
        yield "passage", claim, pairs[(number + len(pairs) // 2) % len(pairs)][1]


def measure(name: str, pairs: list[Pair]) -> list[object]:
    held = dict.fromkeys((c, tuple(t)) for c, t in pairs)
    odd = [(c, list(t)) for c, t in held if zlib.crc32(c.encode()) % 2]
    counts: dict[str, list[int]] = {}
    for kind, claim, texts in planted(odd, random.Random(0)):
        count = counts.setdefault(kind, [0, 0])
        count[0] += bool(doubt(claim, [Source(text) for text in texts]))
        count[1] += 1
    false, supported = counts.pop("")
    caught = sum(count[0] for count in counts.values())
    errors = sum(count[1] for count in counts.values())
    # With one error for each supported claim, whatever the number of kinds.
    rate = caught / errors
    kinds = [
        f"{counts[k][0] / counts[k][1]:.3f}" for k in ("number", "name", "negation", "passage")
    ]
    return [name, supported, errors, f"{rate / (rate + false / supported):.3f}", f"{rate:.3f}",
            *kinds, f"{false / supported:.3f}"]  # fmt: skip


def main() -> None:
    rows = []
    for folder in map(Path, sys.argv[1:]):
        read = mtrag if (folder / "reference_tasks.jsonl").is_file() else xquad
        rows.append(measure(folder.name, list(read(folder))))
    head = ["claims", "supported", "planted", "precision", "recall",
            "number", "name", "negation", "passage", "false alarms"]  # fmt: skip
    show("Citations, checked", head, rows)


if __name__ == "__main__":
    main()
