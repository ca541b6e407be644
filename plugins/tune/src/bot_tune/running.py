"""From the command line to a registered adapter: check, estimate, train, tell, register."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from bot_transformers import loading, registry, weights

from bot.cli.output import print_result
from bot.cli.session import Session
from bot.errors import BotError, UsageError
from bot.settings import principal
from bot.text import printable
from bot_tune import folder as folders
from bot_tune import gathering, recipe, report
from bot_tune.gathering import PUBLIC, Gathered
from bot_tune.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Run:
    """One call of `bot tune NAME`.

    Attributes:
        launch: what `accelerate launch` gets; None trains in this process.
    """

    session: Session
    folder: Path
    as_json: bool = False
    launch: str | None = None

    def begin(
        self, given: Mapping[str, Any], repeated: Path | None, *, dry_run: bool, replace: bool
    ) -> int:
        """Train something new.

        Args:
            repeated: a recipe, of which `given` changes something.
            replace: what the folder holds of an earlier training.

        Raises:
            UsageError: the recipe or the data cannot be used.
        """
        if not dry_run:
            folders.check_free(self.folder, replace=replace)
        before = recipe.read(repeated) if repeated else {}
        plan = _made({**before, **given})
        base = weights.locate(plan.base)
        found = asyncio.run(self._gathered(plan))
        readers = found.readers(plan.readers)
        if plan.method == "full" and frozenset(readers) != PUBLIC:
            raise UsageError(
                "Whoever a whole model may answer cannot be limited; tune restricted data with an "
                "adapter (--method lora)."
            )
        plan.base_sha256 = _same("base", plan.base_sha256, weights.identity(base))
        plan.data_sha256 = _same("data", plan.data_sha256, found.sha256, warn=True)
        for line in found.left_out:
            click.echo(f"Left out: {printable(line)}.", err=True)
        for line in found.warnings:
            click.echo(f"Note: {printable(line)}; `bot tune inspect` tells more.", err=True)
        estimate = self._estimate(plan, base, found)
        if dry_run:
            print_result(estimate.told(), as_json=self.as_json, **estimate.as_json())
            return 0
        click.echo(estimate.told(), err=True)
        if estimate.memory > estimate.free:
            click.echo("Warning: that may not fit; lower --batch or --length, or set "
                       "`checkpointing: true` in the recipe.", err=True)  # fmt: skip
        plan.readers = readers
        folders.lay_out(self.folder, plan, found)
        return self._train(plan, resume=False)

    def resume(self) -> int:
        """Go on with what was stopped.

        Raises:
            UsageError: there is nothing to go on with, or the base is another one by now.
        """
        plan = folders.resumed(self.folder)
        now = weights.identity(weights.locate(plan.base))
        _same("base", plan.base_sha256, now)
        return self._train(plan, resume=True)

    async def _gathered(self, plan: Recipe) -> Gathered:
        """Read the data; the database is opened in any case, as the result goes there."""
        async with self.session.bot() as bot:
            return await gathering.gather(plan, bot.database)

    def _estimate(self, plan: Recipe, base: Path, found: Gathered) -> Any:
        from bot_tune.measuring import estimate
        from bot_tune.planning import count
        from bot_tune.training import hush

        hush()
        made = loading.plan(base, plan.device, plan.precision, plan.length)
        steps, tokens = count(plan, base, found)
        return estimate(plan, base, made, steps, tokens)

    def _train(self, plan: Recipe, *, resume: bool) -> int:
        if self.launch is None:
            from bot_tune.training import run

            found = run(self.folder, resume=resume)
        else:
            found = self._launched(resume)
        report.plot(found["history"], self.folder / report.PLOT, plan.name)
        report.card(plan, found, plan.readers, self.folder)
        folders.tidy(self.folder)
        version = 0
        if plan.method != "full":
            version = asyncio.run(self._registered(plan, found))
        self._tell(plan, found, version)
        return 0

    def _launched(self, resume: bool) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            *shlex.split(self.launch or ""),
        ]
        command += ["-m", "bot_tune.training", str(self.folder), *(["--resume"] if resume else [])]
        # As asked for by the person who started this, with their own rights.
        done = subprocess.run(command, check=False)  # noqa: S603
        path = self.folder / folders.DONE
        if done.returncode or not path.is_file():
            raise BotError(
                "accelerate ended before the training was done; what it said stands above, and "
                "--resume goes on."
            )
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    async def _registered(self, plan: Recipe, found: Mapping[str, Any]) -> int:
        async with self.session.bot() as bot:
            return await registry.add(
                bot.database,
                plan.name,
                self.folder,
                plan.base,
                readers=plan.readers,
                note=f"{plan.method} {plan.task}, {found['steps']} steps",
                data_sha256=plan.data_sha256,
                metrics=report.brief(found),
            )

    def _tell(self, plan: Recipe, found: Mapping[str, Any], version: int) -> None:
        lines = report.told(found)
        if version:
            lines.append(f"{plan.name} {version} is registered; its files are in {self.folder}.")
            if version > 1:
                lines.append(f"`bot adapters promote {plan.name} {version}` lets it answer.")
            lines.append(f'Use it: type = "lora", base = "{plan.base}", adapter = "{plan.name}"')
        else:
            lines.append(f'Use it: type = "transformers", model = "{self.folder}"')
        if not found["own_template"]:
            lines[-1] += f', chat_template = "{self.folder / "chat_template.jinja"}"'
        print_result(
            "\n".join(lines),
            as_json=self.as_json,
            name=plan.name,
            version=version or None,
            folder=str(self.folder),
            readers=plan.readers,
            **report.brief(found),
        )


def _made(values: Mapping[str, Any]) -> Recipe:
    if not values.get("base"):
        raise UsageError("Name the model to tune with --base; `bot tune train --help` tells more.")
    readers: Sequence[str] = values.get("readers") or []
    try:
        named = [principal(one) for one in readers]
    except ValueError as error:
        raise UsageError(f"--readers {error}.") from None
    place = Path(values["base"]).expanduser()
    base = str(place.absolute()) if place.is_dir() else values["base"]
    plan = recipe.make(**{**values, "readers": named, "base": base})
    return plan.model_copy(
        update={
            "data": [one.absolute() for one in plan.data],
            "mix": [one.model_copy(update={"data": one.data.absolute()}) for one in plan.mix],
            "chat_template": plan.chat_template.absolute() if plan.chat_template else None,
        }
    )


def _same(what: str, before: str, now: str, *, warn: bool = False) -> str:
    """Compare a hash with the recipe's; return the new one.

    Raises:
        UsageError: it is another one, which no result could be repeated with.
    """
    if before and before != now:
        told = f"The {what} is not what the recipe was run with before"
        if not warn:
            raise UsageError(f"{told}; name that one, or begin a training of its own.")
        click.echo(f"Warning: {told}, so the result will be another one.", err=True)
    return now
