"""Examples and their variants, written as they are made: `bot tune augment`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from bot.asking import Generator
from bot.errors import UsageError
from bot.glossary import Group
from bot_tune import examples
from bot_tune.augmenting import Replacing, grouped, questions
from bot_tune.examples import Example, as_json
from bot_tune.translating import Translating

_AT_ONCE = 8  # examples that a generator translates side by side

Varied: TypeAlias = "tuple[Example, list[Example], str]"
"""An example, its variants, and why there are none."""


@dataclass(slots=True)
class Done:
    """How many examples and variants were written, and why some have no variant."""

    examples: int = 0
    variants: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def check(files: Iterable[Path], output: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        UsageError: the output is one of the files.
    """
    if any(output.resolve() == one.resolve() for one in files):
        raise UsageError(f"{output} is one of the files that are read; name another.")


async def replaced(
    files: Iterable[Path], groups: Sequence[Group], copies: int, seed: int
) -> AsyncIterator[Varied]:
    """Vary examples by other words for the same."""
    replacing = Replacing(groups, seed)
    for example in map(grouped, examples.read(files)):
        made = replacing.variants(example, copies)
        why = "it asks nothing" if not questions(example) else "it has no phrase with another"
        yield example, made, "" if made else why


async def translated(
    files: Iterable[Path], generator: Generator, through: str
) -> AsyncIterator[Varied]:
    """Vary examples through another language.

    Raises:
        GenerationError, HookFailed, MayNotReceive: the generator cannot be asked.
    """
    translating = Translating(generator, through)
    for some in _batches(map(grouped, examples.read(files))):
        asking = [one for one in some if questions(one)]
        results = await asyncio.gather(*map(translating.variant, asking))
        made = {id(one): found for one, found in zip(asking, results, strict=True)}
        for one in some:
            found, why = made.get(id(one), (None, "it asks nothing"))
            yield one, [found] if found else [], why


async def write(work: AsyncIterator[Varied], output: Path, told: Callable[[int], None]) -> Done:
    """Write each example and its variants as soon as they are made.

    Args:
        told: is called with the number of examples that are written.
    """
    done = Done()
    with output.open("w", encoding="utf-8", buffering=1) as file:
        async for example, variants, why in work:
            for one in (example, *variants):
                file.write(json.dumps(as_json(one), ensure_ascii=False) + "\n")
            done.examples += 1
            done.variants += len(variants)
            if why:
                done.refused[why] += 1
            told(done.examples)
    return done


def _batches(given: Iterator[Example]) -> Iterator[list[Example]]:
    while some := list(islice(given, _AT_ONCE)):
        yield some
