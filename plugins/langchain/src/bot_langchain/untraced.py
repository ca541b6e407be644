"""LangSmith sends what passes through LangChain's parts to its own host; here it gets nothing.

With `LANGSMITH_TRACING=true` in the environment, as whoever runs other chains may have it, every
prompt would leave this machine, whatever `may_receive` says. So it is switched off around each call
of a part, and nowhere else: a chain that `BotRunnable` is in is traced as its owner wants.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def untraced(work: Awaitable[T]) -> T:
    """Await a part's work without LangSmith."""
    from langsmith import tracing_context

    with tracing_context(enabled=False, parent=False):
        return await work
