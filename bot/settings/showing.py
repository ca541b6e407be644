"""Showing the configuration: what is in force, and the JSON Schema for editors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic_core import to_jsonable_python

from bot.machinery import Limits
from bot.plugins import Component, Kind
from bot.settings.model import TABLES, ComponentTable, Settings, SourceTable
from bot.settings.places import Key, dotted
from bot.settings.secret import FromEnvironment, Secret

HIDDEN = "(not shown)"
_SECRETIVE = re.compile(
    r"token|secret|passw|passphrase|api_?key|private_?key|credential|authorization", re.IGNORECASE
)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def dump(settings: Settings) -> dict[str, Any]:
    """Tell what is in force and where it comes from, as JSON values.

    Returns:
        `file`, and `values`: by key, the `value` and `from`, which is a place in the file, a
        variable, or `default`. Secrets are shown as their reference.
    """
    places = settings._origin.places
    return {
        "file": str(settings.path) if settings.path else None,
        "values": {
            dotted(key): {"value": value, "from": places.get(key, (0, "default"))[1]}
            for key, value in _leaves((), settings)
        },
    }


def _leaves(key: Key, value: Any) -> Iterator[tuple[Key, Any]]:
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _leaves((*key, name), getattr(value, name))
        if isinstance(value, ComponentTable):
            yield from _leaves(key, value.options)
    elif isinstance(value, Limits):
        yield from _leaves(key, asdict(value))
    elif isinstance(value, Mapping) and value.keys() not in ({"env"}, {"file"}):
        for name, inner in value.items():
            yield from _leaves((*key, name), inner)
    else:
        yield key, _shown(str(key[-1]), value)


def _shown(name: str, value: Any) -> Any:
    """Hide what may be a secret; only a component knows which of its keys are."""
    if isinstance(value, FromEnvironment):
        return {"env": value.variable}
    if isinstance(value, Secret):
        return to_jsonable_python(value.reference)
    if isinstance(value, list):
        return [_shown(name, each) for each in value]
    if isinstance(value, Mapping):
        return {key: _shown(key, each) for key, each in value.items()}
    if isinstance(value, str):
        return HIDDEN if _SECRETIVE.search(name) else _LOGIN.sub("…@", value)
    return to_jsonable_python(value)


def json_schema(components: Iterable[Component]) -> dict[str, Any]:
    """Describe `bot.toml` in JSON Schema, draft 2020-12, with the components' own settings."""
    schema = Settings.model_json_schema()
    described: dict[Kind, dict[str, Any]] = {kind: {} for kind in TABLES}
    for component in components:
        described[component.kind][component.type] = _described(schema["$defs"], component)
    for kind, section in TABLES.items():
        known = schema["properties"][section]
        base = next(iter(known.pop("patternProperties").values()))
        schema["$defs"][f"{kind}-table"] = _table(base, described[kind])
        table = {"$ref": f"#/$defs/{kind}-table"}
        known["additionalProperties"] = table
        known["properties"] = {  # a table without a type is of the type that it is named after
            type_: {"allOf": [table, {"if": {"not": {"required": ["type"]}}, "then": own}]}
            for type_, own in described[kind].items()
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _table(base: dict[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a component's table: what its type decides, and what is always there."""
    cases = [
        {"if": {"properties": {"type": {"const": type_}}, "required": ["type"]}, "then": own}
        for type_, own in described.items()
    ]
    types = {"properties": {"type": {"enum": list(described)}}} if described else {}
    return {**types, "allOf": [base, *cases]}


def _described(definitions: dict[str, Any], component: Component) -> dict[str, Any]:
    """Add a component's settings to the definitions; return a reference to them."""
    name = re.sub(r"[^\w.-]", "_", f"{component.kind}-{component.type}")
    try:
        own = component.settings.model_json_schema(ref_template=f"#/$defs/{name}-{{model}}")
    except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError):
        own = {"type": "object"}  # still valid in bot.toml; an editor cannot help with it
    for inner, definition in own.pop("$defs", {}).items():
        definitions[f"{name}-{inner}"] = definition
    if own.get("additionalProperties") is False:
        table = SourceTable if component.kind == "loader" else ComponentTable
        own["properties"] = {**dict.fromkeys(table.model_fields, True), **own.get("properties", {})}
    definitions[name] = own
    return {"$ref": f"#/$defs/{name}"}
