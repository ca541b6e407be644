"""The blocks of an answer: its text, its sources, and the buttons below it.

Limits: https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from bot import Answer, Citation
from bot.turn import Outcome
from bot_slack.links import host, misleading, usable
from bot_slack.mrkdwn import escaped, mrkdwn
from bot_slack.mrkdwn import label as link_label
from bot_slack.render import plain

Block: TypeAlias = dict[str, Any]

FEEDBACK = "answer_feedback"  # value: {"turn": …, "good": …} as JSON
PUBLISH = "answer_publish"  # value: the turn
HANDOVER = "answer_handover"  # value: the turn

MAX_SOURCES = 8  # of the ten elements that a context block may have
MAX_SOURCES_TEXT = 1500  # characters, to which eight titles may still be added
MAX_TITLE = 150
MAX_SUMMARY = 2000  # characters of the text that notifications show


def markdown(text: str) -> Block:
    """Clean Markdown, as Slack renders it."""
    return {"type": "markdown", "text": text}


def ending(answer: Answer, *, handover: bool = False, private: bool = False) -> list[Block]:
    """What stands below an answer: sources, notices, then the buttons.

    Args:
        handover: offer to ask a person when the answer is a refusal or an apology.
        private: offer to publish the answer.
    """
    blocks = [*_sources(answer.citations), *_notices(answer.notices)]
    if answer.outcome is not Outcome.failed:
        blocks.append(feedback(answer.turn))
    buttons = []
    if private and answer.outcome is Outcome.answered:
        buttons.append(_button(PUBLISH, "Show in the channel", answer.turn))
    if handover and answer.outcome is not Outcome.answered:
        buttons.append(_button(HANDOVER, "Ask a person", answer.turn))
    return blocks + ([{"type": "actions", "elements": buttons}] if buttons else [])


def feedback(turn: str) -> Block:
    """Thumbs up and down for one turn."""

    def button(text: str, good: bool) -> dict[str, Any]:
        value = json.dumps({"turn": turn, "good": good})
        return {"text": {"type": "plain_text", "text": text}, "value": value}

    element = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": button("Good answer", True),
        "negative_button": button("Bad answer", False),
    }
    return {"type": "context_actions", "elements": [element]}


def source_line(citation: Citation) -> str:
    """A source in mrkdwn: number, title, and a link when its address may be one."""
    names = citation.location if citation.title in citation.location else ""
    label = names or " › ".join(filter(None, [citation.title, citation.location]))
    label = label if len(label) <= MAX_TITLE else label[: MAX_TITLE - 1] + "…"
    url = usable(citation.uri)
    if not url:
        return f"{citation.marker}. " + mrkdwn(plain(label or citation.source or "a source"))
    if not label.strip() or misleading(label, url):
        label = host(url)
    return f"{citation.marker}. <{escaped(url)}|{link_label(label)}>"


def summary(clean: str) -> str:
    """What a notification shows of clean Markdown, in mrkdwn."""
    text = clean if len(clean) <= MAX_SUMMARY else clean[:MAX_SUMMARY].rsplit("\n", 1)[0] + "\n…"
    return mrkdwn(text)[: 2 * MAX_SUMMARY] or "…"


def context(*texts: str) -> Block:
    """Small grey text in mrkdwn; nothing in it becomes a link or a mention by itself."""
    elements = [{"type": "mrkdwn", "text": text, "verbatim": True} for text in texts]
    return {"type": "context", "elements": elements}


def _sources(citations: Sequence[Citation]) -> list[Block]:
    if not citations:
        return []
    lines: list[str] = []
    for citation in citations[:MAX_SOURCES]:
        line = source_line(citation)
        if sum(map(len, lines)) + len(line) > MAX_SOURCES_TEXT:
            line = source_line(replace(citation, uri=""))  # its address is too long to be shown
        lines.append(line)
    if len(citations) > MAX_SOURCES:
        lines.append(f"and {len(citations) - MAX_SOURCES} more")
    return [context("\n".join(lines))]


def _notices(notices: Sequence[str]) -> list[Block]:
    lines = [mrkdwn(plain(notice[:300])) for notice in notices[:5]]
    return [context("\n".join(lines))] if lines else []


def _button(action: str, text: str, value: str) -> dict[str, Any]:
    label = {"type": "plain_text", "text": text}
    return {"type": "button", "action_id": action, "text": label, "value": value}
