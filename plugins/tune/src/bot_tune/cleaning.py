"""Examples are cleaned before anything is learned of them; what cannot be is left out, and why."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from bot.text import cleaned
from bot_tune.examples import Conversation, Example, Message, Pair, Text

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]")
_CONTROL = re.compile(r"[\x01-\x08\x0b-\x1f\x7f-\x9f]")
_BROKEN = re.compile("[\ufffd\ue000-\uf8ff]|Ã[\u00a0-\u00bf]|â€[™œ“”¦]")
_MARKUP = re.compile(
    r"<\|[\w-]{2,40}\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>"  # of chat templates
)
_GAPS = re.compile(r"\n{4,}")
_ENDS = re.compile(r"[ \t]+$", re.MULTILINE)
_LINES = 10  # below which a text that says the same again may mean it
_BROKEN_SHARE = 0.01  # of the characters


def clean(example: Example) -> tuple[Example, Counter[str]]:
    """Clean an example.

    Characters that nobody sees are taken out, line ends and composed characters (NFC) are made
    equal, and large gaps are closed. Words stay as they are.

    Returns:
        The example, and how many of its texts had what.
    """
    found: Counter[str] = Counter()
    made = with_texts(example, lambda text: _clean(text, found))
    return made, found


def unusable(example: Example) -> str:
    """Say why nothing should be learned of a cleaned example; empty when something should."""
    texts = texts_of(example)
    if not all(text.strip() for text in texts):
        return "empty"
    if any(_MARKUP.search(text) for text in texts):
        return "markup of a chat template"
    joined = "\n".join(texts)
    if len(_BROKEN.findall(joined)) > _BROKEN_SHARE * len(joined):
        return "broken characters"
    if isinstance(example, Pair) and example.chosen == example.rejected:
        return "both answers are the same"
    if isinstance(example, Conversation) and _echoes(example):
        return "the answer is the question"
    return ""


def repeats_itself(example: Example) -> bool:
    """Whether a text says mostly the same again and again, as models do that have lost the way."""
    return any(map(_repeats, texts_of(example)))


def texts_of(example: Example) -> list[str]:
    """All texts of an example."""
    if isinstance(example, Text):
        return [example.text]
    said = [one.content for one in example.messages]
    return said if isinstance(example, Conversation) else [*said, example.chosen, example.rejected]


def with_texts(example: Example, change: Callable[[str], str]) -> Example:
    """An example with other texts, each made of the one before, in order."""
    if isinstance(example, Text):
        return replace(example, text=change(example.text))
    messages = tuple(Message(one.role, change(one.content)) for one in example.messages)
    if isinstance(example, Conversation):
        return replace(example, messages=messages)
    return replace(
        example,
        messages=messages,
        chosen=change(example.chosen),
        rejected=change(example.rejected),
    )


def _clean(text: str, found: Counter[str]) -> str:
    steps: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("line ends", lambda given: given.replace("\r\n", "\n").replace("\r", "\n")),
        (
            "invisible characters",
            lambda given: _CONTROL.sub("", _INVISIBLE.sub("", cleaned(given))),
        ),
        ("characters in parts", lambda given: unicodedata.normalize("NFC", given)),
        ("white space", lambda given: _GAPS.sub("\n\n\n", _ENDS.sub("", given)).strip("\n")),
    )
    for name, step in steps:
        before, text = text, step(text)
        if before != text:
            found[name] += 1
    return text


def _echoes(example: Conversation) -> bool:
    asked = " ".join(example.messages[-2].content.casefold().split())
    return asked == " ".join(example.messages[-1].content.casefold().split())


def _repeats(text: str) -> bool:
    """Whether more than half of the lines, or of the runs of eight words, stand there before."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    words = text.split()
    runs = [" ".join(words[at : at + 8]) for at in range(0, len(words) - 7)]
    return any(len(parts) >= _LINES and 2 * len(set(parts)) < len(parts) for parts in (lines, runs))
