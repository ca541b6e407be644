"""The answer to "What can you answer?", the question that the app's manifest suggests.

No document answers it, so it is answered from the ledger: sources with some of their titles, of
what this person may read here. A curated answer of the team's own comes first.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from bot import curated, record
from bot.similarity import same
from bot.turn import Answer, Citation, Event, Finished, Outcome, Passage, Status, TextDelta
from bot_slack.home import QUERIES, day

if TYPE_CHECKING:
    from bot import Bot, Turn

QUESTION = "What can you answer?"

_SOURCES = 8
_TITLES = 3  # of each source
_TITLE = 120  # characters
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Phrases:
    """The question in one language, and what answers it.

    Attributes:
        asked: the question, as people put it.
        nothing: there is no document.
        about: a list of sources follows.
        source, more: a line of it; `{name}` of a source, `{count}` of documents or sources.
    """

    asked: tuple[str, ...]
    nothing: str
    about: str
    source: str
    more: str


PHRASES = (
    Phrases(
        (QUESTION, "What can I ask you?", "Which questions can you answer?"),
        "Nothing yet: there is no document that you may read here.",
        "Questions about what stands in these sources:",
        "{name} (documents: {count}, as of {day}), such as {titles}",
        "and {count} more",
    ),
    Phrases(
        ("Was kannst du beantworten?", "Was können Sie beantworten?", "Was kann ich dich fragen?",
         "Welche Fragen kannst du beantworten?"),
        "Noch nichts: Hier gibt es kein Dokument, das du lesen darfst.",
        "Fragen zu dem, was in diesen Quellen steht:",
        "{name} (Dokumente: {count}, Stand {day}), zum Beispiel {titles}",
        "und {count} weitere",
    ),
    Phrases(
        ("À quoi peux-tu répondre ?", "À quoi pouvez-vous répondre ?",
         "À quelles questions peux-tu répondre ?", "Que puis-je te demander ?"),
        "Rien pour l’instant : il n’y a ici aucun document que vous puissiez lire.",
        "Aux questions sur le contenu de ces sources :",
        "{name} (documents : {count}, au {day}), par exemple {titles}",
        "et {count} autres",
    ),
    Phrases(
        ("¿Qué puedes responder?", "¿Qué preguntas puedes responder?", "¿Qué te puedo preguntar?"),
        "Todavía nada: aquí no hay ningún documento que puedas leer.",
        "Preguntas sobre lo que dicen estas fuentes:",
        "{name} (documentos: {count}, a {day}), por ejemplo {titles}",
        "y {count} más",
    ),
    Phrases(
        ("你能回答什么？", "你能回答什么问题？", "你可以回答什么问题？", "你能回答哪些问题？"),
        "暂时没有：这里没有您可以阅读的文档。",
        "可以回答与以下资料内容有关的问题：",
        "{name}（{count} 个文档，截至 {day}），例如 {titles}",
        "还有 {count} 个",
    ),
    Phrases(
        ("何に答えられますか？", "どんな質問に答えられますか？", "何を質問できますか？"),
        "まだありません。ここで閲覧できる文書がないためです。",
        "次の資料の内容についての質問に答えます：",
        "{name}（文書 {count} 件、{day} 現在）、例：{titles}",
        "ほか {count} 件",
    ),
)  # fmt: skip


def asks(text: str) -> Phrases | None:
    """Return the phrases of a question's language if it is the suggested one."""
    return _PHRASES_BY_QUESTION.get(_plain(text))


def _plain(text: str) -> str:
    return "".join(_WORD.findall(text.casefold()))


_PHRASES_BY_QUESTION = {_plain(one): phrases for phrases in PHRASES for one in phrases.asked}


async def is_curated(bot: Bot, turn: Turn) -> bool:
    """Whether the team has its own answer to the question."""
    approved = await curated.load(bot.database)
    return any(
        one.readers & turn.principals and same(turn.question, one.question, None)
        for one in approved
    )


async def events(bot: Bot, turn: Turn, author: str, phrases: Phrases) -> AsyncGenerator[Event]:
    """Answer, and record it: a turn like any other, without retrieval or generator."""
    await record.start(bot.database, turn, author)
    names, shown = await _known(bot, turn)
    lines = [phrases.about, ""] if names else [phrases.nothing]
    for name in names[:_SOURCES]:
        own = [(n, passage) for n, passage in enumerate(shown, 1) if passage.source == name]
        titles = ", ".join(f"“{passage.title}” [{n}]" for n, passage in own)
        line = phrases.source.format(name=name, titles=titles, **own[0][1].metadata)
        lines.append(f"- {line}")
    if len(names) > _SOURCES:
        lines.append(f"- {phrases.more.format(count=len(names) - _SOURCES)}")
    text = "\n".join(lines)
    answer = Answer(
        turn=turn.id,
        outcome=Outcome.answered if names else Outcome.refused,
        text=text,
        citations=tuple(_citation(n, passage) for n, passage in enumerate(shown, 1)),
    )
    yield Status("", passages=tuple(shown))
    yield TextDelta(text)
    await record.finish(bot.database, turn, answer)
    yield Finished(answer)


async def _known(bot: Bot, turn: Turn) -> tuple[list[str], list[Passage]]:
    """The sources, and the newest titles of the first ones as passages.

    A passage's `metadata` say how much its source holds, and since when.
    """
    arguments = {
        "sources": sorted(turn.sources),
        "principals": sorted(turn.principals),
        "titles": _TITLES,
    }
    async with bot.database.connection() as connection:
        cursor = connection.cursor(row_factory=dict_row)
        rows = await (await cursor.execute(QUERIES["titles"], arguments)).fetchall()
    names = list(dict.fromkeys(row["name"] for row in rows))
    return names, [_passage(row) for row in rows if row["name"] in names[:_SOURCES]]


def _passage(row: Mapping[str, Any]) -> Passage:
    title = " ".join(row["title"].split())[:_TITLE]
    return Passage(
        id=str(row["id"]),
        text=title,
        title=title,
        uri=row["uri"],
        readers=frozenset(row["readers"]),
        source=row["name"],
        metadata={"count": row["documents"], "day": day(row["synced_at"])},
    )


def _citation(number: int, passage: Passage) -> Citation:
    return Citation(
        marker=number,
        uri=passage.uri,
        title=passage.title,
        quote=passage.text,
        passage_id=passage.id,
        source=passage.source,
        readers=passage.readers,
    )
