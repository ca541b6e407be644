"""What kind of thing a question asks for, and what a text that has it looks like."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.text import CJK


@dataclass(frozen=True, slots=True)
class Wanted:
    """The kind of thing that a question asks for.

    Attributes:
        has: tells whether a text has such a thing, which the question itself does not have.
        brief: whether it is a few words, which stand in one clause.
        says: whether a text that has it says just what is asked, as "X is" does.
    """

    has: Callable[[str], bool]
    brief: bool
    says: bool = False


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
    r"|[省市县県区国州岛山河湖路街镇村]|位于|大学"
)
_CAUSE = re.compile(
    r"\b(?:because|due to|since|so that|in order to|therefore|as a result|caused?"
    r"|reasons?|leads? to|led to)\b|因为|由于|因此|所以|原因|导致|以便|ため|ので",
    re.I,
)
_KINDS = (
    (re.compile(r"\bhow (?:many|much|long|far|old|often|large|big|tall|high|fast)\b|\bpercent"
                r"|\bwhat (?:is the )?(?:number|amount|size|population|price|cost)\b", re.I),
     _NUMBER),
    (re.compile(r"\bwhen (?:is|are|was|were|do|does|did|has|have|had|will|would|can|could|should)\b"
                r"|\bwhen\W*$|\b(?:what|which|whose) (?:year|date|day|month|century|time)\b", re.I),
     _DATE),
    (re.compile(r"\bwho(?:m|se)?\b"), _NAME),
    (re.compile(r"\bwhere\b|\b(?:what|which) (?:city|country|place|state|region)\b", re.I), _PLACE),
    (re.compile(r"\bwhy\b", re.I), _CAUSE),
)  # fmt: skip

# Of Chinese, Japanese and Korean. What is no date is a number; a number before a measure word.
_DIGITS = "〇零一二两兩三四五六七八九十百千万萬亿億"
_WIDE_NUMBER = re.compile(
    rf"\d[\d,.]*+(?!\s?[年月日号號世])|[{_DIGITS}]{{2,}}+(?![年月日世])"
    rf"|[{_DIGITS}半数數几幾](?=[个個位名次种種條条只隻台座所家岁歲天倍成度层層人つ回本])"
)
_WIDE_DATE = re.compile(
    rf"(?:\d+|[{_DIGITS}]+)\s?(?:[年月日号號时時]|世[纪紀])|元年|[时時][代期候]|期[间間]|[春夏秋冬]"
)
_WIDE_NAME = re.compile(r"[·・•]|[A-Z][a-z]+|教授|先生|女士|博士|さん")
_WIDE_PLACE = re.compile(
    r"[省市县縣県区區国國州岛島山河湖江海洋路街镇鎮村郡港湾灣城]|位[于於]|大[学學]|[东東西南北]部"
)
_WIDE_CAUSE = re.compile(
    r"因|由[于於]|所以|导致|導致|以便|使得|[为為]了|[于於]是|[从從]而|故|ため|ので|から"
)
_WIDE_LIST = re.compile(r"[、和与與及或等]|包括")
_WIDE_TERM = re.compile(r"[《“「『\"〈(（称稱叫名]")
_WIDE_WAY = re.compile(r"通[过過]|利用|使用|[采採]用|方[法式]|[以用由经經将將把从從]")
_WIDE_KINDS = (
    (re.compile(r"多少|几(?!乎)|幾|多[长長大久高远遠重宽快深]|[数數]量|人口|面[积積]|百分"
                r"|いくつ|いくら|何[人個本]"), _WIDE_NUMBER, True),
    (re.compile(r"何[时時年]|哪[一几]?[年天]|什[么麼](?:[时時][候间間期代]|年)|[时時][间間]是|日期"
                r"|年份|季[节節]|いつ"), _WIDE_DATE, True),
    (re.compile(r"[谁誰]|哪[一几两]?[位名人]|[什何][么麼]?人|哪个.{0,4}[家者员手将王帝]|だれ"),
     _WIDE_NAME, True),
    (re.compile(r"哪[里裡儿兒]|何[处處地]|在哪|地[点點]|位置|出生地|どこ"
                r"|[哪什][个個么麼]?(?:地[方区區点點]|国|國|城|省|市|州|县)"), _WIDE_PLACE, False),
    (re.compile(r"[为為]什[么麼]|[为為因]何|原因|理由|目的|なぜ"), _WIDE_CAUSE, False),
    (re.compile(r"哪些|哪[几两二三四]"), _WIDE_LIST, False),
    (re.compile(r"叫什[么麼]|叫做|名[称稱字]|[别別原全][称稱名]|又名|什[么麼]名|[术術][语語]|口[号號]"),
     _WIDE_TERM, False),
    (re.compile(r"如何|怎[么麼样樣]|方[式法]|どう"), _WIDE_WAY, False),
)  # fmt: skip

PROCEDURE = re.compile(
    r"\bhow (?:do|can|could|should|would|to|does one)\b|\bwhere (?:do|can|should) (?:i|we|you)\b"
    r"|\b(?:steps?|instructions?|commands?) (?:to|for)\b|\bshow me\b|\bexample of\b"
    r"|如何|怎[么麼样樣]|步骤|どうやって|方法",
    re.I,
)

# More than a sentence answers these: ways, reasons, differences, several things, two questions.
_OPEN = re.compile(
    r"\bhow (?!many|much|long|far|old|often|large|big|tall|high|fast)|\bwhy\b"
    r"|\bwhat (?:are|were|happens?|happened|should|can)\b|\b(?:two|three|four|several) \w"
    r"|\b(?:explain|describe|compared?|differences?|key|advantages|benefits|ways|steps|tips)\b"
    r"|\band (?:what|how|which|why|when|where)\b|\?.*\?"
    r"|如何|怎[么麼样樣]|[为為](?:什[么麼]|何)|哪[些几幾]|原因|[区區][别別]|[两兩二三四几幾][个個]|方法|步[骤驟]",
    re.I,
)
_SUBJECT = re.compile(
    r"^\W*what (?:is|are|was|were|does)(?: an?| the)?"
    r" (?P<english>\S*\w(?: \S*\w){0,3}?)(?: mean)?\W*$"
    r"|^(?P<before>.{2,12}?)[是为為]什[么麼]\W*$|什[么麼]是(?P<after>.{2,12}?)\W*$",
    re.I,
)
# After a subject: "X is", "**X** (Y) means"; "X是", "X（Y）为".
_SAYS_SO = r"[*_`'\"”’]*,? ?(?:\([^()]{0,40}\),? ?)?(?:is|are|was|were|means?|refers?|stands?)\b"
_SAYS_SO_WIDE = r"(?:[（(].*[)）])?.{0,2}[是为為:：]"


def is_open(question: str) -> bool:
    """Tell whether more than one thing, or more than a sentence, answers a question."""
    return _OPEN.search(question) is not None


def wanted(question: str) -> Wanted | None:
    """Return what kind of thing a question asks for; None when its words do not tell."""
    kinds = [(asked, shape, True) for asked, shape in _KINDS]
    if CJK.search(question):
        kinds = [*_WIDE_KINDS, *kinds]
    found = next((kind for kind in kinds if kind[0].search(question)), None)
    if found is None:
        return _definition(question)
    _, shape, brief = found
    given = question.lower()

    def has(text: str) -> bool:
        return any(m[0].lower() not in given or len(m[0]) == 1 for m in shape.finditer(text))

    return Wanted(has, brief)


def _definition(question: str) -> Wanted | None:
    """What something is, a sentence tells that says so."""
    asked = _SUBJECT.match(question)
    if asked is None:
        return None
    if subject := asked["english"]:
        shape = re.compile(r"(?<!\w)" + re.escape(subject) + _SAYS_SO, re.I)
    else:
        shape = re.compile(re.escape(asked["before"] or asked["after"]) + _SAYS_SO_WIDE)
    return Wanted(lambda text: shape.search(text) is not None, brief=False, says=True)
