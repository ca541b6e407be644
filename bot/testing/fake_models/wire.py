"""What the interfaces of models have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from bot.testing.fake_models.script import Reply, Request


class Wire(ABC):
    """How one interface writes a chat's answer; each line of a stream is whole."""

    content_type: ClassVar[str]

    @abstractmethod
    def whole(self, request: Request, reply: Reply) -> dict[str, Any]:
        """The answer in one piece."""

    def begin(self, request: Request) -> Iterable[bytes]:
        """What a stream begins with."""
        return ()

    @abstractmethod
    def piece(self, request: Request, text: str, logprob: float) -> bytes:
        """One piece of text."""

    @abstractmethod
    def end(self, request: Request, reply: Reply) -> Iterable[bytes]:
        """What a stream ends with: calls of tools, why it ended, usage."""

    @abstractmethod
    def line(self, data: str) -> bytes:
        """One line of the stream."""

    @abstractmethod
    def error(self, status: int, message: str) -> dict[str, Any]:
        """The body of an error."""

    @abstractmethod
    def failure(self, message: str) -> bytes:
        """An error in the middle of a stream."""
