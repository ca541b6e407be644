"""Where source code may be cut: before classes and functions, else at blank lines.

A look at the lines, not a parser: it serves every language that indents and names its definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

CODE = frozenset(
    ".py .pyi .js .jsx .mjs .ts .tsx .java .kt .kts .scala .go .rs .c .h .cc .cpp .hpp .cs .swift "
    ".rb .php .pl .lua .r .jl .sh .bash .ps1 .sql .dart .ex .exs .hs .ml .vue .proto".split()
)

DEFINITION = 3  # the strength of a boundary before a definition, as before a heading
_INNER = 5  # ... before one inside another
_BLANK = 7

_DEFINED = re.compile(
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|async"
    r"|override|open|sealed|data|pub(?:\([a-z]+\))?|unsafe|extern|create|or|replace)\s+){0,6}"
    r"(?:class|interface|struct|enum|trait|impl|func|fun|fn|function|def|defmodule|module|record"
    r"|namespace|protocol|sub|table|view|procedure|message|service|object)\b"
    r"[\s<(*&]{1,8}([\w.:$]{1,80})",
    re.IGNORECASE,
)
_ABOVE = ("@", "#", "//", "/*", "*", "--", ";;", '"""')


def is_code(key: str) -> bool:
    """Tell by its name whether a document is source code."""
    return PurePosixPath(key).suffix.lower() in CODE


def marks(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield where units of a source file may begin: position, strength, definitions around it."""
    around: list[tuple[int, str]] = []
    at = above = 0  # `above`: where the comments and decorators over the next line begin
    blank = True
    yield 0, _BLANK, ()
    for line in text.splitlines(keepends=True):
        at += len(line)
        code = line.strip()
        if not code:
            blank, above = True, at
            continue
        indent = len(line) - len(line.lstrip())
        defined = _DEFINED.match(code)
        if defined or (blank and not code.startswith(_ABOVE)):
            around = [each for each in around if each[0] < indent]
        if defined:
            around.append((indent, defined[1].rstrip(":.")))
            strength = _INNER if len(around) > 1 else DEFINITION
            yield above, strength, _names(around)
        elif blank:
            yield above, _BLANK, _names(around)
        blank = False
        if not code.startswith(_ABOVE):
            above = at


def _names(around: list[tuple[int, str]]) -> tuple[str, ...]:
    return tuple(name for _, name in around if name)
