"""What a model makes of texts by their likelihood: multiple choice, and loss on general text.

As the Language Model Evaluation Harness (lm-eval) does it: an answer is chosen by the sum of its
tokens' log probabilities behind the question, and a text is read in windows, each token once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import asking, dispatch
from bot.errors import GenerationError, UsageError
from bot.evaluation.variants import Spec
from bot.turn import Likelihood, Turn

if TYPE_CHECKING:
    from bot.app import Bot

PAIRS = 8  # asked for at once
WINDOW = 1000  # characters of general text that are read at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Pairs whose likelihood says something.

    Attributes:
        items: for each item its pairs, and which of them is right; -1 for general text.
    """

    name: str
    kind: str
    items: Sequence[tuple[Sequence[tuple[str, str]], int]]


def general(path: Path) -> Task:
    """A file of text, read in windows of whole words.

    Raises:
        UsageError: it cannot be read, or is empty.
    """
    text = _text(path)
    items = [(((before, window),), -1) for before, window in _windows(text)]
    if not items:
        raise UsageError(f"{path} is empty; name a file of general text.")
    return Task(name=f"loss {path.stem}", kind="loss", items=items)


def choices(path: Path) -> Task:
    """A task of multiple choice, in the YAML of lm-eval, with data on this machine.

    Raises:
        UsageError: it cannot be read, or says what is not known here.
    """
    import yaml

    try:
        given = yaml.safe_load(_text(path))
        if not isinstance(given, dict):
            raise ValueError("is no mapping")
        if given.get("output_type", "multiple_choice") != "multiple_choice":
            raise ValueError("has another output_type than multiple_choice")
        if missing := [key for key in ("doc_to_text", "doc_to_choice", "doc_to_target")
                       if key not in given]:  # fmt: skip
            raise ValueError(f"lacks {', '.join(missing)}")
        documents = _documents(given, path.parent)
        items = [_item(given, document) for document in documents]
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be used: {error}.") from None
    if not items:
        raise UsageError(f"{path} has no question; see its data_files.")
    return Task(name=f"accuracy {given.get('task', path.stem)}", kind="choice", items=items)


async def figures(bot: Bot, spec: Spec, task: Task, turn: Turn) -> list[float]:
    """Ask a variant's generator: 1 or 0 for each choice, or nats a token for each window.

    Raises:
        BotError: it gives no likelihoods.
    """
    generator = await asking.resolve(bot._machinery(), "generator", spec.assistant.generator)
    turn = replace(turn, assistant=spec.assistant)
    flat = [pair for pairs, _ in task.items for pair in pairs]
    found: list[Likelihood] = []
    for at in range(0, len(flat), PAIRS):
        found += await _likelihoods(bot, generator, turn, flat[at : at + PAIRS])
    told: list[float] = []
    for pairs, right in task.items:
        own, found = found[: len(pairs)], found[len(pairs) :]
        if right < 0:
            told += [-one.logprob / one.tokens for one in own if one.tokens]
        else:
            likeliest = max(range(len(own)), key=lambda n: own[n].logprob)
            told.append(float(likeliest == right))
    return told


async def _likelihoods(
    bot: Bot, generator: str, turn: Turn, pairs: Sequence[tuple[str, str]]
) -> list[Likelihood]:
    found, failures = await dispatch.first(
        bot.plugins.manager, "bot_likelihoods", only={generator},
        timeout=bot.settings.limits.token, turn=turn, pairs=tuple(pairs),
    )  # fmt: skip
    if failures:
        raise GenerationError(str(failures[0]))
    if found is None:
        raise GenerationError(
            f"{generator} gives no likelihoods; a generator of type transformers or lora does."
        )
    fits = isinstance(found, Sequence) and all(isinstance(one, Likelihood) for one in found)
    if not fits or len(found) != len(pairs) or any(math.isnan(one.logprob) for one in found):
        raise GenerationError(f"{generator} gave something other than a likelihood a pair.")
    return list(found)


def _windows(text: str) -> Iterator[tuple[str, str]]:
    """Pieces of a text, each with the piece before it, of whole words where there are spaces."""
    before, at = "", 0
    while at < len(text):
        end = min(at + WINDOW, len(text))
        if end < len(text) and (space := text.rfind(" ", at + WINDOW // 2, end)) > 0:
            end = space
        window = text[at:end]
        if window.strip():
            yield before, window
        before, at = window, end


def _documents(given: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Read the questions: JSON, JSON lines or CSV beside the task."""
    if (kind := given.get("dataset_path", "json")) not in ("json", "csv"):
        raise ValueError(f"its dataset_path is {kind!r}; here data is a local file, json or csv")
    files = (given.get("dataset_kwargs") or {}).get("data_files")
    split = given.get("test_split") or given.get("validation_split") or "test"
    if isinstance(files, dict):
        files = files.get(split) or next(iter(files.values()), None)
    if not isinstance(files, str) or "://" in files:
        raise ValueError("its dataset_kwargs.data_files names no file of this machine")
    text = _text(folder / files)
    if kind == "csv":
        import csv

        return list(csv.DictReader(text.splitlines()))
    if text.lstrip().startswith("["):
        found = json.loads(text)
    else:
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{files} holds something other than objects")
    return list(found)


def _item(given: dict[str, Any], document: dict[str, Any]) -> tuple[list[tuple[str, str]], int]:
    question = _filled(given["doc_to_text"], document)
    answers = _filled(given["doc_to_choice"], document)
    if isinstance(answers, str):
        answers = json.loads(answers.replace("'", '"'))
    answers = [str(one) for one in answers]
    target = _filled(given["doc_to_target"], document)
    text = str(target).strip()
    if text in answers:
        right = answers.index(text)
    elif text.isdigit() and int(text) < len(answers):
        right = int(text)
    else:
        raise ValueError(f"{target!r} is none of the choices {answers}")
    delimiter = str(given.get("target_delimiter", " "))
    return [(str(question), f"{delimiter}{one}") for one in answers], right


def _filled(template: Any, document: dict[str, Any]) -> Any:
    """A field by its name, or a Jinja template, in its sandbox: task files are passed around."""
    if not isinstance(template, str):
        return template
    if template in document:
        return document[template]
    import jinja2.exceptions
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    try:
        made = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
        return made.from_string(template).render(**document)
    except jinja2.exceptions.TemplateError as error:
        raise ValueError(f"{template!r} cannot be filled in: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); name another file.") from None
