"""What is known of a question before it is answered, and of an answer when it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum

from bot import phrases, support
from bot.sentences import sentences
from bot.text import CJK
from bot.turn import Passage, Prompt
from bot_router.settings import RouterSettings, Rule, Size, Weak

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_MARKERS = re.compile(r"(?:\s*\[\d{1,3}\])+")
_NUMBER = re.compile(r"\d+")
_BEHIND = re.compile(r"([.!?。！？]+)((?:\s*\[\d{1,3}\])+)")  # markers after the full stop
_SHORT = 3  # words; a shorter sentence says too little to be looked up
# What models say that were told to say so when the sources do not hold the answer.
_CANNOT = re.compile(
    r"\b(?:sources?|documents?|passages?|context|information|text)\b[^.!?]{0,60}?"
    r"\b(?:do(?:es)? not|don[’']t|doesn[’']t|did not)\b[^.!?]{0,30}?"
    r"\b(?:hold|contain|mention|say|tell|provide|answer|include|specify|state|give)"
    r"|\bi (?:do not|don[’']t|cannot|can[’']t|could not|am unable to|am not able to)\b"
    r"[^.!?]{0,20}?\b(?:know|answer|find|tell|determine)"
    r"|\b(?:is|are) not (?:mentioned|stated|specified|provided|given) in the"
    r" (?:\w+ )?(?:sources?|documents?|passages?|context|text)"
    r"|\b(?:quellen|dokumente?|texte?)\b[^.!?]{0,40}?\b(?:enth[aä]lt|nenn|sag|geb|gib|beantwort"
    r"|erwähn)\w*[^.!?]{0,40}?\b(?:nicht|nichts|keine?n?)\b"
    r"|\bich (?:weiß|kann)\b[^.!?]{0,40}?\bnicht\b(?: (?:beantworten|sagen|finden)|[.,!]|$)"
    r"|\b(?:les sources|le contexte|les documents)\b[^.!?]{0,20}?\b(?:ne |n[’'])"
    r"(?:contien|mentionn|précis|répond|indiqu|dis|fourniss)"
    r"|\blas fuentes no\b|\bno (?:lo )?sé\b|\ble fonti non\b|\bas fontes não\b"
    r"|\bde bronnen\b[^.!?]{0,30}?\b(?:niets?|geen)\b|\bисточник[^.!?]{0,40}\bне\b"
    r"|(?:资料|資料|來源|来源|文档|文件)[^。！？]{0,12}(?:没有|沒有|未|无法)[^。！？]{0,4}"
    r"(?:提|说|說|记|記|包含|回答|找到|答案)"
    r"|(?:资料|資料|出典|情報|ソース)[^。！？]{0,20}(?:記載|情報|書かれ|含まれ|答え|見つか)"
    r"[^。！？]{0,10}(?:ありません|いません|ません)"
    r"|(?:자료|출처)[^.!?]{0,20}(?:정보|언급|답|내용)[^.!?]{0,12}(?:없습니다|않습니다)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, as rules see it.

    Attributes:
        words: Chinese, Japanese and Korean characters count half a word each.
        score: of the best passage, on its retriever's own scale; 0 without one.
        text: the question and its standalone forms, for topics.
    """

    words: float
    score: float
    passages: int
    language: str
    text: str

    @classmethod
    def of(cls, prompt: Prompt) -> Asked:
        """Look at the question and what was found for it."""
        question = prompt.question
        return cls(
            words=len(_WORD.findall(CJK.sub(" ", question))) + len(CJK.findall(question)) / 2,
            score=max((passage.score for passage in prompt.passages), default=0.0),
            passages=len(prompt.passages),
            language=phrases.language(question),
            text="\n".join([question, *prompt.queries]).casefold(),
        )


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, as it is judged.

    Attributes:
        refused: it refuses, or says that it cannot tell.
        supported: share of its sentences that passages support; None without passages.
        probability: geometric mean of the probabilities of its tokens; None when none are told.
    """

    refused: bool
    supported: float | None
    probability: float | None


def chosen(settings: RouterSettings, asked: Asked) -> tuple[Size, str]:
    """Who answers a question, and the rule that says so; empty when none does."""
    for number, rule in enumerate(settings.rules, 1):
        if fits(rule, asked):
            return rule.use, rule.name or f"rule {number}"
    return settings.start, ""


def fits(rule: Rule, asked: Asked) -> bool:
    """Whether all that a rule asks for is so."""
    ranges = ((rule.words, asked.words), (rule.score, asked.score), (rule.passages, asked.passages))
    return (
        all(range_ is None or range_.holds(value) for range_, value in ranges)
        and (rule.languages is None or asked.language in rule.languages)
        and (rule.topics is None or any(_speaks(asked.text, topic) for topic in rule.topics))
    )


def _speaks(text: str, topic: str) -> bool:
    """Whether a text has a phrase: as whole words, where words are set apart."""
    phrase = re.escape(topic.casefold())
    pattern = phrase if CJK.search(topic) else rf"(?<!\w){phrase}(?!\w)"
    return re.search(pattern, text) is not None


def refuses(text: str) -> bool:
    """Whether an answer begins by saying that it cannot tell."""
    spans = sentences(text)
    first = text[slice(*spans[0])] if spans else text
    return phrases.phrases(text).nothing in text or _CANNOT.search(first) is not None


def bare(text: str) -> str:
    """An answer without its markers."""
    return _MARKERS.sub("", text).strip()


def markers(text: str) -> list[int]:
    """The numbers of the passages that an answer cites."""
    return [int(number) for found in _MARKERS.findall(text) for number in _NUMBER.findall(found)]


def begun(text: str) -> bool:
    """Whether the first sentence is complete, which is known when the next has begun."""
    return len(sentences(text)) > 1


def judged(
    text: str, logprobs: Sequence[float], passages: Sequence[Passage], *, refused: bool
) -> Said:
    """Judge an answer by itself and its passages; no model is asked."""
    return Said(
        refused=refused or refuses(text),
        supported=supported(text, [one.text for one in passages]) if passages else None,
        probability=exp(fsum(logprobs) / len(logprobs)) if logprobs else None,
    )


def supported(text: str, passages: Sequence[str]) -> float:
    """The share of an answer's sentences that a passage stands behind.

    A sentence with markers is compared with the passages that they name, any other with all.
    Those of less than three words do not count; 1 when none is left.
    """
    every = "".join(f"[{number}]" for number in range(1, len(passages) + 1))
    claims = []
    text = _BEHIND.sub(r"\2\1", text)
    for span in sentences(text):
        sentence = text[slice(*span)].strip()
        said = bare(sentence)
        if len(_WORD.findall(CJK.sub(" ", said))) + len(CJK.findall(said)) / 2 >= _SHORT:
            named = any(0 < number <= len(passages) for number in markers(sentence))
            claims.append(sentence if named else f"{said} {every}")
    doubted = sum(bool(support.doubts(claim, passages)) for claim in claims)
    return 1 - doubted / len(claims) if claims else 1.0


def weakness(weak: Weak, said: Said) -> tuple[str, str]:
    """Why an answer is too weak to stand: a name and words; empty when it is not."""
    if weak.refusal and said.refused:
        return "refusal", "it found no answer"
    if said.supported is not None and said.supported < weak.supported:
        share = f"{said.supported:.0%} of its sentences have support, below {weak.supported:.0%}"
        return "unsupported", share
    if said.probability is not None and said.probability < weak.probability:
        return (
            "unsure",
            f"its words are {said.probability:.2f} probable, below {weak.probability:g}",
        )
    return "", ""
