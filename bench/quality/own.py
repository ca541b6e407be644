"""Questions of newcomers on the project's own documentation: which are answered rightly?

    python -m bench.quality.own [--docs docs]

`bench/data/own_docs.jsonl` has them, a line each: `question`, the `pages` that answer it (paths in
the folder of documents), and `holds`, texts of which an answer must have one. Without pages it has
no answer there. An answer is right when it holds one of the texts and cites one of the pages. The
half of the questions whose hash is odd is what parameters may be chosen on.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.quality.measures import BestSentence, words
from bench.quality.retrieval import difference
from bench.table import show
from bot import Bot, Failed, Finished, Passage, Status
from bot.evaluation.statistics import bootstrap
from bot.turn import Outcome

QUESTIONS = Path(__file__).parents[1] / "data" / "own_docs.jsonl"
DOCS = Path(__file__).parents[2] / "docs"
COLUMNS = (
    "questions", "n", "in the passages", "ours", "words", "best BM25 sentence", "words",
    "difference", "refused",
)  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """A question, the pages that answer it, and what an answer must hold."""

    question: str
    pages: Sequence[str]
    holds: Sequence[str]

    @property
    def tuning(self) -> bool:
        """Whether it is of the half on which parameters may be chosen."""
        return bool(hashlib.sha256(self.question.encode()).digest()[0] % 2)

    def held(self, text: str) -> bool:
        """Whether a text has what answers it; white space does not count."""
        bare = _bare(text)
        return any(_bare(one) in bare for one in self.holds)

    def told(self, uri: str) -> bool:
        """Whether an address is of one of its pages."""
        return uri.endswith(tuple(f"/{page}" for page in self.pages))


@dataclass(frozen=True)
class Asked:
    """What came of a question; `text` is empty for a refusal."""

    expected: Expected
    text: str
    right: bool
    findable: bool
    baseline: str


def read(path: Path = QUESTIONS) -> list[Expected]:
    """Read the questions."""
    with path.open(encoding="utf-8") as lines:
        return [Expected(**json.loads(line)) for line in lines]


async def ask(docs: Path, home: Path, questions: Sequence[Expected]) -> list[Asked]:
    """Index a folder with the product's defaults, and ask.

    Args:
        home: an empty folder for the bot.
    """
    config, baseline = _prepared(docs, home)
    async with Bot.from_config(config, environ={"BOT_HOME": str(home / "home")}) as bot:
        await bot.sync()
        return [await _asked(bot, expected, baseline) for expected in questions]


async def fresh(docs: Path) -> list[Asked]:
    """Ask all questions of a new bot, whose home is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp") as home:
        os.chmod(home, 0o755)  # as root the server runs as another user
        return await ask(docs, Path(home), read())


def _prepared(docs: Path, home: Path) -> tuple[Path, BestSentence]:
    config = home / "bot.toml"
    path = json.dumps(str(docs.resolve()))
    config.write_text(f'[sources.docs]\ntype = "folder"\npath = {path}\n', encoding="utf-8")
    pages = docs.rglob("*.md")
    return config, BestSentence([page.read_text(encoding="utf-8") for page in pages])


async def _asked(bot: Bot, expected: Expected, baseline: BestSentence) -> Asked:
    passages: Sequence[Passage] = ()
    async for event in bot.reply(expected.question):
        if isinstance(event, Status) and event.passages:
            passages = event.passages
        elif isinstance(event, Finished | Failed):
            answer = event.answer
    answered = answer.outcome is Outcome.answered
    cited = any(expected.told(one.uri) for one in answer.citations)
    return Asked(
        expected,
        answer.text if answered else "",
        answered and cited and expected.held(answer.text),
        any(expected.told(one.uri) and expected.held(one.text) for one in passages),
        baseline.of(expected.question, [one.text for one in passages]),
    )


def rows(asked: Sequence[Asked]) -> list[list[object]]:
    """Make the table."""
    answerable = [one for one in asked if one.expected.pages]
    return [
        _row("to choose on", [one for one in answerable if one.expected.tuning]),
        _row("to show on", [one for one in answerable if not one.expected.tuning]),
        _row("all", answerable),
        _row("without an answer", [one for one in asked if not one.expected.pages]),
    ]


def _row(title: str, asked: Sequence[Asked]) -> list[object]:
    refused = bootstrap([float(not one.text) for one in asked])
    if not any(one.expected.pages for one in asked):
        return [title, len(asked), "", "", "", "", "", "", refused]
    ours = [float(one.right) for one in asked]
    theirs = [float(one.expected.held(one.baseline)) for one in asked]
    lengths = [words(one.text) for one in asked if one.text]
    return [
        title,
        len(asked),
        bootstrap([float(one.findable) for one in asked]),
        bootstrap(ours),
        f"{sum(lengths) / max(len(lengths), 1):.1f}",
        bootstrap(theirs),
        f"{sum(words(one.baseline) for one in asked) / len(asked):.1f}",
        f"{difference(ours, theirs):+}",
        refused,
    ]


def _bare(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--docs", type=Path, default=DOCS)
    options = parser.parse_args()
    asked = asyncio.run(fresh(options.docs))
    for one in asked:
        if one.right != bool(one.expected.pages) or (not one.expected.pages and one.text):
            print(f"- {one.expected.question}\n    {one.text}")
    show("Newcomers' questions on the documentation", COLUMNS, rows(asked))


if __name__ == "__main__":
    main()
