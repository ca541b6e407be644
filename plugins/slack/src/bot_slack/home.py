"""What the app shows beside its answers: the App Home tab, and the comment under a bad answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from bot.database import load_queries
from bot.turn import Principal

if TYPE_CHECKING:
    from bot import Bot

QUERIES = load_queries(Path(__file__).parent / "queries" / "home.sql")

COMMENT = "comment"  # the callback id of the comment's modal

_SHOWN = 20  # sources on the home tab; Slack takes 100 blocks
_PROMPTS = 4  # Slack shows no more
_PROMPT = 150  # characters of a suggested question
_WORDS = {"answered": "answered", "refused": "not found", "failed": "failed"}


async def view(
    bot: Bot,
    principals: frozenset[Principal],
    recent: Sequence[Mapping[str, Any]],
    assistant: str,
) -> dict[str, Any]:
    """Make the home tab: what this person may ask about, how fresh it is, what they asked."""
    blocks: list[dict[str, Any]] = [
        _header("What I know"),
        *(await _sources(bot, principals, assistant)),
        _header("Your recent questions"),
    ]
    for one in recent:
        words = _WORDS.get(one["outcome"], one["outcome"] or "")
        blocks.append(_plain(one["text"][:300], f"{day(one['received_at'])} · {words}"))
    if not recent:
        blocks.append(_plain("None yet. Write to me here, or mention me in a channel."))
    return {"type": "home", "blocks": blocks}


async def _sources(
    bot: Bot, principals: frozenset[Principal], assistant: str
) -> list[dict[str, Any]]:
    from bot import settings as configuration

    arguments = {
        "sources": list(bot.assistant(assistant).sources),
        "principals": list(configuration.principals(bot.settings, principals)),
        "limit": _SHOWN,
    }
    async with bot.database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(QUERIES["sources"], arguments)
        found = await cursor.fetchall()
    return [
        _plain(row["name"], f"{row['documents']} documents, as of {day(row['synced_at'])}")
        for row in found
    ] or [_plain("Nothing yet that you may read.")]


async def prompts(bot: Bot, principals: frozenset[Principal]) -> list[str]:
    """Choose what to suggest to somebody: questions with an approved answer; none without any."""
    from bot import settings as configuration

    arguments = {
        "principals": list(configuration.principals(bot.settings, principals)),
        "length": _PROMPT,
        "limit": _PROMPTS,
    }
    async with bot.database.connection() as connection:
        cursor = await connection.execute(QUERIES["approved"], arguments)
        return [question for (question,) in await cursor.fetchall()]


def comment_view(turn: str) -> dict[str, Any]:
    """Make the modal that asks what was wrong with an answer."""
    return {
        "type": "modal",
        "callback_id": COMMENT,
        "private_metadata": turn,
        "title": _text("What was wrong?"),
        "submit": _text("Send"),
        "close": _text("Close"),
        "blocks": [
            {
                "type": "input",
                "block_id": "comment",
                "optional": True,
                "label": _text("What should the answer have said?"),
                "element": {
                    "type": "plain_text_input",
                    "action_id": "text",
                    "multiline": True,
                    "max_length": 2000,
                },
            }
        ],
    }


def read_comment(submitted: Mapping[str, Any]) -> tuple[str, str]:
    """Read the modal: the turn and the comment."""
    value = submitted["state"]["values"]["comment"]["text"].get("value") or ""
    return submitted["private_metadata"], value.strip()


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": _text(text)}


def _plain(text: str, context: str = "") -> dict[str, Any]:
    """A section without markup: what people and documents wrote stays as it is."""
    block: dict[str, Any] = {"type": "section", "text": _text(text)}
    if context:
        block["fields"] = [_text(context)]
    return block


def _text(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text or " ", "emoji": False}


def day(at: datetime | None) -> str:
    """A date and a time, for people."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M") if at else "never"
