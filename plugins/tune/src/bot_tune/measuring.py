"""Memory and speed of this machine, and from them what a training will take."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot_tune.recipe import Recipe

_USED = 0.35  # of what multiplying matrices alone reaches; the rest is attention, copies, waiting
_ACTIVATIONS = 34  # numbers a token, layer and unit of width (Korthikanti et al., 2022, eq. 2)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a training will take, roughly.

    Attributes:
        seconds: by how fast this machine multiplies matrices, which no step was timed for.
        memory: bytes at the peak; `free`: bytes that are free where it runs.
        flops: 6 x parameters x tokens, for the whole training.
    """

    parameters: int
    trainable: int
    steps: int
    tokens: int
    flops: float
    seconds: float
    memory: int
    free: int
    device: str
    precision: str

    def told(self) -> str:
        """In three lines."""
        share = 100 * self.trainable / self.parameters
        return (
            f"{self.parameters:,} parameters, of which {self.trainable:,} ({share:.2f} %) are "
            f"trained, in {self.precision} on {self.device}\n"
            f"{self.tokens:,} tokens in {self.steps:,} steps: about {self.flops:.1e} operations, "
            f"{duration(self.seconds)} or two to three times less or more; the first steps tell it "
            "better\n"
            f"about {self.memory / 1e9:.1f} GB of memory; {self.free / 1e9:.1f} GB are free"
        )

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def estimate(plan: Recipe, base: Path, made: Any, steps: int, tokens: int) -> Estimate:
    """Estimate a training, without loading the base.

    Args:
        made: the loading plan, with device and precision.
        tokens: of the whole training.
    """
    import torch
    from bot_transformers import loading
    from peft import get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    from bot_tune import methods

    config = AutoConfig.from_pretrained(str(base), local_files_only=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        adapted = methods.configuration(plan, steps)
        if adapted is not None:
            model = get_peft_model(model, adapted)
    parameters = sum(one.numel() for one in model.parameters())
    trainable = sum(one.numel() for one in model.parameters() if one.requires_grad)
    text = config.get_text_config()
    layers, width = text.num_hidden_layers, text.hidden_size
    item = 2 if made.precision == "bfloat16" else 4
    kept = plan.batch * plan.length * width * item // 2
    held = 2 * layers + _ACTIVATIONS if plan.checkpointing else layers * _ACTIVATIONS
    # A number that is trained is held in 32 bits, with its gradient and Adam's two moments.
    frozen = (parameters - trainable) * item
    flops = 6.0 * parameters * tokens
    return Estimate(
        parameters=parameters,
        trainable=trainable,
        steps=steps,
        tokens=tokens,
        flops=flops,
        seconds=flops / (speed(made.device, made.precision) * _USED),
        memory=frozen + trainable * 16 + kept * held,
        free=loading.free_memory(made.device),
        device=made.device,
        precision=made.precision,
    )


def speed(device: str, precision: str) -> float:
    """Floating-point operations a second, multiplying matrices."""
    import torch

    size = 1024 if device == "cpu" else 8192
    one = torch.ones(size, size, dtype=getattr(torch, precision), device=device)
    count, began = 0, 0.0
    for _ in range(3):
        float((one @ one)[0, 0])  # the first ones are slow
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < 0.2:
        float((one @ one)[0, 0])
        count += 1
    return 2 * size**3 * count / passed


def memory() -> int:
    """The most bytes that this process has held so far, on its device or in main memory."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
