"""Choose the parameters of answers, refusals and curated answers again.

    python -m bench.calibrate answers|refusal|curated DATA [--questions 150] [--keep FOLDER]

DATA as for `python -m bench.quality`. `answers` changes each weight of the default generator alone,
by half and by twice, and shows what it makes of the questions of XQuAD, English and Chinese, and of
CMRC that parameters may be chosen on. `refusal` shows recall and false refusals at each threshold,
on such questions of four sets. `curated` counts, with the thresholds of `bot.similarity`, which
written paraphrases are found and how many of XQuAD's questions are taken for another one. What is
chosen here is shown on other questions by `python -m bench.quality`.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from bot_extractive import ranking, selection, trimming
from numpy.typing import NDArray

from bench.quality import answering
from bench.quality.measures import held, words
from bench.quality.sets import Question, questions
from bench.quality.worlds import DEFAULTS, World, world
from bench.table import show
from bot import Passage
from bot.document import IndexVersion
from bot.indexing import versions
from bot.similarity import same

PAIRS = Path(__file__).parent / "data" / "paraphrases.tsv"
EVERY = 10_000  # questions; no set has more
WEIGHTS: Sequence[tuple[ModuleType, str]] = (
    *((ranking, name) for name in ("_BEFORE", "_AFTER", "_HEADING", "_ABOVE_WIDE", "_BEFORE_WIDE",
                                   "_EARLIER_WIDE", "_AFTER_WIDE", "_KIND", "_KIND_WIDE", "_SAYS",
                                   "_RANK", "_CARRIED", "_NAMES", "_WORD_WIDE", "_WEAK", "_ALONE")),
    *((selection, name) for name in ("_NEAR", "_SHARP", "_SHARP_WIDE", "_LIKELY", "_WORTH",
                                     "_WORTH_OPEN", "_WORTH_WIDE", "_WORTH_WIDE_OPEN",
                                     "_PRICE_WIDE")),
    *((trimming, name) for name in ("LONG", "LONG_WIDE", "SHORT", "LEAST", "SHARE_WIDE", "WIDE")),
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A question with the passages that the product finds for it."""

    question: Question
    passages: Sequence[Passage]


class Vectors:
    """Embeds each text once."""

    def __init__(self, one: World, version: IndexVersion) -> None:
        self._embed = one.bot._components.embed
        self._version = version
        self._known: dict[tuple[str, str], NDArray[np.float32]] = {}

    async def of(self, texts: Sequence[str], purpose: str) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if (purpose, text) not in self._known]
        for text, vector in zip(new, await self._embed(new, purpose, self._version), strict=True):
            self._known[purpose, text] = vector
        return np.stack([self._known[purpose, text] for text in texts])


async def answers(data: Path, keep: Path, most: int) -> None:
    """Change each weight alone."""
    for name in ("xquad_en", "xquad_zh", "cmrc2018_trial"):
        await weights(data, name, keep, most)


async def weights(data: Path, name: str, keep: Path, most: int) -> None:
    async with world(data, name, keep) as one:
        asked = to_choose_on(data, name, most)
        cases = [Case(each, (await one.answered(each)).passages) for each in asked]
        live = await versions.live(one.bot.database)
        assert live is not None
        vectors = Vectors(one, live)
        rows = [["as it is", "", *await quoted(cases, vectors)]]
        for module, weight in WEIGHTS:
            chosen = getattr(module, weight)
            for value in (chosen / 2, chosen * 2):
                setattr(module, weight, value)
                rows.append([weight.strip("_").lower(), value, *await quoted(cases, vectors)])
            setattr(module, weight, chosen)
    show(f"{name}, {len(cases)} questions to choose on", ["weight", "value", "holds the answer",
         "words"], rows)  # fmt: skip


def to_choose_on(data: Path, name: str, most: int) -> list[Question]:
    """Return questions of a set on which parameters may be chosen, spread evenly."""
    found = [each for each in questions(data, name, EVERY) if each.looked_at]
    return found[:: max(1, len(found) // most)][:most]


async def quoted(cases: Sequence[Case], vectors: Vectors) -> list[float]:
    """Return how often quotes hold the answer, refusing nothing, and their mean length."""
    hits, lengths = [], []
    for case in cases:
        text = case.question.text
        ranked = ranking.rank(text, [text], case.passages)
        units = [candidate.unit.text for candidate in ranked.best[: selection.COMPARED]]
        if not units:
            hits.append(0.0)
            continue
        cosines: list[float] | None = None
        if selection.trust(text, case.passages) >= selection.BLIND:
            asked = (await vectors.of([text], "query"))[0]
            cosines = (await vectors.of(units, "document") @ asked).tolist()
        quotes = selection.choose(text, ranked, case.passages, cosines,
                                  max_sentences=DEFAULTS.max_sentences, threshold=0)  # fmt: skip
        said = "\n".join(quote.unit.text for quote in quotes)
        hits.append(held(said, case.question))
        lengths.append(words(said))
    return [float(np.mean(hits)), float(np.mean(lengths))]


async def refusal(data: Path, keep: Path, most: int) -> None:
    """Show recall and false refusals by threshold."""
    sure: dict[str, list[list[float]]] = {}
    for title, name, on in answering.FOREIGN:
        asked = to_choose_on(data, name, most)
        sure[title] = []
        for corpus in (on, name):
            async with world(data, corpus, keep) as one:
                sure[title].append([(await one.answered(each)).confidence for each in asked])
    rows = [
        [
            f"{cut:.2f}",
            *(f"{share(wrong, cut):.2f} / {share(own, cut):.2f}" for wrong, own in sure.values()),
        ]
        for cut in np.arange(0.2, 0.61, 0.04)
    ]
    show("Refused on the wrong corpus / on the right one", ["threshold", *sure], rows)


def share(confidences: Sequence[float], cut: float) -> float:
    return float(np.mean(np.asarray(confidences) < cut))


async def curated(data: Path, keep: Path, most: int) -> None:
    """Count which paraphrases are found, and which questions are taken for another."""
    with PAIRS.open(encoding="utf-8") as lines:
        pairs = list(csv.DictReader(lines, delimiter="\t"))
    rows: list[list[object]] = []
    async with world(data, "xquad_en", keep) as one:
        live = await versions.live(one.bot.database)
        assert live is not None
        vectors = Vectors(one, live)
        for kind, title in (("1", "written pairs that mean the same"), ("0", "... that differ")):
            found = 0
            chosen = [pair for pair in pairs if pair["same"] == kind]
            for pair in chosen:
                a, b = await vectors.of([pair["question"], pair["other"]], "query")
                found += same(pair["other"], pair["question"], float(a @ b))
            rows.append([title, len(chosen), found])
        for name in ("xquad_en", "xquad_zh"):
            texts = [each.text for each in questions(data, name, most)]
            taken = await mistaken(texts, vectors)
            rows.append([f"{name}, each beside all others", len(texts), taken])
    show("Curated answers", ["questions", "asked", "matched"], rows)


async def mistaken(texts: Sequence[str], vectors: Vectors) -> int:
    """Count the questions that match another one; true doubles are not counted."""
    every = await vectors.of(texts, "query")
    cosines = every @ every.T
    bare = ["".join(filter(str.isalnum, text.lower())) for text in texts]
    return sum(
        any(
            bare[other] != bare[place] and same(text, texts[other], float(cosines[place, other]))
            for other in np.argsort(-cosines[place])[:30]
            if other != place
        )
        for place, text in enumerate(texts)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["answers", "refusal", "curated"])
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=int, default=150, help="at most so many a set")
    parser.add_argument("--keep", type=Path, help="keep the indexes here for the next run")
    options = parser.parse_args()
    run = {"answers": answers, "refusal": refusal, "curated": curated}[options.what]
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        keep = options.keep or Path(home)
        keep.mkdir(parents=True, exist_ok=True)
        keep.chmod(0o755)  # as root the server runs as another user
        asyncio.run(run(options.data, keep, options.questions))


if __name__ == "__main__":
    main()
