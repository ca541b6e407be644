"""Mistakes in the configuration: found by pydantic or by us, told in one way."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bot.errors import ConfigError
from bot.settings.places import Key, Origin, dotted

_SHOWN = 8  # valid names are listed up to this many


@dataclasses.dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: at which key, and what is wrong with it."""

    key: Key
    text: str


def nearest(name: str, valid: Iterable[str], prefix: str = "") -> str:
    """Say which name was probably meant, or which there are.

    Args:
        prefix: of an environment variable, when that is what is named.
    """
    shown = {each.lower(): prefix + each.upper() if prefix else each for each in valid}
    if close := get_close_matches(name.lower(), shown, n=1, cutoff=0.6):
        return f'; did you mean "{shown[close[0]]}"?'
    if not shown or len(shown) > _SHOWN:
        return ""
    return f"; known: {', '.join(sorted(shown.values()))}"


def told(mistakes: Iterable[Mistake], origin: Origin) -> ConfigError:
    """Make one error of all mistakes, in the order of the file."""
    lines = sorted({(*origin.of(one.key), dotted(one.key), one.text) for one in mistakes})
    texts = [": ".join(filter(None, parts)) for _, *parts in lines]
    if len(texts) == 1:
        return ConfigError(texts[0])
    return ConfigError("\n  ".join([f"The configuration has {len(texts)} mistakes:", *texts]))


def from_pydantic(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], above: Key = ()
) -> list[Mistake]:
    """Translate what pydantic found; the values themselves are never told.

    Args:
        data: what was validated.
        above: the key of the table that it is.
    """
    found: dict[Key, list[str]] = {}
    for one in error.errors(include_url=False, include_input=False):
        key = _existing(one["loc"], data)
        if one["type"] == "missing":
            key = (*key, str(one["loc"][-1]))
        texts = found.setdefault((*above, *key), [])
        if (text := _text(one, key, model, data)) not in texts:
            texts.append(text)
    return [Mistake(key, ", or ".join(texts)) for key, texts in found.items()]


def _text(one: Any, key: Key, model: type[BaseModel], data: Mapping[str, Any]) -> str:
    match one["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown key" + nearest(str(key[-1]), _fields(model, key[:-1]))
        case "missing":
            return "is missing"
        case "string_pattern_mismatch" if one["loc"][-1] == "[key]":
            return "a name has only letters, digits, dots, dashes and underscores, at most 64"
        case "literal_error" | "enum":
            given = _value(key, data)
            valid = re.findall(r"'([^']*)'", one["ctx"]["expected"])
            hint = nearest(given, valid) if isinstance(given, str) else ""
            return f"should be {one['ctx']['expected']}" + (hint if "did you mean" in hint else "")
        case "model_type" | "model_attributes_type" | "dict_type":
            return "should be a table"
        case "too_short":
            return f"should have at least {one['ctx']['min_length']} item"
    text = str(one["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text.replace("Input should", "should", 1)


def _existing(loc: Sequence[str | int], data: Any) -> Key:
    """Cut a location where pydantic's own labels (of unions, of keys) begin."""
    for length, part in enumerate(loc):
        try:
            data = data[part]
        except (LookupError, TypeError):
            return tuple(loc[:length])
    return tuple(loc)


def _value(key: Key, data: Any) -> object:
    for part in key:
        data = data[part]
    return data


def _fields(model: Any, key: Key) -> list[str]:
    """List the keys that the table at `key` may have."""
    for part in key:
        model = _inner(model)
        if _is_model(model):
            known = model.model_fields.get(part)
            model = known.annotation if known else None
        else:  # a dict or a list: what it holds
            model = (get_args(model) or (None,))[-1]
    model = _inner(model)
    if _is_model(model):
        return [known.alias or name for name, known in model.model_fields.items()]
    return [each.name for each in dataclasses.fields(model)] if _is_dataclass(model) else []


def _inner(annotation: Any) -> Any:
    """Unwrap `Annotated`, and `X | None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    models = [each for each in get_args(annotation) if _is_model(each)]
    return models[0] if models and get_origin(annotation) not in (dict, list) else annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_dataclass(annotation: Any) -> bool:
    return isinstance(annotation, type) and dataclasses.is_dataclass(annotation)
