"""A model's tokenizer and chat template: from messages to tokens, and from tokens to text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bot.errors import GenerationError

Role: TypeAlias = Literal["system", "user", "assistant"]
Messages: TypeAlias = Sequence[tuple[Role, str]]

_PROBE = "zebra quartz"


class Chat:
    """Speaks one model's language. Not to be shared between threads: see `Text`.

    Args:
        folder: the model's.
        template: a Jinja file instead of the model's own template.
        thinking: whether a model that can is asked to think before it answers.

    Raises:
        GenerationError: there is no tokenizer or no chat template.
    """

    def __init__(self, folder: Path, template: Path | None = None, thinking: bool = False) -> None:
        from transformers import AutoTokenizer

        try:
            self.tokenizer = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # whatever a tokenizer's library raises
            raise GenerationError(
                f"The tokenizer of {folder} cannot be read ({_first(error)}); download the model "
                "again, with its tokenizer.json."
            ) from error
        if template is not None:
            try:
                self.tokenizer.chat_template = template.read_text(encoding="utf-8")
            except OSError as error:
                raise GenerationError(f"{template} cannot be read; see `chat_template`.") from error
        if not self.tokenizer.chat_template:
            raise GenerationError(
                f"{folder} has no chat template, as base models do not; choose its "
                "instruction-tuned sibling, or set `chat_template` to a Jinja file."
            )
        self._thinking = thinking
        self._control = _control(self.tokenizer)
        self._takes_system = self._shows_system()

    def tokens(self, messages: Messages) -> list[int]:
        """Turn messages into the tokens that make the model answer.

        No text can close its message or open another: what would be read as a control token is
        broken with a space.

        Raises:
            GenerationError: the template refuses.
        """
        text = self._render(self._fitted(messages))
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return found

    def answer(self, messages: Messages, text: str) -> list[int]:
        """Turn an answer to messages into the tokens that a model should write, up to its end.

        Behind `tokens(messages)` they are what the template makes of the whole conversation.

        Raises:
            GenerationError: the template refuses.
        """
        asked = self._render(self._fitted(messages))
        whole = self._render(self._fitted([*messages, ("assistant", text)]), opened=False)
        said = whole[len(asked) :] if whole.startswith(asked) else self._broken(text)
        found: list[int] = self.tokenizer.encode(said, add_special_tokens=False)
        end = self._closing()
        end = self.tokenizer.eos_token_id if end is None else end
        return [
            *found[: found.index(end) if end in found else None],
            *([] if end is None else [end]),
        ]

    def document(self, text: str) -> list[int]:
        """Turn a text into tokens as a document of its own, up to its end."""
        found: list[int] = self.tokenizer.encode(self._broken(text))
        end = self.tokenizer.eos_token_id
        return found if end is None or found[-1:] == [end] else [*found, end]

    def pair(self, before: str, after: str) -> tuple[list[int], list[int]]:
        """Turn a text and what comes after it into tokens, cut where the one ends.

        A space between the two belongs to what comes after, as tokenizers have it.
        """
        kept = before.rstrip()
        before, after = kept, before[len(kept) :] + after
        first = self.tokenizer.bos_token_id
        start = [] if first is None else [first]
        told = self.tokenizer.encode(self._broken(before), add_special_tokens=False)
        whole = self.tokenizer.encode(self._broken(before + after), add_special_tokens=False)
        return [*start, *whole[: len(told)]], whole[len(told) :]

    def count(self, text: str) -> int:
        """Count a text's tokens as a part of a prompt."""
        return len(self.tokenizer.encode(self._broken(text), add_special_tokens=False))

    def opens_thinking(self, tokens: Sequence[int]) -> bool:
        """Whether a prompt leaves the model inside its thoughts, as some templates do."""
        end = self.tokenizer.decode(list(tokens[-8:]), skip_special_tokens=False)
        return bool(re.search(r"<think>\s*$", end))

    def ends(self, generation: Any = None) -> frozenset[int]:
        """The tokens that end an answer.

        Those that the model names, and the one that its template puts behind an answer: a model
        whose padding or end of sequence was configured wrongly would never stop otherwise.

        Args:
            generation: the model's generation configuration, if any.
        """
        found = {self.tokenizer.eos_token_id}
        named = getattr(generation, "eos_token_id", None)
        found |= set(named) if isinstance(named, list | tuple) else {named}
        closing = self._closing()
        if closing is not None:
            found.add(closing)
        return frozenset(token for token in found if token is not None)

    def _closing(self) -> int | None:
        """The control token that stands right behind an answer in the template."""
        try:
            text = self.tokenizer.apply_chat_template(
                [{"role": "user", "content": "x"}, {"role": "assistant", "content": _PROBE}],
                tokenize=False,
            )
        except Exception:
            return None
        after = text.rpartition(_PROBE)[2].strip()
        tokens = self.tokenizer.encode(after, add_special_tokens=False) if after else []
        return tokens[0] if tokens and tokens[0] in self.tokenizer.all_special_ids else None

    def _shows_system(self) -> bool:
        """Whether the template takes system messages, and does not leave them out silently."""
        try:
            return _PROBE in self._render([("system", _PROBE), ("user", "x")])
        except GenerationError:
            return False

    def _fitted(self, messages: Messages) -> list[tuple[Role, str]]:
        """Fit messages to the template's rules: roles take turns, and system may be unknown."""
        fitted: list[tuple[Role, str]] = []
        for role, text in messages:
            text = self._broken(text)
            if role == "system" and not self._takes_system:
                role = "user"
            if fitted and fitted[-1][0] == role:
                fitted[-1] = (role, f"{fitted[-1][1]}\n\n{text}")
            elif text or role != "system":
                fitted.append((role, text))
        return fitted

    def _render(self, messages: Iterable[tuple[Role, str]], *, opened: bool = True) -> str:
        try:
            text: str = self.tokenizer.apply_chat_template(
                [{"role": role, "content": text} for role, text in messages],
                tokenize=False,
                add_generation_prompt=opened,
                enable_thinking=self._thinking,
            )
        except Exception as error:  # jinja2's, or what the template raises itself
            raise GenerationError(
                f"The model's chat template refuses the conversation: {_first(error)}."
            ) from error
        return text

    def _broken(self, text: str) -> str:
        return self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def _control(tokenizer: Any) -> re.Pattern[str]:
    """What a tokenizer reads as one of its added tokens when it stands in a text."""
    added = {str(token) for token in tokenizer.get_added_vocab()}
    added |= {str(token) for token in tokenizer.all_special_tokens}
    marks = sorted((t for t in added if len(t) > 1 and t.strip()), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, marks)) or r"(?!)")


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
