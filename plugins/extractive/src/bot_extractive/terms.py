"""Terms of English and CJK text: stems, character bigrams, and what a question asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

import Stemmer

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_WIDE = re.compile(rf"[{_CJK}]")

# Words that say nothing about a subject.
_STOP = frozenset(
    "a an the and or but nor so of to in on at for with from by as into onto upon about than then"
    " is are was were be been being am do does did doing done have has had having can could will"
    " would shall should may might must i you he she it we they me him her us them my your his its"
    " our their this that these those there here what which who whom whose when where why how if"
    " not no yes please tell s t d ll m re ve also just very too".split()
)
# Words that questions are made of; an answer seldom repeats them.
_WEAK = frozenset(
    "many much long often far old type kind sort name called call use used using get got make made"
    " one some any other more most happen happened year date time people person thing way give"
    " given take taken put mean means know known say said want need first last new city country"
    " place number amount difference between example describe explain list show find go work"
    " different".split()
)
_CJK_FILLER = re.compile(
    "什[么麼]|多少|多[长大久高远]|哪[些个個里裡儿年种]?|如何|怎[么麼样樣]|[为為]什[么麼]|[为為]何|是否|何[时時]|"
    "[谁誰吗嗎呢的了是在和与與几幾有请請]|何|どこ|いつ|だれ|なぜ|どの|どう|です|ます|ですか|ますか|[はがをにでとのもか]"
)


class Terms:
    """Split text into terms. Not to be shared between threads: the stemmer keeps a cache."""

    def __init__(self) -> None:
        self._stem = Stemmer.Stemmer("english").stemWords
        self.weak = frozenset(self._stem(sorted(_WEAK)))

    def __call__(self, text: str) -> list[str]:
        """Return the terms in order: stems of words, bigrams of CJK runs; no stop words."""
        words: list[str] = []
        bigrams: list[str] = []
        for token in _TOKEN.findall(text.lower()):
            if not _WIDE.match(token):
                if token not in _STOP:
                    words.append(token)
            else:
                bigrams += _bigrams(token)
        return [*self._stem(words), *bigrams]


def characters(text: str) -> dict[str, frozenset[str]]:
    """Return the characters of Chinese, Japanese and Korean, each with its bigrams.

    A character is named by itself between its neighbours, or spaces: "東京都" has " 東京", "東京都"
    and "京都 ".
    """
    found: dict[str, frozenset[str]] = {}
    for token in _TOKEN.findall(text.lower()):
        for part in _CJK_FILLER.split(token) if _WIDE.match(token) else ():
            padded = f" {part} "
            for at in range(len(part)):
                name = padded[at : at + 3]
                found[name] = frozenset(pair for pair in (name[:2], name[1:]) if " " not in pair)
    return found


def _bigrams(run: str) -> Iterable[str]:
    for part in _CJK_FILLER.split(run):
        if len(part) == 1:
            yield part
        else:
            yield from (a + b for a, b in pairwise(part))


_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half"
    r"|dozens?|hundreds?|thousands?|millions?|billions?|once|twice|none)\b"
    r"|[一二两三四五六七八九十百千万亿]",
    re.I,
)
_DATE = re.compile(
    r"\b\d{3,4}s?\b|\b(?:january|february|march|april|may|june|july|august|september|october"
    r"|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|century)\b"
    r"|\b\d{1,2}:\d\d\b|[年月日]|世纪|世紀|期间|时代",
    re.I,
)
_NAME = re.compile(r"(?<![.!?。\n] )(?<!^)\b[A-Z][\w'’-]+|·")
_PLACE = re.compile(
    r"\b(?:in|at|near|from|to|of|on|across|under)\s+(?:the\s+)?[A-Z]"
    r"|[省市县县区国州岛山河湖路街镇村]|位于|大学"
)
_CAUSE = re.compile(
    r"\b(?:because|due to|since|so that|in order to|therefore|as a result|caused?"
    r"|reasons?|leads? to|led to)\b|因为|由于|因此|所以|原因|导致|以便|ため|ので",
    re.I,
)

# What kind of thing a question asks for, and what a sentence that has it looks like.
_KINDS = (
    (re.compile(r"\bhow (?:many|much|long|far|old|often|large|big|tall|high|fast)\b|\bpercent"
                r"|\bwhat (?:is the )?(?:number|amount|size|population|price|cost)\b"
                r"|多少|几|幾|多[长大久高远]|いくつ|いくら|何[人個本]", re.I), _NUMBER),
    (re.compile(r"\bwhen (?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|should)\b"
                r"|\bwhen\W*$|\b(?:what|which|whose) (?:year|date|day|month|century|time)\b"
                r"|何时|何時|哪一?年|哪一?天|什么时[候间]|いつ|何年", re.I), _DATE),
    (re.compile(r"\bwho(?:m|se)?\b|谁|誰|だれ"), _NAME),
    (re.compile(r"\bwhere\b|\b(?:what|which) (?:city|country|place|state|region)\b"
                r"|哪里|哪裡|哪儿|什么地方|どこ", re.I), _PLACE),
    (re.compile(r"\bwhy\b|为什么|為什麼|为何|なぜ|原因", re.I), _CAUSE),
)  # fmt: skip
NAME = re.compile(r"(?<!^)\b[A-Z][\w-]+")  # in a question
PROCEDURE = re.compile(
    r"\bhow (?:do|can|could|should|would|to|does one)\b|\bwhere (?:do|can|should) (?:i|we|you)\b"
    r"|\b(?:steps?|instructions?|commands?) (?:to|for)\b|\bshow me\b|\bexample of\b"
    r"|如何|怎[么麼样樣]|步骤|どうやって|方法",
    re.I,
)


def wanted(question: str) -> Callable[[str], bool] | None:
    """Return what tells whether a text holds the kind of thing that a question asks for.

    That is a number, a date, a name, a place or a reason which the question itself does not have;
    None when its words do not tell the kind.
    """
    shape = next((answer for asked, answer in _KINDS if asked.search(question)), None)
    if shape is None:
        return None
    given = question.lower()

    def held(text: str) -> bool:
        return any(m[0].lower() not in given or len(m[0]) == 1 for m in shape.finditer(text))

    return held
