"""The markers of the contract: what implements a hook, since when there is one, and until when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pluggy

hookspec = pluggy.HookspecMarker("bot")
hookimpl = pluggy.HookimplMarker("bot")

F = TypeVar("F", bound=Callable[..., Any])


def since(version: str) -> Callable[[F], F]:
    """Say which version of domainbot a hook came with."""

    def mark(function: F) -> F:
        function.since = version  # type: ignore[attr-defined]
        return function

    return mark


def going(hook: str, version: str, gone: str, instead: str) -> DeprecationWarning:
    """Say that a hook goes: `@hookspec(warn_on_impl=going("bot_x", "0.2", "0.3", "bot_y"))`.

    A plugin that implements it is warned of for one minor version, in the log and by
    `bot plugins doctor`.

    Args:
        version: since when it is not to be used; `gone`: from when on it is not called any more.
        instead: what to implement.
    """
    return DeprecationWarning(
        f"{hook} is deprecated since {version} and goes with {gone}; implement {instead}"
    )
