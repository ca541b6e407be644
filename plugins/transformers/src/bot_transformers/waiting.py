"""Requests that wait for their turn: the conversations take turns, each in its own order."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from bot_transformers.lora import Adapter
    from bot_transformers.sampling import Sampler


@dataclass(frozen=True, slots=True)
class End:
    """An answer is complete: at an end token, or because it was cut at its limit."""

    cut: bool
    reused: int = 0


Event: TypeAlias = "int | End | Exception"
"""A token, the end, or why there is none."""


@dataclass(slots=True, eq=False)
class Request:
    """One prompt to be answered.

    Attributes:
        tokens: the prompt.
        limit: tokens of the answer.
        ends: tokens that end it.
        group: the conversation, for fairness.
        tell: called on the inference thread with each event; must not block.
        cancelled: set by anybody; no further token is computed.
        logprobs: of the tokens that were told, each there before its token is.
    """

    tokens: Sequence[int]
    limit: int
    ends: frozenset[int]
    sampler: Sampler
    tell: Callable[[Event], None]
    adapter: Adapter | None = None
    group: str = ""
    cancelled: bool = False
    said: int = 0
    reused: int = 0
    last: int = field(default=-1)
    logprobs: list[float] = field(default_factory=list)


class Waiting:
    """A queue with a limit, fair between conversations. Not to be used without a lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._groups: OrderedDict[str, deque[Request]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def put(self, request: Request, room: int) -> bool:
        """Add a request, unless the queue is full.

        Args:
            room: how many requests could begin at once, and so do not count as waiting.
        """
        if len(self) >= self._limit + room:
            return False
        self._groups.setdefault(request.group, deque()).append(request)
        return True

    def first(self) -> Request | None:
        """The request whose turn it is; cancelled ones are dropped on the way."""
        while self._groups:
            group, requests = next(iter(self._groups.items()))
            while requests and requests[0].cancelled:
                requests.popleft()
            if requests:
                return requests[0]
            del self._groups[group]
        return None

    def take(self) -> Request:
        """Take the request whose turn it is; its conversation goes to the end of the line."""
        group, requests = next(iter(self._groups.items()))
        request = requests.popleft()
        self._groups.move_to_end(group)
        if not requests:
            del self._groups[group]
        return request

    def drain(self) -> list[Request]:
        """Take all."""
        found = [request for requests in self._groups.values() for request in requests]
        self._groups.clear()
        return found
