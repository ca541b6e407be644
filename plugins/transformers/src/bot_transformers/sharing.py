"""One engine a base, however many generators name it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import GenerationError
from bot_transformers import loading, weights
from bot_transformers.settings import ModelSettings

if TYPE_CHECKING:
    from bot_transformers.engine import Engine
    from bot_transformers.lora import Adapter

_MIB = 1 << 20
_CACHE_SHARE = 0.5  # of the memory that a loaded model leaves free, for keys and values
_lock = threading.Lock()
_shared: dict[tuple[str, str, str], Shared] = {}


@dataclass(eq=False)
class Shared:
    """A base with its engine, and the adapters that are loaded over it.

    Attributes:
        users: how many generators have it.
    """

    plan: loading.Plan
    engine: Engine
    key: tuple[str, str, str]
    users: int = 0
    _adapters: OrderedDict[str, Adapter] = field(default_factory=OrderedDict)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _identity: str = ""

    def identity(self) -> str:
        """What tells this base from any other; computed once."""
        with self._loading:
            self._identity = self._identity or weights.identity(self.plan.folder)
            return self._identity

    def adapter(self, key: str, room: int, read: Callable[[], Adapter]) -> Adapter:
        """Get an adapter, loaded on first use; the longest unused ones go when memory is short.

        One that answers are being written with stays in memory until the last of them ends.

        Args:
            room: bytes for all adapters of this base.

        Raises:
            GenerationError: it cannot be read, or is larger than the room.
        """
        with self._loading:
            if key not in self._adapters:
                adapter = read()
                if adapter.bytes() > room:
                    raise GenerationError(
                        f"The adapter takes {adapter.bytes() // _MIB + 1} MiB; raise "
                        "`adapter_memory`."
                    )
                self._adapters[key] = adapter
            self._adapters.move_to_end(key)
            while sum(one.bytes() for one in self._adapters.values()) > room:
                self._adapters.popitem(last=False)
            return self._adapters[key]

    @property
    def loaded(self) -> list[str]:
        """Keys of the loaded adapters, the longest unused first."""
        return list(self._adapters)


def acquire(folder: Path, settings: ModelSettings) -> Shared:
    """Get a base; its first user decides how it is held, and begins to load it.

    Raises:
        GenerationError: it can be known now that the model cannot be used.
    """
    with _lock:
        wanted = (str(folder.resolve()), settings.device, settings.precision)
        found = _shared.get(wanted)
        if found is None or found.engine.failed:
            found = _shared[wanted] = _opened(folder, settings, wanted)
        found.users += 1
        return found


def release(shared: Shared) -> None:
    """Give a base back; after its last user it is unloaded."""
    with _lock:
        shared.users -= 1
        last = shared.users <= 0
        if last and _shared.get(shared.key) is shared:
            del _shared[shared.key]
    if last:
        shared.engine.close()


def _opened(folder: Path, settings: ModelSettings, key: tuple[str, str, str]) -> Shared:
    from bot_transformers.engine import Engine

    # With the model's own limit, so that all who share it may use less.
    plan = loading.plan(folder, settings.device, settings.precision, settings.context_limit)
    prefixes = settings.prefix_memory * _MIB

    def room() -> int:
        free = loading.free_memory(plan.device) - prefixes
        return max(plan.limit, int(free * _CACHE_SHARE) // max(1, plan.token_bytes))

    engine = Engine(
        lambda: loading.load(plan),
        width=settings.batch,
        queue=settings.queue,
        prefix_bytes=prefixes,
        cache_tokens=room,
    )
    return Shared(plan, engine, key)
