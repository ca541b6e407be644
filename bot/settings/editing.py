"""Editing `bot.toml` on behalf of a command; everything that is not edited stays as it is."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.errors import ConfigError, UsageError
from bot.settings.model import NAME
from bot.settings.places import Entry, parse
from bot.settings.reading import load

EMPTY = "# Every default is in force.\n"

_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines knows more line ends than TOML


def add_source(path: Path, name: str, table: Mapping[str, Any]) -> None:
    """Add `[sources.NAME]` at the end; the file is made when there is none.

    Raises:
        UsageError: the name is taken or cannot be one.
        ConfigError: the file is not TOML, or cannot be written.
    """
    import tomlkit

    if not re.fullmatch(NAME, name):
        raise UsageError(
            f"{name!r} cannot be the name of a source; use letters, digits, dots, dashes and "
            "underscores."
        )
    text, data, _ = _read(path)
    if name in _sources(data, path):
        raise UsageError(f"{path} has a source {name!r} already; choose another name.")
    added = tomlkit.dumps({"sources": {name: dict(table)}})
    whole = f"{text.rstrip()}\n\n{added}" if text.strip() else added
    if "\r\n" in text:
        whole = text.rstrip() + whole[len(text.rstrip()) :].replace("\n", "\r\n")
    data.setdefault("sources", {})[name] = dict(table)
    _write(path, whole, data, f"add this by hand:\n{added}")


def remove_source(path: Path, name: str) -> None:
    """Remove a source's table; comments outside it stay.

    Raises:
        UsageError: the file has no such source.
        ConfigError: the file is not TOML, or cannot be written.
    """
    text, data, entries = _read(path)
    if name not in _sources(data, path):
        raise UsageError(f"{path} has no source {name!r}; `bot source list` lists them.")
    del data["sources"][name]
    if not data["sources"]:
        del data["sources"]
    kept = _without(_LINE.findall(text), entries, ("sources", name))
    _write(path, kept if kept.strip() else EMPTY, data, f"remove {name} by hand")


def switch_plugin(path: Path, name: str, *, off: bool) -> bool:
    """Add a plugin to `[plugins] disabled`, or take it out; everything else stays as it is.

    Returns:
        Whether the file had to be changed.

    Raises:
        ConfigError: the file is not TOML, or cannot be written.
    """
    import tomlkit

    text, data, _ = _read(path)
    before = data.get("plugins", {}).get("disabled", [])
    if (name in before) == off:
        return False
    after = [*before, name] if off else [one for one in before if one != name]
    document = tomlkit.parse(text)
    document.setdefault("plugins", tomlkit.table())["disabled"] = after
    data.setdefault("plugins", {})["disabled"] = after
    _write(path, tomlkit.dumps(document), data, f"write disabled = {after} under [plugins] by hand")
    return True


def _sources(data: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    sources = data.get("sources", {})
    if not isinstance(sources, dict):
        raise ConfigError(f"{path}: sources should be a table; run `bot config check`.")
    return sources


def _read(path: Path) -> tuple[str, dict[str, Any], list[Entry]]:
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return "", {}, []
    text = load(path, str(path))
    try:
        return text, *parse(text)
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}; run `bot config check`.") from None


def _without(lines: list[str], entries: list[Entry], key: tuple[str, str]) -> str:
    """Cut the lines of a table: from a header to its last value."""
    before = 0  # the last line that something else stands on
    ours: list[int] = []
    for entry in entries:
        if entry.key[:2] != key:
            before = entry.last
        else:
            begun = ours[-1] if ours and ours[-1] > before else entry.first
            ours.extend(range(begun, entry.last + 1))
    gone = set(ours)
    for number in ours:  # one of the empty lines around it goes too
        if number - 1 not in gone and number > 1 and not lines[number - 2].strip():
            gone.add(number - 1)
    return "".join(line for number, line in enumerate(lines, 1) if number not in gone)


def _write(path: Path, new: str, meant: Mapping[str, Any], otherwise: str) -> None:
    """Replace the file in one step, after making sure that it says what is meant."""
    try:
        right = tomllib.loads(new) in (meant, {**meant, "sources": {}})
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise ConfigError(f"{path} is written in a way that cannot be edited here; {otherwise}")
    target = path.resolve()  # a link stays a link
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".bot.toml.", dir=target.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(new.encode())
                file.flush()
                _like(file.fileno(), target)
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}; make it and its folder writable, or name "
            "another file with --config."
        ) from error


def _like(descriptor: int, target: Path) -> None:
    """Give a new file the mode and the owner of the one that it replaces."""
    if target.exists():
        about = target.stat()
        with suppress(OSError):  # only root may give files away
            os.fchown(descriptor, about.st_uid, about.st_gid)
        os.fchmod(descriptor, about.st_mode & 0o7777)
    else:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
