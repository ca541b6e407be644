"""Making chat models: through LangChain's `init_chat_model`, or a class of one's own."""

from __future__ import annotations

import os
from typing import Any

from bot.errors import PluginError
from bot_langchain import making
from bot_langchain.settings import ChatSettings

_PACKAGES = {"openai": "openai", "anthropic": "anthropic", "ollama": "ollama"}


def make(settings: ChatSettings) -> Any:
    """Make the chat model that a table describes; retries are ours, so the client makes none.

    Raises:
        PluginError: its package is not installed, or it cannot be made so.
    """
    options = making.value(settings.options)
    if not settings.elsewhere:
        _stay_here(settings.host)
    if settings.class_:
        maker = making.found(settings.class_)
    else:
        from langchain.chat_models import init_chat_model

        maker, options = init_chat_model, {**_given(settings), **options}
    try:
        made = maker(**options)
    except ImportError as error:
        extra = _PACKAGES.get(settings.provider)
        hint = f"`pip install 'domainbot-langchain[{extra}]'`" if extra else "its package"
        raise PluginError(
            f"{settings.model} needs a package that is not here ({error.name}); install {hint}."
        ) from error
    except Exception as error:  # its text may hold the key
        raise PluginError(
            f"{settings.model or settings.class_} cannot be made ({type(error).__name__}); check "
            "`model`, `api_key` and `options` in bot.toml."
        ) from None
    if not hasattr(made, "astream") or not hasattr(made, "bind_tools"):
        raise PluginError(f"{settings.class_} is no chat model; correct `class` in bot.toml.")
    if hasattr(made, "stream_chunk_timeout"):
        made.stream_chunk_timeout = None  # it waits in a way that may swallow being stopped
    return made


def _stay_here(host: str) -> None:
    """Keep what is for this machine from the proxy that the environment names for all hosts."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if host not in known.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(filter(None, [known, host]))


def _given(settings: ChatSettings) -> dict[str, Any]:
    """The settings in the words of the provider's class."""
    provider, _, model = settings.model.partition(":")
    given: dict[str, Any] = {"model": model, "model_provider": provider}
    if settings.temperature is not None:
        given["temperature"] = settings.temperature
    if settings.base_url is not None:
        given["base_url"] = settings.base_url
    if settings.api_key is not None:
        given["api_key"] = settings.api_key.reveal()
    if provider == "ollama":
        client = {"timeout": settings.timeout}
        given |= {"num_predict": settings.max_tokens, "client_kwargs": client}
        return given | ({"logprobs": True} if settings.logprobs else {})
    if not settings.elsewhere:
        given[f"{provider}_proxy"] = ""  # not the one in the environment
    given |= {"max_tokens": settings.max_tokens, "timeout": settings.timeout, "max_retries": 0}
    if provider == "openai":
        given["stream_usage"] = True
        if settings.logprobs:
            given["logprobs"] = True
        if settings.base_url is not None and settings.api_key is None:
            given["api_key"] = "none"  # never the key in the environment, which is for another
    return given
