"""Checking the whole configuration against what the plugins offer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from bot.plugins import Component, Kind
from bot.settings.mistakes import Mistake, from_pydantic, nearest, told
from bot.settings.model import TABLES, Settings
from bot.settings.places import Key
from bot.turn import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The components that the configuration describes, by kind and name.

    `("loader", NAME)` belongs to the source of that name; `("embedder", "embedder")` and
    `("splitter", "splitter")` are what `[index]` names.

    Attributes:
        types: the type of each.
        options: its validated settings.
        context: what settings models are validated with, for secrets and paths.
    """

    types: dict[tuple[Kind, str], str] = field(default_factory=dict)
    options: dict[tuple[Kind, str], BaseModel] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


def check(
    settings: Settings,
    component: Callable[[Kind, str], Component | None],
    types: Callable[[Kind], Collection[str]],
    plugins: Collection[str],
    left_out: Collection[str] = (),
) -> Checked:
    """Check everything, with the mistakes that `read` deferred.

    Args:
        component, types: the factories that the plugins offer, see `bot.plugins.Plugins`.
        plugins: names of the plugins in use.
        left_out: names of the plugins that are broken or disabled. What needs one is no mistake
            here: it fails, by name, when it is used, and the rest of the bot works.

    Raises:
        ConfigError: with every mistake, its place and the nearest valid name.
    """
    checker = _Checker(settings, component, types, plugins, left_out)
    checker.components()
    checker.index()
    checker.assistants()
    checker.channels()
    checker.groups()
    if checker.mistakes:
        raise told(checker.mistakes, settings._origin)
    return checker.checked


class _Checker:
    def __init__(
        self,
        settings: Settings,
        component: Callable[[Kind, str], Component | None],
        types: Callable[[Kind], Collection[str]],
        plugins: Collection[str],
        left_out: Collection[str],
    ) -> None:
        self.settings = settings
        self.component = component
        self.types = types
        self.plugins = plugins
        self.left_out = left_out
        self.checked = Checked(context=settings._context)
        self.mistakes = list(settings._mistakes)

    def components(self) -> None:
        for kind in ("retriever", "generator", "channel", "loader"):
            for name, table in getattr(self.settings, TABLES[kind]).items():
                self.add(kind, name, table.type, table.options, (TABLES[kind], name))

    def index(self) -> None:
        for kind in ("embedder", "splitter"):
            tables = getattr(self.settings, TABLES[kind])
            for name, table in tables.items():
                self.add(kind, name, table.type, table.options, (TABLES[kind], name))
            chosen = getattr(self.settings.index, kind)
            if chosen in tables:
                table = tables[chosen]
                self.add(kind, kind, table.type, table.options, (TABLES[kind], chosen))
            elif chosen in self.types(kind):
                self.add(kind, kind, chosen, {}, ("index", kind))
            elif kind in self.settings.index.model_fields_set and chosen not in self.left_out:
                # The defaults may be missing: a bot without an index needs neither.
                self.unknown(kind, chosen, ("index", kind), [*tables, *self.types(kind)])

    def assistants(self) -> None:
        for name, assistant in self.settings.assistants.items():
            key: Key = ("assistants", name)
            for index, retriever in enumerate(assistant.retrievers):
                self.refer("retriever", retriever, (*key, "retrievers", index))
            for retriever in assistant.weights:
                if retriever not in assistant.retrievers:
                    place = (*key, "weights", retriever)
                    self.unknown("retriever", retriever, place, assistant.retrievers)
            self.refer("generator", assistant.generator, (*key, "generator"))
            for index, source in enumerate(assistant.sources or ()):
                if source not in self.settings.sources:
                    self.unknown("source", source, (*key, "sources", index), self.settings.sources)
            self.known_groups(assistant.askers, (*key, "askers"))

    def channels(self) -> None:
        for name in self.settings.channels:
            options = self.checked.options.get(("channel", name))
            assistant = getattr(options, "assistant", None)
            if isinstance(assistant, str) and assistant not in self.settings.assistants:
                key = ("channels", name, "assistant")
                self.unknown("assistant", assistant, key, self.settings.assistants)

    def groups(self) -> None:
        for name, members in self.settings.groups.items():
            self.known_groups(members, ("groups", name))
        for name, source in self.settings.sources.items():
            self.known_groups(source.readers, ("sources", name, "readers"))

    def known_groups(self, principals: list[Principal], key: Key) -> None:
        for index, principal in enumerate(principals):
            scheme, _, group = principal.partition(":")
            if scheme == "group" and group not in self.settings.groups:
                self.unknown("group", group, (*key, index), self.settings.groups)

    def refer(self, kind: Kind, name: str, key: Key) -> None:
        """Check a name that something uses: a table, a type or a plugin."""
        tables = getattr(self.settings, TABLES[kind])
        if name in tables or (kind, name) in self.checked.types:
            return
        if name in self.types(kind):
            self.add(kind, name, name, {}, key)
        elif name not in self.plugins and name not in self.left_out:
            self.unknown(kind, name, key, [*tables, *self.types(kind), *self.plugins])

    def add(self, kind: Kind, name: str, type_: str, options: Mapping[str, Any], key: Key) -> None:
        """Validate one component's table."""
        factory = self.component(kind, type_)
        if factory is None:
            if type_ not in self.left_out:
                hint = nearest(type_, self.types(kind))
                text = f'no plugin offers the {kind} type "{type_}"{hint}'
                self.mistakes.append(Mistake((*key, "type"), text))
            return
        try:
            valid = factory.settings.model_validate(dict(options), context=self.checked.context)
        except ValidationError as error:
            self.mistakes += from_pydantic(error, factory.settings, options, key)
            return
        except Exception as error:  # a plugin's validator must not hide the other mistakes
            reason = str(error) if isinstance(error, ValueError) else ""
            text = reason or f"the {kind} {type_} cannot check it ({type(error).__name__})"
            self.mistakes.append(Mistake(key, text))
            return
        self.checked.types[kind, name] = type_
        self.checked.options[kind, name] = _placed(valid, self.folder)
        for place, other in _components(valid):
            if (named := getattr(valid, place)) == name and other == kind:
                self.mistakes.append(Mistake((*key, place), f'is "{name}" itself; name another'))
            else:
                self.refer(other, named, (*key, place))

    def unknown(self, what: str, name: str, key: Key, valid: Collection[str]) -> None:
        self.mistakes.append(Mistake(key, f'there is no {what} "{name}"{nearest(name, valid)}'))

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        found: Path = self.settings._context.get("folder") or Path.cwd()
        return found


def _components(valid: BaseModel) -> Iterator[tuple[str, Kind]]:
    """The fields of a component's settings that name another component, and of which kind."""
    for name, about in type(valid).model_fields.items():
        extra = about.json_schema_extra
        kind = extra.get("component") if isinstance(extra, dict) else None
        if isinstance(kind, str) and isinstance(getattr(valid, name), str):
            yield name, cast(Kind, kind)


def _placed(valid: BaseModel, folder: Path) -> BaseModel:
    """Make the paths of a component's settings independent of the current folder."""
    paths = {
        name: folder / value.expanduser()
        for name in type(valid).model_fields
        if isinstance(value := getattr(valid, name), Path)
    }
    return valid.model_copy(update=paths) if paths else valid
