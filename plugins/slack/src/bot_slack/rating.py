"""Rating answers on the Home tab: two answers to a question, and nobody says whose they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bot import settings as configuration
from bot.errors import NotFound
from bot.evaluation import journal, ratings
from bot.evaluation.ratings import Pair
from bot.turn import Principal

if TYPE_CHECKING:
    from bot import Bot

ACTION = "rate_"  # with left, right or neither

_LONGEST = 2900  # characters; a section of Slack takes 3000
_CHOICES = (("left", "The first is better"), ("right", "The second is better"),
            ("neither", "Neither"))  # fmt: skip


async def blocks(bot: Bot, principals: frozenset[Principal], author: str) -> list[dict[str, Any]]:
    """The next two answers that this person may read and has not rated; nothing without any."""
    evaluation = await ratings.asked_in_slack(bot.database)
    if evaluation is None:
        return []
    readers = configuration.principals(bot.settings, principals)
    pair = await ratings.next_pair(bot.database, evaluation, author, principals=readers)
    if pair is None:
        return []
    names = await journal.names(bot.database, evaluation)
    return [
        {"type": "header", "text": _text("Which answer is better?")},
        _section(pair.question),
        _section(f"It should say: {pair.reference}"),
        {"type": "divider"},
        _section(f"1. {pair.answers[0]}"),
        {"type": "divider"},
        _section(f"2. {pair.answers[1]}"),
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": f"{ACTION}{better}",
                    "text": _text(said),
                    "value": _value(pair, names, better),
                }
                for better, said in _CHOICES
            ],
        },
        {"type": "divider"},
    ]


async def take(bot: Bot, value: str, principals: frozenset[Principal], author: str) -> None:
    """Keep what a button said; one that names nothing that is there keeps nothing.

    Only of an evaluation that people are asked about, and of what this person may read.
    """
    try:
        evaluation, golden, left, right, better = json.loads(value)
        names = await journal.names(bot.database, int(evaluation))
        variants = names[int(left)], names[int(right)]
        if better not in ratings.BETTER.values():
            return
    except (ValueError, TypeError, IndexError, NotFound):
        return
    if await ratings.asked_in_slack(bot.database) != evaluation:
        return
    pair = Pair(
        evaluation=evaluation, golden=int(golden), question="", reference="",
        variants=variants, answers=("", ""),
    )  # fmt: skip
    try:
        readers = configuration.principals(bot.settings, principals)
        await ratings.rate(bot.database, pair, better, author, principals=readers)
    except NotFound:  # removed meanwhile
        return


def _value(pair: Pair, names: list[str], better: str) -> str:
    """What a button brings back; by number, as whoever looks into it is not to learn names."""
    places = [names.index(name) for name in pair.variants]
    return json.dumps([pair.evaluation, pair.golden, *places, better])


def _section(text: str) -> dict[str, Any]:
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return {"type": "section", "text": _text(cut)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or " ", "emoji": False}
