"""Looking at all plugins in a process of its own: one that ends it is in nobody's way."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.installing.children import run, tell
from bot.plugins import IMPORT_TIMEOUT, names

_MODULE = "bot.installing.survey"
_ALONE = IMPORT_TIMEOUT + 10.0  # seconds for one plugin
_SLOW = 0.5  # seconds that a plugin may take to load before doctors mention it


def survey(environ: Mapping[str, str], home: Path) -> list[dict[str, Any]]:
    """Load every plugin and tell about each: name, version, state, hooks, components, error, …

    Args:
        environ: the environment, with `BOT_CONFIG`, `BOT_HOME` and `BOT_PLUGINS`.
        home: where what has failed is kept.
    """
    from bot.quarantine import Quarantine

    installed = names()
    ended = run(_MODULE, [], environ, _ALONE * (len(installed) + 1))
    rows = ended.lines
    if ended.code != 0:  # one of them ended the process: find it by asking them one by one
        rows = []
        for name in installed:
            if name not in _wanted(environ, installed):
                continue
            one = run(_MODULE, [], {**environ, "BOT_PLUGINS": name}, _ALONE)
            rows += one.lines or [_broken(name, f"{name}: loading it {one.how}")]
    troubles = Quarantine(home / "plugins.json").troubles()
    for row in rows:
        mine = [trouble for trouble in troubles if trouble.plugin == row["name"]]
        row["troubles"] = [str(trouble) for trouble in mine]
        if row["state"] == "works" and mine:
            held = any(trouble.held for trouble in mine)
            row["state"] = "quarantined" if held else "failing"
    return rows


def _wanted(environ: Mapping[str, str], installed: list[str]) -> set[str]:
    given = environ.get("BOT_PLUGINS")
    return set(installed) if given is None else {name.strip() for name in given.split(",")}


def _broken(name: str, error: str) -> dict[str, Any]:
    """Make the row of a plugin that could not tell its own."""
    texts = dict.fromkeys(("distribution", "version", "summary", "home_page"), "")
    lists: dict[str, list[str]] = {"components": [], "hooks": [], "notes": []}
    row = {"name": name, "state": "broken", "error": error, "load_ms": 0.0, "settings": {}}
    return {**row, **texts, **lists}


def main(descriptor: int) -> None:
    """Load the plugins, in the child, and tell a line about each."""
    from bot import settings as configuration
    from bot.assembly import installed

    environ = dict(os.environ)
    found = configuration.find_config(None, environ, Path.cwd())
    plugins = installed(configuration.read(found, environ, deferred=True), environ)
    plugins.migrations()
    for loaded in plugins.loaded:
        state = "broken" if loaded.error else "disabled" if loaded.disabled else "works"
        settings, notes = _settings(plugins, loaded.name)
        if loaded.seconds > _SLOW:
            notes.append(f"loading it takes {loaded.seconds:.1f} s; import inside functions")
        tell(
            descriptor,
            name=loaded.name,
            distribution=loaded.distribution,
            version=loaded.version,
            state=state,
            components=plugins.offers(loaded.name),
            hooks=plugins.hooks(loaded.name),
            load_ms=round(loaded.seconds * 1000, 1),
            error=loaded.error,
            notes=[*loaded.going, *notes],
            settings=settings,
            **_about(loaded.distribution),
        )


def _settings(plugins: Any, name: str) -> tuple[dict[str, Any], list[str]]:
    """Describe the settings of a plugin's components; say what is wrong with their models."""
    described: dict[str, Any] = {}
    notes: list[str] = []
    for component in plugins.components:
        if plugins.offered_by(component.kind, component.type) != name:
            continue
        title = f"{component.kind} {component.type}"
        try:
            schema = component.settings.model_json_schema()
        except Exception as error:
            notes.append(f"the settings of the {title} cannot be described: {error}")
            continue
        described[title] = _fields(component.settings)
        silent = [key for key, one in schema.get("properties", {}).items()
                  if not one.get("description")]  # fmt: skip
        if silent:
            notes.append(f"settings of the {title} without a description: {', '.join(silent)}")
        if schema.get("additionalProperties") is not False:
            notes.append(f'the settings of the {title} take any key; set extra="forbid"')
    return described, notes


def _fields(model: Any) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "type": _type(field.annotation),
            "default": None if field.is_required() else str(field.get_default()),
            "required": field.is_required(),
            "description": field.description or "",
        }
        for name, field in model.model_fields.items()
    }


def _type(annotation: Any) -> str:
    name = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", name)


def _about(distribution: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, metadata

    nothing = {"summary": "", "home_page": ""}
    try:
        about = metadata(distribution) if distribution else None
    except PackageNotFoundError:
        return nothing
    if about is None:
        return nothing
    pages = [one.partition(", ")[2] for one in about.get_all("Project-URL") or ()]
    return {"summary": about["Summary"] or "", "home_page": pages[0] if pages else ""}


if __name__ == "__main__":
    main(int(sys.argv[1]))
