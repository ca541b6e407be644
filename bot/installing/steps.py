"""Installing one plugin, step by step: resolve, look, ask, try, install, try again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.errors import PluginError, UsageError
from bot.installing import environment, wheels
from bot.installing.tools import Tool
from bot.installing.trial import tried
from bot.installing.wheels import Wheel


@dataclass(frozen=True, slots=True)
class Plan:
    """What installing would bring.

    Attributes:
        wheels: the plugin's first, then what it needs.
        before: the installed version of each that is there already, by name.
    """

    wheels: list[Wheel]
    before: Mapping[str, str]

    @property
    def plugins(self) -> list[str]:
        """The names of the plugins in it."""
        return [name for wheel in self.wheels for name in wheel.plugins]


def builds(target: str) -> bool:
    """Tell whether getting a target means building it, which runs its code."""
    return (
        ("://" in target and not target.endswith(".whl"))
        or target.startswith("git+")
        or (Path(target).exists() and not target.endswith(".whl"))
    )


@contextmanager
def planned(target: str, tool: Tool, *, upgrade: bool) -> Iterator[Plan]:
    """Resolve a target against what is installed, and fetch what is missing.

    Args:
        target: a distribution's name, a folder, a git URL or a wheel.

    Raises:
        PluginError: it does not fit, or is no plugin; nothing was changed.
    """
    with TemporaryDirectory(prefix="bot-install-") as folder:
        built, fetched = Path(folder) / "built", Path(folder) / "fetched"
        built.mkdir()
        fetched.mkdir()
        requirement = target
        if builds(target):
            source = target if "://" in target else str(Path(target).resolve())
            requirement = str(tool.build(source, built))
        name = _name(requirement)
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(environment.pins({name})), encoding="utf-8")
        found = tool.resolve(requirement, constraints, upgrade)
        if not found:
            raise UsageError(f"{name} is installed already; --upgrade looks for a newer one.")
        read = [wheels.read(path) for path in tool.fetch(found, fetched)]
        read.sort(key=lambda wheel: not wheel.plugins)
        if not read or not read[0].plugins:
            raise PluginError(f"{name} is no plugin of domainbot; nothing was changed.")
        known = {one.name: environment.version_of(one.name) for one in read}
        yield Plan(read, {key: one.version for key, one in known.items() if one})


def carry_out(
    plan: Plan, tool: Tool, environ: Mapping[str, str], told: Callable[[str], None]
) -> None:
    """Try the plugins beside what is installed, then install them; a failure undoes everything.

    Raises:
        PluginError: a plugin did not pass, or could not be installed; nothing was changed.
    """
    paths = [wheel.path for wheel in plan.wheels]
    with TemporaryDirectory(prefix="bot-trial-") as folder:
        tool.unpack(paths, Path(folder))
        search = os.pathsep.join(filter(None, [folder, environ.get("PYTHONPATH", "")]))
        beside = {**environ, "PYTHONPATH": search}
        for plugin in plan.plugins:
            told(f"Trying {plugin} …")
            _refuse(tried(plugin, beside, database=True))
    with environment.undone_on_failure([wheel.name for wheel in plan.wheels], tool):
        tool.install(paths)
        for plugin in plan.plugins:
            _refuse(tried(plugin, environ, database=False))


def _refuse(problems: list[str]) -> None:
    if problems:
        raise PluginError(f"{problems[0].rstrip('.')}; it was not installed, nothing was changed.")


def _name(requirement: str) -> str:
    """The distribution's name of a wheel, a URL of one, or a requirement."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        if requirement.endswith(".whl"):
            return str(parse_wheel_filename(requirement.rpartition("/")[2])[0])
        return Requirement(requirement).name
    except (InvalidRequirement, InvalidWheelFilename) as error:
        raise UsageError(
            f"{requirement!r} is no name, folder, git URL or wheel; see --help."
        ) from error
