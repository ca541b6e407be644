"""Questions drafted from documents, for a person to accept or to remove.

Without a model they come from what documents say of themselves: a heading that is a question, a
heading that names a task ("Installing the agent"), a sentence that defines what its heading names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bot import followup, similarity
from bot.database import Database, load_queries
from bot.evaluation.golden import Golden
from bot.indexing import markdown
from bot.sentences import sentences
from bot.turn import Principal

QUERIES = load_queries(Path(__file__).parent.parent / "queries" / "suggesting.sql")

_MOST = 1000  # documents that are looked at
_LONGEST = 200  # characters of a heading that is a question, or names a task
_ANSWER = 500  # characters of an answer
_SENTENCES = 3  # of an answer

_VERBS = (
    "add adjust allow apply assign attach authenticate back become book borrow bring build call"
    " cancel change check choose clean clear clone close combine compare compile configure"
    " connect convert copy create customize debug declare define delete deploy disable display"
    " download edit embed enable encrypt enter exclude export extend filter find fix format"
    " generate get hand handle hide hire import improve include increase index install integrate"
    " invite join leave limit link list load lock log make manage mark measure merge migrate"
    " modify monitor move open order organize override package parse pass pay plan prepare"
    " prevent print protect publish push query read rebuild receive record reduce refresh"
    " register release reload remove rename render renew rent reopen repair replace report"
    " request require reset resize resolve restart restore resume retrieve return review revoke"
    " roll rotate run save scale schedule search secure select send serve set share ship show"
    " sign skip specify split start stop store submit subscribe switch sync tag test track train"
    " transfer translate trigger troubleshoot tune turn uninstall unlock unsubscribe update"
    " upgrade upload use validate verify view watch withdraw work write"
).split()
_DOUBLED = frozenset("get set run stop plan log tag submit cancel skip split clip".split())
# As the first word of a heading these may be nouns: "Request parameters", "Test client".
_NOUNS = frozenset(
    "back book build call change check claim clone debug display download edit export filter"
    " format get hand hire import increase index limit link list load lock log make mark measure"
    " open order override package parse pass pay plan print query read record release rent report"
    " request reset resume return review run scale schedule search secure select set share ship"
    " show sign skip split start stop store submit switch sync tag test track train transfer"
    " trigger update upgrade upload use view watch work write".split()
)
_ARTICLES = frozenset("a an the your its this that these those all new more multiple".split())
_OURS = re.compile(r"\b(?:we|us|our|my)\b", re.IGNORECASE)
_OPTIONAL = re.compile(r"\s*\([^()]*\)$")
_HOW = re.compile(r"how to (?P<rest>[a-z].+)", re.IGNORECASE)
_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)]?|[A-Z][.)]|step \d+[:.]?)\s+", re.IGNORECASE)
_NO_PROSE = ("#", "|", "```", "~~~", "---", "![", "<", "///", ":::", "> [!")
_ITEM = re.compile(r"^(?:[-*+•]|\d{1,3}[.)])\s+")
_QUESTION = re.compile(r"[?？؟]\s*$")
# How languages define: what is defined, and the question that asks for it.
_DEFINITIONS = tuple(
    (re.compile(f"{before}(?P<what>[^,.:;()，。：；、（）]{{2,60}}?){after}"), question)
    for before, after, question in (
        ("(?P<the>(?:An? |The )?)", " (?:is|are) (?:an?|the|one of) ", "What {verb} {the}{what}?"),
        ("(?:(?:Der|Die|Das|Eine?) )?", " (?:ist|sind) (?:eine?|der|die|das) ", "Was ist {what}?"),
        ("(?:L['’]|L[ea] |Les |Une? )?", " (?:est|sont) (?:une?|l[ea]|les) ",
         "Qu’est-ce que {what} ?"),
        ("(?:El |L[ao] |L[ao]s |Una? )?", " (?:es|son) (?:una?|el|l[ao]s?) ", "¿Qué es {what}?"),
        ("", "(?:是一|是指|指的是)", "什么是{what}？"),
        ("", "とは、?", "{what}とは何ですか？"),
    )
)  # fmt: skip
_LINK = re.compile(r"!?\[([^\]\n]*)\](?:\([^)\s]*(?: \"[^\"]*\")?\)|\[[^\]\n]*\])")
_EMPHASIS = re.compile(r"(\*\*|__|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w))")


@dataclass(frozen=True, slots=True)
class Told:
    """A document as questions are drafted from it.

    Attributes:
        place: what a golden question names as its source.
    """

    place: str
    title: str
    text: str
    readers: frozenset[Principal]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading without its markup, and the text below it up to the next one."""

    heading: str
    text: str


async def documents(database: Database, sources: Collection[str] = ()) -> list[Told]:
    """Read indexed documents, those that no golden question expects first, in a fixed order."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            QUERIES["documents"], {"sources": list(sources), "limit": _MOST}
        )
        rows: list[Any] = await cursor.fetchall()
    return [Told(place, title, text, frozenset(who)) for place, title, text, who in rows]


def suggest(told: Iterable[Told], known: Iterable[str], limit: int) -> list[Golden]:
    """Draft questions without a model, taken in turn from all documents.

    Args:
        known: questions that need not be asked again.
    """
    asked = {key(question) for question in known}
    found: list[Golden] = []
    for round_ in zip_longest(*map(_drafts, told)):
        for draft in filter(None, round_):
            if len(found) < limit and key(draft.question) not in asked:
                asked.add(key(draft.question))
                found.append(draft)
    return found


def key(question: str) -> Hashable:
    """Equal for questions that mean the same by their words."""
    meant = similarity.meaning(question)
    return (meant.words, meant.numbers, meant.turns, meant.kind) if meant.words else question


def draft(one: Told, question: str, answer: str) -> Golden:
    """A question that nobody has accepted yet; who may read its source may read it."""
    return Golden(
        question=question,
        answer=answer,
        sources={one.place: 1},
        readers=one.readers,
        origin="suggested",
        reference=one.title[:200],
        draft=True,
    )


def sections(one: Told) -> Iterator[Section]:
    """The sections of a document that have a text of their own."""
    starts = [(b.start, b.title) for b in markdown.blocks(one.text) if b.heading]
    if not starts or starts[0][0] > 0:
        starts.insert(0, (0, one.title))
    for (start, title), (end, _) in zip(starts, [*starts[1:], (len(one.text), "")], strict=True):
        part = one.text[start:end]
        body = part.split("\n", 1)[1] if part.lstrip().startswith("#") and "\n" in part else part
        if body.strip():
            yield Section(title.strip(), body.strip())


def _drafts(one: Told) -> Iterator[Golden]:
    """Questions of one document, the surest kinds first."""
    made: dict[str, list[Golden]] = {"question": [], "definition": [], "task": []}
    for section in sections(one):
        for kind, question in _questions(section, one.title):
            answer = _answer(section.text)
            if answer and (kind == "definition" or followup.stands_alone(question)):
                made[kind].append(draft(one, question, answer))
                break
    for some in made.values():
        yield from some


def _questions(section: Section, title: str) -> Iterator[tuple[str, str]]:
    heading = _NUMBERING.sub("", section.heading)
    if len(heading) <= _LONGEST:
        if _QUESTION.search(heading):
            yield "question", heading
        elif task := _task(heading):
            yield "task", task
    if defined := _definition(section.text, f"{title} {heading}"):
        yield "definition", defined


def _task(heading: str) -> str:
    """Ask how to do what a heading names, as far as it is English."""
    heading = _OPTIONAL.sub("", heading).rstrip(".")
    if _OURS.search(heading):
        return ""
    if how := _HOW.fullmatch(heading):
        return f"How do I {how['rest']}?"
    first, _, rest = heading.partition(" ")
    verb = _BASES.get(first.lower())
    second = rest.split(" ")[0]
    if verb is None or not second or second in ("and", "or"):
        return ""
    if first.lower() in _NOUNS and second.lower() not in _ARTICLES:
        return ""
    return f"How do I {verb} {rest}?"


def _definition(text: str, heading: str) -> str:
    """Ask for what the first sentence defines, if the heading or the title names it."""
    first = next((text[slice(*span)] for span in sentences(text)[:1]), "")
    plain = _plain(first).replace("`", "")
    for pattern, question in _DEFINITIONS:
        if (match := pattern.match(plain)) is None:
            continue
        words = similarity.meaning(match["what"]).words
        if words and words <= similarity.meaning(heading).words:
            parts = match.groupdict()
            verb = "are" if " are " in match[0] else "is"
            return question.format(the=parts.get("the", "").lower(), what=match["what"], verb=verb)
    return ""


def _answer(text: str) -> str:
    """The first sentences below a heading, as far as they are prose."""
    chosen: list[str] = []
    for span in sentences(text):
        part = _ITEM.sub("", _plain(text[slice(*span)]))
        if part.startswith(_NO_PROSE) or part.endswith((":", "：")):
            break
        if len(chosen) == _SENTENCES or sum(map(len, chosen)) + len(part) > _ANSWER:
            break
        chosen.append(part)
    return " ".join(chosen)


def _plain(text: str) -> str:
    """A sentence of Markdown without links and emphasis, in one line."""
    return " ".join(_EMPHASIS.sub("", _LINK.sub(r"\1", text)).split())


def _ing(verb: str) -> str:
    if verb in _DOUBLED:
        return f"{verb}{verb[-1]}ing"
    return f"{verb[:-1]}ing" if verb.endswith("e") and not verb.endswith("ee") else f"{verb}ing"


_BASES = {form: verb for verb in _VERBS for form in (verb, _ing(verb))}
