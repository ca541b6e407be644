"""One step of native code at a time, and none at the interpreter's end."""

from __future__ import annotations

from threading import Lock
from typing import Any

from bot.dispatch import in_thread
from bot.errors import EmbeddingError


class Gate:
    """A lock that can be closed for good.

    Python ends with an abort when a daemon thread comes back from native code while the
    interpreter is being taken down. So whoever closes the gate waits for the step in progress.
    Steps are short: a query gets its turn between the batches of a long job.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._closed = False

    def __enter__(self) -> None:
        self._lock.acquire()
        if self._closed:
            self._lock.release()
            raise EmbeddingError("The embedder was closed; open the bot again to go on.")

    def __exit__(self, *error: Any) -> None:
        self._lock.release()

    async def aclose(self) -> None:
        """Let nobody pass any more; return when nobody is inside."""
        self._closed = True
        await in_thread(self._lock.acquire)
        self._lock.release()
