"""reStructuredText, Sphinx's included, to Markdown.

Nothing that a document names is read: no include, no raw file, no other page.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives, roles
from docutils.parsers.rst.directives.body import CodeBlock

from bot.errors import DocumentError
from bot.indexing.formats.decoding import decode
from bot.indexing.formats.extracted import Extracted
from bot.indexing.formats.html import from_html

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,  # it would make a subtitle of the only section
    "initial_header_level": 1,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "syntax_highlight": "none",
    "math_output": "LaTeX",
    "toc_backlinks": False,
    "footnote_references": "brackets",
}
_WITHOUT_TEXT = ("toctree", "index", "highlight", "currentmodule", "py:currentmodule", "contents",
                 "literalinclude", "tabularcolumns")  # fmt: skip
_TARGET = re.compile(r"\s*<[^<>]*>\s*$")

_directive = directives.directive
_role = roles.role


def read_rst(data: bytes, charset: str) -> Extracted:
    """Read a reStructuredText document.

    Raises:
        DocumentError: it is no text, or too deeply nested.
    """
    text = decode(data, charset)
    directives.directive = _known_directive
    roles.role = _known_role
    try:
        parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    except RecursionError as error:
        raise DocumentError("It is nested too deeply.") from error
    except Exception as error:  # docutils asserts what broken text does not keep to
        raise DocumentError("Its reStructuredText is too broken to be converted.") from error
    finally:
        directives.directive = _directive
        roles.role = _role
    # What a web page sets aside is navigation; here it is notes, warnings and footnotes.
    page = parts["html_body"].replace("<aside", "<div").replace("</aside>", "</div>")
    return Extracted(from_html(page)[1], "markdown")


class _AnyOptions(dict[str, Any]):
    """Takes every option as it is."""

    def __missing__(self, name: str) -> Any:
        return directives.unchanged


class _Code(CodeBlock):  # type: ignore[misc]  # docutils has no types
    """A code block with options that only Sphinx knows."""

    option_spec: ClassVar[dict[str, Any]] = _AnyOptions(CodeBlock.option_spec)


class _Unknown(Directive):  # type: ignore[misc]  # docutils has no types
    """A directive that docutils does not know: what it describes and says is kept."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[dict[str, Any]] = _AnyOptions(name=directives.unchanged)

    def run(self) -> list[Any]:
        if self.name in _WITHOUT_TEXT or self.name.startswith("auto"):
            return []
        said: list[Any] = []
        if self.arguments:
            named = " ".join(self.arguments[0].split())
            said.append(nodes.paragraph("", "", nodes.strong(named, named)))
        holder = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, holder)
        return [*said, *holder.children]


def _known_directive(name: str, language: Any, document: Any) -> tuple[Any, list[Any]]:
    if name in ("code", "code-block", "sourcecode"):
        return _Code, []
    if name in _WITHOUT_TEXT:
        return _Unknown, []
    found, messages = _directive(name, language, document)
    return (found, messages) if found else (_Unknown, [])


def _known_role(name: str, language: Any, line: int, reporter: Any) -> tuple[Any, list[Any]]:
    found, messages = _role(name, language, line, reporter)
    return (found, messages) if found else (_text_role, [])


def _text_role(
    name: str, rawtext: str, text: str, lineno: int, inliner: Any,
    options: Any = None, content: Any = None,
) -> tuple[list[Any], list[Any]]:  # fmt: skip
    """Read `:ref:`the text <target>`` as the text."""
    said = _TARGET.sub("", text).lstrip("~!") or text
    reference = name.rpartition(":")[2] in ("ref", "doc", "term", "numref")
    return [(nodes.inline if reference else nodes.literal)(rawtext, said)], []
