"""Do the quotes hold the answer, in how many words, and is what has none refused?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from bench.quality.measures import BestSentence, held, words
from bench.quality.retrieval import difference
from bench.quality.sets import Question, corpus, questions, tasks
from bench.quality.worlds import DEFAULTS, together, world
from bot.evaluation.statistics import Interval, bootstrap
from bot.turn import Message

SETS = (
    ("XQuAD en", "xquad_en"),
    ("XQuAD zh", "xquad_zh"),
    ("CMRC trial", "cmrc2018_trial"),
    ("Anthropic docs", "anthropic_docs_qa"),
)
# Questions put to a corpus that has nothing about them.
FOREIGN = (
    ("XQuAD en", "xquad_en", "anthropic_docs_qa"),
    ("Anthropic docs", "anthropic_docs_qa", "xquad_en"),
    ("XQuAD zh", "xquad_zh", "cmrc2018_trial"),
    ("CMRC trial", "cmrc2018_trial", "xquad_zh"),
)


@dataclass(frozen=True)
class Sure:
    """How sure an answer on the wrong corpus was, and whether the question was looked at."""

    confidence: float
    looked_at: bool


@dataclass
class Quality:
    """One number a question: does ours, and does the best sentence, hold the answer; words."""

    ours: list[float]
    theirs: list[float]
    our_words: list[float]
    their_words: list[float]
    confidence: list[float]
    looked_at: list[bool]

    def part(self, looked_at: bool) -> Quality:
        """Return the questions that were looked at, or the others."""
        kept = [place for place, one in enumerate(self.looked_at) if one == looked_at]
        return Quality(*([values[place] for place in kept] for values in self._columns))

    @property
    def _columns(self) -> Sequence[list[Any]]:
        return [getattr(self, each.name) for each in fields(self)]

    @property
    def refused(self) -> list[float]:
        """1 for each question that was refused."""
        return [float(one < DEFAULTS.threshold) for one in self.confidence]

    @property
    def mean_words(self) -> float:
        """Words of an answer that is no refusal."""
        pairs = zip(self.our_words, self.refused, strict=True)
        said = [count for count, refused in pairs if not refused]
        return sum(said) / max(len(said), 1)


async def answers(data: Path, keep: Path, most: int) -> dict[str, Quality]:
    """Ask each set's questions about its own corpus."""
    found = {}
    for title, name in SETS:
        with corpus(data, name).open(encoding="utf-8") as lines:
            baseline = BestSentence([json.loads(line)["text"] for line in lines])
        asked = questions(data, name, most)
        one = Quality([], [], [], [], [], [])
        async with world(data, name, keep) as at:
            answers = await together(at.answered, asked)
        for question, said in zip(asked, answers, strict=True):
            text = "\n".join(said.quotes)
            best = baseline.of(question.text, [passage.text for passage in said.passages])
            one.ours.append(held(text, question))
            one.theirs.append(held(best, question))
            one.our_words.append(words(text))
            one.their_words.append(words(best))
            one.confidence.append(said.confidence)
            one.looked_at.append(question.looked_at)
        found[title] = one
        print(f"  {title}: {len(one.ours)} questions", flush=True)
    return found


def answer_rows(found: Mapping[str, Quality]) -> list[list[object]]:
    """Make the table; a refusal holds no answer and has no words."""
    rows: list[list[object]] = []
    for title, one in found.items():
        rows.append(
            [
                title,
                len(one.ours),
                bootstrap(one.ours),
                f"{one.mean_words:.1f}",
                bootstrap(one.theirs),
                f"{sum(one.their_words) / len(one.theirs):.1f}",
                f"{difference(one.ours, one.theirs):+}",
                f"{sum(one.refused) / len(one.ours):.3f}",
                f"{difference(*_of_answered(one)):+}",
            ]
        )
    return rows


def looked_at_rows(
    found: Mapping[str, Quality], wrong: Mapping[str, Sequence[Sure]]
) -> list[list[object]]:
    """Tell the questions that parameters were chosen on from the others."""
    rows: list[list[object]] = []
    for title, whole in found.items():
        for looked_at, name in ((True, "chosen on"), (False, "the others")):
            one = whole.part(looked_at)
            if not one.ours:
                continue
            recall = _refused([sure for sure in wrong[title] if sure.looked_at == looked_at])
            rows.append(
                [
                    f"{title}, {name}",
                    len(one.ours),
                    f"{difference(one.ours, one.theirs):+}",
                    f"{one.mean_words:.1f} / {sum(one.their_words) / len(one.theirs):.1f}",
                    f"{sum(one.refused) / len(one.ours):.3f}",
                    bootstrap(recall) if recall else "",
                ]
            )
    return rows


def _of_answered(one: Quality) -> tuple[list[float], list[float]]:
    kept = [place for place, refused in enumerate(one.refused) if not refused]
    return [one.ours[place] for place in kept], [one.theirs[place] for place in kept]


async def foreign(data: Path, keep: Path, most: int) -> dict[str, list[Sure]]:
    """Put questions to a corpus that has nothing about them; return how sure each answer was."""
    found = {}
    for title, name, on in FOREIGN:
        asked = questions(data, name, most)
        async with world(data, on, keep) as at:
            answers = await together(at.answered, asked)
        found[title] = [
            Sure(said.confidence, question.looked_at)
            for question, said in zip(asked, answers, strict=True)
        ]
        print(f"  {title} on another corpus: {len(found[title])} questions", flush=True)
    return found


def refusal_rows(
    own: Mapping[str, Quality], wrong: Mapping[str, Sequence[Sure]]
) -> list[list[object]]:
    """Make the table; the precision is that of as many right questions as wrong ones."""
    rows: list[list[object]] = []
    for title, confidences in wrong.items():
        recall = _refused(confidences)
        false = own[title].refused
        rows.append([title, len(recall), len(false), bootstrap(recall), _precision(recall, false)])
    every = [one for confidences in wrong.values() for one in _refused(confidences)]
    false = [one for title in wrong for one in own[title].refused]
    return [*rows, ["all", len(every), len(false), bootstrap(every), _precision(every, false)]]


def _refused(answers: Sequence[Sure]) -> list[float]:
    return [float(one.confidence < DEFAULTS.threshold) for one in answers]


def _precision(recall: Sequence[float], false: Sequence[float]) -> Interval:
    """Resample both samples, as the precision is a quotient of their means."""
    import numpy as np

    drawn = np.random.default_rng(1)
    hits, misses = (
        np.asarray(one)[drawn.integers(0, len(one), (2000, len(one)))].mean(1)
        for one in (recall, false)
    )
    low, high = np.quantile(hits / np.maximum(hits + misses, 1e-9), [0.025, 0.975])
    hit, miss = sum(recall) / len(recall), sum(false) / len(false)
    return Interval(hit / max(hit + miss, 1e-9), float(low), float(high))


async def unanswerable(data: Path, keep: Path, most: int) -> dict[str, list[float]]:
    """Ask MTRAG's tasks; return how sure each answer was, by whether there is one."""
    found: dict[str, list[float]] = {}
    async with world(data, "mtrag", keep) as at:
        asked = tasks(data, most)
        for task, said in zip(asked, await together(at.answered, asked), strict=True):
            found.setdefault(task.answerable, []).append(said.confidence)
    return found


async def off_topic_after_topic(data: Path, keep: Path, most: int) -> dict[str, list[float]]:
    """Ask about something else after a question about the documents; 1 for each refusal."""
    ways: dict[str, list[float]] = {"alone": [], "after a question on the documents": []}
    topics = questions(data, "anthropic_docs_qa", most)
    async with world(data, "anthropic_docs_qa", keep) as at:
        asked = questions(data, "xquad_en", most)
        after = [_following(one, topics[place % len(topics)]) for place, one in enumerate(asked)]
        for way, each in zip(ways, (asked, after), strict=True):
            for said in await together(at.answered, each):
                ways[way].append(float(said.confidence < DEFAULTS.threshold))
    return ways


def _following(question: Question, topic: Question) -> Question:
    said = (Message(role="user", text=topic.text), Message(role="assistant", text=topic.free))
    return replace(question, history=said)
