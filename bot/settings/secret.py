"""Secrets: values that are referred to, never written down and never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MAX_BYTES = 65_536  # of a secret's file; certificates fit

HOW = 'use {env = "NAME"} or {file = "PATH"}'


class FromEnvironment(str):
    """Text that a `BOT_*` variable holds; where a secret belongs, it is one already."""

    __slots__ = ("variable",)
    variable: str

    @classmethod
    def make(cls, text: str, variable: str) -> FromEnvironment:
        made = cls(text)
        made.variable = variable
        return made

    def __repr__(self) -> str:
        return f"${self.variable}"


class Secret:
    """A secret, as the type of a field in a component's settings model.

    In bot.toml it is `{env = "NAME"}` or `{file = "PATH"}`; text is refused. Only `reveal` gives
    the value: `repr`, `str` and JSON give the reference.
    """

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: Mapping[str, str] | str) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """Return the value. Do not print, log or store it."""
        return self._value

    def __repr__(self) -> str:
        if isinstance(self.reference, str):
            return "Secret()"
        return "Secret({})".format(", ".join(f"{k}={v!r}" for k, v in self.reference.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_reference),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {
            "description": "A secret, by reference.",
            "oneOf": [reference_schema("env"), reference_schema("file")],
        }


def resolve(value: Mapping[Any, Any], environ: Mapping[str, str], folder: Path) -> Secret:
    """Read the secret behind a reference.

    Raises:
        ValueError: it cannot be read; the message names the reference and no value.
    """
    match dict(value):
        case {"env": str(name), **others} if not others:
            if name not in environ:
                raise ValueError(f"the environment variable {name} is not set")
            found, reference = environ[name], {"env": str(name)}
        case {"file": str(name), **others} if not others:
            path = folder / Path(name).expanduser()
            found, reference = _read(path), {"file": str(path)}
        case _:
            raise ValueError(f"is no reference to a secret; {HOW}")
    if not found:
        raise ValueError(f"the secret in {name} is empty")
    return Secret(found, reference)


def _validate(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if isinstance(value, FromEnvironment):
        return Secret(str(value), {"env": value.variable})
    if not isinstance(value, Mapping):
        raise ValueError(f"a secret is not written into the configuration; {HOW}")
    context = info.context or {}
    return resolve(value, context.get("environ", os.environ), context.get("folder", Path.cwd()))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise ValueError(f"the file {path} cannot be read: {reason}") from None
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file {path} is too large for a secret")
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:  # its text would show the bytes
        raise ValueError(f"the file {path} is not UTF-8 text") from None


def _reference(secret: Secret) -> Any:
    return secret.reference if isinstance(secret.reference, str) else dict(secret.reference)


def reference_schema(kind: str) -> JsonSchemaValue:
    """Describe a reference of one kind in JSON Schema."""
    return {
        "type": "object",
        "properties": {kind: {"type": "string"}},
        "required": [kind],
        "additionalProperties": False,
    }
