"""What an adapter's files say before they are loaded: its kind, and whether it fits. No torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import GenerationError
from bot_transformers import weights

WEIGHTS = "adapter_model.safetensors"
KEY = re.compile(r"(?:base_model\.model\.)?(.+?)\.lora_([A-Z]\w*?|magnitude_vector)(?:\.weight)?")
PROMPTS = {"PROMPT_TUNING", "P_TUNING"}
# Values of a configuration under which an adapter is more than low-rank updates of linear layers.
_BEYOND: Mapping[str, str] = {
    "modules_to_save": "brings whole layers of its own",
    "layer_replication": "repeats layers of its base",
    "trainable_token_indices": "changes its base's embeddings",
    "target_parameters": "changes parameters that are no linear layers",
    "alora_invocation_tokens": "works only from certain tokens on",
    "lora_bias": "brings biases of its own",
    "use_qalora": "is made for a quantised base",
    "arrow_config": "routes between other adapters",
    "use_bdlora": "is block-diagonal",
    "kasa_config": "changes its base's weights",
    "monteclora_config": "is drawn anew for each answer",
}
_STARTS = {True, False, None, "gaussian", "eva", "orthogonal"}  # others change the base's weights


def described(folder: Path) -> dict[str, Any]:
    """Read an adapter's configuration, and refuse what cannot be served, with the reason.

    Raises:
        GenerationError: it is no adapter, or of a kind that cannot share its base.
    """
    path = folder / "adapter_config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GenerationError(
            f"{folder} has no readable adapter_config.json, so it holds no adapter."
        ) from error
    if not (folder / WEIGHTS).is_file():
        raise GenerationError(f"{folder} has no {WEIGHTS}; save the adapter as safetensors.")
    kind = config.get("peft_type")
    if kind not in {"LORA", "ADALORA", *PROMPTS}:
        raise GenerationError(
            f"{folder.name} is of the kind {kind}, which cannot share its base; merge it into the "
            "base, and name the result as a model."
        )
    if config.get("task_type") not in ("CAUSAL_LM", None):
        raise GenerationError(f"{folder.name} was made for {config['task_type']}, not for text.")
    reasons = [reason for key, reason in _BEYOND.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        reasons.append("changes its base's biases")
    if kind == "LORA" and config.get("init_lora_weights", True) not in _STARTS:
        reasons.append("was begun by changing its base's weights; convert it with PEFT first")
    if reasons:
        raise GenerationError(
            f"{folder.name} {' and '.join(reasons)}, so it cannot share its base; merge it into "
            "the base, and name the result as a model."
        )
    return config


def check_fits(folder: Path, base: Path) -> None:
    """Compare an adapter's shapes with its base's, from the headers of their files alone.

    Raises:
        GenerationError: it was made for another base.
    """
    config = described(folder)
    if config["peft_type"] in PROMPTS:
        return
    known = {tensor.name: tensor.shape for tensor in weights.tensors(base)}
    for tensor in weights.header(folder / WEIGHTS):
        match = KEY.fullmatch(tensor.name)
        if match is None or match[2] not in "AB":
            continue
        layer = f"{match[1]}.weight"
        # A file may leave out the name of the model's own wrapper.
        shape = known.get(layer) or known.get(layer.partition(".")[2])
        if shape is None:
            raise misfit(folder, f"it has no layer {match[1]}")
        if tensor.shape[1 if match[2] == "A" else 0] not in shape:
            raise misfit(folder, f"{match[1]} is {shape} there")


def misfit(folder: Path, why: str) -> GenerationError:
    return GenerationError(
        f"The adapter {folder.name} was made for another base ({why}); name its own base, or train "
        "it for this one."
    )
