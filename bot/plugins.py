"""Plugins: finding them, loading them one at a time, and making components of them."""

from __future__ import annotations

import importlib.metadata
import logging
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import pluggy

from bot import hookspecs
from bot.errors import PluginError
from bot.quarantine import Quarantine

if TYPE_CHECKING:
    from pydantic import BaseModel

    from bot.asking import Generator
    from bot.database import Database
    from bot.document import IndexVersion, Purpose, Vectors
    from bot.spending import Spending
    from bot.turn import Passage, Turn

log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["retriever", "generator", "channel", "loader", "splitter", "embedder"]

SettingsModel: TypeAlias = "type[BaseModel]"

GROUP = "bot"  # the entry-point group
IMPORT_TIMEOUT = 30.0  # seconds for one plugin's import; a machine may be busy


class Embed(Protocol):
    """Embed texts with the embedder that an index version was built with.

    `public` tells whether everyone may read the texts, for an embedder on another host; unless
    given, a query is public and a document is not. What it may not receive is an EmbeddingError.
    """

    async def __call__(
        self,
        texts: Sequence[str],
        purpose: Purpose,
        version: IndexVersion,
        *,
        public: bool | None = None,
    ) -> Vectors: ...


async def _alone(_: Any) -> Any:
    raise PluginError("This component is used without a bot around it; give its Context one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a component may use of the bot that it is part of.

    Attributes:
        home: the bot's own folder, private to its user; caches go into `home / "cache"`.
        database: the bot's database.
        embed: turns texts into vectors that fit an index version.
        generator: makes another generator of bot.toml, by name, for one that wraps it.
        search: what the turn's retrievers find for `turn.queries`, and the asker may read.
        spending: reserves and settles what an answer costs; None without a bot.
    """

    home: Path
    database: Database
    embed: Embed
    generator: Callable[[str], Awaitable[Generator]] = _alone
    search: Callable[[Turn], Awaitable[list[Passage]]] = _alone
    spending: Spending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A factory of components, as `bot_components` offers it.

    Attributes:
        kind: which tables of `bot.toml` it serves; a loader serves `[sources.NAME]`.
        type: the `type` in such a table.
        settings: pydantic model of the table's other keys; its fields' descriptions are its
            documentation. Forbid unknown keys (`extra="forbid"`).
        make: called on first use with the table's name, its settings and the context; imports
            what it needs. The object it returns is registered as a plugin `KIND:NAME`. If it has
            an `async def aclose()`, that is called when the bot closes.
    """

    kind: Kind
    type: str
    settings: SettingsModel
    make: Callable[[str, Any, Context], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of one plugin.

    Attributes:
        seconds: how long its import took.
        error: why it is not in use; empty when it is.
        going: what of the contract it uses that will go.
    """

    name: str
    distribution: str = ""
    version: str = ""
    seconds: float = 0.0
    error: str = ""
    disabled: bool = False
    going: tuple[str, ...] = ()


class Manager(pluggy.PluginManager):
    """pluggy's manager, and the quarantine that calls of its hooks respect.

    Attributes:
        quarantine: who is left out for having failed too often.
    """

    quarantine: Quarantine


class Plugins:
    """The plugins of one bot, and the components made from them.

    One plugin that cannot be imported, hangs in its import, or implements a hook that does not
    exist is left out and named in `loaded`; the others work.
    """

    def __init__(self) -> None:
        self.manager = Manager("bot")
        self.manager.add_hookspecs(hookspecs)
        self.manager.quarantine = Quarantine(owner=self.owner)
        self.loaded: list[Loaded] = []
        self._components: dict[tuple[Kind, str], Component] = {}
        self._offered_by: dict[tuple[Kind, str], str] = {}
        self._owners: dict[str, str] = {}
        self._folders: dict[Path, str] = {}

    def load(self, environ: Mapping[str, str], disabled: Iterable[str] = ()) -> None:
        """Load the installed plugins, or those that `BOT_PLUGINS` names, one at a time."""
        wanted = environ.get("BOT_PLUGINS")
        names = None if wanted is None else {n.strip() for n in wanted.split(",") if n.strip()}
        disabled = set(disabled)
        for entry in sorted(_entries(), key=lambda e: e.name):
            if names is None or entry.name in names:
                self.loaded.append(self._load(entry, entry.name in disabled))
        for name in sorted((names or set()) - {loaded.name for loaded in self.loaded}):
            self.loaded.append(Loaded(name=name, error=f"{name}: it is not installed"))

    def remember(self, home: Path) -> None:
        """Keep what fails in the bot's home, and leave out what stands there as failed."""
        self.manager.quarantine = Quarantine(home / "plugins.json", self.owner)

    def owner(self, name: str) -> str:
        """The plugin that a registered name belongs to: a component's, or itself."""
        return self._owners.get(name, name)

    def register(self, plugin: object, name: str, *, owner: str = "") -> list[str]:
        """Add one plugin, checked against the contract.

        Args:
            owner: the plugin that made it, when it is a component.

        Returns:
            What of the contract it uses that will go.

        Raises:
            PluginError: it implements a hook that does not exist, or with arguments that the
                hook does not have, or its name is taken.
        """
        if self.manager.has_plugin(name):
            raise PluginError(f"{name}: its name is taken by another plugin")
        try:
            _refuse_version(plugin)
            with warnings.catch_warnings(record=True) as going:
                warnings.simplefilter("always", DeprecationWarning)
                self.manager.register(plugin, name)
            self.manager.check_pending()
            self._refuse_wrappers(name)
            self._collect(plugin, name)
        except Exception as error:
            if self.manager.get_plugin(name) is plugin:
                self.manager.unregister(plugin)
            message = " ".join(str(error).split())
            raise PluginError(f"{name}: {message or type(error).__name__}") from error
        if owner:
            self._owners[name] = owner
        return [f"{name}: {warning.message}" for warning in going]

    def component(self, kind: Kind, type_: str) -> Component | None:
        """Find the factory for a type."""
        return self._components.get((kind, type_))

    def offered_by(self, kind: Kind, type_: str) -> str:
        """The plugin that offers a type; empty when there is none."""
        return self._offered_by.get((kind, type_), "")

    def types(self, kind: Kind) -> list[str]:
        """List the types of one kind that the plugins offer."""
        return sorted(type_ for each, type_ in self._components if each == kind)

    @property
    def components(self) -> list[Component]:
        """All factories, in the order of registration."""
        return list(self._components.values())

    def offers(self, plugin: str) -> list[str]:
        """List the components of one plugin, as `KIND TYPE`."""
        return [
            f"{c.kind} {c.type}"
            for key, c in self._components.items()
            if self._offered_by[key] == plugin
        ]

    def hooks(self, plugin: str) -> list[str]:
        """List the hooks that one plugin implements."""
        loaded = self.manager.get_plugin(plugin)
        callers = self.manager.get_hookcallers(loaded) if loaded is not None else None
        return sorted(caller.name for caller in callers or ())

    def migrations(self) -> list[Path]:
        """The folders of the plugins' migrations; a plugin that fails is left out and named."""
        folders: list[Path] = []
        for impl in self.manager.hook.bot_migrations.get_hookimpls():
            try:
                folder = Path(bounded(impl.function, "bot_migrations"))
                if not folder.is_dir():
                    raise PluginError(f"there is no folder {folder}")
            except Exception as error:
                self._failed(impl.plugin_name, f"its migrations are left out: {error}")
            else:
                self._folders[folder] = impl.plugin_name
                folders.append(folder)
                self.manager.quarantine.worked(impl.plugin_name, "bot_migrations")
        return folders

    def leave_out(self, folder: Path, error: Exception) -> None:
        """Leave out the plugin whose migrations in a folder have failed: it has no tables."""
        name = self._folders[folder]
        self._failed(name, str(error))
        self.manager.quarantine.failed(name, "bot_migrations", str(error))
        self.manager.unregister(name=name)
        for key in [key for key, owner in self._offered_by.items() if owner == name]:
            del self._components[key], self._offered_by[key]

    def _failed(self, name: str, reason: str) -> None:
        failure = f"{name}: {reason}"
        log.warning("%s", failure)
        self.loaded = [
            replace(one, error=failure) if one.name == name else one for one in self.loaded
        ]

    def _load(self, entry: importlib.metadata.EntryPoint, disabled: bool) -> Loaded:
        distribution, version = _distribution(entry)
        about = Loaded(
            name=entry.name, distribution=distribution, version=version, disabled=disabled
        )
        if disabled:
            return about
        started = time.perf_counter()
        try:
            try:
                plugin = bounded(entry.load, "its import")
            except PluginError as failure:
                raise PluginError(f"{entry.name}: {failure}") from failure.__cause__
            about = replace(about, going=tuple(self.register(plugin, entry.name)))
            error = ""
        except PluginError as failure:
            error = str(failure)
            log.warning("plugin left out: %s", error, exc_info=failure.__cause__)
        return replace(about, seconds=time.perf_counter() - started, error=error)

    def _refuse_wrappers(self, name: str) -> None:
        for caller in self.manager.get_hookcallers(self.manager.get_plugin(name)) or ():
            for impl in caller.get_hookimpls():
                if impl.plugin_name == name and (impl.wrapper or impl.hookwrapper):
                    raise PluginError(f"{caller.name} is a wrapper; implement bot_around instead")

    def _collect(self, plugin: object, name: str) -> None:
        """Take the plugin's factories: all of them, or none when one's type is taken."""
        offered: dict[tuple[Kind, str], Component] = {}
        for impl in self.manager.hook.bot_components.get_hookimpls():
            if impl.plugin is plugin:
                offers = bounded(partial(_listed, impl.function), "bot_components")
                offered |= {(one.kind, one.type): one for one in offers}
        for kind, type_ in offered.keys() & self._components.keys():
            raise PluginError(f"the {kind} type {type_!r} is taken by another plugin")
        self._components |= offered
        self._offered_by |= dict.fromkeys(offered, name)


def _refuse_version(plugin: object) -> None:
    """Refuse a plugin that says in `BOT_API` that it was written for another contract."""
    wanted = getattr(plugin, "BOT_API", hookspecs.API_VERSION)
    if wanted > hookspecs.API_VERSION:
        raise PluginError(
            f"it needs version {wanted} of the contract, and this is {hookspecs.API_VERSION}; "
            "upgrade domainbot"
        )
    if wanted < hookspecs.OLDEST_API:
        raise PluginError(
            f"it was written for version {wanted} of the contract, and this is "
            f"{hookspecs.API_VERSION}; upgrade the plugin"
        )


def names() -> list[str]:
    """List the installed plugins by name, without loading one."""
    return sorted({entry.name for entry in _entries()})


def _listed(offer: Callable[[], Any]) -> list[Component]:
    return list(offer())  # a generator runs here, not at the caller


def _entries() -> Iterable[importlib.metadata.EntryPoint]:
    """Find the installed entry points, also beside a distribution whose metadata is torn."""
    try:
        return importlib.metadata.entry_points(group=GROUP)
    except Exception:  # whatever finder is installed may fail over one of them
        log.warning("an installed distribution has no metadata", exc_info=True)
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for distribution in importlib.metadata.distributions():
        with suppress(Exception):
            for entry in distribution.entry_points.select(group=GROUP):
                found.setdefault(entry.name, entry)
    return found.values()


def _distribution(entry: importlib.metadata.EntryPoint) -> tuple[str, str]:
    """Name and version; empty when what is installed is broken, as a half-removed one is."""
    try:
        return (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
    except Exception:
        return "", ""


def bounded(function: Callable[[], Any], what: str) -> Any:
    """Call a plugin's code on a daemon thread, so that one that hangs is left behind.

    Raises:
        PluginError: it raised, or did not end in time.
    """
    outcome: list[object] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:  # a SystemExit in a plugin is the plugin's failure
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True, name=what)
    thread.start()
    thread.join(IMPORT_TIMEOUT)
    if failure:
        error = failure[0]
        raise PluginError(f"{what} raised {type(error).__name__}: {error}") from error
    if not outcome:
        raise PluginError(f"{what} did not end within {IMPORT_TIMEOUT:g} s")
    return outcome[0]
