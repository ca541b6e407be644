"""Do the quoted sentences hold the answer, and are questions without one refused?

    python bench/answers.py DATA... [--part tuning|held-out] [--threshold T]

Each DATA is a BEIR-shaped folder: `corpus.jsonl` {_id, title, text}, `queries.jsonl` {_id, text,
answers: [{text}] or answer}, `qrels.tsv`; or a folder with `corpus_pooled.jsonl` and
`reference_tasks.jsonl` of multi-turn tasks (MTRAG). A question is asked over the k best passages
of a BM25, and counted when a right passage is among them; then without its right passages; then
over the corpus of the other folder of its pair: the first and the second folder given are a pair,
and so on. Halves are split by the right passage, so that none is in both.

Columns: `hit` is the share of questions whose answer stands in a quote from a right passage (for
free answers: the share of the answer's words in such quotes); `precision` the share of quotes that
hold it (free answers: that are from a right passage); `quotes` the sentences per answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any, TypeAlias

from bot_extractive import ExtractiveSettings
from bot_extractive.selection import select
from bot_extractive.terms import Terms

from bot import EVERYONE, Passage, Turn, followup
from bot.sentences import sentences
from bot.turn import Conversation, Message

TERMS = Terms()
Quoted: TypeAlias = list[tuple[int, str]]  # index of the passage, text


@dataclass(frozen=True)
class Case:
    """One question over some passages; `right` is empty when it has no answer there."""

    group: str
    part: str
    question: str
    queries: tuple[str, ...]
    passages: list[Passage]
    right: frozenset[str] = frozenset()
    answers: tuple[str, ...] = ()
    free: str = ""


class BM25:
    """k1 0.9, b 0.4, as Anserini's default."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self.documents = documents
        self.lengths: list[int] = []
        self.postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for at, document in enumerate(documents):
            counts = Counter(TERMS(f"{document.get('title', '')} {document['text']}"))
            self.lengths.append(counts.total())
            for term, count in counts.items():
                self.postings[term].append((at, count))
        self.average = mean(self.lengths)

    def search(
        self,
        query: str,
        k: int,
        without: frozenset[str] = frozenset(),
        collection: str | None = None,
    ) -> list[Passage]:
        scores: dict[int, float] = defaultdict(float)
        for term in set(TERMS(query)) & self.postings.keys():
            postings = self.postings[term]
            rarity = math.log(1 + (len(self.lengths) - len(postings) + 0.5) / (len(postings) + 0.5))
            for at, count in postings:
                norm = 0.9 * (0.6 + 0.4 * self.lengths[at] / self.average)
                scores[at] += rarity * count * 1.9 / (count + norm)
        found = ((self.documents[at], score) for at, score in sorted(scores.items(), key=_by_score))
        return [
            Passage(
                id=document["_id"],
                text=document["text"],
                title=document.get("title", ""),
                readers=frozenset({EVERYONE}),
                score=score,
            )
            for document, score in found
            if document["_id"] not in without and collection in (None, document.get("collection"))
        ][:k]


def _by_score(found: tuple[int, float]) -> float:
    return -found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--part", choices=["tuning", "held-out"], default="held-out")
    parser.add_argument("--threshold", type=float, default=ExtractiveSettings().threshold)
    parser.add_argument("-k", type=int, default=8)
    options = parser.parse_args()
    cases = [case for case in load(options.data, options.k) if case.part == options.part]
    settings = ExtractiveSettings(threshold=options.threshold)
    ways: dict[str, Callable[[Case], Quoted]] = {
        "extractive": partial(extractive, settings),
        "best overlap": best_overlap,
        "first two": first_two,
    }
    print(f"{options.part} half, {options.k} passages, threshold {settings.threshold}")
    head = f"{'hit':>6}{'precision':>11}{'quotes':>8}{'refused':>9}"
    print(f"{'questions':42}{'n':>4}  {'way':14}{head}")
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[case.group].append(case)
    for name, group in sorted(groups.items()):
        for way, answer in ways.items():
            print(f"{name:42}{len(group):4}  {way:14}{row(group, answer)}", flush=True)
    times = [
        timed(partial(extractive, settings, case)) for case in cases[:: len(cases) // 300 or 1]
    ]
    print(f"one selection: median {median(times):.1f} ms, longest {max(times):.1f} ms")


def row(group: Sequence[Case], answer: Callable[[Case], Quoted]) -> str:
    quoted = [answer(case) for case in group]
    refused = mean(not quotes for quotes in quoted)
    if not group[0].right:
        return f"{'':25}{refused:9.3f}"
    hit = mean(held(case, quotes) for case, quotes in zip(group, quoted, strict=True))
    each = [held(c, [q], single=True) for c, qs in zip(group, quoted, strict=True) for q in qs]
    count = mean(len(quotes) for quotes in quoted if quotes)
    return f"{hit:6.3f}{mean(each):11.3f}{count:8.2f}{refused:9.3f}"


def held(case: Case, quotes: Quoted, *, single: bool = False) -> float:
    """How much of the answer the quotes from right passages hold, 0 to 1."""
    right = [text for at, text in quotes if case.passages[at].id in case.right]
    if case.answers:
        return float(any(answer in text for answer in case.answers for text in right))
    if single:
        return float(bool(right))
    wanted = set(TERMS(case.free))
    return len(wanted & set(TERMS("\n".join(right)))) / (len(wanted) or 1)


def extractive(settings: ExtractiveSettings, case: Case) -> Quoted:
    quotes = select(case.question, case.queries, case.passages, **settings.model_dump())
    return [(quote.marker - 1, quote.unit.text) for quote in quotes]


def best_overlap(case: Case) -> Quoted:
    """The sentence that shares most terms with the question."""
    asked = set(TERMS(case.question))
    every = [
        (at, passage.text[slice(*span)])
        for at, passage in enumerate(case.passages)
        for span in sentences(passage.text)
    ]
    best = max(every, key=lambda one: len(asked & set(TERMS(one[1]))), default=None)
    return [best] if best else []


def first_two(case: Case) -> Quoted:
    """The first two sentences of the first passage."""
    return [(0, p.text[slice(*span)]) for p in case.passages[:1] for span in sentences(p.text)[:2]]


def load(folders: Sequence[Path], k: int) -> Iterator[Case]:
    corpora = {}
    for folder in folders:
        corpus = folder / "corpus.jsonl"
        pooled = folder / "corpus_pooled.jsonl"
        corpora[folder] = BM25(list(lines(corpus if corpus.exists() else pooled)))
    for at, folder in enumerate(folders):
        other = folders[min(at ^ 1, len(folders) - 1)]
        if (folder / "reference_tasks.jsonl").exists():
            yield from conversations(folder, corpora[folder], k)
        else:
            yield from questions(folder, corpora[folder], corpora[other], k)


def questions(folder: Path, corpus: BM25, foreign: BM25, k: int) -> Iterator[Case]:
    right: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        asked, document, _ = line.split("\t")
        right[asked].add(document)
    for query in lines(folder / "queries.jsonl"):
        documents = frozenset(right[query["_id"]])
        case = partial(
            Case, part=half(min(documents)), question=query["text"], queries=(query["text"],)
        )
        passages = corpus.search(query["text"], k)
        if documents & {passage.id for passage in passages}:
            yield case(
                group=folder.name,
                passages=passages,
                right=documents,
                answers=tuple(answer["text"] for answer in query.get("answers", ())),
                free=query.get("answer", ""),
            )
        yield case(
            group=f"{folder.name}, right passage removed",
            passages=corpus.search(query["text"], k, without=documents),
        )
        yield case(
            group=f"{folder.name}, foreign corpus", passages=foreign.search(query["text"], k)
        )


def conversations(folder: Path, corpus: BM25, k: int) -> Iterator[Case]:
    for task in lines(folder / "reference_tasks.jsonl"):
        said = [
            Message(role="user" if m["speaker"] == "user" else "assistant", text=m["text"])
            for m in task["input"]
        ]
        question, history = said[-1].text, tuple(said[:-1])
        turn = Turn(id="", question=question, conversation=Conversation(history=history))
        queries = tuple(followup.queries(turn))
        passages = corpus.search(" ".join(queries), k, collection=task["Collection"])
        case = partial(
            Case,
            part=half(task["conversation_id"]),
            question=question,
            queries=queries,
            passages=passages,
        )
        right = frozenset(context["document_id"] for context in task["contexts"])
        if task["answerability"] == ["UNANSWERABLE"]:
            yield case(group=f"{folder.name}, unanswerable")
        elif task["answerability"] == ["ANSWERABLE"] and right & {p.id for p in passages}:
            yield case(group=folder.name, right=right, free=task["targets"][0]["text"])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def half(name: str) -> str:
    return "tuning" if hashlib.sha256(name.encode()).digest()[0] % 2 else "held-out"


def timed(call: Callable[[], object]) -> float:
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
