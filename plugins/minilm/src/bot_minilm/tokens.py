"""The model's WordPiece tokens: their ids for embedding, their places for splitting."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from bot.document import Span
from bot_minilm.gate import Gate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

MAX_TOKENS = 256  # with [CLS] and [SEP]
PART = 50_000  # characters of a text that are tokenized at once

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


class Tokens:
    """Tokenizes with a `tokenizer.json`; safe to use from several threads."""

    def __init__(self, path: Path, gate: Gate) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        # As published it pads to 128 tokens and cuts there, though the model reads 256.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._first = self._tokenizer.token_to_id("[CLS]")
        self._last = self._tokenizer.token_to_id("[SEP]")
        self._gate = gate

    def ids(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Return each text's token ids with [CLS] and [SEP], at most `MAX_TOKENS` of them."""
        import numpy as np

        room = MAX_TOKENS - 2
        beginnings = [self._beginning(valid(text), room) for text in texts]
        with self._gate:
            encoded = self._tokenizer.encode_batch_fast(beginnings, add_special_tokens=False)
        return [np.array([self._first, *one.ids[:room], self._last]) for one in encoded]

    def spans(self, text: str) -> Sequence[Span]:
        """Return the place of every token in the text, without special tokens, uncut.

        In reading order; several tokens may share a character, as with a Hangul syllable.
        """
        if len(text) <= PART:
            return list(self._encode(valid(text)).offsets)
        spans = Spans()
        for start, part in _parts(valid(text), PART):
            spans.extend(start, self._encode(part).offsets)
        return spans

    def _encode(self, text: str) -> Encoding:
        with self._gate:
            return self._tokenizer.encode(text, add_special_tokens=False)

    def _beginning(self, text: str, tokens: int) -> str:
        """Cut a long text where it has enough tokens: the rest need not be tokenized."""
        if len(text) > 4_000:
            for start, part in _parts(text, 2_000):
                tokens -= len(self._encode(part))
                if tokens <= 0:
                    return text[: start + len(part)]
        return text


class Spans(Sequence[Span]):
    """The spans of a long text, in 8 bytes each: as tuples they would take 120."""

    def __init__(self) -> None:
        self._starts, self._ends = array("I"), array("I")

    def extend(self, offset: int, spans: Iterable[Span]) -> None:
        """Add spans that count from `offset`."""
        for start, end in spans:
            self._starts.append(offset + start)
            self._ends.append(offset + end)

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._starts, self._ends, strict=True)

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> list[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | list[Span]:
        if isinstance(at, slice):
            return list(zip(self._starts[at], self._ends[at], strict=True))
        return self._starts[at], self._ends[at]


def valid(text: str) -> str:
    """Replace what has no UTF-8 by a character that the model ignores, keeping all places."""
    return _LONE_SURROGATES.sub("\ufffd", text)


def _parts(text: str, size: int) -> Iterator[tuple[int, str]]:
    """Cut a text between words, so that its tokens stay the same and memory stays small."""
    start = 0
    while len(text) - start > size:
        end = start + size
        space = max(text.rfind(" ", start + 1, end), text.rfind("\n", start + 1, end))
        end = space if space > 0 else end
        yield start, text[start:end]
        start = end
    yield start, text[start:]
