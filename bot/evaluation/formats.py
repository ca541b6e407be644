"""Golden questions in files: JSON lines of our own, and folders as BEIR has them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from bot.errors import UsageError
from bot.evaluation.golden import Golden, Origin
from bot.settings import principal
from bot.text import storable
from bot.turn import EVERYONE, Principal

Text = Annotated[str, AfterValidator(storable), AfterValidator(str.strip)]


class Line(BaseModel):
    """One line of a golden set in JSON."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[Text, Field(min_length=1)]
    sources: dict[Text, Annotated[int, Field(ge=1, le=100)]] = {}
    answer: Text = ""
    readers: Annotated[list[Annotated[str, AfterValidator(principal)]], Field(min_length=1)] = [
        EVERYONE
    ]
    origin: Origin = "file"
    reference: Text = ""
    draft: bool = False

    @field_validator("sources", mode="before")
    @classmethod
    def _graded(cls, value: Any) -> Any:
        """A plain list of sources means grade 1 for each."""
        return dict.fromkeys(value, 1) if isinstance(value, list) else value

    def golden(self) -> Golden:
        """Make the question."""
        if not self.sources and not self.answer:
            raise ValueError("has neither sources nor an answer")
        return Golden(**{**dict(self), "readers": frozenset(self.readers)})


def read_jsonl(lines: Iterable[str], readers: frozenset[Principal]) -> Iterator[Golden]:
    """Read a golden set of JSON lines.

    Args:
        readers: of the lines that name none.

    Raises:
        UsageError: a line cannot be used; it is named.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            if isinstance(given, dict):
                given.setdefault("readers", sorted(readers))
            yield Line.model_validate(given).golden()
        except (ValueError, RecursionError) as error:  # pydantic's errors are values' errors too
            raise UsageError(
                f"Line {number} cannot be used: {_reason(error)}. Nothing was imported."
            ) from None


def write_jsonl(golden: Iterable[Golden]) -> Iterator[str]:
    """Write a golden set as JSON lines that `read_jsonl` reads back."""
    for one in golden:
        line = {
            "question": one.question,
            "sources": dict(one.sources),
            "answer": one.answer,
            "readers": sorted(one.readers),
            "origin": one.origin,
            "reference": one.reference,
            "draft": one.draft,
        }
        yield json.dumps(line, ensure_ascii=False) + "\n"


def read_beir(folder: Path, readers: frozenset[Principal]) -> Iterator[Golden]:
    """Read the questions and judgements of a BEIR folder: Thakur et al., "BEIR" (2021).

    `queries.jsonl` holds `_id` and `text`; `qrels/*.tsv` or `qrels*.tsv` hold `query-id`,
    `corpus-id` and `score`. A question that nothing is relevant for is left out.

    Raises:
        UsageError: the folder is none, or a file in it cannot be used.
    """
    judged = _judgements(folder)
    path = folder / "queries.jsonl"
    if not path.is_file() or not judged:
        raise UsageError(
            f"{folder} is no BEIR folder: it needs queries.jsonl, and qrels.tsv or qrels/*.tsv."
        )
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                query = json.loads(line)
                key, question = str(query["_id"]), storable(str(query["text"])).strip()
            except (ValueError, KeyError, TypeError) as error:
                raise UsageError(
                    f"Line {number} of {path} cannot be used: {error!r}. Nothing was imported."
                ) from None
            if question and (sources := judged.get(key)):
                yield Golden(
                    question=question,
                    sources=sources,
                    answer=_answer(query),
                    readers=readers,
                    origin="file",
                    reference=key,
                )


def _judgements(folder: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for path in sorted([*folder.glob("qrels*.tsv"), *folder.glob("qrels/*.tsv")]):
        with path.open(encoding="utf-8", newline="") as lines:
            try:
                for row in csv.DictReader(lines, delimiter="\t"):
                    if (grade := int(row["score"])) > 0:
                        found.setdefault(row["query-id"], {})[row["corpus-id"]] = grade
            except (ValueError, KeyError, TypeError, csv.Error) as error:
                raise UsageError(
                    f"{path} cannot be used ({error!r}); its columns are query-id, corpus-id and "
                    "score. Nothing was imported."
                ) from None
    return found


def _answer(query: dict[str, Any]) -> str:
    answers = query.get("answer") or query.get("answers") or ""
    return storable(str(answers[0] if isinstance(answers, list) else answers)).strip()


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
