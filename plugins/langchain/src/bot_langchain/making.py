"""Making objects of LangChain from what bot.toml says."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot import Secret
from bot.errors import PluginError

if TYPE_CHECKING:
    from bot_langchain.settings import Part


def make(part: Part) -> Any:
    """Make the object that a table describes.

    Raises:
        PluginError: there is no such class, or it cannot be made so.
    """
    return _made(part.class_, part.call, part.then, part.options)


def found(path: str) -> Any:
    """Import a class.

    Raises:
        PluginError: it is not installed.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        raise PluginError(
            f"{path} cannot be imported ({error}); install it with `pip install {package}`, or "
            "correct `class`."
        ) from error
    except AttributeError:
        raise PluginError(f"{module} has no {name}; correct `class` in bot.toml.") from None


def value(given: Any) -> Any:
    """What an option stands for: a table with `class` is a part, one with `import` is a class."""
    if isinstance(given, Secret):
        return given.reveal()
    if isinstance(given, Path):
        return str(given)
    if isinstance(given, list):
        return [value(one) for one in given]
    if isinstance(given, Mapping):
        if given.keys() == {"import"}:
            return found(given["import"])
        if "class" in given:
            options = {k: v for k, v in given.items() if k not in ("class", "call", "then")}
            return _made(given["class"], given.get("call", ""), given.get("then", ""), options)
        return {key: value(one) for key, one in given.items()}
    return given


def _made(path: str, call: str, then: Any, options: Mapping[str, Any]) -> Any:
    maker = found(path)
    arguments = {key: value(one) for key, one in options.items()}
    follow = {then: {}} if isinstance(then, str) and then else then or {}
    try:
        made = (getattr(maker, call) if call else maker)(**arguments)
        for method, more in follow.items():
            made = getattr(made, method)(**value(more))
    except PluginError:
        raise
    except Exception as error:  # its text may hold a secret that it was given
        raise PluginError(
            f"{path} cannot be made ({type(error).__name__}); check its `options` in bot.toml."
        ) from None
    return made
