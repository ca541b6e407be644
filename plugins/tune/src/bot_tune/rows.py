"""Examples become rows of tokens: only answers are learned, nothing is lost, nothing leaks."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot_tune.examples import Conversation, Example, Text

if TYPE_CHECKING:
    from bot_transformers.chat import Chat, Role

IGNORED = -100  # what a label says of a token that is not learned
PLAIN = Path(__file__).parent / "plain.jinja"


@dataclass(slots=True)
class Tokens:
    """Tokens that belong together, and which of them are learned."""

    ids: list[int]
    labels: list[int]


@dataclass(slots=True)
class Read:
    """What became of some examples.

    Attributes:
        too_long: where conversations come from that do not fit into a row; they are left out,
            as one without its end would teach never to stop.
    """

    sequences: list[Tokens] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """How many there are."""
        return sum(len(one.ids) for one in self.sequences)


def chat_of(folder: Path, template: Path | None) -> tuple[Chat, Path | None]:
    """Open a base's tokenizer and template; a base without a template gets a plain one.

    Returns:
        The chat, and the template if it is not the base's own.
    """
    from bot_transformers.chat import Chat
    from transformers import AutoTokenizer

    from bot.errors import GenerationError

    if template is None:
        try:
            return Chat(folder), None
        except GenerationError:
            # Where even this fails, the error is the tokenizer's and the second Chat tells it.
            if AutoTokenizer.from_pretrained(str(folder), local_files_only=True).chat_template:
                raise
    return Chat(folder, template or PLAIN), template or PLAIN


def read(examples: Iterable[Example], chat: Chat, length: int) -> Read:
    """Turn examples into sequences of at most `length` tokens."""
    found = Read()
    for one in examples:
        if isinstance(one, Text):
            ids = chat.document(one.text)
            for begin in range(0, len(ids), length):
                piece = ids[begin : begin + length]
                found.sequences.append(Tokens(piece, list(piece)))
        elif isinstance(one, Conversation):
            made = list(_answers(one, chat))
            found.sequences += [each for each in made if len(each.ids) <= length]
            if any(len(each.ids) > length for each in made):
                found.too_long.append(one.place)
    return found


def _answers(one: Conversation, chat: Chat) -> Iterator[Tokens]:
    """A conversation with its answers to be learned.

    Each answer stands behind exactly those tokens that the model is asked with. Where a template
    shows earlier answers otherwise than they were written (without their thoughts, say), the later
    ones get sequences of their own.
    """
    said: list[tuple[Role, str]] = []
    current = Tokens([], [])
    for message in one.messages:
        if message.role == "assistant":
            asked = chat.tokens(said)
            if asked[: len(current.ids)] != current.ids:
                yield current
                current = Tokens([], [])
            new = asked[len(current.ids) :]
            answer = chat.answer(said, message.content)
            current.ids += [*new, *answer]
            current.labels += [*[IGNORED] * len(new), *answer]
        said.append((message.role, message.content))
    yield current


def drawn(from_: Read, tokens: float, seed: int) -> list[Tokens]:
    """Draw sequences at random, about so many tokens, or all when there are not as many."""
    found, count = [], 0
    order = list(from_.sequences)
    random.Random(seed).shuffle(order)  # noqa: S311 - no secret
    for one in order:
        if count + len(one.ids) / 2 > tokens:
            break
        found.append(one)
        count += len(one.ids)
    return found


def dataset(sequences: Sequence[Tokens], length: int, *, packed: bool) -> Any:
    """Make a `datasets.Dataset`, several sequences a row if packed (best fit, none is cut)."""
    from datasets import Dataset
    from trl import pack_dataset

    made = Dataset.from_dict(
        {"input_ids": [one.ids for one in sequences], "labels": [one.labels for one in sequences]}
    )
    if not packed:
        return made
    # In memory: what people may not read must not lie in a cache that outlives the training.
    return pack_dataset(made, length, "bfd", {"keep_in_memory": True})


@dataclass(frozen=True, slots=True)
class Collator:
    """Sequences become a batch of (rows, tokens).

    Packed, those of a batch share as few rows as hold them, each as long as the longest: what is
    learned in a step stays the same, and hardly any padding is computed. Positions begin anew with
    each sequence, and there is no mask: from that the model sees where one ends. Padding is a
    sequence of its own. Else each has a row, and there is a mask.
    """

    pad: int
    packed: bool

    def __call__(self, given: Sequence[dict[str, Any]]) -> dict[str, Any]:
        import torch

        width = max(len(row["input_ids"]) for row in given)
        rows = joined(given, width) if self.packed else [[row] for row in given]
        ids = torch.full((len(rows), width), self.pad)
        labels = torch.full((len(rows), width), IGNORED)
        present = torch.zeros(len(rows), width, dtype=torch.long)
        places = torch.zeros(len(rows), width, dtype=torch.long)
        for number, row in enumerate(rows):
            size = sum(len(one["input_ids"]) for one in row)
            ids[number, :size] = torch.as_tensor([i for one in row for i in one["input_ids"]])
            labels[number, :size] = torch.as_tensor([i for one in row for i in one["labels"]])
            present[number, :size] = 1
            parts = [n for one in row for n in one.get("seq_lengths", [len(one["input_ids"])])]
            begin = 0
            for part in [*parts, width - size]:
                places[number, begin : begin + part] = torch.arange(part)
                begin += part
        batch = {"input_ids": ids, "labels": labels}
        if not self.packed:
            return {**batch, "attention_mask": present}
        labels[places == 0] = IGNORED  # a sequence's first token follows from nothing before it
        return {**batch, "position_ids": places}


def joined(rows: Sequence[dict[str, Any]], width: int) -> list[list[dict[str, Any]]]:
    """Lay rows one behind the other into as few as hold them (first fit, the longest first)."""
    found: list[list[dict[str, Any]]] = []
    left: list[int] = []
    for row in sorted(rows, key=lambda one: -len(one["input_ids"])):
        size = len(row["input_ids"])
        place = next((n for n, room in enumerate(left) if room >= size), len(left))
        if place == len(left):
            found.append([])
            left.append(width)
        found[place].append(row)
        left[place] -= size
    return found


def isolates(model: Any) -> bool:
    """Whether a model keeps sequences of a row apart by their positions, as measured.

    Models whose attention knows no positions (BLOOM's, for one) do not.
    """
    import inspect

    import torch

    if "position_ids" not in inspect.signature(type(model).forward).parameters:
        return False
    one, other = torch.arange(1, 9) + 2, torch.arange(1, 7) + 12
    row = torch.cat([one, other])[None].to(model.device)
    places = torch.cat([torch.arange(8), torch.arange(6)])[None].to(model.device)
    mode = model.training
    model.eval()
    with torch.inference_mode():
        together = model(input_ids=row, position_ids=places, use_cache=False).logits[0, 8:]
        alone = model(input_ids=row[:, 8:], use_cache=False).logits[0]
    model.train(mode)
    scale = float(alone.float().abs().max())
    least = 1e-4 if alone.dtype == torch.float32 else 3e-2
    return float((together - alone).float().abs().max()) < least * max(scale, 1e-6)
