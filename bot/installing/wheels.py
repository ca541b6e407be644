"""Looking into wheels without running anything of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from bot.errors import PluginError

_TABLE = re.compile(r"create\s+table\s+(?:if\s+not\s+exists\s+)?([\w.\"]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """What a wheel says about itself.

    Attributes:
        plugins: the names of its entry points in the group `bot`.
        hooks: the hooks that its modules implement, as far as that can be read.
        migrations: file names of database migrations.
    """

    path: Path
    name: str
    version: str
    licence: str
    plugins: tuple[str, ...]
    hooks: tuple[str, ...]
    migrations: tuple[str, ...]


def read(path: Path) -> Wheel:
    """Read a wheel's metadata, entry points and hooks.

    Raises:
        PluginError: it is no wheel.
    """
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            about = next(name for name in names if name.endswith(".dist-info/METADATA"))
            metadata = Parser().parsestr(archive.read(about).decode(errors="replace"))
            points = ConfigParser(delimiters=("=",), interpolation=None)
            listed = about.removesuffix("METADATA") + "entry_points.txt"
            if listed in names:
                points.read_string(archive.read(listed).decode(errors="replace"))
            plugins = tuple(points["bot"]) if points.has_section("bot") else ()
            sources = [archive.read(name) for name in names if name.endswith(".py")]
    except (OSError, BadZipFile, StopIteration, KeyError) as error:
        raise PluginError(f"{path.name} is no wheel; give a name, a folder or a .whl.") from error
    migrations = [Path(name).name for name in names if Path(name).parent.name == "migrations"]
    return Wheel(
        path=path,
        name=metadata["Name"] or "",
        version=metadata["Version"] or "",
        licence=_licence(metadata),
        plugins=plugins,
        hooks=tuple(sorted({hook for source in sources for hook in _hooks(source)})),
        migrations=tuple(sorted(name for name in migrations if name.endswith((".sql", ".py")))),
    )


def tables(migrations: list[str]) -> list[str]:
    """Find the tables that migrations make."""
    return sorted({name.strip('"') for text in migrations for name in _TABLE.findall(text)})


def _licence(metadata: Message) -> str:
    told = str(metadata["License-Expression"] or metadata["License"] or "").strip()
    if told:
        return told.splitlines()[0][:60]
    listed = map(str, metadata.get_all("Classifier") or [])
    named = [one.rpartition(" :: ")[2] for one in listed if one.startswith("License :: ")]
    return ", ".join(named) or "not told"


def _hooks(source: bytes) -> Iterator[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:4] == "bot_":
            marks = {ast.unparse(one).partition("(")[0] for one in node.decorator_list}
            if any(mark.rpartition(".")[2] == "hookimpl" for mark in marks):
                yield node.name
