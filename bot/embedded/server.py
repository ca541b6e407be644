"""The embedded server's life: the first client starts it, the last one out stops it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from pathlib import Path

from bot.embedded import locks
from bot.embedded.cluster import Cluster
from bot.embedded.trouble import explained
from bot.errors import EmbeddedServerError


def default_home(environ: Mapping[str, str]) -> Path:
    """The bot's home where nobody has chosen one.

    Root's is not below /root, which the server's own user could not enter.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/domainbot")
    from platformdirs import user_data_path

    folder = environ.get("XDG_DATA_HOME")
    return Path(folder, "domainbot") if folder else user_data_path("domainbot", appauthor=False)


def absolute(home: Path) -> Path:
    """Write a home in full, without following links."""
    return Path(os.path.abspath(home.expanduser()))


class EmbeddedServer:
    """A client of the PostgreSQL server in a home.

    A client is a shared lock on a file, so the kernel counts the clients, also those that were
    killed. Whether the server starts or stops is decided under a second, exclusive lock.

    Args:
        home: the bot's home; the server keeps everything in its folder `postgresql`.
    """

    def __init__(self, home: Path) -> None:
        self._cluster = Cluster(absolute(home))
        self._client: int | None = None
        self._mutex = threading.Lock()  # a cancelled call's thread runs on: stop() waits for it

    @property
    def conninfo(self) -> str:
        """How libpq reaches the server.

        Raises:
            EmbeddedServerError: the server was not started through this object.
        """
        if self._client is None:
            raise EmbeddedServerError(
                "The embedded PostgreSQL is not started here; open the bot or its database first."
            )
        return self._cluster.conninfo()

    @property
    def exists(self) -> bool:
        """Whether there is any data; `start` makes it otherwise."""
        try:
            return self._cluster.major() is not None
        except OSError:  # `start` says what is in the way
            return True

    async def start(self) -> str:
        """Register as a client and start the server unless it runs; the first time, create it.

        Returns:
            How libpq reaches it.

        Raises:
            EmbeddedServerError: it cannot run here; the sentence says why and what would do.
        """
        return await asyncio.to_thread(self._start)

    async def ensure(self) -> None:
        """Start the server again if it has died.

        Raises:
            EmbeddedServerError: it does not come up, or `start` was not called.
        """
        await asyncio.to_thread(self._ensure)

    async def stop(self) -> None:
        """Leave; the last client out stops the server.

        Raises:
            EmbeddedServerError: the server does not stop.
        """
        await asyncio.to_thread(self._stop)

    def _start(self) -> str:
        with self._mutex, explained(self._cluster.home):
            if self._client is None:
                self._cluster.make_folder()
                with locks.exclusive(self._cluster.control) as control:
                    client = locks.shared(self._cluster.clients)
                    try:
                        self._cluster.up(control)
                    except BaseException:
                        os.close(client)
                        raise
                self._client = client
        return self.conninfo

    def _ensure(self) -> None:
        with self._mutex, explained(self._cluster.home):
            if self._client is None:
                raise EmbeddedServerError(
                    "The embedded PostgreSQL was stopped; open the bot or its database again."
                )
            if not self._cluster.alive():
                with locks.exclusive(self._cluster.control) as control:
                    self._cluster.up(control)

    def _stop(self) -> None:
        with self._mutex, explained(self._cluster.home):
            if self._client is None:
                return
            # Closing the file is what leaves; it comes first, so that nothing can prevent it.
            os.close(self._client)
            self._client = None
            with locks.exclusive(self._cluster.control):
                if locks.unused(self._cluster.clients):
                    self._cluster.down()
