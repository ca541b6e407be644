"""Answering every row of a batch with its own adapter, over one resident base.

PEFT switches adapters by changing the model, and mixes them with hooks that are shared by all
threads: two threads with `adapter_names` get each other's adapters. Here a layer's hook is set
once, and reads what the one inference thread has composed for the batch at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bot_transformers.lora import Adapter, Part


class Mixer:
    """Applies adapters in a model's forward pass. Used by one thread alone."""

    def __init__(self, model: Any) -> None:
        self._modules = dict(model.named_modules())
        self._hooked: dict[str, Any] = {}
        self._rows: tuple[Adapter | None, ...] = ()
        self._parts: dict[str, Part] = {}

    def compose(self, rows: Sequence[Adapter | None]) -> None:
        """Say which adapter each row of the next forward passes has; None is the bare base."""
        chosen = tuple(row if row is not None and row.parts else None for row in rows)
        if len(set(chosen)) == 1:
            chosen = chosen[:1]  # whatever the batch's size, all rows have the same
        if chosen == self._rows:
            return
        self._rows = chosen
        adapters = [adapter for adapter in dict.fromkeys(chosen) if adapter is not None]
        names = {name for adapter in adapters for name in adapter.parts}
        if len(chosen) == 1:
            self._parts = dict(adapters[0].parts) if adapters else {}
        else:
            self._parts = {name: _stacked(name, chosen) for name in names}
        for name in names - self._hooked.keys():
            module = self._modules[name]
            self._hooked[name] = module.register_forward_hook(self._hook(name))

    def forget(self) -> None:
        """Let go of the adapters of the last batch."""
        self._rows, self._parts = (), {}

    def _hook(self, name: str) -> Any:
        def add(module: Any, given: tuple[Any, ...], output: Any) -> Any:
            part = self._parts.get(name)
            if part is None:
                return output
            # (rows, tokens, in) @ (rows, in, rank) @ (rows, rank, out)
            changed = output + given[0] @ part.a @ part.b
            if part.scale is not None:
                bare = output if module.bias is None else output - module.bias
                changed = changed + (part.scale - 1) * bare
            return changed

        return add


def _stacked(name: str, rows: Sequence[Adapter | None]) -> Part:
    """One layer's parts of all rows, filled up with zeros to the largest rank."""
    parts = [row.parts.get(name) if row is not None else None for row in rows]
    some = next(part for part in parts if part is not None)
    rank = max(part.a.shape[1] for part in parts if part is not None)
    a = some.a.new_zeros(len(parts), some.a.shape[0], rank)
    b = some.b.new_zeros(len(parts), rank, some.b.shape[1])
    scaled = any(part is not None and part.scale is not None for part in parts)
    scale = some.b.new_ones(len(parts), 1, some.b.shape[1]) if scaled else None
    for row, part in enumerate(parts):
        if part is None:
            continue
        own = part.a.shape[1]
        a[row, :, :own] = part.a
        b[row, :own] = part.b
        if scale is not None and part.scale is not None:
            scale[row, 0] = part.scale
    return Part(a, b, scale)


def virtual_tokens(adapter: Adapter | None) -> int:
    """How many tokens an adapter puts before a prompt."""
    return 0 if adapter is None or adapter.prompt is None else int(adapter.prompt.shape[0])


def as_batch(adapter: Adapter) -> Any:
    """A tuned prompt as a batch of one, (1, tokens, width)."""
    return torch.as_tensor(adapter.prompt)[None]
