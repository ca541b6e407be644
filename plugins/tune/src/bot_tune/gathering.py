"""What a training learns from, and who may read all of it. No torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from bot import curated
from bot.database import Database, load_queries
from bot.errors import NotFound, UsageError
from bot.evaluation import golden
from bot.turn import EVERYONE, Principal
from bot_tune import examples
from bot_tune.examples import Conversation, Example, Message, Pair, Text
from bot_tune.leaks import golden_tests
from bot_tune.preparing import prepare
from bot_tune.recipe import Recipe

QUERIES = load_queries(Path(__file__).parent / "queries" / "tune.sql")
PUBLIC: frozenset[Principal] = frozenset({EVERYONE})
_KINDS: dict[str, tuple[type[Example], ...]] = {
    "sft": (Conversation,), "clm": (Text, Conversation), "dpo": (Pair,),
}  # fmt: skip
_WANTED = {
    "sft": "conversations (`messages`, `question` and `answer`, Alpaca)",
    "clm": "texts or conversations",
    "dpo": "pairs (`prompt`, `chosen`, `rejected`)",
}
Held: TypeAlias = "tuple[list[Example], list[Example]]"


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that a training reads.

    Attributes:
        data: what is learned.
        mixed: further examples, by the name of their file.
        left_out: what was left out, and why.
        warnings: what a person should look at before it is learned.
    """

    data: list[Example]
    mixed: dict[str, list[Example]]
    left_out: list[str]
    warnings: list[str] = field(default_factory=list)

    @property
    def sha256(self) -> str:
        """Of all examples in their order: the same data have the same."""
        digest = hashlib.sha256()
        for name, some in [("", self.data), *self.mixed.items()]:
            digest.update(f"{name}\n".encode())
            for one in some:
                digest.update(json.dumps(examples.as_json(one), sort_keys=True).encode() + b"\n")
        return digest.hexdigest()

    def readers(self, asked: Sequence[Principal]) -> list[Principal]:
        """Who may be answered with what was learned.

        Args:
            asked: as told by `--readers`; nobody for all who may read all of it.

        Raises:
            UsageError: some of it is restricted and nobody is named, or somebody is who may not
                read all of it.
        """
        everything = [*self.data, *(one for some in self.mixed.values() for one in some)]
        secret = next((one for one in everything if EVERYONE not in one.readers), None)
        if secret is not None and not asked:
            raise UsageError(
                f"{secret.place} may be read by {', '.join(sorted(secret.readers))} alone; name "
                "with --readers who is answered with what is learned from it, or leave it out."
            )
        for one in everything:
            if EVERYONE not in one.readers and (others := set(asked) - one.readers):
                raise UsageError(
                    f"{', '.join(sorted(others))} may not read {one.place}; name with --readers "
                    "those who may read all of the data."
                )
        return sorted(asked) or [EVERYONE]


async def gather(recipe: Recipe, database: Database | None) -> Gathered:
    """Read the data that a recipe names.

    Args:
        database: the bot's; needed for sources and feedback alone.

    Raises:
        UsageError: a file or an example cannot be used for the recipe's task.
        NotFound: there is no such source, or nothing in it.
    """
    found = list(examples.read(recipe.data))
    left_out: list[str] = []
    if database is not None:
        for source in recipe.sources:
            found += await documents(database, source)
        if recipe.feedback:
            reviewed, known = await approved(database, pairs=recipe.task == "dpo")
            found += reviewed
            if known:
                left_out.append(f"{known} approved answers whose questions are in the golden set")
    allowed = _KINDS[recipe.task]
    for one in found:
        if not isinstance(one, allowed):
            raise UsageError(
                f"{one.place} is {type(one).__name__.lower()} data, and --task {recipe.task} "
                f"learns from {_WANTED[recipe.task]}; choose another task."
            )
    tests = await golden_tests(database) if database is not None else []
    prepared = await prepare(found, tests=tests)
    left_out += prepared.left_out()
    if not prepared.examples:
        raise UsageError(
            "There is nothing to learn from in the data; `bot tune inspect` says what was left "
            "out, and why."
        )
    mixed = {}
    for mix in recipe.mix:
        read = list(examples.read([mix.data]))
        if bad := next((one for one in read if isinstance(one, Pair)), None):
            raise UsageError(f"{bad.place} is a pair, which cannot be mixed in.")
        further = await prepare(read, tests=tests)
        mixed[mix.name] = further.examples
        left_out += further.left_out()
    return Gathered(prepared.examples, mixed, left_out, prepared.warnings())


async def documents(database: Database, source: str) -> list[Example]:
    """All documents of a source, as the index has them.

    Raises:
        NotFound: the index has none.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(QUERIES["documents"], {"source": source})
        rows = await cursor.fetchall()
    if not rows:
        raise NotFound(
            f"The index has no document of {source!r}; `bot source list` shows the sources, and "
            "`bot reindex` reads them."
        )
    return [
        Text(
            text=text if not title or text.lstrip("# ").startswith(title) else f"{title}\n\n{text}",
            place=uri,
            readers=frozenset(readers),
        )
        for uri, title, text, readers in rows
    ]


async def approved(database: Database, *, pairs: bool = False) -> tuple[list[Example], int]:
    """Answers that people have approved, which is what feedback is after its review.

    Args:
        pairs: each beside an answer to the same question that people called bad.

    Returns:
        The examples, and how many were left out because the golden set asks their question: what
        is measured is not learned.
    """
    tested = {one.question.strip().casefold() for one in await golden.load(database)}
    known = await curated.load(database)
    kept = [one for one in known if one.question.strip().casefold() not in tested]
    found: list[Example] = []
    if not pairs:
        for one in kept:
            messages = (Message("user", one.question), Message("assistant", one.answer))
            found.append(
                Conversation(messages=messages, place=f"answer {one.id}", readers=one.readers)
            )
        return found, len(known) - len(kept)
    async with database.connection() as connection:
        rows = await (await connection.execute(QUERIES["bad"])).fetchall()
    for one in kept:
        for question, answer, cited in rows:
            same = question.strip().casefold() == one.question.strip().casefold()
            readers = golden.narrowest([one.readers, *map(frozenset, cited)])
            if same and answer != one.answer and readers:
                found.append(
                    Pair(
                        messages=(Message("user", one.question),),
                        chosen=one.answer,
                        rejected=answer,
                        place=f"answer {one.id}",
                        readers=readers,
                    )
                )
    return found, len(known) - len(kept)


def held_out(given: Iterable[Example], share: float, seed: int) -> Held:
    """Take some examples away for measuring; equal ones stay on one side.

    Which ones depends on what they say and on the seed alone, so that more data do not move them
    to the other side.

    Returns:
        Those to learn from, and those to measure with. A single text is cut, and its end measured;
        with a single conversation or a share of 0 nothing is.
    """
    ranked: dict[str, list[Example]] = {}
    for one in given:
        said = one.group or {**examples.as_json(one), "readers": 0}
        said = json.dumps([seed, said], sort_keys=True)
        ranked.setdefault(hashlib.sha256(said.encode()).hexdigest(), []).append(one)
    if len(ranked) == 1 and share and isinstance(only := next(iter(ranked.values()))[0], Text):
        return _cut(only, share)
    limit = f"{int(share * 16**8):08x}"
    measured = [key for key in ranked if key[:8] < limit]
    if not measured and share and len(ranked) > 1:
        measured = [min(ranked)]
    if len(measured) == len(ranked):
        measured = measured[1:]
    taken = set(measured)
    learned = [one for key, some in ranked.items() if key not in taken for one in some]
    return learned, [one for key in measured for one in ranked[key]]


def _cut(one: Text, share: float) -> Held:
    """Cut a text before its last part, between two words."""
    place = one.text.rfind(" ", 0, int(len(one.text) * (1 - share)) + 1)
    if place <= 0:
        return [one], []
    return [replace(one, text=one.text[:place])], [replace(one, text=one.text[place + 1 :])]
