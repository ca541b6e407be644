"""Prompt files: readable text with named slots, the part before `---` for the system message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.errors import ConfigError

OWN = Path(__file__).parent / "prompts"

_SLOT = re.compile(r"\{\{\s*(\w*)\s*\}\}")
_LINE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_GAP = re.compile(r"\n{3,}")
_SLOTS: Mapping[str, frozenset[str]] = {
    "zero_shot": frozenset(),
    "few_shot": frozenset({"examples"}),
    "chain_of_thought": frozenset({"examples"}),
    "plan": frozenset(),
    "draft": frozenset({"examples", "plan"}),
    "reflect": frozenset({"draft"}),
    "revise": frozenset({"draft", "critique"}),
    "react": frozenset({"examples", "steps"}),
}
_EVERYWHERE = frozenset({"instructions", "rules", "sources", "question"})
# Without these the model would not know what is asked, or what it has done.
_NEEDED: Mapping[str, frozenset[str]] = {
    name: frozenset({"question", "sources"}) | (slots - {"examples"})
    for name, slots in _SLOTS.items()
}


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt file, split into the system message and the last one."""

    name: str
    system: str
    user: str

    def filled(self, slots: Mapping[str, str]) -> tuple[str, str]:
        """Fill the slots in, once: what stands in a document is never a slot itself."""
        return _filled(self.system, slots), _filled(self.user, slots)

    @property
    def bare(self) -> str:
        """The file's own words, as they count for a budget."""
        return _filled(self.system + self.user, {})


def read(name: str, folder: Path | None = None) -> Template:
    """Read a prompt file: the team's own, or else the one that comes along.

    Raises:
        ConfigError: it has no `---`, a slot that does not exist, or lacks one that it needs.
    """
    own = folder / f"{name}.md" if folder is not None else None
    path = own if own is not None and own.is_file() else OWN / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{path} cannot be read; see `prompts`.") from error
    parts = _LINE.split(text, maxsplit=1)
    if len(parts) < 2:
        raise ConfigError(f"{path} has no line `---` between what is always said and the question.")
    known = _EVERYWHERE | _SLOTS[name]
    used = set(_SLOT.findall(text))
    if wrong := sorted(used - known):
        names = ", ".join(sorted(known))
        raise ConfigError(f"{path} has a slot {{{{{wrong[0]}}}}}, which is none of: {names}.")
    if missing := sorted(_NEEDED[name] - used):
        raise ConfigError(f"{path} lacks the slot {{{{{missing[0]}}}}}; put it where it belongs.")
    return Template(name, parts[0].strip(), parts[1].strip())


def _filled(text: str, slots: Mapping[str, str]) -> str:
    return _GAP.sub("\n\n", _SLOT.sub(lambda slot: slots.get(slot[1], ""), text)).strip()
