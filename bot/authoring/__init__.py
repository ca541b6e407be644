"""Beginning a plugin: a small package that is tested and works at once."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal, TypeAlias, get_args

from bot import __version__
from bot.errors import UsageError

Made: TypeAlias = Literal["retriever", "generator", "channel", "loader", "embedder"]
KINDS: tuple[str, ...] = get_args(Made)

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


def write(kind: str, name: str, parent: Path) -> Path:
    """Write a package for a new plugin into a folder of its name.

    Returns:
        The folder.

    Raises:
        UsageError: the name cannot be one, or the folder is not empty.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a plugin; use small letters, digits and dashes."
        )
    folder = parent / name
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already; choose another name or another --directory.")
    module = f"bot_{name.replace('-', '_')}"
    words = {
        "a_kind": f"An {kind}" if kind[0] in "aeiou" else f"A {kind}",
        "name": name,
        "distribution": f"domainbot-{name}",
        "module": module,
        "class_": "".join(word.capitalize() for word in name.split("-")),
        "title": name.replace("-", " ").capitalize(),
        "core": ".".join(__version__.split(".")[:2]),
    }
    paths = {
        "pyproject.toml": "pyproject.toml",
        "README.md": "README.md",
        "gitignore": ".gitignore",
        "module.py": f"src/{module}/__init__.py",
        "test.py": f"tests/test_{module.removeprefix('bot_')}.py",
    }
    templates = files("bot.authoring") / "templates"
    for part in ("common", kind):
        for template in sorted((templates / part).iterdir(), key=lambda each: each.name):
            file = template.name.removesuffix(".tmpl")
            target = folder / paths.get(file, f"tests/{file}")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = Template(template.read_text(encoding="utf-8")).substitute(words)
            target.write_text(text, encoding="utf-8")
    (folder / "src" / module / "py.typed").touch()
    return folder
