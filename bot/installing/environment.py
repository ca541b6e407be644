"""What is installed: who needs what, which versions must not move, and putting files back."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bot.plugins import GROUP

if TYPE_CHECKING:
    from bot.installing.tools import Tool

CORE = "domainbot"


def of_plugin(name: str) -> Distribution | None:
    """Find the distribution that a plugin's name, or a distribution's own, stands for."""
    for one in distributions():
        if any(entry.name == name for entry in one.entry_points.select(group=GROUP)):
            return one
    return version_of(name)


def version_of(name: str) -> Distribution | None:
    """Find an installed distribution by its name."""
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


def plugin_distributions() -> list[str]:
    """List the distributions that bring plugins."""
    return sorted(
        {str(one.name) for one in distributions() if list(one.entry_points.select(group=GROUP))}
    )


def pins(without: Collection[str]) -> list[str]:
    """List, as `NAME==VERSION`, everything that the core and the plugins run with.

    Args:
        without: distributions that may move, because they are what is installed.
    """
    left_out = {_canonical(name) for name in without}
    todo = [name for name in (CORE, *plugin_distributions()) if _canonical(name) not in left_out]
    found: dict[str, str] = {}
    while todo:
        one = version_of(todo.pop())
        if one is None or _canonical(one.name) in found:
            continue
        found[_canonical(one.name)] = one.version
        todo += _needs(one)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def needed_by(name: str) -> list[str]:
    """List the installed distributions that need one."""
    wanted = _canonical(name)
    return sorted(
        str(one.name) for one in distributions() if wanted in map(_canonical, _needs(one))
    )


@contextmanager
def undone_on_failure(names: Sequence[str], tool: Tool) -> Iterator[None]:
    """Put these distributions back as they were when the block fails, or is stopped."""
    with TemporaryDirectory() as folder:
        kept = {name: one for name in names if (one := version_of(name)) is not None}
        for number, one in enumerate(kept.values()):
            for file in one.files or ():
                source = Path(str(one.locate_file(file)))
                if source.is_file():
                    target = Path(folder) / str(number) / str(file).replace("..", "__")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
        before = [list(one.files or ()) for one in kept.values()]
        places = [[Path(str(one.locate_file(f))) for f in one.files or ()] for one in kept.values()]
        try:
            yield
        except BaseException:
            if here := [name for name in names if version_of(name) is not None]:
                tool.uninstall(here)
            for number, (files, targets) in enumerate(zip(before, places, strict=True)):
                for file, target in zip(files, targets, strict=True):
                    source = Path(folder) / str(number) / str(file).replace("..", "__")
                    if source.is_file():
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy2(source, target)
            raise


def _needs(one: Distribution) -> list[str]:
    """The names of what a distribution needs here, extras left out unless somebody asked."""
    from packaging.requirements import InvalidRequirement, Requirement

    names = []
    for line in one.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            names.append(needed.name)
    return names


def _canonical(name: str) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(name))
