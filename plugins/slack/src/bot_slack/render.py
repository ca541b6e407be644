"""Model output made fit for Slack: hostile until cleaned, whatever it is and however it is cut.

`Cleaner` takes a stream of Markdown and passes on Markdown that notifies nobody and links nothing
but sources. It holds back what more text could still change, so a token that is split over two
pieces is one token all the same, and any split gives the same text.

How Slack parses Markdown is not specified. So nothing depends on one reading: `&`, `<` and `>`
of running text are entities, and a word joiner (U+2060, invisible) stands wherever a mention or an
address could begin. In code, where Markdown shows entities as they stand, the joiner is all.
"""

from __future__ import annotations

import html
import re

from bot.text import cleaned
from bot_slack.code import JOINER, fenced, shown, spanned
from bot_slack.links import Links, host, misleading
from bot_slack.tables import table

PIECE = 1000  # characters that are looked at together
MAX_CODE = 500  # characters of a code span
MAX_LABEL = 500  # characters between brackets
MAX_TARGET = 2500  # characters between the parentheses of a link
MAX_WORD = 2000  # characters without a space
MAX_LINE = 2000  # characters of a line in a code block
MAX_TABLE = 4000  # characters of a table

_CJK = "\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
# The last word, which may go on; a word of a script without spaces goes on only as an address.
_TAIL = re.compile(rf"(?:[A-Za-z][A-Za-z0-9+.-]*://\S*|[^\s{_CJK}]+)")
_PREFIX = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?")
_MAYBE_PREFIX = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)]?)[ \t]*)?(?:`{0,2}|~{0,2})")
_FENCE = re.compile(r"(?P<run>`{3,}|~{3,})[ \t]*(?P<language>[^\s`]*)[^\n`]*(?:\n|\Z)")
_BREAK = re.compile(r"<br ?/?>", re.I)
_MAYBE_BREAK = re.compile(r"<(?:b(?:r(?: ?/?)?)?)?", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKER = re.compile(r"\d{1,3}")
_TARGET = re.compile(
    r"\([ \t]*(?:<(?P<angle>[^<>\n]*)>|(?P<bare>[^\s()]*(?:\([^\s()]*\)[^\s()]*)*))"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*\)"
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^\s<>\"`|\\^{}\u3000-\u303f\uff00-\uffef]*")
_MAIL = re.compile(r"[A-Za-z0-9][\w.+-]*@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", re.A)
_PATH = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._~/%?=#+:-]*[A-Za-z0-9/])?", re.A)
_NAME = re.compile(r"[A-Za-z0-9]\.(?:[a-z]{2,24}|[A-Z]{2,24})(?![A-Za-z0-9])", re.A)
_WORD = re.compile(r"[^\W_]+")
_PUNCTUATION = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class Cleaner:
    """Clean one stream of Markdown.

    Attributes:
        links: the sources that may be linked; set it before the text that cites them.
    """

    def __init__(self, links: Links | None = None) -> None:
        self.links = links or Links()
        self._held = ""
        self._last = "\n"  # the last character passed on
        self._out: list[str] = []
        self._at_start = True
        self._fence = ""  # what closes the open code block
        self._quoted = False  # the open code block stands in a quotation
        self._table: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Take the next piece; return what may be shown.

        Returns:
            Tokens, none of which may be cut. One that begins with three backticks is the line
            that opens or closes a code block.
        """
        text = _INVISIBLE.sub("", cleaned(text))
        for start in range(0, len(text), PIECE):  # each token copies what is held behind it
            self._held += text[start : start + PIECE]
            self._run(final=False)
        return self._taken()

    def end(self) -> list[str]:
        """Return what was held back, and close what is open."""
        self._run(final=True)
        self._put_table()
        if self._fence:
            if self._last != "\n":
                self._put("\n")
            self._put("```")
            self._fence = ""
        return self._taken()

    def _run(self, *, final: bool) -> None:
        while self._held:
            step = self._line if self._at_start else self._inline
            if not step(final):
                break

    def _taken(self) -> list[str]:
        tokens, self._out = self._out, []
        return tokens

    def _put(self, text: str, consumed: int = 0) -> bool:
        """Pass text on, and forget what it was made of."""
        if text:
            self._out.append(text)
            self._last = text[-1]
        self._held = self._held[consumed:]
        return True

    # -- lines ----------------------------------------------------------------------------------

    def _line(self, final: bool) -> bool:
        """What stands at the start of a line; False when it is too early to say."""
        if self._fence:
            return self._code_line(final)
        if not final and _MAYBE_PREFIX.fullmatch(self._held):
            return False
        prefix = _PREFIX.match(self._held)
        assert prefix is not None
        rest = self._held[prefix.end() :]
        if rest.startswith("|") and not prefix[0].strip():
            return self._table_line(rest, prefix.end(), final)
        self._put_table()
        if rest.startswith(("```", "~~~")):
            if "\n" not in rest[:MAX_LINE] and not final and len(rest) < MAX_LINE:
                return False
            if (opening := _FENCE.match(rest)) is not None:
                return self._open_fence(prefix[0], opening)
        self._at_start = False
        return self._put(prefix[0], prefix.end())

    def _open_fence(self, prefix: str, opening: re.Match[str]) -> bool:
        self._fence = opening["run"]
        self._quoted = ">" in prefix
        listed = prefix.replace(">", "").rstrip()
        language = re.sub(r"[^\w+#.-]", "", opening["language"], flags=re.A)[:30]
        before = f"{listed}\n" if listed.strip() else ""
        if before:
            self._put(before)
        return self._put(f"```{language}\n", len(prefix) + opening.end())

    def _code_line(self, final: bool) -> bool:
        line, newline, _ = self._held.partition("\n")
        if len(line) >= MAX_LINE:
            line, newline = line[:MAX_LINE], ""
        elif not newline and not final:
            return False
        size = len(line) + len(newline)
        closing = line.strip(" \t>" if self._quoted else " \t")
        if closing and set(closing) == {self._fence[0]} and len(closing) >= len(self._fence):
            self._fence = ""
            return self._put("```" + newline, size)
        if self._quoted:
            line = re.sub(r"^[ \t]*>[ \t]?", "", line)
        return self._put(fenced(line, self.links) + newline, size)

    def _table_line(self, rest: str, indent: int, final: bool) -> bool:
        line, newline, _ = rest.partition("\n")
        if not newline and not final and len(line) < MAX_LINE:
            return False
        line = line[:MAX_LINE]
        self._held = self._held[indent + len(line) + len(newline) :]
        self._table.append(line)
        if sum(map(len, self._table)) > MAX_TABLE:
            self._put_table()
        return True

    def _put_table(self) -> None:
        if self._table:
            rows, self._table = self._table, []
            for line in table(rows, self.links):
                self._put(line)

    # -- within a line ----------------------------------------------------------------------------

    def _inline(self, final: bool) -> bool:
        """Pass on one token; False when it is not complete."""
        held = self._held
        if held[0] == "\n":
            self._at_start = True
            return self._put("\n", 1)
        if held[0] == "`":
            return self._code_span(final)
        if held[0] == "[":
            return self._bracket(final)
        if not final and _TAIL.fullmatch(held):
            if len(held) < MAX_WORD:
                return False
            # Too long to wait for: what follows must not continue a token of it.
            self._put_word(held)
            return self._put(JOINER, 0)
        if not final and _MAYBE_BREAK.fullmatch(held):
            return False
        return self._token(final)

    def _put_word(self, word: str) -> None:
        inner = Cleaner(self.links)
        inner._at_start = False
        inner._held = word
        inner._run(final=True)
        self._put("".join(inner._taken()), len(word))

    def _token(self, final: bool) -> bool:
        held, first = self._held, self._held[0]
        if first == "&":
            return self._ampersand()
        if first == "<":
            if (found := _BREAK.match(held)) is not None:
                return self._put(" " if self._last == "\n" else "\n", found.end())
            return self._put("&lt;" + (JOINER if held[1:2].strip() else ""), 1)
        if first == ">":
            return self._put("&gt;", 1)
        if first == "!" and held[1:2] == "[":
            return self._image(final)
        if first == "\\":
            return self._backslash(final)
        if first in "@#":
            name = re.match(r".[^\W\d_]" if first == "#" else r".\w", held)
            return self._put(first + (JOINER if name else ""), 1)
        return self._text()

    def _text(self) -> bool:
        """An address, a file name, a word, or one other character."""
        held = self._held
        if not (self._last.isalnum() and self._last.isascii()):
            if (found := _URL.match(held)) is not None:
                return self._url(found[0])
            if (found := _MAIL.match(held)) is not None:
                return self._put(self._code(found[0]), found.end())
            found = _PATH.match(held)
            if found is not None and _NAME.search(found[0]):
                return self._put(self._code(found[0]), found.end())
        if (found := _WORD.match(held)) is not None:
            return self._put(found[0], found.end())
        joined = held[0] == ":" and held.startswith("://")
        joined |= held[0] == "." and self._last.isalnum() and held[1:2].isalpha()
        joined |= held[0] == "]"  # it closes no bracket of a link, and must not seem to
        return self._put(held[0] + (JOINER if joined else ""), 1)

    def _url(self, found: str) -> bool:
        url = found.rstrip(".,;:!?'*_~]")
        while url.endswith(")") and url.count(")") > url.count("("):
            url = url[:-1].rstrip(".,;:!?'*_~]")
        own = self.links.source(url)
        if own:
            return self._put(f"[{host(own)}]({_in_markdown(own)})", len(url))
        return self._put(self._code(shown(url, self.links)), max(len(url), 1))

    def _code(self, text: str) -> str:
        """A code span that nothing before it swallows."""
        return (JOINER if self._last in "\\`" else "") + spanned(text, self.links)

    def _ampersand(self) -> bool:
        """Decode entities first: `&lt;!channel&gt;` is what it looks like."""
        found = _ENTITY.match(self._held)
        decoded = html.unescape(found[0]) if found else ""
        if found is None or decoded == found[0]:
            # Browsers decode some entities that have no semicolon too.
            follows = self._held[1:2] == "#" or self._held[1:2].isalpha()
            return self._put("&amp;" + (JOINER if follows else ""), 1)
        if decoded in ("&", "\n", "\t"):  # with what follows, it would be another entity
            return self._put("&amp;" + JOINER if decoded == "&" else " ", found.end())
        self._held = _INVISIBLE.sub("", cleaned(decoded)) + self._held[found.end() :]
        return True

    def _backslash(self, final: bool) -> bool:
        follows = self._held[1:2]
        if not follows and not final:
            return False
        if follows == "`":
            return self._put("'", 2)
        if follows in "<>&@#:" and follows:  # they are made harmless by themselves
            return self._put("", 1)
        if follows in _PUNCTUATION and follows:
            return self._put("\\" + follows, 2)
        return self._put("\\", 1)

    def _code_span(self, final: bool) -> bool:
        held = self._held[:MAX_CODE]
        run = held[: len(held) - len(held.lstrip("`"))]
        line = held.partition("\n")[0]
        whole = "\n" in held or len(held) >= MAX_CODE or final
        closing = re.compile(rf"(?<!`)`{{{len(run)}}}(?!`)").search(line, len(run))
        if closing is None or (closing.end() == len(held) and not whole):
            if not whole:
                return False
            if closing is None:
                return self._put("'" * len(run), len(run))  # it opens nothing
        return self._put(self._code(line[len(run) : closing.start()]), closing.end())

    # -- links ------------------------------------------------------------------------------------

    def _image(self, final: bool) -> bool:
        """An image becomes its description: showing it would fetch it."""
        label, target, end = _link(self._held[1:], final)
        if end < 0:
            return False
        if target is None:
            return self._put("!" + JOINER, 1)
        return self._put(self._label(label), end + 1)

    def _bracket(self, final: bool) -> bool:
        label, target, end = _link(self._held, final)
        if end < 0:
            return False
        if end == 0:
            return self._put("[", 1)
        if target is not None and (own := self.links.source(target)):
            words = self._label(label)
            words = host(own) if not words.strip() or misleading(words, own) else words
            return self._put(f"[{words}]({_in_markdown(own)})", end)
        if _MARKER.fullmatch(label):
            own = self.links.marker(int(label))
            # Not `[1]` alone: before a parenthesis, bracket or colon it would be another link.
            text = f"[{label}]({_in_markdown(own)})" if own else f"[{label}]{JOINER}"
            return self._put(text, end)
        if target is not None:
            return self._put(self._label(label), end)
        return self._put("[" + self._label(label) + "]" + JOINER, end)

    def _label(self, label: str) -> str:
        """A label's own words; nothing in it is a link."""
        inner = Cleaner()
        inner._at_start = False
        inner._last = self._last
        inner._held = " ".join(label.split())
        inner._run(final=True)
        return "".join(inner._taken())


def clean(text: str, links: Links | None = None) -> str:
    """Clean a whole text."""
    cleaner = Cleaner(links)
    return "".join(cleaner.feed(text) + cleaner.end())


def plain(text: str) -> str:
    """Clean what belongs in one line and holds no formatting: a title, a name, a place."""
    cleaner = Cleaner()
    cleaner._at_start = False
    return "".join(cleaner.feed(" ".join(text.split())) + cleaner.end())


def _link(held: str, final: bool) -> tuple[str, str | None, int]:
    """Read `[label](target)` or `[label]`: the parts, and where it ends.

    The end is 0 when it is no pair of brackets, and -1 when that cannot be said yet.
    """
    close = _closing(held[:MAX_LABEL])
    if close == 0:
        whole = final or len(held) >= MAX_LABEL or "\n\n" in held[:MAX_LABEL]
        return "", None, 0 if whole else -1
    after = held[close + 1 :][:MAX_TARGET]
    if not after and not final:
        return "", None, -1
    label = held[1:close]
    if after.startswith("("):
        found = _TARGET.match(after)
        if found is not None:
            target = found["bare"] if found["angle"] is None else found["angle"]
            return label, html.unescape(target), close + 1 + found.end()
        if not final and len(after) < MAX_TARGET and "\n" not in after:
            return "", None, -1
    return label, None, close + 1


def _closing(held: str) -> int:
    """Where the bracket that opens a text is closed, or 0."""
    depth = 0
    for found in re.finditer(r"\\.|[\[\]]|\n\n", held):
        if found[0] == "\n\n":
            return 0
        depth += {"[": 1, "]": -1}.get(found[0], 0)
        if depth == 0:
            return found.start()
    return 0


def _in_markdown(url: str) -> str:
    """An address between the parentheses of a Markdown link."""
    return url.replace("&", "&amp;")
