"""What can go wrong between an app and Slack, switched on call by call."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal

FaultKind = Literal["rate_limit", "lost_reply", "lost_call", "status", "error", "delay"]

TIERS: Mapping[str, int] = {
    "chat.postMessage": 60,  # in each channel
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "chat.delete": 50,
    "chat.startStream": 20,
    "chat.appendStream": 100,
    "chat.stopStream": 20,
    "conversations.replies": 50,
    "conversations.info": 50,
    "conversations.members": 100,
    "users.info": 100,
    "usergroups.list": 20,
    "usergroups.users.list": 20,
    "views.open": 100,
    "views.publish": 100,
}
"""Calls a minute by method, as Slack documents its tiers."""


@dataclass(kw_only=True)
class Fault:
    """One kind of failure of one method, or of all with `*`.

    Attributes:
        kind: `rate_limit` (429 with Retry-After), `lost_reply` (done, but the connection is cut),
            `lost_call` (cut before it is done), `status` (5xx, not done), `error` (`ok: false`
            with a name, not done), `delay` (done after some seconds).
        times: how many calls it concerns.
        after: how many calls pass before.
    """

    method: str
    kind: FaultKind
    times: int = 1
    after: int = 0
    seconds: float = 1.0
    status: int = 503
    error: str = "internal_error"


class Faults:
    """The faults that are waiting, and the rate limits that hold."""

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        self.limits = dict(limits or {})
        self._waiting: list[Fault] = []
        self._spent: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add(self, method: str, kind: FaultKind, **details: object) -> None:
        """Let the next calls of a method go wrong; see `Fault`."""
        self._waiting.append(Fault(method=method, kind=kind, **details))  # type: ignore[arg-type]

    def rate_limit(self, method: str, retry_after: float = 1, times: int = 1) -> None:
        self.add(method, "rate_limit", seconds=retry_after, times=times)

    def error(self, method: str, error: str, times: int = 1, after: int = 0) -> None:
        self.add(method, "error", error=error, times=times, after=after)

    def clear(self) -> None:
        self._waiting.clear()

    def next(self, method: str) -> Fault | None:
        """The fault of this call, if there is one."""
        for fault in list(self._waiting):
            if fault.method not in ("*", method):
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
            return fault
        return None

    def over_limit(self, method: str, channel: str) -> float:
        """Count a call; return the seconds to wait when it is over the method's limit, or 0."""
        limit = self.limits.get(method)
        if limit is None:
            return 0.0
        key = (method, channel if method == "chat.postMessage" else "")
        now = time.monotonic()
        spent = [at for at in self._spent[key] if at > now - 60]
        self._spent[key] = spent
        if len(spent) >= limit:
            return float(ceil(max(1.0, spent[0] + 60 - now)))  # Slack tells whole seconds
        spent.append(now)
        return 0.0
