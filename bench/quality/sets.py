"""Public questions with judgements, in folders shaped as BEIR's, and MTRAG's conversations."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.turn import Message

LOOKED_AT = 600  # questions of a set, spread evenly, on which parameters were chosen


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        judged: relevant documents with their grades.
        answers: texts of which one must stand in an answer; or
        free: an answer in free words.
        answerable: MTRAG's judgement: ANSWERABLE, UNANSWERABLE, PARTIAL or UNDERSPECIFIED.
        looked_at: whether it is of those that parameters of answers and refusals were chosen on.
    """

    id: str
    text: str
    judged: dict[str, int]
    answers: tuple[str, ...] = ()
    free: str = ""
    history: tuple[Message, ...] = ()
    answerable: str = ""
    looked_at: bool = True


def corpus(data: Path, name: str) -> Path:
    """Find the documents of a set."""
    own = data / name / "corpus.jsonl"
    return own if own.exists() else data / name / "corpus_pooled.jsonl"


def questions(data: Path, name: str, most: int) -> list[Question]:
    """Read the judged questions of a set, at most so many, spread evenly."""
    folder = data / name
    judged = _judgements(folder)
    pooled = folder / "queries_pooled.jsonl"
    path = pooled if pooled.exists() else folder / "queries.jsonl"
    found = [
        Question(
            id=line["_id"],
            text=line["text"],
            judged=judged[line["_id"]],
            answers=tuple(one["text"] for one in line.get("answers", ()) if one["text"]),
            free=line.get("answer", ""),
            history=_said(line.get("history", ())),
            answerable="".join(line.get("answerability", ())[:1]),
        )
        for line in _lines(path)
        if line["_id"] in judged and line["text"].strip()
    ]
    looked_at = {one.id for one in _spread(found, LOOKED_AT)}
    return [replace(one, looked_at=one.id in looked_at) for one in _spread(found, most)]


def tasks(data: Path, most: int) -> list[Question]:
    """Read MTRAG's tasks: questions in conversations, with and without an answer."""
    found = [
        Question(
            id=line["task_id"],
            text=line["input"][-1]["text"],
            judged={},
            history=_said(line["input"][:-1]),
            answerable=line["answerability"][0],
        )
        for line in _lines(data / "mtrag" / "reference_tasks.jsonl")
    ]
    return _spread(found, most)


def _spread(found: list[Question], most: int) -> list[Question]:
    step = max(1.0, len(found) / most)
    return [found[int(place * step)] for place in range(min(most, len(found)))]


def _said(given: Any) -> tuple[Message, ...]:
    return tuple(
        Message(role="user" if one["speaker"] == "user" else "assistant", text=one["text"])
        for one in given
    )


def _judgements(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for path in [*folder.glob("qrels*.tsv"), *folder.glob("qrels/*.tsv")]:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                if (grade := int(row["score"])) > 0:
                    found.setdefault(row["query-id"], {})[row["corpus-id"]] = grade
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
