"""More ways to ask the same: the user's messages vary, what the assistant answers stays.

Wei and Zou, "EDA: Easy Data Augmentation" (2019), of whose operations only the replacement of
synonyms keeps the meaning. An example and its variants are one group: none is learned when another
is measured with.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from bot import glossary
from bot.glossary import Group
from bot.text import CJK
from bot_tune.examples import Example, Message, Text, as_json
from bot_tune.protecting import overlaps, protected

OWN = Path(__file__).parent / "synonyms.txt"

_TRIES = 8  # for each variant that is wanted
_SHARE = 0.5  # of the phrases that could be replaced
_ARTICLE = re.compile(r"\b([Aa])n? $")
_BEGINNING = re.compile(r"(?:^|[.!?:。？！]\s*|\n)[\s\"'“¿¡]*$")


def grouped(example: Example) -> Example:
    """An example with a group: its own, or one that its text gives."""
    if example.group:
        return example
    said = json.dumps(as_json(example), sort_keys=True).encode()
    return replace(example, group=hashlib.sha256(said).hexdigest()[:12])


def questions(example: Example) -> list[str]:
    """The user's messages; a text has none."""
    if isinstance(example, Text):
        return []
    return [one.content for one in example.messages if one.role == "user"]


def asked(example: Example, others: Sequence[str]) -> Example:
    """An example whose user's messages are others."""
    assert not isinstance(example, Text)
    left = iter(others)
    messages = tuple(
        Message("user", next(left)) if one.role == "user" else one for one in example.messages
    )
    return replace(example, messages=messages)


class Replacing:
    """Replaces phrases by others that mean the same.

    Args:
        groups: a team's own phrases; of these names may be replaced, too.
        seed: the same seed gives the same variants.
    """

    def __init__(self, groups: Iterable[Group] = (), seed: int = 0) -> None:
        self._team = list(groups)
        self._seed = seed

    def variants(self, example: Example, wanted: int) -> list[Example]:
        """At most so many variants, none like another, none like the example."""
        given = questions(example)
        # Each example has its own draws, whatever stands before it.
        draws = random.Random(f"{self._seed} {given}")  # noqa: S311 - no secret
        seen, found = {tuple(given)}, []
        for _ in range(_TRIES * wanted):
            made = [self.replaced(text, draws) for text in given]
            if tuple(made) not in seen:
                seen.add(tuple(made))
                found.append(asked(example, made))
            if len(found) == wanted:
                break
        return found

    def replaced(self, text: str, draws: random.Random) -> str:
        """Replace at least one phrase, if there is one."""
        places = list(self._places(text))
        chosen = [one for one in places if draws.random() < _SHARE]
        if places and not chosen:
            chosen = [draws.choice(places)]
        for match, others in reversed(chosen):
            before, after = text[: match.start()], text[match.end() :]
            other = draws.choice(others)
            if _BEGINNING.search(before) and other[:1].islower():
                other = other[0].upper() + other[1:]
            article = _ARTICLE.search(before)
            if article and _vowel(match[0]) != _vowel(other):
                before = f"{before[: article.start()]}{article[1]}{'n ' if _vowel(other) else ' '}"
            text = before + other + after
        return text

    def _places(self, text: str) -> Iterator[tuple[re.Match[str], list[str]]]:
        """Phrases that can be replaced, each with what can stand for it."""
        kept = protected(text)
        for match in self._pattern.finditer(text):
            phrase = match[0].casefold()
            others, named = self._others[phrase]
            begin, end = match.span()
            # What looks like a name inside a phrase that has capitals of its own is part of it.
            around = [s for s in kept if not (named and begin <= s[0] and s[1] <= end)]
            if not overlaps(match.span(), around):
                yield match, others

    @cached_property
    def _others(self) -> Mapping[str, tuple[list[str], bool]]:
        found: dict[str, tuple[list[str], bool]] = {}
        for groups, own in ((glossary.read(OWN), False), (self._team, True)):
            for group in groups:
                for phrase in group:
                    others = [one for one in group if one != phrase]
                    found[phrase.casefold()] = (others, own or phrase != phrase.lower())
        return found

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longest = sorted(self._others, key=len, reverse=True)
        parts = [
            re.escape(one) if CJK.search(one) else rf"(?<![\w-]){re.escape(one)}(?![\w'’-])"
            for one in longest
        ]
        return re.compile("|".join(parts), re.IGNORECASE)


def _vowel(phrase: str) -> bool:
    return phrase[:1].lower() in tuple("aeio")
