"""What no augmentation may change: numbers, names, code, addresses, what stands in quotes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from bot.document import Span
from bot_tune.revealing import revealing

_CODE = re.compile(
    r"```.*?```|`[^`\n]+`|https?://\S+|\S*[/\\]\S*\w|\b\w+(?:[._]\w+)+\b|(?<!\S)--?[a-z][\w-]*"
    r"|\{\{?[^{}\n]*\}?\}|<[^<>\n]+>",
    re.DOTALL,
)
_QUOTED = re.compile(r"[\"“„«「『][^\"”“»」』\n]{1,200}[\"”“»」』]|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_NUMBER = re.compile(r"[+-]?\d+(?:[.,:/-]\d+)*\w*%?")
# Two capitals anywhere, or one that no sentence begins with.
_NAME = re.compile(r"\b\w*[A-Z]\w*[A-Z]\w*\b|(?<=[^.!?:\s]\s)[A-Z][\w-]*[a-z][\w-]*")


def protected(text: str) -> list[Span]:
    """Spans of characters that stay as they are, in no order."""
    forms = (_CODE, _QUOTED, _NUMBER, _NAME)
    spans = [match.span() for form in forms for match in form.finditer(text)]
    return [*spans, *((one.start, one.end) for one in revealing(text))]


def overlaps(span: Span, others: Sequence[Span]) -> bool:
    """Whether a span has a character in common with one of the others."""
    return any(span[0] < end and start < span[1] for start, end in others)


def kept(text: str) -> Counter[str]:
    """Numbers, names, code and quotations, as often as they stand there."""
    found = Counter(text[start:end] for start, end in _merged(protected(text)))
    return Counter({part.strip("`\"'“”„«»「」『』"): count for part, count in found.items()})


def _merged(spans: Sequence[Span]) -> list[Span]:
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start < made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made
