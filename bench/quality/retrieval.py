"""Does fusion keep the better ranker's results, and do follow-ups find what they mean?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.quality.measures import fused, ndcg
from bench.quality.sets import Question, questions
from bench.quality.worlds import World, together, world
from bot.evaluation.statistics import Interval, bootstrap
from bot.turn import Message

# Which questions are put to which corpus.
SETS = (
    ("Anthropic docs", "anthropic_docs_qa", "anthropic_docs_qa"),
    ("SciFact (train)", "scifact_beir", "scifact_beir"),
    ("MTRAG, last turn", "mtrag", "mtrag"),
    ("XQuAD en", "xquad_en", "xquad_en"),
    ("XQuAD zh", "xquad_zh", "xquad_zh"),
    ("CMRC trial", "cmrc2018_trial", "cmrc2018_trial"),
    ("XQuAD zh on en texts", "xquad_zh", "xquad_en"),
)
WAYS = ("BM25", "dense", "RRF", "ours")


async def fusion(data: Path, keep: Path, most: int) -> dict[str, dict[str, list[float]]]:
    """Measure nDCG@10 of each way on each set, one number a question."""
    found: dict[str, dict[str, list[float]]] = {}
    for title, asked, on in SETS:
        async with world(data, on, keep) as one:
            values: dict[str, list[float]] = {way: [] for way in WAYS}
            every = questions(data, asked, most)
            for question, rankings in zip(
                every, await together(partial(_all_ways, one), every), strict=True
            ):
                for way, ids in zip(WAYS, rankings, strict=True):
                    values[way].append(ndcg(ids, question.judged))
        found[title] = values
        print(f"  {title}: {len(values['ours'])} questions", flush=True)
    return found


async def _all_ways(one: World, question: Question) -> Sequence[Sequence[str]]:
    terms, vectors = [await one.ranked(question, mode) for mode in ("lexical", "vector")]
    return terms, vectors, fused(terms, vectors), await one.ranked(question, "default", k=10)


def fusion_rows(found: Mapping[str, Mapping[str, Sequence[float]]]) -> list[list[object]]:
    """Make the table: means, and ours against the better single ranker and against plain RRF."""
    rows: list[list[object]] = []
    for title, values in found.items():
        better = max(("BM25", "dense"), key=lambda way: sum(values[way]))
        rows.append(
            [
                title,
                len(values["ours"]),
                *(bootstrap(values[way]) for way in WAYS),
                f"{difference(values['ours'], values[better]):+}",
                f"{difference(values['ours'], values['RRF']):+}",
            ]
        )
    means = [sum(bootstrap(values[way]).mean for values in found.values()) for way in WAYS]
    mean = [f"{total / len(found):.3f}" for total in means]
    rows.append(["mean", "", *mean, "", f"{(means[3] - means[2]) / len(found):+.3f}"])
    return rows


async def followups(data: Path, keep: Path, most: int) -> dict[str, list[float]]:
    """Measure MTRAG's last turns alone, with all turns joined, and with their history."""
    ways: dict[str, list[float]] = {"last turn": [], "turns joined": [], "history": []}
    async with world(data, "mtrag", keep) as one:
        for question in questions(data, "mtrag", most):
            said = [message.text for message in question.history if message.role == "user"]
            ranked = (
                await one.ranked(question, "default", k=10),
                await one.ranked(question, "default", k=10, text=" ".join([*said, question.text])),
                await one.ranked(question, "default", k=10, history=True),
            )
            for way, ids in zip(ways, ranked, strict=True):
                ways[way].append(ndcg(ids, question.judged))
    return ways


async def changes_of_subject(data: Path, keep: Path, most: int) -> dict[str, list[float]]:
    """Ask XQuAD's questions alone, and after a question about another article."""
    ways: dict[str, list[float]] = {"alone": [], "after another subject": []}
    async with world(data, "xquad_en", keep) as one:
        asked = questions(data, "xquad_en", most)
        for place, question in enumerate(asked):
            other = asked[(place + len(asked) // 2) % len(asked)]
            for way, ids in (
                ("alone", await one.ranked(question, "default", k=10)),
                ("after another subject", await _after(one, question, other)),
            ):
                ways[way].append(ndcg(ids, question.judged))
    return ways


async def _after(one: World, question: Question, other: Question) -> list[str]:
    said = (Message(role="user", text=other.text), Message(role="assistant", text=other.answers[0]))
    found, _ = await one.bot.search(question.text, k=10, history=said)
    return [passage.id for passage in found]


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Compare question by question."""
    return bootstrap([a - b for a, b in zip(ours, theirs, strict=True)])
