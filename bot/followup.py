"""Making a follow-up question standalone without a language model."""

from __future__ import annotations

import re

from bot.text import CJK
from bot.turn import Turn

_WORD = re.compile(r"[\w'’-]+")

# Words that point back to something said before.
_POINTERS = frozenset(
    "it its this that these those they them their he she him her his one ones there then"
    " former latter same such above".split()
)
_OPENERS = re.compile(
    r"(?i)^\s*(and|but|so|or|also|what about|how about|why not|why\?|then|else|otherwise|what if)\b"
)
# Asks what something is in general: "What is RAG?", but not "What is the price?"; or how something
# is done: "How do I reindex?"
_WHOLE = re.compile(
    r"(?i)^\s*(?:(?:what|who)(?:\s+(?:is|are|was|were)|['’]s)\s+(?!the\b)\w"
    r"|how\s+(?:do|can|should)\s+(?:i|we|you)\s+\w)"
)
_CJK_POINTERS = re.compile(
    r"^(那|那么|那麼|然后|然後|还有|還有|它|这|這|为什么|為什麼|呢|じゃ|では|それ|これ|あと|なぜ)"
)
_COMMON = frozenset(
    "a an the and or but of to in on at for with from by as is are was were be been do does did"
    " can could will would should may might must i you we me my your our what which who whom whose"
    " when where why how if not no yes please tell about there any some more much many it its this"
    " that these those they them their he she him her his one then so also have has had get".split()
)
# What earlier messages count, where the question counts 1.
_ASKED = 0.2  # the last question
_FADING = 0.5  # ... and of that each one before it
_BACK = 4  # questions back
_SAID = 0.1  # the last answer, where the question refers to it or has enough words of its own
_ENOUGH = 6  # content words; beside fewer, a long answer would be all that is searched for
_LENGTH = 600  # characters of it
_FEW = 2  # a question with fewer content words than this rarely stands alone


def queries(turn: Turn) -> list[str]:
    """Return the question, with the subject of the last one carried over when it points back.

    The question itself stays first in the text, so its own words weigh most.
    """
    asked = [m.text for m in turn.conversation.history if m.role == "user"]
    if not asked or not _points_back(turn.question):
        return [turn.question]
    own = {word.lower() for word in _WORD.findall(turn.question)}
    # The last question alone may be a follow-up itself: go back until one stands alone.
    carried: list[str] = []
    for earlier in reversed(asked[-4:]):
        carried = [*(w for w in _content(earlier) if w.lower() not in own), *carried]
        if not _points_back(earlier):
            break
    subject = " ".join(dict.fromkeys(carried))
    return [f"{turn.question} {subject}".strip()]


def leans(turn: Turn) -> bool:
    """Whether a question means nothing without what was said before it."""
    asked = any(message.role == "user" for message in turn.conversation.history)
    return asked and _points_back(turn.question)


def stands_alone(question: str) -> bool:
    """Whether a question can be understood without anything before it."""
    return not _points_back(question)


def weighted(turn: Turn) -> tuple[tuple[str, float], ...]:
    """Return the question, and what was said before it, each with how much it counts.

    The subject of a conversation seldom changes: what was said last helps every question a
    little, and one that refers to it with few words of its own a lot. The first message has nothing
    to lean on: then it is empty. The weights are measured in docs/decisions/follow-ups.md.
    """
    asked = [m.text for m in turn.conversation.history if m.role == "user"]
    said = [m.text for m in turn.conversation.history if m.role == "assistant"]
    if not asked:
        return ()
    own = len(_content(turn.question))
    refers = not own or _refers(turn.question)
    leaning = max(_ASKED, 1 / (own + 1)) if refers else _ASKED
    recalled = _SAID if refers else _SAID * min(1, own / _ENOUGH)
    parts = [(turn.question, 1.0)]
    parts += [(text, leaning * _FADING**age) for age, text in enumerate(reversed(asked[-_BACK:]))]
    parts += [(text[:_LENGTH], recalled) for text in said[-1:]]
    return tuple(parts)


def _points_back(question: str) -> bool:
    """Whether a question refers to what was said before, or hardly says anything itself."""
    if _refers(question):
        return True
    own = len(_content(question))
    return not CJK.search(question) and own < _FEW and not (own and _WHOLE.match(question))


def _refers(question: str) -> bool:
    """Whether a question has a word that refers to what was said before; in Chinese, is short."""
    if CJK.search(question):
        return len(CJK.findall(question)) <= 6 or bool(_CJK_POINTERS.match(question))
    words = [word.lower() for word in _WORD.findall(question)]
    return bool(_OPENERS.match(question)) or any(word in _POINTERS for word in words)


def _content(text: str) -> list[str]:
    if CJK.search(text):
        return [text.strip()]
    return [word for word in _WORD.findall(text) if word.lower() not in _COMMON]
