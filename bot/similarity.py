"""Whether two questions mean the same: their vectors and, as a check on these, their words.

Embedders place "Who founded it?" beside "When was it founded?", and "on Windows" beside "on
macOS". So the words must agree too: the kind of thing that is asked for, the numbers, and what
remains when the words that questions are made of are taken away.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from bot.text import CJK

CLOSE = 0.80  # cosine from which one question may say a little more than the other
NEAR = 0.55  # ... from which the same words mean the same
SURE = 0.90  # ... and from which "When is …?" may be "What is …?"

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_RUN = re.compile(f"{CJK.pattern}+")
_FILLER = frozenset(
    "a an the and or but of to in on at for with from by as is are was were be been being am i you"
    " we me my mine your our ours us it its this that these those there here what which who whom"
    " whose when where why how do does did done doing can could will would shall should may might"
    " must have has had having get gets got if not no yes please tell say explain describe know"
    " need want like find see about any some all also just so then one much many exactly way ways"
    " step steps process possible able allow allowed someone anyone people year years per what's"
    " how's i'm don't can't doesn't let's able hi hello thanks thank make question".split()
)
# One of these in one question alone turns its meaning.
_TURNS = frozenset(
    "not no never without cannot can't don't doesn't isn't aren't won't off out down before after"
    " first last former previous previously next other another else vice minimum maximum old new"
    " only except".split()
)
_CJK_FILLER = re.compile(
    "请问|請問|请|請|告诉我|什[么麼]时候|什[么麼]時候|什[么麼]|多少|几点|幾點|几|幾|如何|怎[么麼样樣]|哪里|哪裡|哪儿|哪|"
    "[是吗嗎呢的了吧有在要我您你个個由该該可以能]|"
    "を教えてください|教えて|ください|方法|どうすれば|どうやって|どこ|いつ|何|いくつ|ですか|ますか|です|ます|でしょうか|"
    "するには|する|いい|こと|[はがをにでとのもか、。？?！!，]"
)
_CJK_TURNS = re.compile("[不没沒无無未非副另前后後新旧舊]|ない|ません|ず|以外")
# What is asked for; questions of two kinds differ whatever they share. Others fit each.
_KINDS = (
    ("when", r"\bwhen\b|\bwhat time\b|\b(?:what|which) (?:year|date|day|month)\b"
             r"|什[么麼]时候|什[么麼]時候|几点|幾點|何时|何時|いつ|[哪何]年"),
    ("where", r"\bwhere\b|哪里|哪裡|哪儿|どこ"),
    ("who", r"\bwho(?:m|se)?\b|谁|誰|だれ"),
    ("why", r"\bwhy\b|为什[么麼]|為什[么麼]|なぜ"),
    ("number", r"\bhow (?:many|much|long|often|old|far|high|large|big|tall)\b"
               r"|多少|[几幾][天个個月年]|多[长長久高大]|いくつ|いくら|何[人個本日]"),
)  # fmt: skip
_KIND = tuple((name, re.compile(pattern, re.I)) for name, pattern in _KINDS)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is compared of a question.

    Attributes:
        words: stems of its content words, characters of Chinese, Japanese and Korean.
        numbers: its numbers, in order.
        kind: what it asks for: when, where, who, why, a number; or empty.
        turns: its negations, and other words that turn a meaning.
        names: words that are written like names or acronyms.
    """

    words: frozenset[str]
    numbers: tuple[str, ...]
    kind: str
    turns: frozenset[str]
    names: frozenset[str]


@lru_cache(4096)
def meaning(question: str) -> Meaning:
    """Take a question apart."""
    text = unicodedata.normalize("NFKC", question)
    lower = text.lower()
    latin = _WORD.findall(_RUN.sub(" ", text))
    bare = [word.replace("’", "'").removesuffix("'s") for word in latin]
    content = [word for word in bare if word.lower() not in _FILLER]
    numbers = tuple(word for word in content if word.isdigit())
    wide = "".join(_RUN.findall(lower))
    names = {
        stem(word.lower())
        for place, word in enumerate(bare)
        if word.lower() not in _FILLER
        and (word[1:] != word[1:].lower() or (place and word[0].isupper()))
    }
    return Meaning(
        words=frozenset(stem(word.lower()) for word in content)
        | frozenset(_CJK_FILLER.sub("", wide)),
        numbers=numbers,
        kind=next((name for name, pattern in _KIND if pattern.search(lower)), ""),
        turns=_TURNS.intersection(word.lower() for word in latin) | set(_CJK_TURNS.findall(wide)),
        names=frozenset(names),
    )


def same(question: str, other: str, cosine: float | None) -> bool:
    """Decide whether a question means the same as another.

    Calibrated by bench/calibrate.py; see docs/decisions/curated-answers.md.

    Args:
        cosine: of their vectors; None when there are none.
    """
    ours, theirs = meaning(question), meaning(other)
    if ours.numbers != theirs.numbers or ours.turns != theirs.turns:
        return False
    if not ours.words or not theirs.words:
        return question.casefold().split() == other.casefold().split()
    more, less = ours.words - theirs.words, theirs.words - ours.words
    wide = CJK.search(question) is not None
    if ours.kind != theirs.kind:
        what = not (ours.kind and theirs.kind) and not more and not less
        return what and cosine is not None and cosine >= SURE
    if not more and not less:
        return wide or cosine is None or cosine >= NEAR  # an English embedder is blind to these
    if (more and less) or more & ours.names or less & theirs.names:
        return False
    alike = shared(question, other) >= (0.75 if wide else 0.5)
    return alike and cosine is not None and cosine >= CLOSE


def shared(question: str, other: str) -> float:
    """Return the share of the longer question's words that the other one has too, 0 to 1."""
    ours, theirs = meaning(question).words, meaning(other).words
    return len(ours & theirs) / (max(len(ours), len(theirs)) or 1)


def stem(word: str) -> str:
    """Return the English stem of a word in lower case."""
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
