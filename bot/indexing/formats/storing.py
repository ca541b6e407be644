"""Values and keys from outside, made ones that PostgreSQL takes."""

from __future__ import annotations

from typing import Any

from bot.text import storable

_KEY_BYTES = 2000  # an index entry of PostgreSQL holds no more than some 2,700


def storable_json(value: Any, depth: int = 32) -> Any:
    """Make a JSON value one that PostgreSQL takes.

    Raises:
        ValueError: it is nested more than `depth` levels deep.
    """
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (list, dict)) and depth == 0:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [storable_json(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {storable(key): storable_json(each, depth - 1) for key, each in value.items()}
    return value


def storable_key(key: str) -> str:
    """Make a key one that PostgreSQL takes and indexes; comes back unchanged when it is."""
    return key.replace("\0", "").encode("utf-8", "replace")[:_KEY_BYTES].decode("utf-8", "replace")
