"""The folder of a training: its data while it runs, and its result. Imports no torch."""

from __future__ import annotations

import shutil
from pathlib import Path

from bot.errors import UsageError
from bot_tune import examples, gathering, recipe
from bot_tune.gathering import Gathered
from bot_tune.recipe import Recipe

DONE = "metrics.json"


def check_free(folder: Path, *, replace: bool) -> None:
    """Say no before a folder is written over.

    Args:
        replace: an earlier training may be.

    Raises:
        UsageError: it holds something.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / recipe.FILE).is_file():
        raise UsageError(f"{folder} holds something else; name another folder with --to.")
    if not replace:
        begun = (folder / "data").is_dir()
        holds = "a training that was stopped; --resume goes on with it" if begun else "a result"
        raise UsageError(
            f"{folder} holds {holds}; --yes replaces it, and --to names another folder."
        )


def lay_out(folder: Path, plan: Recipe, found: Gathered) -> None:
    """Write the recipe and the data, part by part; nobody else may read the folder meanwhile."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    data = folder / "data"
    for part in ("mix", "measured"):
        (data / part).mkdir(parents=True)
    learned, measured = gathering.held_out(found.data, plan.held_out, plan.seed)
    examples.write(data / "train.jsonl", learned)
    if measured:
        examples.write(data / "held_out.jsonl", measured)
    for one in plan.mix:
        # At least a tenth, or nothing could be said about it.
        share = max(plan.held_out, 0.1) if one.share else 1
        learned, measured = gathering.held_out(found.mixed[one.name], share, plan.seed)
        examples.write(data / "measured" / f"{one.name}.jsonl", measured if one.share else
                       found.mixed[one.name])  # fmt: skip
        if one.share:
            examples.write(data / "mix" / f"{one.name}.jsonl", learned)
    recipe.write(plan, folder)


def resumed(folder: Path) -> Recipe:
    """Read what was begun in a folder.

    Raises:
        UsageError: nothing was, or it has ended, or its method cannot go on.
    """
    if not (folder / recipe.FILE).is_file() or not (folder / "data").is_dir():
        why = "has ended" if (folder / DONE).is_file() else "was never begun"
        raise UsageError(f"The training in {folder} {why}; run it without --resume.")
    plan = recipe.make(**recipe.read(folder / recipe.FILE))
    if plan.method in recipe.UNRESUMABLE:
        raise UsageError(
            f"{plan.method} cannot go on where it stopped, as its checkpoints have other ranks "
            "than it begins with; run it again without --resume."
        )
    return plan


def tidy(folder: Path) -> None:
    """Remove the copies of the data after the end; the recipe says where they came from."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
