"""What a model is trained on: conversations, texts, pairs that people chose between. No torch.

Files: JSONL with one object a line, JSON with a list of them (as Alpaca's is published), and texts
(`.txt`, `.md`), each of which is one text. An object is, by its keys,

- `messages`: a conversation as `[{"role": "user", "content": "…"}, …]`;
- `conversations`: the same in ShareGPT's words (`from`, `value`);
- `instruction`, `output` and perhaps `input`, `system`: Alpaca's;
- `question`, `answer` or `prompt`, `completion`: one exchange;
- `prompt`, `chosen`, `rejected`: a pair for preference tuning;
- `text` and perhaps `title`: a text.

`readers` beside them says who may read it, and `group` which ones were made of the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from bot.errors import UsageError
from bot.settings import principal
from bot.turn import EVERYONE, Principal

Role: TypeAlias = Literal["system", "user", "assistant"]

_ROLES: Mapping[str, Role] = {
    "system": "system", "user": "user", "human": "user", "assistant": "assistant",
    "gpt": "assistant", "model": "assistant",
}  # fmt: skip
_TEXTS = {".txt", ".md"}
_LINES = {".jsonl", ".ndjson"}
_KNOWN = "messages, instruction and output, question and answer, chosen and rejected, or text"
_PUBLIC: frozenset[Principal] = frozenset({EVERYONE})


@dataclass(frozen=True, slots=True)
class Message:
    """One utterance of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Instruction data: the assistant's messages are what is learned.

    Attributes:
        messages: at least one of the user's, and one of the assistant's at the end.
        place: where it comes from, `FILE:LINE` or an address.
        group: examples that were made of the same one have the same; of these none is learned when
            another is measured with.
    """

    messages: tuple[Message, ...]
    place: str = ""
    readers: frozenset[Principal] = _PUBLIC
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Raw text: all of it is learned."""

    text: str
    place: str = ""
    readers: frozenset[Principal] = _PUBLIC
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to the same messages, of which people chose one."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    place: str = ""
    readers: frozenset[Principal] = _PUBLIC
    group: str = ""


Example: TypeAlias = "Conversation | Text | Pair"


def read(paths: Iterable[Path]) -> Iterator[Example]:
    """Read data files one example at a time, in order.

    Args:
        paths: files; of a folder all files of a known kind below it, by name.

    Raises:
        UsageError: a file cannot be read, or a line is no example; the file and the line are told.
    """
    for path in paths:
        if path.is_dir():
            below = sorted(one for one in path.rglob("*") if one.suffix.lower() in _suffixes())
            if not below:
                raise UsageError(f"{path} holds no .jsonl, .json, .txt or .md file; name another.")
            yield from read(below)
        else:
            yield from _read(path)


def as_json(example: Example) -> dict[str, Any]:
    """An example as an object that `read` reads back; `place` is left out."""
    found: dict[str, Any]
    match example:
        case Text():
            found = {"text": example.text}
        case Conversation():
            found = {"messages": _plain(example.messages)}
        case Pair():
            found = {
                "prompt": _plain(example.messages),
                "chosen": example.chosen,
                "rejected": example.rejected,
            }
    if example.readers != _PUBLIC:
        found["readers"] = sorted(example.readers)
    if example.group:
        found["group"] = example.group
    return found


def write(path: Path, examples: Iterable[Example]) -> int:
    """Write examples as JSONL; return how many there were."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for example in examples:
            file.write(json.dumps(as_json(example), ensure_ascii=False) + "\n")
            count += 1
    return count


def parse(row: Any, place: str) -> Example:
    """Read one object.

    Raises:
        ValueError: it is no example; the message says why, without the place.
    """
    if not isinstance(row, dict):
        raise ValueError("is no object")
    readers = _readers(row.get("readers", [EVERYONE]))
    group = str(row.get("group") or "")
    if "chosen" in row and "rejected" in row:
        return Pair(
            messages=_asked(row.get("prompt", row.get("question"))),
            chosen=_answered(row["chosen"]),
            rejected=_answered(row["rejected"]),
            place=place,
            readers=readers,
            group=group,
        )
    if messages := _messages(row):
        return Conversation(messages=messages, place=place, readers=readers, group=group)
    if "text" in row:
        title = row.get("title") or ""
        text = _text(row["text"], "text")
        text = f"{title}\n\n{text}" if title else text
        return Text(text=text, place=place, readers=readers, group=group)
    raise ValueError(f"has none of {_KNOWN}")


def _suffixes() -> set[str]:
    return {*_TEXTS, *_LINES, ".json"}


def _read(path: Path) -> Iterator[Example]:
    kind = path.suffix.lower()
    if kind not in _suffixes():
        raise UsageError(f"{path} is no .jsonl, .json, .txt or .md file; convert it first.")
    try:
        if kind in _LINES:
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, 1):
                    if line.strip():
                        yield _line(line, f"{path}:{number}")
            return
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a file in UTF-8.") from error
    if kind in _TEXTS:
        if content.strip():
            yield Text(text=content, place=str(path))
        return
    yield from _list(path, content)


def _line(line: str, place: str) -> Example:
    try:
        return parse(json.loads(line), place)
    except json.JSONDecodeError as error:
        raise UsageError(f"{place} is no JSON ({error.msg}); write one object a line.") from error
    except ValueError as error:
        raise UsageError(f"{place} {error}; correct that line.") from error


def _list(path: Path, content: str) -> Iterator[Example]:
    try:
        rows = json.loads(content)
    except ValueError as error:
        raise UsageError(f"{path} is no JSON ({error}); write a list of objects.") from error
    for number, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        try:
            yield parse(row, f"{path}:{number}")
        except ValueError as error:
            raise UsageError(f"{path}: object {number} {error}; correct it.") from error


def _messages(row: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of whichever form a row has; nothing when it has none."""
    if "messages" in row or "conversations" in row:
        messages = _turns(row.get("messages", row.get("conversations")))
    elif "instruction" in row and "output" in row:
        asked = _text(row["instruction"], "instruction")
        more = row.get("input") or ""
        asked = f"{asked}\n\n{_text(more, 'input')}" if more else asked
        messages = [Message("user", asked), Message("assistant", _text(row["output"], "output"))]
        if row.get("system"):
            messages.insert(0, Message("system", _text(row["system"], "system")))
    else:
        names = next(
            (n for n in (("question", "answer"), ("prompt", "completion")) if set(n) <= set(row)),
            None,
        )
        if names is None:
            return ()
        messages = [*_asked(row[names[0]]), Message("assistant", _answered(row[names[1]]))]
    if messages[-1].role != "assistant":
        raise ValueError("does not end with an answer of the assistant's")
    if all(one.role != "user" for one in messages):
        raise ValueError("has no message of the user's")
    return tuple(messages)


def _turns(given: Any) -> list[Message]:
    if not isinstance(given, list) or not given:
        raise ValueError("has no list of messages")
    found = []
    for one in given:
        if not isinstance(one, dict):
            raise ValueError("has a message that is no object")
        role = _ROLES.get(str(one.get("role", one.get("from"))))
        if role is None:
            raise ValueError(f"has a message of {one.get('role', one.get('from'))!r}")
        found.append(Message(role, _text(one.get("content", one.get("value")), "message")))
    return found


def _asked(given: Any) -> tuple[Message, ...]:
    if isinstance(given, list):
        return tuple(_turns(given))
    return (Message("user", _text(given, "question")),)


def _answered(given: Any) -> str:
    """An answer, as text or as a list with one message."""
    if isinstance(given, list):
        return _turns(given)[-1].content
    return _text(given, "answer")


def _text(given: Any, name: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"has an empty {name}")
    return given


def _readers(given: Any) -> frozenset[Principal]:
    if not isinstance(given, list) or not given:
        raise ValueError("has no list of readers")
    return frozenset(principal(cast(str, one)) for one in given)


def _plain(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": one.role, "content": one.content} for one in messages]
