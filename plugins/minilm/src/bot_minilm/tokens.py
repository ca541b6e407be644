"""The model's WordPiece tokens: their ids for embedding, their places for splitting."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot.document import Span
from bot_minilm.gate import Gate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from tokenizers import Encoding

MAX_TOKENS = 256  # with [CLS] and [SEP]

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

    def spans(self, text: str) -> list[Span]:
        """Return the place of every token in the text, without special tokens, uncut.

        In reading order; several tokens may share a character, as with a Hangul syllable.
        """
        spans: list[Span] = []
        for start, part in _parts(valid(text), 50_000):
            found = self._encode(part).offsets
            spans.extend([(start + a, start + b) for a, b in found] if start else found)
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
