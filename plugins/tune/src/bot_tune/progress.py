"""How a training is going: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TrainerCallback

from bot_tune.measuring import duration
from bot_tune.pace import Pace

_LINES = 10  # over a whole training, in a pipe


class Shown(TrainerCallback):  # type: ignore[misc] # transformers is not followed
    """Shows steps, loss, tokens a second and the time that is left, on standard error."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._begun = (0.0, 0)  # seconds, tokens
        self._pace = Pace()
        self._loss: dict[str, float] = {}
        self._told = -1
        self._ended = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._begun = (time.monotonic(), state.num_input_tokens_seen)
        if not state.is_world_process_zero or not sys.stderr.isatty():
            return
        self._bar = Progress(
            TextColumn("{task.completed}/{task.total}"), BarColumn(),
            TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True),
            transient=True,
        )  # fmt: skip
        self._bar.add_task("", total=state.max_steps, completed=state.global_step)
        self._bar.start()

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._pace.begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._pace.end()

    def on_evaluate(
        self, args: Any, state: Any, control: Any, metrics: Any = None, **given: Any
    ) -> None:
        for key, seconds in (metrics or {}).items():
            if key.endswith("_runtime"):
                self._pace.evaluated(key, seconds)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **given: Any) -> None:
        if not state.is_world_process_zero or self._ended:
            return
        if "loss" in logs:
            self._loss["loss"] = logs["loss"]
        for key in logs:
            if key.startswith("eval_") and key.endswith("_loss"):
                self._loss[key[5:-5]] = logs[key]
        self._show(args, state)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self._ended = True
        if self._bar is not None:
            self._bar.stop()

    def _show(self, args: Any, state: Any) -> None:
        begun, tokens = self._begun
        passed = max(time.monotonic() - begun, 1e-6)
        speed = (state.num_input_tokens_seen - tokens) / passed
        told = "  ".join(f"{name} {value:.3f}" for name, value in self._loss.items())
        told = f"{told}  {speed:,.0f} tokens/s"
        done = state.global_step
        evaluations = math.ceil((state.max_steps - done) / args.eval_steps)
        left = self._pace.left(state.max_steps - done, evaluations)
        told += "" if left is None else f"  {duration(left)} left"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=state.global_step, description=told)
            return
        last = done == state.max_steps != self._told
        if self._told >= 0 and not last and done - self._told < state.max_steps / _LINES:
            return
        self._told = done
        click.echo(f"step {done}/{state.max_steps}  {told}", err=True)
