"""Adapters in PEFT's format, read into tensors that any row of a batch can be answered with.

LoRA (Hu et al., 2021) with rsLoRA's scaling and patterns of ranks, DoRA (Liu et al., 2024) and
AdaLoRA (Zhang et al., 2023) become one form: `y + (m - 1) ⊙ (y - bias) + x A B`, where y is the
base's own output. Prompt tuning (Lester et al., 2021) becomes embeddings that stand before a
prompt.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bot.errors import GenerationError
from bot_transformers.checking import KEY, PROMPTS, WEIGHTS, described, misfit


@dataclass(slots=True)
class Part:
    """What an adapter does to one linear layer: `a` is (in, rank), `b` is (rank, out).

    Attributes:
        scale: DoRA's scale of each output, (out,); None leaves the output as it is.
    """

    a: Any
    b: Any
    scale: Any = None

    def bytes(self) -> int:
        """How much memory it takes."""
        return sum(t.nbytes for t in (self.a, self.b, self.scale) if t is not None)


@dataclass(slots=True, eq=False)
class Adapter:
    """An adapter, ready to be used.

    Attributes:
        key: tells it from every other one, and from other versions of itself.
        parts: by the name of the linear layer.
        prompt: embeddings that stand before every prompt, (tokens, width).
    """

    key: str
    parts: Mapping[str, Part] = field(default_factory=dict)
    prompt: Any = None

    def bytes(self) -> int:
        """How much memory it takes."""
        prompt = self.prompt.nbytes if self.prompt is not None else 0
        return prompt + sum(part.bytes() for part in self.parts.values())


def read(folder: Path, key: str, model: Any) -> Adapter:
    """Read an adapter for a model that is loaded.

    Raises:
        GenerationError: it cannot be served, or its layers are not the model's.
    """
    config = described(folder)
    stored = load_file(folder / WEIGHTS)
    where = model.get_input_embeddings().weight
    if config["peft_type"] in PROMPTS:
        prompt = stored.get("prompt_embeddings")
        if prompt is None or prompt.dim() != 2 or prompt.shape[1] != where.shape[1]:
            raise misfit(folder, f"its prompt is not {where.shape[1]} wide")
        return Adapter(key, prompt=prompt.to(where))
    modules = dict(model.named_modules())
    parts = {
        name: _part(folder, config, name, tensors, modules.get(name))
        for name, tensors in _grouped(folder, stored).items()
    }
    return Adapter(key, {name: part for name, part in parts.items() if part is not None})


def _grouped(folder: Path, stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, tensor in stored.items():
        match = KEY.fullmatch(key)
        if match is None or match[2].startswith("embedding"):
            raise GenerationError(
                f"{folder.name} changes more than linear layers ({key}), so it cannot share its "
                "base; merge it into the base, and name the result as a model."
            )
        found[match[1]][match[2]] = tensor
    return found


def _part(
    folder: Path, config: Mapping[str, Any], name: str, tensors: Mapping[str, Any], module: Any
) -> Part | None:
    """Bring one layer's tensors into the common form; None when nothing is left of its rank."""
    if module is None or getattr(module, "weight", None) is None:
        raise misfit(folder, f"it has no layer {name}")
    if "A" not in tensors or "B" not in tensors:
        raise GenerationError(f"{folder.name} lacks half of {name}; save the adapter again.")
    a, b = tensors["A"].float(), tensors["B"].float()
    rank = a.shape[0]
    if rank == 0:
        return None
    weight = module.weight
    turned = type(module).__name__ == "Conv1D"  # keeps its weight as (in, out)
    if not weight.is_floating_point():
        raise GenerationError(
            f"{folder.name} stands over a quantised base, which adapters are not applied to here; "
            "name the base in 16 bits."
        )
    out, into = weight.shape[::-1] if turned else weight.shape
    if a.shape[1] != into or b.shape[0] != out:
        raise misfit(folder, f"{name} is {tuple(weight.shape)} there")
    if "E" in tensors:  # AdaLoRA: singular values between the two, scaled by what is left of rank
        a = a * tensors["E"].float()
    b = b * _scaling(config, name, rank)
    scale = None
    magnitude = tensors.get("magnitude_vector")
    if magnitude is not None:
        own = (weight.T if turned else weight).float().cpu()
        scale = magnitude.float().flatten() / torch.linalg.norm(own + b @ a, dim=1)
        b = b * scale[:, None]
        scale = scale.to(weight)
    return Part(a.T.contiguous().to(weight), b.T.contiguous().to(weight), scale)


def _scaling(config: Mapping[str, Any], name: str, rank: int) -> float:
    alpha = float(_pattern(config.get("alpha_pattern"), name, config.get("lora_alpha", 8)))
    if config["peft_type"] == "ADALORA":
        first = float(config.get("init_r", rank))  # by which training divided, whatever is left
        return (alpha if alpha > 0 else first) / (first + 1e-5)
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _pattern(patterns: Mapping[str, Any] | None, name: str, default: Any) -> Any:
    """PEFT's rule: the first pattern that matches the end of a layer's name."""
    for pattern, value in (patterns or {}).items():
        if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", name):
            return value
    return default
