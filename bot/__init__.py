"""domainbot: a bot that answers from your team's own documents, with sources.

    async with Bot.from_config("bot.toml") as bot:
        async for event in bot.reply("How do I reset my password?"):
            ...

Names are imported on first use: `import bot` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from bot.app import Bot as Bot
    from bot.document import Chunk as Chunk
    from bot.document import Document as Document
    from bot.document import Found as Found
    from bot.document import PersonalData as PersonalData
    from bot.document import Piece as Piece
    from bot.document import Skipped as Skipped
    from bot.document import Source as Source
    from bot.hookspecs import hookimpl as hookimpl
    from bot.plugins import Component as Component
    from bot.plugins import Context as Context
    from bot.settings import Secret as Secret
    from bot.turn import EVERYONE as EVERYONE
    from bot.turn import Answer as Answer
    from bot.turn import Citation as Citation
    from bot.turn import Delta as Delta
    from bot.turn import Failed as Failed
    from bot.turn import Feedback as Feedback
    from bot.turn import Finished as Finished
    from bot.turn import Likelihood as Likelihood
    from bot.turn import Passage as Passage
    from bot.turn import Prompt as Prompt
    from bot.turn import Status as Status
    from bot.turn import TextDelta as TextDelta
    from bot.turn import Turn as Turn

_HOMES = {
    "bot.app": ("Bot",),
    "bot.document": (
        "Chunk", "Document", "Found", "PersonalData", "Piece", "Skipped", "Source",
    ),
    "bot.hookspecs": ("hookimpl",),
    "bot.plugins": ("Component", "Context"),
    "bot.settings": ("Secret",),
    "bot.turn": (
        "EVERYONE", "Answer", "Citation", "Delta", "Failed", "Feedback", "Finished",
        "Likelihood", "Passage", "Prompt", "Status", "TextDelta", "Turn",
    ),
}  # fmt: skip
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'bot' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)
