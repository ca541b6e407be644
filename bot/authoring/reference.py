"""The reference of hooks, written from the specifications.

python -m bot.authoring.reference > docs/plugin-authors/hooks.md
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

from bot import hookspecs
from bot.indexing import hookspecs as indexing

_SECTION = re.compile(r"^# -- (.+?) -+$", re.MULTILINE)
_PARTS = re.compile(r"^(Called|Gives|Failure): ", re.MULTILINE)
_WIDTH = 100

_INTRODUCTION = """\
# Every hook

The contract is `bot/hookspecs.py`; this page is written from it and has each hook with its exact
signature, since when there is one, who calls it, what it gives, and what a failure does. The types
are in `bot/turn.py` and `bot/document.py`. How hooks are called in general stands in
[Writing a plugin](index.md#how-your-code-is-called).

*Component* means that a hook is called only on the components, or plugins, that `bot.toml` names
for that place. All other hooks are called on every plugin that is loaded and on every component
that has been made. An implementation takes any of the hook's arguments, by name; leave out those
that you do not need.
"""


def reference() -> str:
    """Write the page."""
    parts = [_INTRODUCTION]
    for module in (hookspecs, indexing):
        parts += _module(Path(str(module.__file__)).read_text(encoding="utf-8"))
    return "\n".join(parts)


def _module(source: str) -> Iterator[str]:
    titles = [(source.count("\n", 0, found.start()) + 1, found[1]) for found in
              _SECTION.finditer(source)]  # fmt: skip
    for node in ast.parse(source).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        while titles and titles[0][0] < node.lineno:
            title = titles.pop(0)[1]
            yield f"## {title[0].upper()}{title[1:]}\n"
        yield _hook(node)


def _hook(node: ast.FunctionDef) -> str:
    text = cleandoc(ast.get_docstring(node) or "")
    summary, *rest = _PARTS.split(text)
    told = dict(zip(rest[::2], map(str.strip, rest[1::2]), strict=True))
    lines = [
        f"### `{node.name}`",
        "",
        summary.strip(),
        "",
        "```python",
        _signature(node),
        "```",
        "",
    ]
    for name, title in (("Called", "Called"), ("Gives", "Gives"), ("Failure", "A failure:")):
        lines.append(f"- **{title}** " + told[name].replace("\n", "\n  "))
    lines.append(f"- **Since** {getattr(hookspecs, node.name).since}.")
    return "\n".join(lines) + "\n"


def _signature(node: ast.FunctionDef) -> str:
    returns = ast.unparse(node.returns) if node.returns else "None"
    whole = f"def {node.name}({ast.unparse(node.args)}) -> {returns}: ..."
    if len(whole) <= _WIDTH:
        return whole
    arguments = "".join(f"    {ast.unparse(each)},\n" for each in node.args.args)
    return f"def {node.name}(\n{arguments}) -> {returns}: ..."


if __name__ == "__main__":
    sys.stdout.write(reference())
