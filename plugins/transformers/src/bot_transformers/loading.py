"""Loading a model: where, how precisely, and whether there is room."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.errors import GenerationError
from bot_transformers import weights

_ITEM = {"float32": 4, "bfloat16": 2, "float16": 2}
_one_at_a_time = threading.Lock()  # loading changes torch's defaults for the whole process
_SPARE = 1.1  # a model takes a little more than its weights
# Whose layers keep a running state instead of keys and values, which cannot join a batch.
_PLAIN = {"full_attention", "sliding_attention", "chunked_attention"}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model will be loaded; made before torch is asked for any memory.

    Attributes:
        limit: tokens that the model reads and writes at once.
        token_bytes: bytes that a token's keys and values take.
    """

    folder: Path
    device: str
    precision: str
    limit: int
    token_bytes: int


def plan(folder: Path, device: str, precision: str, limit: int | None) -> Plan:
    """Check what can be known before loading.

    Raises:
        GenerationError: the model cannot be used here; the sentence says why, and what to do.
    """
    config = weights.configuration(folder)
    _supported(folder, config)
    found = weights.tensors(folder)
    device = _device(device)
    precision = _precision(device) if precision == "auto" else precision
    text = config.get("text_config", config)
    own = text.get("max_position_embeddings") or text.get("n_positions") or text.get("seq_length")
    chosen = min(limit or 1 << 30, own or limit or 2048)
    item = _ITEM[precision]
    made = Plan(folder, device, precision, chosen, weights.cache_bytes(text, item))
    needed = int(weights.elements(found) * item * _SPARE) + chosen * made.token_bytes
    free = free_memory(device)
    if needed > free:
        raise GenerationError(
            f"{folder.name} needs about {_gb(needed)} on {device} and {_gb(free)} are free; choose "
            "a smaller model, or lower `context_limit`."
        )
    return made


def load(made: Plan) -> Any:
    """Load a causal model for reading only.

    Raises:
        GenerationError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # a bot has no terminal to itself
    try:
        with _one_at_a_time:
            model = AutoModelForCausalLM.from_pretrained(
                str(made.folder),
                dtype=getattr(torch, made.precision),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
            )
        return model.to(made.device).eval().requires_grad_(False)
    except Exception as error:  # whatever the library raises
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise GenerationError(f"{made.folder.name} cannot be loaded: {first}") from error


def free_memory(device: str) -> int:
    """Bytes that are free where a model is to run."""
    if device.startswith("cuda"):
        import torch

        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return weights.available_memory()


def _supported(folder: Path, config: Mapping[str, Any]) -> None:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = config.get("model_type", "")
    if kind not in CONFIG_MAPPING_NAMES and "auto_map" in config:
        raise GenerationError(
            f"{folder.name} needs code of its own, which is never run here; choose a model that "
            "transformers knows."
        )
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise GenerationError(
            f"{folder.name} is no causal language model ({kind or 'no model_type'}); choose one "
            "that writes text."
        )
    other = set(config.get("layer_types") or ()) - _PLAIN
    if other or "mamba" in kind or "rwkv" in kind:
        raise GenerationError(
            f"{folder.name} has layers with a running state ({', '.join(sorted(other)) or kind}), "
            "which cannot share a batch; serve it with an OpenAI-compatible server instead."
        )


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError) as error:
        raise GenerationError(
            f"There is no device {wanted!r} here; leave `device` out, or write cpu."
        ) from error
    return wanted


def _precision(device: str) -> str:
    """bfloat16 where the processor multiplies in it; elsewhere it is slower than float32."""
    import torch

    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device == "mps":
        return "float16"
    fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if fast else "float32"


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
