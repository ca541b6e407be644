"""pip and uv: whichever this environment has, asked for wheels only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from bot.errors import PluginError

_NEEDS = re.compile(r"^\s+(?:The user requested )?(.+? depends on .+|\(constraint\) .+)$", re.M)
_PLANNED = re.compile(r"^ \+ (\S+?)(?:==(\S+)| @ (\S+))", re.M)  # what uv would install


@dataclass(frozen=True, slots=True)
class Planned:
    """One distribution that would be installed; `where` is what the tool fetches it by."""

    name: str
    version: str
    where: str


class Tool(Protocol):
    """What installing needs of a package installer."""

    def build(self, target: str, folder: Path) -> Path:
        """Build a wheel of a source tree or a git URL. Runs the code of the target."""

    def resolve(self, requirement: str, constraints: Path, upgrade: bool) -> list[Planned]:
        """Say what installing would add, without doing it."""

    def fetch(self, planned: Sequence[Planned], folder: Path) -> list[Path]:
        """Bring the planned wheels into a folder."""

    def unpack(self, wheels: Sequence[Path], folder: Path) -> None:
        """Install wheels into a folder of their own."""

    def install(self, wheels: Sequence[Path]) -> None:
        """Install wheels into this environment."""

    def uninstall(self, names: Sequence[str]) -> None:
        """Remove distributions from this environment."""


def tool(offline: Path | None) -> Tool:
    """Choose pip, or uv in an environment without pip.

    Args:
        offline: a folder of wheels to use instead of a package index.

    Raises:
        PluginError: there is neither.
    """
    index = ["--no-index", "--find-links", str(offline.resolve())] if offline else []
    if find_spec("pip") is not None:
        return Pip(index)
    if (uv := shutil.which("uv")) is not None:
        return Uv(uv, index)
    raise PluginError("There is neither pip nor uv here; run `python -m ensurepip`.")


class Pip:
    """Installs with the pip of this environment."""

    def __init__(self, index: Sequence[str]) -> None:
        self._index = [*index]

    def build(self, target: str, folder: Path) -> Path:
        self._run("wheel", "--no-deps", "--wheel-dir", str(folder), *self._index, target)
        return _only_wheel(folder, target)

    def resolve(self, requirement: str, constraints: Path, upgrade: bool) -> list[Planned]:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            options = ["--upgrade"] if upgrade else []
            self._run(
                "install", "--dry-run", "--report", str(report), "--only-binary", ":all:",
                "--constraint", str(constraints), *options, *self._index, requirement,
            )  # fmt: skip
            found = json.loads(report.read_text(encoding="utf-8"))["install"]
        return [
            Planned(
                one["metadata"]["name"], one["metadata"]["version"], one["download_info"]["url"]
            )
            for one in found
        ]

    def fetch(self, planned: Sequence[Planned], folder: Path) -> list[Path]:
        for one in planned:
            address = urlsplit(one.where)
            if address.scheme == "file":
                shutil.copy(unquote(address.path), folder)
            else:
                self._run("download", "--no-deps", "--dest", str(folder), one.where)
        return sorted(folder.glob("*.whl"))

    def unpack(self, wheels: Sequence[Path], folder: Path) -> None:
        self._run("install", "--no-deps", "--no-index", "--target", str(folder), *map(str, wheels))

    def install(self, wheels: Sequence[Path]) -> None:
        self._run("install", "--no-deps", "--no-index", "--no-compile", *map(str, wheels))

    def uninstall(self, names: Sequence[str]) -> None:
        self._run("uninstall", "--yes", *names)

    def _run(self, command: str, *arguments: str) -> str:
        return _call([sys.executable, "-m", "pip", command, *arguments])


class Uv:
    """Installs with uv into this interpreter's environment.

    uv neither downloads wheels nor builds git URLs; it runs a pip of its own for that.
    """

    def __init__(self, program: str, index: Sequence[str]) -> None:
        self._program = program
        self._index = [*index]

    def build(self, target: str, folder: Path) -> Path:
        if "://" in target:
            self._pip("wheel", "--no-deps", "--wheel-dir", str(folder), *self._index, target)
            return _only_wheel(folder, target)
        _call([self._program, "build", "--wheel", "--out-dir", str(folder), *self._index, target])
        return _only_wheel(folder, target)

    def resolve(self, requirement: str, constraints: Path, upgrade: bool) -> list[Planned]:
        options = ["--upgrade"] if upgrade else []
        said = self._run(
            "install", "--dry-run", "--only-binary", ":all:", "--constraint", str(constraints),
            *options, *self._index, requirement,
        )  # fmt: skip
        return [
            Planned(name, version, _local(url) or url or f"{name}=={version}")
            for name, version, url in _PLANNED.findall(said)
        ]

    def fetch(self, planned: Sequence[Planned], folder: Path) -> list[Path]:
        for one in planned:
            if os.path.isfile(one.where):
                shutil.copy(one.where, folder)
            elif self._index:
                self._copy(one, folder)
            else:
                only = ("--only-binary", ":all:", "--dest", str(folder))
                self._pip("download", "--no-deps", *only, one.where)
        return sorted(folder.glob("*.whl"))

    def _copy(self, one: Planned, folder: Path) -> None:
        wanted = f"{one.name.replace('-', '_')}-{one.version}-".lower()
        places = [Path(place) for place in self._index[2:]]
        found = [f for place in places for f in place.glob("*.whl")
                 if f.name.lower().startswith(wanted)]  # fmt: skip
        if not found:
            raise PluginError(f"The folder of --offline has no wheel of {one.name} {one.version}.")
        shutil.copy(found[0], folder)

    def unpack(self, wheels: Sequence[Path], folder: Path) -> None:
        self._run("install", "--no-deps", "--no-index", "--target", str(folder), *map(str, wheels))

    def install(self, wheels: Sequence[Path]) -> None:
        self._run("install", "--no-deps", "--no-index", *map(str, wheels))

    def uninstall(self, names: Sequence[str]) -> None:
        self._run("uninstall", *names)

    def _run(self, command: str, *arguments: str) -> str:
        return _call([self._program, "pip", command, "--python", sys.executable, *arguments])

    def _pip(self, command: str, *arguments: str) -> str:
        python = ("--python", sys.executable)
        return _call([self._program, "tool", "run", *python, "pip", command, *arguments])


def _local(url: str) -> str:
    """The path of a `file:` address; empty for others."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else ""


def _call(command: Sequence[str]) -> str:
    """Run a tool; what it says goes into the error.

    Raises:
        PluginError: it failed.
    """
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    environ["PIP_ROOT_USER_ACTION"] = "ignore"
    done = subprocess.run(  # noqa: S603 - the arguments are no shell's
        command, env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    said = f"{done.stdout}\n{done.stderr}"
    if done.returncode:
        raise PluginError(f"{_explained(said)}; nothing was changed.")
    return said


def _explained(said: str) -> str:
    """Say in one sentence why nothing can be installed."""
    needs = [line.strip() for line in _NEEDS.findall(said)]
    wants = [line.replace(" depends on ", " needs ") for line in needs if "depends on" in line]
    pins = [line.removeprefix("(constraint) ") for line in needs if "(constraint)" in line]
    if wants and pins:
        return f"{wants[0]}, but domainbot and its plugins run with {pins[-1]}"
    if len(wants) > 1:
        return " and ".join(wants[:2]) + ", which cannot be both"
    if told := re.search(r"(?:╰─▶|cause:) (.+?)[.\n]\s*(?:And|\n|\Z)", said, re.DOTALL):  # uv's
        return " ".join(told[1].split()).rstrip(".")
    errors = [line for line in said.splitlines() if re.match(r"(?i)\s*(×|error:)", line)]
    last = (errors or [line for line in said.splitlines() if line.strip()] or ["it failed"])[-1]
    return re.sub(r"^\s*(?:×|(?i:error:))\s*", "", last).rstrip(". ")


def _only_wheel(folder: Path, target: str) -> Path:
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise PluginError(f"{target} was not built into a wheel.")
    return wheels[0]
