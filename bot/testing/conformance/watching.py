"""Seeing an event loop stand still."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from types import TracebackType
from typing import Self

_TICK = 0.02  # seconds between two looks
_STILL = 25  # looks without a beat: half a second on a machine with nothing else to do


class Watch:
    """While it is entered, a thread looks whether the event loop turns.

    It counts its own looks and no seconds, so that a machine that is slow is slow for both; and it
    looks at the loop's thread, so that computing is told apart from waiting.

    Attributes:
        blocked: whether the loop stood still, waiting for something.
        where: the file and the line where it stood.
    """

    def __init__(self) -> None:
        self.blocked = False
        self.where = ""
        self._beats = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._loop_thread = threading.get_ident()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._handle.cancel()

    def _beat(self) -> None:
        self._beats += 1
        self._handle = self._loop.call_later(_TICK, self._beat)

    def _look(self) -> None:
        beats, still, used = self._beats, 0, _cpu()
        while not self._over.wait(_TICK):
            if self._beats != beats:
                beats, still, used = self._beats, 0, _cpu()
                continue
            still += 1
            if still >= _STILL and _cpu() - used < still * _TICK / 2:
                frame = sys._current_frames().get(self._loop_thread)
                self.blocked = True
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "it"
                return


def _cpu() -> float:
    """Seconds of computing that this process has used: a loop that computes is not waiting."""
    return time.process_time()
