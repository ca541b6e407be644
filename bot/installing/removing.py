"""Removing a plugin: who still needs it, and what stays behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution
from typing import TYPE_CHECKING, Any

from bot.errors import NotFound, PluginError, UsageError
from bot.installing import environment, wheels
from bot.plugins import GROUP

if TYPE_CHECKING:
    from bot.installing.tools import Tool
    from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Removal:
    """What would be removed, and what is to be known before."""

    distribution: str
    version: str
    warnings: list[str] = field(default_factory=list)


def look(name: str, settings: Settings, environ: Mapping[str, str]) -> Removal:
    """Find what a plugin's or a distribution's name stands for, and who needs it.

    Raises:
        NotFound: it is not installed.
        UsageError: it is no plugin.
    """
    found = environment.of_plugin(name)
    if found is None:
        raise NotFound(f"There is no plugin {name!r}; `bot plugins list` shows them.")
    plugins = [entry.name for entry in found.entry_points.select(group=GROUP)]
    if not plugins:
        raise UsageError(f"{name!r} is no plugin; `bot plugins list` shows what can be removed.")
    warnings = [*_needed(plugins, settings, environ)]
    if others := environment.needed_by(found.name):
        warnings.append(f"Needed by {', '.join(others)}, which will not work without it.")
    if made := wheels.tables(_migrations(found)):
        warnings.append(
            f"Its tables stay in the database ({', '.join(made)}): a later install finds them "
            "again; who is sure drops them with psql."
        )
    return Removal(found.name, found.version, warnings)


def remove(removal: Removal, tool: Tool) -> None:
    """Remove it.

    Raises:
        PluginError: it is still there.
    """
    tool.uninstall([removal.distribution])
    if environment.version_of(removal.distribution) is not None:
        raise PluginError(
            f"{removal.distribution} lies outside of this environment and is still there; remove "
            "it where it was installed, or use `bot plugins disable`."
        )


def _needed(plugins: list[str], settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Say which parts of bot.toml need these plugins."""
    from bot.assembly import home
    from bot.installing.survey import survey
    from bot.settings.model import TABLES

    rows = survey({**environ, "BOT_PLUGINS": ",".join(plugins)}, home(settings, environ))
    offered = {component for row in rows for component in row["components"]}
    needing = [
        f"[{section}.{name}]"
        for kind, section in TABLES.items()
        for name, table in getattr(settings, section).items()
        if f"{kind} {table.type}" in offered
    ]
    needing += [
        f"{key} of [assistants.{name}]"
        for name, assistant in settings.assistants.items()
        for key, used in (
            ("retrievers", assistant.retrievers),
            ("generator", [assistant.generator]),
        )
        if set(plugins) & set(used)
    ]
    chosen: Any = (("embedder", settings.index.embedder), ("splitter", settings.index.splitter))
    needing += [f"{kind} of [index]" for kind, type_ in chosen if f"{kind} {type_}" in offered]
    if needing:
        yield f"bot.toml needs it: {', '.join(needing)}."


def _migrations(found: Distribution) -> list[str]:
    files = [one for one in found.files or () if one.parent.name == "migrations"]
    texts = []
    for one in files:
        if one.suffix == ".sql":
            try:
                texts.append(one.read_text(encoding="utf-8"))
            except OSError:
                continue
    return texts
