"""The suite for embedders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from bot.plugins import Kind
from bot.testing.conformance.base import HOSTILE, UNICODE, Conformance, Subject

if TYPE_CHECKING:
    from bot.document import Purpose, Vectors

ALIKE = ("The cat sat on the mat.", "A cat on a mat.", "Revenue rose in the third quarter.")


class EmbedderConformance(Conformance):
    """Checks of `bot_embed`, `bot_token_spans` and `bot_embedder_identity`.

    Attributes:
        tolerance: how much a number may differ when a text is embedded among others.
        patience: seconds for one call.
    """

    kind: ClassVar[Kind] = "embedder"
    tolerance: float = 1e-3
    patience: float = 120.0

    async def embed(
        self, subject: Subject, texts: Sequence[str], purpose: Purpose = "document"
    ) -> Vectors:
        """Embed; see that the vectors have the right shape and length."""
        import numpy as np

        identity = await subject.call("bot_embedder_identity")
        vectors: Vectors = await subject.call(
            "bot_embed", timeout=self.patience, texts=texts, purpose=purpose
        )
        assert isinstance(vectors, np.ndarray), f"bot_embed gave a {type(vectors).__name__}"
        shape = (len(texts), identity["dimensions"])
        assert vectors.shape == shape, f"the shape is {vectors.shape}, not {shape}"
        assert vectors.dtype == np.float32, f"the numbers are {vectors.dtype}, not float32"
        assert np.isfinite(vectors).all(), "a number is not finite"
        lengths = np.linalg.norm(vectors, axis=1)
        assert np.allclose(lengths, 1, atol=1e-3), f"the lengths are {lengths}, not 1"
        return vectors

    async def test_it_says_who_it_is(self) -> None:
        """Its identity is JSON, always the same, and has the keys that versions compare."""
        async with self.subject() as subject:
            identity = dict(await subject.call("bot_embedder_identity"))
            assert identity == dict(await subject.call("bot_embedder_identity"))
        assert identity == json.loads(json.dumps(identity)), "it is no JSON"
        missing = {"name", "sha256", "dimensions", "max_tokens"} - identity.keys()
        assert not missing, f"its identity lacks {', '.join(sorted(missing))}"
        assert identity["dimensions"] > 0
        assert identity["max_tokens"] > 0

    async def test_vectors_are_of_length_one(self) -> None:
        """One row a text, float32, of length one; none for none."""
        async with self.subject() as subject:
            await self.embed(subject, ALIKE)
            await self.embed(subject, [])
            await self.embed(subject, ["", " ", "\n"])
            await self.embed(subject, ["A question?"], "query")

    async def test_a_text_is_one_vector(self) -> None:
        """A text has the same vector alone, among others and in another order."""
        import numpy as np

        texts = [*ALIKE, *UNICODE, "long " * 2_000]
        async with self.subject() as subject:
            together = await self.embed(subject, texts)
            backwards = await self.embed(subject, texts[::-1])
            alone = [(await self.embed(subject, [text]))[0] for text in texts]
        for text, *rows in zip(texts, together, backwards[::-1], alone, strict=True):
            for row in rows[1:]:
                assert np.allclose(rows[0], row, atol=self.tolerance), f"unlike: {text[:40]!r}"

    async def test_what_is_alike_is_near(self) -> None:
        """Two sentences about one thing are nearer than two about different things."""
        async with self.subject() as subject:
            cat, mat, revenue = await self.embed(subject, ALIKE)
        assert cat @ mat > cat @ revenue, "what is alike is not near"

    async def test_any_text(self) -> None:
        """Hostile, foreign and huge texts are embedded; different texts differ."""
        async with self.subject() as subject:
            await self.embed(subject, [*HOSTILE, *UNICODE, "x" * 100_000, "word " * 20_000])
            red, blue = await self.embed(subject, ["red", "blue"])
        assert not (red == blue).all(), "different texts have one vector"

    async def test_tokens_lie_in_the_text(self) -> None:
        """Token spans are in order, within the text, and cover what is not white space."""
        texts = ["The printer, second floor.", *HOSTILE[:6], *UNICODE[:3], "", "word " * 3_000]
        async with self.subject() as subject:
            found = await subject.call("bot_token_spans", timeout=self.patience, texts=texts)
        assert len(found) == len(texts), f"{len(found)} lists for {len(texts)} texts"
        for text, spans in zip(texts, found, strict=True):
            end = 0
            for start, stop in spans:
                assert 0 <= start <= stop <= len(text), f"{(start, stop)} is not in {text[:40]!r}"
                assert start >= end or stop >= end, f"spans are out of order in {text[:40]!r}"
                end = stop
        assert len(found[-1]) >= 3_000, "a long text's tokens are cut off"
        covered = {place for start, stop in found[0] for place in range(start, stop)}
        words = {place for place, character in enumerate(texts[0]) if character.isalpha()}
        assert words <= covered, "words of the text belong to no token"

    async def test_many_at_once(self) -> None:
        """Calls that run at once do not mix."""
        import numpy as np

        texts = [f"Room {number} is on floor {number % 7}." for number in range(8)]
        async with self.subject() as subject:
            together = await asyncio.gather(*(self.embed(subject, [text]) for text in texts))
            expected = await self.embed(subject, texts)
        for vectors, row in zip(together, expected, strict=True):
            assert np.allclose(vectors[0], row, atol=self.tolerance)
