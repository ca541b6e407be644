"""Splitters against the exact spans that answer questions: ours beside LangChain's recursive one.

    python bench/chunking.py DATA [--sizes 100 150 200 250]

DATA holds `corpora/*.md` and `questions.jsonl` as in Smith and Troynikov, "Evaluating Chunking
Strategies for Retrieval" (2024). Needs langchain-text-splitters (`pip install .[community]`). Sizes
and results are in tokens of MiniLM, which embeds the pieces and the questions; nothing but the
splitter differs within a size. Recall: the share of a question's tokens that the retrieved pieces
hold. Precision: the share of the retrieved tokens that are among them. IoU: what both share, of
what either holds. Five pieces are retrieved; as larger ones bring more, rec./1k is that of the
first 1,000 tokens. Bare: headings are not embedded. LangChain's pieces are shorter than its limit
allows, and shorter pieces have the better precision: it is measured once more with the limit that
makes them as long as ours. Intervals are paired bootstraps of 95 % of the difference to ours.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from bot_minilm.embedder import MiniLM
from table import show

from bot.document import Span
from bot.indexing.building import context
from bot.indexing.splitting import split

PIECES = 5
BUDGET = 1000  # tokens
DRAWS = 10_000

Splitter = Callable[[str], list[tuple[int, int, str]]]
"""From a corpus to its pieces: start, end, and what is embedded above the text."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 150, 200, 250])
    options = parser.parse_args()
    bench = Bench.read(options.data)
    rows = []
    for size in options.sizes:
        mine = bench.measure(ours(bench, size))
        peer = bench.measure(langchain(bench, size, 0))
        longer = round(size * mine.tokens / peer.tokens)
        for name, result in {
            f"ours {size}": mine,
            f"ours {size}, bare": bench.measure(ours(bench, size, headings=False)),
            f"LangChain {size}": peer,
            f"LangChain {longer}, as long as ours": bench.measure(langchain(bench, longer, 0)),
            f"LangChain {size}, ½ overlap": bench.measure(langchain(bench, size, size // 2)),
            f"every {size} tokens": bench.measure(fixed(bench, size)),
        }.items():
            means = [f"{mean:.3f}" for mean in result.scores.mean(axis=0)]
            against = [interval(mine.scores[:, i] - result.scores[:, i]) for i in (0, 1, 3)]
            rows.append((name, round(result.tokens), *means, *(against if result != mine else ())))
    columns = (
        "tokens at most", "mean", "recall", "prec.", "IoU", "rec./1k", "recall, ours −",
        "prec., ours −", "rec./1k, ours −",
    )  # fmt: skip
    show(f"{len(bench.questions)} questions", columns, rows)


@dataclass(eq=False)
class Result:
    """How a splitter does.

    Attributes:
        tokens: mean length of a piece.
        scores: for each question recall, precision and IoU of five pieces, and the recall of 1,000
            tokens; shape (questions, 4).
    """

    tokens: float
    scores: np.ndarray


def ours(bench: Bench, size: int, *, headings: bool = True) -> Splitter:
    def cut(text: str) -> list[tuple[int, int, str]]:
        pieces = split(text, "markdown", bench.tokens(text), size)
        return [(p.start, p.end, context("", p.headings) if headings else "") for p in pieces]

    return cut


def langchain(bench: Bench, size: int, overlap: int) -> Splitter:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        separators=["\n\n", "\n", ".", "?", "!", " ", ""],  # as the paper's own comparison has them
        chunk_size=size,
        chunk_overlap=overlap,
        length_function=lru_cache(200_000)(lambda text: len(bench.tokens(text))),
        add_start_index=True,
    )

    def cut(text: str) -> list[tuple[int, int, str]]:
        made = splitter.create_documents([text])
        starts = [each.metadata["start_index"] for each in made]
        return [
            (start, start + len(each.page_content), "")
            for start, each in zip(starts, made, strict=True)
        ]

    return cut


def fixed(bench: Bench, size: int) -> Splitter:
    def cut(text: str) -> list[tuple[int, int, str]]:
        tokens = bench.tokens(text)
        return [
            (tokens[at][0], tokens[min(at + size, len(tokens)) - 1][1], "")
            for at in range(0, len(tokens), size)
        ]

    return cut


@dataclass
class Bench:
    """The corpora one after the other, on one axis of tokens, and the questions.

    Attributes:
        starts: by corpus, where each token begins in its text.
        first: by corpus, the number of its first token.
        vectors: of the questions, shape (questions, dimensions).
        wanted: for each question, the numbers of the tokens that answer it.
    """

    model: MiniLM
    corpora: dict[str, str]
    questions: list[str]
    starts: dict[str, np.ndarray]
    first: dict[str, int]
    vectors: np.ndarray
    wanted: list[np.ndarray]

    @classmethod
    def read(cls, data: Path) -> Bench:
        model = MiniLM(None, Path(tempfile.gettempdir()))
        corpora = {path.stem: path.read_text() for path in sorted(data.glob("corpora/*.md"))}
        lines = (data / "questions.jsonl").read_text().splitlines()
        asked = [json.loads(line) for line in lines]
        starts, first, total = {}, {}, 0
        for name, text in corpora.items():
            spans = model.bot_token_spans(texts=[text])[0]
            starts[name], first[name] = np.array([start for start, _ in spans]), total
            total += len(spans)
        questions = [each["question"] for each in asked]
        vectors = model.bot_embed(texts=questions, purpose="query")
        bench = cls(model, corpora, questions, starts, first, vectors, [])
        bench.wanted = [
            np.concatenate(
                [
                    bench.numbers(each["corpus"], span["start_index"], span["end_index"])
                    for span in each["references"]
                ]
            )
            for each in asked
        ]
        return bench

    def tokens(self, text: str) -> list[Span]:
        return self.model.bot_token_spans(texts=[text])[0]

    def numbers(self, corpus: str, start: int, end: int) -> np.ndarray:
        """The numbers of the tokens that begin in a span of a corpus."""
        a, b = np.searchsorted(self.starts[corpus], (start, end))
        return self.first[corpus] + np.arange(a, b)

    def measure(self, cut: Splitter) -> Result:
        """Split, embed and ask."""
        held: list[np.ndarray] = []
        texts: list[str] = []
        for name, text in self.corpora.items():
            for start, end, above in cut(text):
                held.append(self.numbers(name, start, end))
                texts.append(f"{above}\n{text[start:end]}" if above else text[start:end])
        vectors = self.model.bot_embed(texts=texts, purpose="document")
        order = np.argsort(-(self.vectors @ vectors.T), axis=1)
        scores = [
            [*compared([held[i] for i in best[:PIECES]], wanted),
             compared(list(within(held, best)), wanted)[0]]
            for best, wanted in zip(order, self.wanted, strict=True)
        ]  # fmt: skip
        return Result(float(np.mean([len(each) for each in held])), np.array(scores))


def within(held: Sequence[np.ndarray], best: np.ndarray) -> Iterator[np.ndarray]:
    """The best pieces, until the budget ends."""
    left = BUDGET
    for piece in best:
        yield held[piece][:left]
        left -= len(held[piece])
        if left <= 0:
            return


def compared(got: Sequence[np.ndarray], wanted: np.ndarray) -> tuple[float, float, float]:
    """Recall, precision and IoU of retrieved tokens; one that comes twice counts as two."""
    retrieved = np.concatenate(got)
    wanted = np.unique(wanted)
    hit = len(np.intersect1d(retrieved, wanted))
    union = len(retrieved) + len(wanted) - hit
    return hit / len(wanted), hit / max(1, len(retrieved)), hit / union


def interval(differences: np.ndarray) -> str:
    """Mean of paired differences with its 95 % bootstrap interval."""
    draws = np.random.default_rng(0).choice(differences, (DRAWS, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"{differences.mean():+.3f} ({low:+.3f}…{high:+.3f})"


if __name__ == "__main__":
    main()
