"""What Slack refuses: missing arguments, blocks over their limits, wrong tokens."""

from __future__ import annotations

import json
from typing import Any

from bot.testing.fake_slack.world import Json

MAX_BLOCKS = 50
MAX_TEXT = 13_200  # characters of all blocks together
MAX_MARKDOWN = 12_000  # characters of all markdown blocks together
_TEXTS = {"section": 3000, "header": 150, "markdown": MAX_MARKDOWN}
_ELEMENTS = {"context": 10, "actions": 25, "context_actions": 5}
_KNOWN = {
    *_TEXTS, *_ELEMENTS, "divider", "image", "input", "rich_text", "table", "plan", "task_card",
    "alert", "card", "container", "carousel", "file", "video",
}  # fmt: skip


class ApiError(Exception):
    """A call that Slack answers with `ok: false`."""

    def __init__(self, error: str, **details: Any) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


def need(arguments: Json, name: str, error: str = "invalid_arguments") -> str:
    """An argument that must not be empty."""
    value = arguments.get(name)
    if value in (None, ""):
        raise ApiError(error, response_metadata={"messages": [f"[ERROR] missing {name}"]})
    return str(value)


def checked_blocks(given: Any, also: str = "") -> list[Json]:
    """Blocks within Slack's limits; `also` is other text that counts with them."""
    blocks = json.loads(given) if isinstance(given, str) else given or []
    if not isinstance(blocks, list) or len(blocks) > MAX_BLOCKS:
        raise ApiError("invalid_blocks")
    for number, block in enumerate(blocks):
        problem = _problem(block)
        if problem:
            detail = f"[ERROR] {problem} [json-pointer:/blocks/{number}]"
            raise ApiError("invalid_blocks", response_metadata={"messages": [detail]})
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MAX_MARKDOWN or (blocks and _characters(blocks) + len(also) > MAX_TEXT):
        raise ApiError("msg_blocks_too_long")
    return blocks


def checked_view(view: Any) -> Json:
    """A modal or a home tab within Slack's limits."""
    found = json.loads(view) if isinstance(view, str) else view
    if not isinstance(found, dict) or found.get("type") not in ("modal", "home"):
        raise ApiError("invalid_arguments")
    blocks = found.get("blocks") or []
    if len(blocks) > 100:
        raise ApiError("invalid_arguments")
    for start in range(0, len(blocks), MAX_BLOCKS):
        checked_blocks(blocks[start : start + MAX_BLOCKS])
    if found["type"] == "modal" and not 0 < len(_plain(found.get("title"))) <= 24:
        raise ApiError("invalid_arguments")
    return found


def _problem(block: Any) -> str:
    """What is wrong with a block, or nothing."""
    if not isinstance(block, dict) or block.get("type") not in _KNOWN:
        return "unsupported type"
    type_ = block["type"]
    if type_ in _TEXTS:
        text = _plain(block.get("text"))
        if not text and not (type_ == "section" and block.get("fields")):
            return "missing text"
        if len(text) > _TEXTS[type_]:
            return f"must be less than {_TEXTS[type_] + 1} characters"
    if type_ in _ELEMENTS:
        elements = block.get("elements") or []
        if not 0 < len(elements) <= _ELEMENTS[type_]:
            return f"must have 1 to {_ELEMENTS[type_]} elements"
        return next(filter(None, map(_element_problem, elements)), "")
    return _element_problem(block["accessory"]) if block.get("accessory") else ""


def _element_problem(element: Json) -> str:
    """What is wrong with a button or a text, or nothing."""
    if element.get("type") in ("mrkdwn", "plain_text"):
        return "" if 0 < len(_plain(element)) <= 3000 else "text of 1 to 3000 characters"
    if len(str(element.get("action_id", ""))) > 255:
        return "action_id must be less than 256 characters"
    if element.get("type") == "button":
        if not 0 < len(_plain(element.get("text"))) <= 75:
            return "button text of 1 to 75 characters"
        if len(str(element.get("value", ""))) > 2000 or len(str(element.get("url", ""))) > 3000:
            return "value must be less than 2001 characters"
    if element.get("type") == "feedback_buttons":
        for name in ("positive_button", "negative_button"):
            if not _plain((element.get(name) or {}).get("text")):
                return f"missing {name}"
    return ""


def _plain(text: Any) -> str:
    return str(text.get("text", "")) if isinstance(text, dict) else str(text or "")


def _characters(value: Any) -> int:
    """The characters of all texts inside blocks."""
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        own = len(value["text"]) if isinstance(value.get("text"), str) else 0
        return own + sum(_characters(v) for k, v in value.items() if not isinstance(v, str))
    return 0
