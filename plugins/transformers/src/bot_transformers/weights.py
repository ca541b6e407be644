"""A model's files, looked at before anything is loaded. Imports no torch."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from bot.errors import GenerationError

_HEADER = 100_000_000  # bytes; a longer header is no safetensors file
_SAMPLE = 4096  # bytes of each tensor that tell a model from its siblings of the same shape
_CHANGING = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where a safetensors file holds a tensor."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def locate(model: str) -> Path:
    """Find a model's folder: the folder itself, or where a name was downloaded to.

    Raises:
        GenerationError: it is not on this machine; nothing is ever downloaded in passing.
    """
    if Path(model).is_absolute():
        if not Path(model).is_dir():
            raise GenerationError(f"There is no folder {model}; correct the model's path.")
        return Path(model)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise GenerationError(
            f"The model {model} is not on this machine; download it with `hf download {model}`, "
            "or name a folder."
        ) from error


def configuration(folder: Path) -> dict[str, Any]:
    """Read `config.json`.

    Raises:
        GenerationError: there is none, it is no JSON, or the model needs code of its own.
    """
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GenerationError(
            f"{folder} has no readable config.json, so it holds no model; name another folder."
        ) from error
    if not isinstance(found, dict):
        raise GenerationError(f"{path} is no model's configuration; name another folder.")
    return found


def tensors(folder: Path) -> list[Tensor]:
    """List a model's tensors from the headers of its safetensors files.

    Raises:
        GenerationError: weights are missing, cut short, or in a format that can run code.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        names = sorted(path.name for path in folder.glob("*.safetensors"))
    if not names:
        pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]
        why = (
            "only pickled weights, which can run code; convert them to safetensors"
            if pickled
            else "no weights (*.safetensors); download them"
        )
        raise GenerationError(f"{folder} has {why}.")
    return [tensor for name in names for tensor in header(folder / name)]


def header(path: Path) -> Iterator[Tensor]:
    """Read a safetensors file's header, and check that the file is whole.

    Raises:
        GenerationError: it is missing, cut short, or no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _HEADER:
                raise ValueError("its header is too long")
            described = json.loads(file.read(length))
        described.pop("__metadata__", None)
        size = path.stat().st_size - 8 - length
        for name, about in sorted(described.items()):
            start, end = about["data_offsets"]
            if end > size:
                raise ValueError("it is cut short")
            yield Tensor(
                path, name, about["dtype"], tuple(about["shape"]), 8 + length + start,
                8 + length + end,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, struct.error, AttributeError) as error:
        raise GenerationError(f"{path} cannot be read ({error}); download it again.") from error


def elements(found: list[Tensor]) -> int:
    """Count the numbers in tensors."""
    return sum(prod(tensor.shape) for tensor in found)


def identity(folder: Path) -> str:
    """Hash what makes a base this base and no other, in a second for any size.

    Its configuration without what changes when it is saved again, and of each tensor the name,
    type, shape and first 4 KiB: shapes alone would not tell a model from its instruction-tuned
    sibling, and hashing 16 GB takes a minute. How it is cut into files does not matter.
    """
    known = {k: v for k, v in configuration(folder).items() if k not in _CHANGING}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for tensor in sorted(tensors(folder), key=lambda tensor: tensor.name):
        digest.update(f"{tensor.name} {tensor.dtype} {tensor.shape}".encode())
        with tensor.file.open("rb") as file:
            file.seek(tensor.start)
            digest.update(file.read(min(_SAMPLE, tensor.end - tensor.start)))
    return digest.hexdigest()


def available_memory() -> int:
    """Bytes of memory that can still be used: what is free, within a container's limit."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = int(line.split()[1]) * 1024
    control = Path("/sys/fs/cgroup")
    try:
        limit = int((control / "memory.max").read_text())
        used = int((control / "memory.current").read_text())
        free = min(free, max(0, limit - used))
    except (OSError, ValueError):  # no limit, or no such control group
        pass
    return free


def cache_bytes(config: Mapping[str, Any], item: int) -> int:
    """Bytes of keys and values for one token, from a model's configuration.

    Args:
        item: bytes of one number.
    """
    heads = config.get("num_attention_heads") or config.get("n_head") or 1
    width = config.get("hidden_size") or config.get("n_embed") or config.get("n_embd") or 0
    layers = config.get("num_hidden_layers") or config.get("n_layer") or 0
    kept = config.get("num_key_value_heads") or heads
    size = config.get("head_dim") or width // heads
    return int(2 * layers * kept * size * item)
