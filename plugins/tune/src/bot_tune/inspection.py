"""What is in training data, for people and as JSON: `bot tune inspect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pluggy

from bot import dispatch
from bot.cli.session import Session
from bot.document import PersonalData
from bot.errors import PluginError, UsageError
from bot.indexing.language import language
from bot.indexing.redaction import SECONDS
from bot.text import printable
from bot_tune import examples, gathering, leaks
from bot_tune.cleaning import texts_of
from bot_tune.leaks import golden_tests
from bot_tune.preparing import Detect, Prepared, prepare
from bot_tune.revealing import KINDS, keys

_BAR = 30  # columns of the longest bar
_SHOWN = 5  # places that are named of many


async def inspect(
    session: Session,
    files: Sequence[Path],
    source: str,
    tests: Sequence[Path],
    redact: Sequence[str],
    base: str,
    told: Callable[[int], None],
) -> Prepared:
    """Prepare data as a training would.

    Args:
        tests: files of questions besides the golden set.
        base: whose tokens are counted; they are estimated when it is empty.

    Raises:
        UsageError: a file or a kind of personal data is not known.
        NotFound: the index has no such source.
    """
    found = list(examples.read(files))
    asked = list(leaks.read(tests))
    count = counting(base) if base else None
    async with session.bot() as bot:
        detect = detecting(bot.plugins.manager)
        await _check(bot.plugins.manager, redact)
        if source:
            found += await gathering.documents(bot.database, source)
        asked += await golden_tests(bot.database)
        return await prepare(
            found, tests=asked, redact=redact, detect=detect, count=count, told=told
        )


def detecting(manager: pluggy.PluginManager) -> Detect:
    """Look for personal data with the detectors of all plugins, and for keys and addresses."""

    async def detect(text: str) -> Sequence[PersonalData]:
        found = list(keys(text))
        for one in await dispatch.gather(manager, "bot_personal_data", timeout=SECONDS, text=text):
            if one.error is not None:
                raise PluginError(
                    f"Personal data cannot be looked for: {one.error}; see `bot plugins doctor`."
                ) from one.error
            found += one.value or ()
        return found

    return detect


async def _check(manager: pluggy.PluginManager, redact: Sequence[str]) -> None:
    results = await dispatch.gather(manager, "bot_personal_kinds", timeout=SECONDS)
    kinds = {*KINDS, *(kind for one in results for kind in one.value or ())}
    if unknown := sorted(set(redact) - kinds):
        raise UsageError(f"--redact {unknown[0]}: there is {', '.join(sorted(kinds))}.")


def counting(base: str) -> Callable[[str], int]:
    """Count with a base's own tokenizer.

    Raises:
        PluginError: the plugin that finds models is not installed.
        GenerationError: the base is not on this machine.
    """
    from bot.errors import GenerationError

    folder = Path(base).expanduser()
    try:
        if not folder.is_dir():
            from bot_transformers import weights

            folder = weights.locate(base)
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except ModuleNotFoundError as error:
        raise PluginError(
            f"To find a model by its name {error.name} is needed; run `make setup-models`."
        ) from error
    except Exception as error:  # what tokenizers raises has no class of its own
        if isinstance(error, GenerationError):
            raise
        raise GenerationError(
            f"{folder} has no readable tokenizer.json ({error}); name another base."
        ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def histogram(tokens: Sequence[int]) -> list[tuple[int, int]]:
    """Count lengths by powers of two, without empty ends: (at most so many tokens, how many)."""
    counts = Counter(max(16, 1 << (n - 1).bit_length()) for n in tokens)
    limits = [1 << n for n in range(4, 64)]
    return [(n, counts[n]) for n in limits if counts and min(counts) <= n <= max(counts)]


def languages(found: Prepared) -> Counter[str]:
    """Count what is left by language (ISO 639-1); empty where a text is too short to tell."""
    return Counter(language("\n\n".join(texts_of(one))) for one in found.examples)


def as_json(found: Prepared, length: int, base: str) -> dict[str, Any]:
    """All that was found, as one object."""
    tokens = sorted(found.tokens)
    return {
        "examples": len(tokens) + len(found.dropped),
        "kept": len(tokens),
        "dropped": [
            {"place": one.place, "reason": one.reason, "detail": one.detail}
            for one in found.dropped
        ],
        "cleaned": dict(found.cleaned),
        "personal": found.personal,
        "redacted": found.redacted,
        "doubtful": found.doubtful,
        "tokens": {
            "counted_by": base or "estimate",
            "total": sum(tokens),
            "median": tokens[len(tokens) // 2] if tokens else 0,
            "longest": tokens[-1] if tokens else 0,
            "length": length,
            "longer": sum(n > length for n in tokens),
            "histogram": [{"at_most": n, "examples": c} for n, c in histogram(tokens)],
        },
        "languages": dict(languages(found).most_common()),
    }


def tell(found: Prepared, length: int, base: str) -> None:
    """Print what was found, for people."""
    for line in _lines(found, length, base):
        heading = line and not line.startswith(" ")
        click.secho(printable(line), bold=True if heading else None)


def _lines(found: Prepared, length: int, base: str) -> Iterator[str]:
    total = len(found.examples) + len(found.dropped)
    yield f"{total} examples, {len(found.examples)} to learn from"
    by_reason: dict[str, list[str]] = {}
    for one in found.dropped:
        name = f"{one.reason}: {one.detail}" if one.reason == "unusable" else one.reason
        place = one.place if one.reason == "unusable" else f"{one.place} (as {one.detail})"
        by_reason.setdefault(name, []).append(place)
    yield from _listed("Left out", by_reason)
    yield from _listed("Personal data and secrets", found.personal)
    if found.redacted:
        yield f"  {found.redacted} places are replaced by their kinds"
    yield from _listed("To look at", found.doubtful)
    if found.cleaned:
        yield ""
        yield "Cleaned"
        yield from (f"  {count:>6}  {name}" for name, count in found.cleaned.most_common())
    if found.tokens:
        yield ""
        yield from _lengths(found, length, base)
        yield ""
        yield "Languages"
        spoken = languages(found).most_common()
        yield from _bars([(name or "not clear", count) for name, count in spoken])


def _listed(title: str, places: dict[str, list[str]]) -> Iterator[str]:
    if not places:
        return
    yield ""
    yield title
    for name, some in places.items():
        more = f", and {len(some) - _SHOWN} more" if len(some) > _SHOWN else ""
        yield f"  {len(some):>6}  {name}: {', '.join(some[:_SHOWN])}{more}"


def _lengths(found: Prepared, length: int, base: str) -> Iterator[str]:
    yield f"Length in tokens, {'by ' + base if base else 'estimated'}"
    yield from _bars([(f"≤ {n}", count) for n, count in histogram(found.tokens)])
    ordered = sorted(found.tokens)
    longer = sum(n > length for n in ordered)
    middle = ordered[len(ordered) // 2]
    yield f"  {sum(ordered)} in all, {middle} in the middle, {ordered[-1]} at most"
    if longer:
        yield f"  {longer} are longer than a row of {length} (--length)"


def _bars(counts: Sequence[tuple[str, int]]) -> Iterator[str]:
    most = max(count for _, count in counts)
    width = max(len(name) for name, _ in counts)
    for name, count in counts:
        yield f"  {count:>6}  {name:>{width}}  {'█' * round(_BAR * count / most)}".rstrip()
