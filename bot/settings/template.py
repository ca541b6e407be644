"""A `bot.toml` with everything that may stand in it, each key with what it means, as comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from bot.plugins import Component
from bot.settings.model import (
    TABLES,
    AssistantSettings,
    IndexSettings,
    LimitsSettings,
    PluginsSettings,
    Settings,
    SourceTable,
)

_WIDTH = 96
_OWN: dict[str, type[BaseModel]] = {
    "assistants.default": AssistantSettings,
    "index": IndexSettings,
    "plugins": PluginsSettings,
    "limits": LimitsSettings,
}


def template(components: Iterable[Component]) -> str:
    """Write it: a key that begins a line with `#` has its default; take the `#` away to change it.

    What has no default is written as `…`; some of that is required.
    """
    lines = ["# Each key has its default. Take the # away to change it."]
    for name in ("home", "database_url"):
        lines += _key(name, Settings.model_fields[name])
    for table, model in _OWN.items():
        lines += ["", f"#[{table}]", *_keys(model)]
    for component in sorted(components, key=lambda one: (list(TABLES).index(one.kind), one.type)):
        lines += ["", f"#[{TABLES[component.kind]}.{component.type}]"]
        if component.kind == "loader":
            lines += _keys(SourceTable, without={"type"})
        lines += _keys(component.settings)
    return "\n".join(lines) + "\n"


def _keys(model: type[BaseModel], without: Iterable[str] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name not in without:
            yield from _key(name, field)


def _key(name: str, field: FieldInfo) -> Iterator[str]:
    for line in wrap(field.description or "", _WIDTH):
        yield f"# {line}"
    yield f"#{name} = {_value(field)}{'  # required' if field.is_required() else ''}"


def _value(field: FieldInfo) -> str:
    import tomlkit

    default: Any = field.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined or default is None:
        return "…"
    plain = str(default) if isinstance(default, Path) else to_jsonable_python(default)
    if isinstance(plain, dict):  # a table of its own is no value of a key
        inline = tomlkit.inline_table()
        inline.update(plain)
        return str(inline.as_string())
    return str(tomlkit.item(plain).as_string()).replace("\n", " ")
