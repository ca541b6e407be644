"""Components: the objects that the tables of `bot.toml` describe, made on first use."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bot import asking, dispatch, leaving
from bot.database import Database
from bot.document import IndexVersion, Purpose, Vectors
from bot.errors import BotError, EmbeddingError, PluginError, UsageError
from bot.machinery import Limits, Machinery
from bot.plugins import Context, Kind, Plugins
from bot.spending import Spending
from bot.turn import NOTHING

if TYPE_CHECKING:
    from bot.settings import Checked
log = logging.getLogger(__name__)

CLOSING = 5.0  # seconds that a component may take to close


class Components:
    """Makes components, registers them as plugins `KIND:NAME`, and closes them.

    Args:
        checked: the validated tables of `bot.toml`.
        home, database: what components may use of the bot, see `bot.plugins.Context`.
        limits: how long a component that asks another one waits.
        spending: keeps the account of what costs money.
    """

    def __init__(
        self,
        plugins: Plugins,
        checked: Checked,
        home: Path,
        database: Database,
        limits: Limits | None = None,
        spending: Spending | None = None,
    ) -> None:
        self._plugins = plugins
        self._checked = checked
        machinery = Machinery(
            manager=plugins.manager,
            database=database,
            resolve=self.named,
            limits=limits or Limits(),
            may_receive=self.may_receive,
        )
        self._context = Context(
            home=home,
            database=database,
            embed=self.embed,
            generator=partial(asking.generator, machinery),
            search=partial(asking.search, machinery),
            spending=spending,
        )
        self._closing = AsyncExitStack()
        self._receives: dict[str, leaving.MayReceive] = {}
        self._making: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def aclose(self) -> None:
        """Close the components, the last one made first."""
        await self._closing.aclose()

    async def named(self, kind: Kind, name: str) -> str:
        """Make the component that a table of bot.toml describes; return its plugin name.

        A name without a table is the plugin of that name itself.

        Raises:
            PluginError: there is none, or it cannot be made.
        """
        if (kind, name) in self._checked.types:
            return await self.made(
                kind, name, self._checked.types[kind, name], self._checked.options[kind, name]
            )
        if self._plugins.manager.has_plugin(name):
            return name
        raise PluginError(f"There is no {kind} {name!r}; run `bot plugins list`.")

    async def stored(self, kind: Kind, stored: Mapping[str, Any]) -> str:
        """Make a component from the settings that an index version owns.

        Args:
            stored: `type` and `options`, see `described`.
        """
        type_, options = stored["type"], stored["options"]
        factory = self._plugins.component(kind, type_)
        if factory is None:
            raise PluginError(
                f"The index was built with the {kind} {type_!r}, which is not installed; run "
                "`bot plugins list`."
            )
        digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()[:8]
        settings = factory.settings.model_validate(options, context=self._checked.context)
        return await self.made(kind, f"{type_}@{digest}", type_, settings)

    def described(
        self, kind: Kind, name: str, changes: Mapping[str, Any] = NOTHING
    ) -> dict[str, Any]:
        """Write a component's settings down as an index version keeps them.

        Args:
            name: a table's name, or a type's.
            changes: settings that are to be other than the table says.

        Raises:
            PluginError: its plugin is not in use.
            UsageError: a change is no setting, or has no such value.
        """
        type_ = self._checked.types.get((kind, name), name)
        factory = self._plugins.component(kind, type_)
        if factory is None:
            raise PluginError(f"No plugin offers the {kind} {name!r}; run `bot plugins list`.")
        options = self._checked.options.get((kind, name))
        given = {**(options.model_dump() if options is not None else {}), **changes}
        try:
            valid = factory.settings.model_validate(given, context=self._checked.context)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise UsageError(f"--set {kind}.{key}: {first['msg'].lower()}.") from None
        return {"type": type_, "options": valid.model_dump(mode="json")}

    async def made(self, kind: Kind, name: str, type_: str, options: Any) -> str:
        """Make one component, unless it is made already; return its plugin name.

        Raises:
            PluginError: no plugin offers the type, or its factory failed.
        """
        registered = f"{kind}:{name}"
        if self._plugins.manager.has_plugin(registered):
            return registered
        factory = self._plugins.component(kind, type_)
        if factory is None:
            raise PluginError(f"No plugin offers the {kind} type {type_!r}.")
        async with self._making[registered]:  # two turns at once must not load a model twice
            if not self._plugins.manager.has_plugin(registered):
                made = await dispatch.in_thread(
                    _call, factory=factory.make, name=name, options=options, context=self._context
                )
                owner = self._plugins.offered_by(kind, type_)
                self._receives[registered] = self._may_receive(kind, name, options)
                self._plugins.register(made, registered, owner=owner)
                if (close := getattr(made, "aclose", None)) is not None:
                    self._closing.push_async_callback(_close, registered, close)
        return registered

    def may_receive(self, plugin: str) -> leaving.MayReceive:
        """How much a component may be given, by its plugin name."""
        return self._receives.get(plugin, "all")

    def _may_receive(self, kind: Kind, name: str, options: object) -> leaving.MayReceive:
        if kind != "generator":
            return leaving.allowed(options)
        tables = {n: table for (k, n), table in self._checked.options.items() if k == kind}
        return leaving.of_table({**tables, name: options}, name)

    async def embed(
        self,
        texts: Sequence[str],
        purpose: Purpose,
        version: IndexVersion,
        *,
        public: bool | None = None,
    ) -> Vectors:
        """Embed texts with the embedder that a version was built with.

        Raises:
            EmbeddingError: the embedder failed, or may not receive the texts.
        """
        name = await self.stored("embedder", version.settings["embedder"])
        everyones = purpose == "query" if public is None else public
        if (may_receive := self.may_receive(name)) == "nothing" or (
            may_receive == "public" and not everyones
        ):
            raise EmbeddingError(
                f"{name} sends text to another host and may receive {may_receive!r}, which this "
                "is more than; see `may_receive` in its table of bot.toml."
            )
        vectors, failures = await dispatch.first(
            self._plugins.manager,
            "bot_embed",
            only={name},
            timeout=None,
            texts=texts,
            purpose=purpose,
        )
        if vectors is None:
            raise EmbeddingError(str(failures[0]) if failures else f"{name} embeds nothing.")
        found: Vectors = vectors
        return found


async def _close(component: str, close: Callable[[], Awaitable[None]]) -> None:
    """Close one component; how it fails must not keep the others open."""
    try:
        await dispatch.within(close(), CLOSING)
    except Exception as error:
        log.warning("%s did not close: %s", component, dispatch.describe(error))


def _call(
    factory: Callable[[str, Any, Context], object], name: str, options: Any, context: Context
) -> object:
    try:
        return factory(name, options, context)
    except BotError:
        raise
    except Exception as error:
        raise PluginError(f"{name!r} cannot be made: {dispatch.describe(error)}") from error
