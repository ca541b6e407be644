"""What is compared by name: assistants, and generators with and without documents.

An assistant's name is that assistant. A generator's name is that generator without documents, and
NAME+rag the same one with the documents of the assistant that stands behind the comparison.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bot.errors import UsageError
from bot.turn import Assistant

if TYPE_CHECKING:
    from bot.app import Bot
    from bot.plugins import Kind

RAG = "+rag"

_RUNGS = {"tuned": 4, "documents": 2, "examples": 1}  # a dearer one outweighs all cheaper ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A variant's place on the ladder.

    Attributes:
        means: what it takes, the dearest first: `tuned`, `documents`, `examples`.
    """

    name: str
    means: tuple[str, ...]

    @property
    def rung(self) -> int:
        """The lower, the cheaper to have."""
        return sum(_RUNGS[one] for one in self.means)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec(Step):
    """One variant, as it can be asked.

    Attributes:
        assistant: what answers.
        base: the assistant of bot.toml behind it, which says who may ask.
        about: what it is made of, as JSON values; equal ones answer alike.
    """

    assistant: Assistant
    base: str
    about: Mapping[str, Any]


def specs(bot: Bot, names: Sequence[str], base: str = "default") -> list[Spec]:
    """Find the variants of these names.

    Args:
        base: the assistant whose instructions and documents a generator's variants have.

    Raises:
        UsageError: a name is none, or is given twice.
    """
    if len(set(names)) < len(names):
        raise UsageError("--variants names one of them twice; give each name once.")
    return [_spec(bot, name, base) for name in names]


def _spec(bot: Bot, name: str, base: str) -> Spec:
    assistants, generators = bot.settings.assistants, bot.settings.generators
    bare = name.removesuffix(RAG)
    if name in assistants:
        return _made(bot, name, name, bot.assistant(name))
    if bare not in generators:
        known = [*assistants, *(each + end for each in generators for end in ("", RAG))]
        raise UsageError(
            f"There is no variant {name!r}. A variant is an assistant or a "
            f"generator of bot.toml, or a generator's name with {RAG}: {', '.join(known)}."
        )
    own = bot.assistant(base)
    if name == bare:
        return _made(bot, name, base, replace(own, generator=bare, retrievers=()))
    if not own.retrievers:
        raise UsageError(
            f"The assistant {base!r} has no retrievers, so there is no {name!r}; name another one "
            "with --assistant."
        )
    return _made(bot, name, base, replace(own, generator=bare))


def _made(bot: Bot, name: str, base: str, assistant: Assistant) -> Spec:
    tables = _wrapped(bot, "generator", [assistant.generator])
    found = {getattr(options, "ladder", "") for options in tables.values()}
    if assistant.retrievers:
        found.add("documents")
    return Spec(
        name=name,
        assistant=assistant,
        base=base,
        means=tuple(means for means in _RUNGS if means in found),
        about={
            "assistant": base,
            "generators": _digests(tables),
            "retrievers": _digests(_wrapped(bot, "retriever", assistant.retrievers)),
            "settings": _digest(repr(replace(assistant, sources=frozenset()))),
            "sources": sorted(assistant.sources),
        },
    )


def _digests(tables: Mapping[str, Any]) -> dict[str, str]:
    return {
        each: "" if options is None else _digest(options.model_dump_json())
        for each, options in tables.items()
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _wrapped(bot: Bot, kind: Kind, names: Sequence[str]) -> dict[str, Any]:
    """The settings of components, and of those of their kind that they name to do their work.

    None for one without a table: a plugin by its name.
    """
    found: dict[str, Any] = {}
    left = [(name, True) for name in names]
    while left:
        one, named = left.pop()
        options = bot._valid.options.get((kind, one))
        if one in found or (options is None and not named):
            continue
        found[one] = options
        for name, field in type(options).model_fields.items() if options is not None else ():
            value = getattr(options, name)
            extra = field.json_schema_extra
            named = isinstance(extra, Mapping) and extra.get("component") == kind
            several = value if isinstance(value, list | tuple) else [value]
            left += [(each, named) for each in several if isinstance(each, str)]
    return found
