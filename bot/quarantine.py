"""Plugins that fail again and again are left out of a running bot, until somebody enables them.

What has failed stands in a file of the bot's home, so that `bot plugins doctor` can tell it, and
`bot plugins enable` can end it while the bot runs.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

log = logging.getLogger(__name__)

LIMIT = 5  # failures of one hook in a row

SPARED = frozenset(
    "bot_turn_started bot_queries bot_retrieve bot_rerank bot_turn_finished bot_feedback "
    "bot_around".split()
)
"""The hooks that a turn can go on without. Leaving out a generator would help nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What an implementation of a hook has done lately.

    Attributes:
        name: what it is registered under; `plugin` is the plugin that it belongs to.
        failures: how often in a row.
        at: when last, ISO 8601.
        held: it is left out.
    """

    name: str
    plugin: str
    hook: str
    reason: str
    failures: int
    at: str
    held: bool

    def __str__(self) -> str:
        times = f"{self.failures} times in a row, last" if self.failures > 1 else "once,"
        return f"{self.name}: {self.hook} {self.reason} ({times} {self.at})"


class Quarantine:
    """Counts failures, and says who is left out.

    Args:
        path: the file; None keeps all in memory.
        owner: the plugin that a registered name belongs to.
    """

    def __init__(
        self, path: Path | None = None, owner: Callable[[str], str] = lambda name: name
    ) -> None:
        self._path = path
        self._owner = owner
        self._stamp = 0
        self._troubles: dict[str, Trouble] = {}
        self._read()

    def troubles(self) -> list[Trouble]:
        """List what has failed and not worked since."""
        self._read()
        return list(self._troubles.values())

    def failed(self, name: str, hook: str, reason: str) -> None:
        """Note a failure; at the limit, leave the implementation out."""
        self._read()
        known = self._troubles.get(f"{name} {hook}")
        failures = known.failures + 1 if known else 1
        held = hook in SPARED and failures >= LIMIT
        trouble = Trouble(
            name=name,
            plugin=self._owner(name),
            hook=hook,
            reason=reason,
            failures=failures,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            held=held,
        )
        if held and not (known and known.held):
            log.error(
                "%s. It is left out from now on; `bot plugins enable %s` takes it back.",
                trouble,
                trouble.plugin,
            )
        self._troubles[f"{name} {hook}"] = trouble
        self._write()

    def worked(self, name: str, hook: str) -> None:
        """Note a success: what failed before has passed."""
        if self._troubles and self._troubles.pop(f"{name} {hook}", None) is not None:
            self._write()

    def holds(self, name: str, hook: str) -> bool:
        """Tell whether an implementation is left out."""
        if not self._troubles:  # the usual case, on the way of every hook
            return False
        self._read()
        trouble = self._troubles.get(f"{name} {hook}")
        return trouble is not None and trouble.held

    def release(self, plugin: str) -> bool:
        """Take a plugin back, with a clean slate; tell whether there was anything."""
        self._read()
        kept = {key: one for key, one in self._troubles.items() if one.plugin != plugin}
        found = len(kept) < len(self._troubles)
        if found:
            self._troubles = kept
            self._write()
        return found

    def _read(self) -> None:
        """Read the file when another process has written it."""
        if self._path is None:
            return
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp == self._stamp:
                return
            found = json.loads(self._path.read_text(encoding="utf-8"))
            self._troubles = {key: Trouble(**one) for key, one in found.items()}
            self._stamp = stamp
        except FileNotFoundError:
            if self._stamp:
                self._troubles, self._stamp = {}, 0
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read and is left alone: %s", self._path, error)

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps({key: asdict(one) for key, one in self._troubles.items()}, indent=1)
        temporary = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            self._stamp = temporary.stat().st_mtime_ns
            temporary.replace(self._path)
        except OSError as error:  # a home that cannot be written must not end the turn
            log.warning("%s cannot be written: %s", self._path, error)
