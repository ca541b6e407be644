"""Reading the configuration: the file, the variables over it, and the first validation."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.errors import ConfigError
from bot.settings.mistakes import Mistake, from_pydantic, nearest, told
from bot.settings.model import Settings
from bot.settings.places import MAX_DEPTH, Key, Origin, parse
from bot.settings.secret import FromEnvironment

MAX_BYTES = 1_048_576

PREFIX = "BOT_"
NOT_SETTINGS = {"BOT_CONFIG", "BOT_DEBUG", "BOT_PLUGINS"}
PLAIN = {"home", "database_url"}  # text even when it looks like a number


def find_config(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Find the file: the one given, `BOT_CONFIG`, or `bot.toml` in the current folder.

    Raises:
        ConfigError: the one that was asked for does not exist.
    """
    if explicit is None and environ.get("BOT_CONFIG"):
        explicit = Path(environ["BOT_CONFIG"])
    path = cwd / (explicit or "bot.toml")
    try:
        if path.exists() or path.is_symlink():
            return path
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {_reason(error)}.") from error
    if explicit is None:
        return None
    raise ConfigError(f"There is no file {path}; check --config and BOT_CONFIG, or create it.")


def read(path: Path | None, environ: Mapping[str, str], *, deferred: bool = False) -> Settings:
    """Read `bot.toml`, and `BOT_*` over it.

    Args:
        path: None when there is no file.
        deferred: leave out what is wrong, so that `check` tells it together with the rest.

    Raises:
        ConfigError: the file cannot be read, or, unless deferred, has mistakes.
    """
    origin = Origin(path=path, shown=_shown(path) if path else "bot.toml")
    data: dict[str, Any] = {}
    if path is not None:
        data, entries = _parsed(load(path, origin.shown), origin.shown)
        origin.add_file(entries)
    warnings, mistakes = _overlay(data, environ, origin)
    context = {"environ": environ, "folder": path.absolute().parent if path else Path.cwd()}
    settings, found = _validated(data, context)
    mistakes += found
    if mistakes and not deferred:
        raise told(mistakes, origin)
    settings._origin, settings._context = origin, context
    settings._warnings, settings._mistakes = warnings, mistakes
    return settings


def load(path: Path, shown: str) -> str:
    """Read the file as text.

    Raises:
        ConfigError: it is no text file of a sensible size.
    """
    if path.is_dir():
        raise ConfigError(f"{shown} is a folder; name the file in it.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{shown} cannot be read: {_reason(error)}; make it readable, or name another "
            "with --config."
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{shown} is larger than 1 MiB; is it the right file?")
    if not raw.strip():
        # Taken as "all defaults", a file cut short would open another database to everyone.
        raise ConfigError(f"{shown} is empty; write a table into it, or delete it.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{shown}:{line}: is not UTF-8 text; save it as UTF-8.") from None


def _parsed(text: str, shown: str) -> tuple[dict[str, Any], Any]:
    try:
        return parse(text)
    except ValueError as error:
        what, _, where = str(error).rstrip(")").partition(" (at ")
        line = where.removeprefix("line ").partition(",")[0]
        if not line.isdigit():  # "at end of document"
            line = str(text.rstrip().count("\n") + 1)
        kind = "is not TOML: " if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise ConfigError(f"{shown}:{line}: {kind}{what}.") from None


def _overlay(
    data: dict[str, Any], environ: Mapping[str, str], origin: Origin
) -> tuple[list[str], list[Mistake]]:
    """Put the variables over the file's data; an empty one counts as not set."""
    warnings, mistakes = [], []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in NOT_SETTINGS or not environ[variable]:
            continue
        parts = variable.removeprefix(PREFIX).lower().split("__")
        if parts[0] not in Settings.model_fields or "" in parts or len(parts) > MAX_DEPTH:
            hint = nearest(parts[0], Settings.model_fields, PREFIX).rstrip("?")
            warnings.append(f"{variable} is no setting{hint}.")
            continue
        key, table = _table(data, parts)
        value, inside = _value(environ[variable], variable, plain=parts[0] in PLAIN)
        origin.add_variable(key, variable, inside)
        if table is None:
            mistakes.append(Mistake(key, "goes into something that is no table"))
        else:
            table[str(key[-1])] = value
    return warnings, mistakes


def _table(data: dict[str, Any], parts: list[str]) -> tuple[Key, dict[str, Any] | None]:
    """Find the table that a variable goes into; the file's spelling of a name wins."""
    key: list[str] = []
    table: Any = data
    for part in parts:
        if key:
            table = table.setdefault(key[-1], {}) if isinstance(table, dict) else None
        spelled = table if isinstance(table, dict) else ()
        names = {name.lower().replace("-", "_"): name for name in spelled}
        key.append(names.get(part, part))
    return tuple(key), table if isinstance(table, dict) else None


def _value(text: str, variable: str, *, plain: bool) -> tuple[object, list[Key]]:
    """Read a variable as a TOML value, or else as text; with the keys inside the value."""
    value: object = text
    inside: list[Key] = []
    if not plain or text.lstrip().startswith("{"):
        try:
            parsed, entries = parse(f"value = {text}")
        except ValueError:
            parsed, entries = {}, []
        if parsed.keys() == {"value"}:
            value, inside = parsed["value"], [entry.key[1:] for entry in entries[1:]]
    return FromEnvironment.make(value, variable) if isinstance(value, str) else value, inside


def _validated(data: dict[str, Any], context: dict[str, Any]) -> tuple[Settings, list[Mistake]]:
    """Validate, leaving out what is wrong until the rest is right."""
    mistakes: list[Mistake] = []
    while True:
        try:
            return Settings.model_validate(data, context=context), mistakes
        except ValidationError as error:
            found = from_pydantic(error, Settings, data)
        mistakes += found
        for key in {tuple(_names(data, one.key)) for one in found}:
            _leave_out(data, key)


def _leave_out(data: dict[str, Any], key: tuple[str, ...]) -> None:
    *above, last = key
    table = data
    for name in above:
        table = table.get(name, {})  # gone, when it is wrong as a whole too
    table.pop(last, None)


def _names(data: Any, key: Key) -> Iterator[str]:
    """Name the smallest table entry that holds a key."""
    for part in key:
        if not isinstance(data, dict) or part not in data:
            return
        yield str(part)
        data = data[part]


def _shown(path: Path) -> str:
    cwd = Path.cwd()
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
