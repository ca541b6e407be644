"""How good one answer is, given what a golden question expects."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bot import dispatch
from bot.document import IndexVersion
from bot.errors import BotError
from bot.evaluation import words
from bot.evaluation.golden import Golden
from bot.evaluation.results import COSTS as COSTS
from bot.turn import Answer, Outcome, Passage

if TYPE_CHECKING:
    from bot.app import Bot

log = logging.getLogger(__name__)

MAIN = ("rougeL f1", "exact", "contains", "similarity", "supported")  # what a table has room for
DEFAULT = "rougeL f1"

_CITING = re.compile(r"(?:\s*\[\d{1,3}\])+")
_VARIANTS = ((1, "rouge1"), (2, "rouge2"))


def of_text(answer: str, reference: str) -> dict[str, float]:
    """Compare an answer with a reference, word by word, without the markers of its sources."""
    ours, theirs = words.words(words.unmarked(answer)), words.words(words.unmarked(reference))
    scores = {name: words.rouge_n(ours, theirs, n) for n, name in _VARIANTS}
    scores["rougeL"] = words.rouge_l(ours, theirs)
    found = {
        f"{name} {part}": value
        for name, score in scores.items()
        for part, value in (
            ("precision", score.precision), ("recall", score.recall), ("f1", score.f1),
        )
    }  # fmt: skip
    return {
        **found,
        "exact": float(bool(theirs) and ours == theirs),
        "contains": float(words.contains(ours, theirs)),
    }


def support(answer: Answer) -> float | None:
    """The share of an answer's claims with a source that their source supports.

    None when it cites nothing, or nobody could look.
    """
    claims = len(_CITING.findall(answer.text))
    if answer.doubts is None or not claims or not answer.citations:
        return None
    return max(0.0, 1 - answer.doubts / claims)


def costs(answer: Answer) -> dict[str, float]:
    """What an answer took, and whether it was none."""
    used = answer.usage
    return {
        "refused": float(answer.outcome is Outcome.refused),
        **(
            {}
            if used is None
            else {
                "tokens read": float(used.input_tokens),
                "tokens written": float(used.output_tokens),
                "cost": used.cost,
            }
        ),
    }


class Similarity:
    """How near in meaning an answer is to its reference: the cosine of their vectors.

    The vectors are those of the live index's embedder, or of the one that bot.toml names.
    """

    def __init__(self, bot: Bot, version: IndexVersion | None) -> None:
        self._bot = bot
        self._version = version
        self._known: dict[str, Any] = {}
        self.problem = ""

    async def of(self, answer: str, reference: str, *, public: bool) -> float | None:
        """The cosine, 0 when it is less; None when nothing can be embedded here.

        Args:
            public: whether everyone may read both, see `bot.plugins.Embed`.
        """
        if self.problem:
            return None
        if not answer.strip() or not reference.strip():
            return 0.0
        try:
            theirs = await self._reference(reference, public)
            (ours,) = await self._embedded(answer, public)
        except BotError as error:
            self.problem = str(error)
            return None
        return max(0.0, min(1.0, float(ours @ theirs)))

    async def _reference(self, text: str, public: bool) -> Any:
        if text not in self._known:
            (self._known[text],) = await self._embedded(text, public)
        return self._known[text]

    async def _embedded(self, text: str, public: bool) -> Any:
        if self._version is None:
            embedder = self._bot._components.described("embedder", "embedder")
            self._version = IndexVersion(
                id=0, state="live", dimensions=0, settings={"embedder": embedder}
            )
        return await self._bot._components.embed([text], "document", self._version, public=public)


async def of_plugins(
    bot: Bot, golden: Golden, answer: Answer, passages: Sequence[Passage], taken: Sequence[str]
) -> tuple[dict[str, float], list[str]]:
    """Let plugins measure an answer.

    Args:
        taken: metrics that are there already; no plugin replaces one.

    Returns:
        Their metrics, and what was wrong, a sentence for each plugin.
    """
    results = await dispatch.gather(
        bot.plugins.manager, "bot_measure", timeout=bot.settings.limits.hook,
        golden=golden, answer=answer, passages=tuple(passages),
    )  # fmt: skip
    found: dict[str, float] = {}
    problems: list[str] = []
    for result in results:
        if result.error is not None:
            problems.append(str(result.error))
        elif (reason := _misfit(result.value, [*taken, *found])) is not None:
            problems.append(f"{result.plugin}: bot_measure {reason}")
        elif result.value is not None:
            found |= {str(name): float(value) for name, value in result.value.items()}
    return found, problems


def _misfit(value: object, taken: Sequence[str]) -> str | None:
    """What is wrong with a plugin's metrics; None when nothing is."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return f"gave a {type(value).__name__} where metrics by name belong"
    for name, number in value.items():
        if not isinstance(name, str) or not 0 < len(name) <= 40 or not name.isprintable():
            return f"gave a metric a name that cannot be shown: {name!r}"
        if name in taken:
            return f"gave {name!r}, which is measured already; choose another name"
        if not isinstance(number, int | float) or not math.isfinite(number):
            return f"gave {number!r} as {name!r}, which is no number"
    return None
