"""What the bot says in its own words, in the language of the question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.text import CJK

_LOOKED = 3  # documents or sources that a refusal names

_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", CJK),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
)
# A question has few words: those that questions are made of tell its language best.
_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the is are was were do does did what which who whose when where why how can could"
        " should would my your our of in to for with and not have has an it this that there",
        "de": "der die das den dem des ein eine einen einer ist sind war was wer wen wem wann wo"
        " wohin warum wieso wie welche welcher welches kann ich wir mein unser und nicht für mit"
        " auf bei wird gibt es von zu im",
        "fr": "le la les un une des du de est sont qui que quoi quel quelle quels quelles quand où"
        " pourquoi comment combien je nous mon ma mes notre et ne pas pour avec dans peut puis"
        " faire il y au aux",
        "es": "el la los las un una unos de del es son está qué que quién cuál cuáles cuándo dónde"
        " por cómo cuánto cuántos puedo podemos mi mis nuestro y no para con en hay se",
        "it": "il lo la gli le un una di del della è sono chi che cosa quale quali quando dove"
        " perché come quanto quanti posso mio nostro e non per con si c in dei delle",
        "pt": "o a os as um uma de do da dos das é são quem que qual quais quando onde porque como"
        " quanto quantos posso meu minha nosso e não para com em há se no na por",
        "nl": "de het een is zijn was wat wie welke wanneer waar waarom hoe kan ik we wij mijn ons"
        " onze en niet voor met van op bij er in te",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one language.

    Attributes:
        nothing: nothing answers the question.
        looked: what was looked at follows.
        approved: people have approved the answer for the question `{question}`.
        unsupported: an answer is the model's own, and no source stands behind it.
    """

    nothing: str
    looked: str
    approved: str
    unsupported: str


_PHRASES = {
    "en": Phrases(
        "I found nothing in the sources that answers this.",
        "I looked at:",
        "A curated answer, approved for “{question}”.",
        "No source supports this answer.",
    ),
    "de": Phrases(
        "In den Quellen habe ich nichts gefunden, was das beantwortet.",
        "Nachgesehen habe ich in:",
        "Eine kuratierte Antwort, freigegeben für „{question}“.",
        "Keine Quelle stützt diese Antwort.",
    ),
    "fr": Phrases(
        "Je n’ai rien trouvé dans les sources qui réponde à cette question.",
        "J’ai consulté :",
        "Réponse validée, approuvée pour « {question} ».",
        "Aucune source n’appuie cette réponse.",
    ),
    "es": Phrases(
        "No he encontrado nada en las fuentes que responda a esto.",
        "He consultado:",
        "Respuesta revisada, aprobada para «{question}».",
        "Ninguna fuente respalda esta respuesta.",
    ),
    "it": Phrases(
        "Non ho trovato nelle fonti nulla che risponda a questa domanda.",
        "Ho consultato:",
        "Risposta curata, approvata per «{question}».",
        "Nessuna fonte sostiene questa risposta.",
    ),
    "pt": Phrases(
        "Não encontrei nas fontes nada que responda a isto.",
        "Consultei:",
        "Resposta revista, aprovada para “{question}”.",
        "Nenhuma fonte sustenta esta resposta.",
    ),
    "nl": Phrases(
        "Ik heb in de bronnen niets gevonden dat dit beantwoordt.",
        "Ik heb gekeken in:",
        "Een goedgekeurd antwoord op “{question}”.",
        "Geen bron ondersteunt dit antwoord.",
    ),
    "ru": Phrases(
        "В источниках нет ответа на этот вопрос.",
        "Просмотрено:",
        "Проверенный ответ, одобрен для вопроса «{question}».",
        "Этот ответ не подтверждён источниками.",
    ),
    "zh": Phrases(
        "在现有资料中没有找到能回答这个问题的内容。",
        "查阅过的资料：",
        "这是经人工审核的答案，对应的问题是：“{question}”",
        "没有资料支持这个回答。",
    ),
    "ja": Phrases(
        "資料の中に、この質問の答えは見つかりませんでした。",
        "調べた資料：",
        "「{question}」に対する、承認済みの回答です。",
        "この回答を裏づける資料はありません。",
    ),
    "ko": Phrases(
        "자료에서 이 질문에 대한 답을 찾지 못했습니다.",
        "살펴본 자료:",
        "“{question}”에 대해 승인된 답변입니다.",
        "이 답변을 뒷받침하는 자료는 없습니다.",
    ),
}


def phrases(text: str) -> Phrases:
    """Return the bot's phrases in the language of a text."""
    return _PHRASES[language(text)]


def refusal(question: str, looked: Iterable[str]) -> str:
    """Say that nothing answers a question, and what was looked at, at most three of it."""
    said = phrases(question)
    names = [" ".join(name.split()) for name in looked]
    shown = [f"{name[:80]}…" if len(name) > 80 else name for name in dict.fromkeys(names) if name]
    return f"{said.nothing}\n{said.looked} {'; '.join(shown[:_LOOKED])}" if shown else said.nothing


def language(text: str) -> str:
    """Tell the language of a question, as far as the bot speaks it; `en` in doubt."""
    for name, script in _SCRIPTS:
        if script.search(text):
            return name
    words = [word.lower() for word in _WORD.findall(text)]
    votes = {name: sum(word in known for word in words) for name, known in _WORDS.items()}
    return max(votes, key=lambda name: votes[name])  # the first of equals: English
