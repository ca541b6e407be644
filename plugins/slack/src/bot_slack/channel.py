"""The channel: it listens where it is served, and answers wherever a worker runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bot import Context, hookimpl
from bot.dispatch import describe
from bot.errors import PluginError
from bot.inbox import Inbox
from bot.retention import purge
from bot_slack import ANSWER, manifest
from bot_slack.conversations import Identity
from bot_slack.settings import SlackSettings

if TYPE_CHECKING:
    import aiohttp
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.socket_mode.aiohttp import SocketModeClient
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import Bot
    from bot_slack.answering import Answering
    from bot_slack.listeners import Listeners

T = TypeVar("T")

log = logging.getLogger(__name__)

SOCKETS = 2  # so that one may be renewed while the other listens
CALL = 30.0  # seconds for each of Slack's answers
HOURLY = 3600.0
AGAIN = 1.0  # seconds until a Slack that is out of reach is tried again; doubled each time
LONGEST = 30.0
SWEEP = 10.0  # seconds between looks for messages whose job was lost


class Slack:
    """One Slack app in one workspace."""

    def __init__(self, name: str, settings: SlackSettings, context: Context) -> None:
        self.settings = settings
        self.inbox = Inbox(context.database, name, ANSWER)
        self._name = name
        self._opening = asyncio.Lock()
        self._http: aiohttp.ClientSession | None = None
        self._answering: Answering | None = None
        self._gone: asyncio.Future[str] | None = None

    async def aclose(self) -> None:
        """Close the connections to Slack."""
        if self._answering is not None:
            await self._answering.aclose()
        if self._http is not None:
            await self._http.close()

    @hookimpl
    async def bot_serve(self, bot: Bot) -> None:
        """Listen until cancelled.

        Raises:
            PluginError: Slack refuses the tokens, or the app was removed from the workspace.
            NotFound: bot.toml has no assistant by a name that is used here.
        """
        for name in {self.settings.assistant, *(r.assistant for r in self.settings.rooms.values())}:
            if name:
                bot.assistant(name)
        answering = await self._ready(bot)
        self._gone = asyncio.get_running_loop().create_future()
        app, listeners = self._app(bot, answering)
        serve = self._sockets(app) if self.settings.mode == "socket" else self._requests(app)
        keeping = asyncio.create_task(self._keep())
        try:
            async with serve:
                log.info("listening to Slack as %s", answering.me.name)
                raise PluginError(await self._gone)
        finally:
            keeping.cancel()
            await listeners.drain()

    async def answer(self, bot: Bot, key: str, *, last: bool) -> None:
        """Answer the next message of a conversation; see `Answering.next`."""
        answering = await self._ready(bot)
        await answering.next(key, last=last)

    async def _ready(self, bot: Bot) -> Answering:
        """Reach Slack once, and learn who we are."""
        from bot_slack.answering import Answering

        async with self._opening:
            if self._answering is None:
                from slack_sdk.http_retry.builtin_async_handlers import (
                    AsyncConnectionErrorRetryHandler,
                    AsyncRateLimitErrorRetryHandler,
                    AsyncServerErrorRetryHandler,
                )

                client = self._client()
                me = await identify(client, self._name)
                reading = self._client()  # reading twice does no harm
                reading.retry_handlers = [
                    AsyncConnectionErrorRetryHandler(max_retry_count=2),
                    AsyncRateLimitErrorRetryHandler(max_retry_count=3),
                    AsyncServerErrorRetryHandler(max_retry_count=2),
                ]
                self._answering = Answering(bot, self.inbox, client, reading, me, self.settings)
            return self._answering

    def _client(self) -> AsyncWebClient:
        import aiohttp
        from slack_sdk.web.async_client import AsyncWebClient

        if self._http is None:
            # One session: without it every call opens a connection of its own.
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64),
                timeout=aiohttp.ClientTimeout(total=CALL),
                trust_env=True,
            )
        return AsyncWebClient(
            token=self.settings.bot_token.reveal(),
            base_url=self.settings.base_url,
            session=self._http,
            retry_handlers=[],  # the stock one posts twice after a lost reply
            logger=logging.getLogger("bot_slack.sdk"),
        )

    def _app(self, bot: Bot, answering: Answering) -> tuple[AsyncApp, Listeners]:
        from slack_bolt.async_app import AsyncApp
        from slack_bolt.authorization import AuthorizeResult

        from bot_slack.listeners import Listeners

        me, token = answering.me, self.settings.bot_token.reveal()

        async def authorize() -> AuthorizeResult:
            return AuthorizeResult(
                enterprise_id=None,
                team_id=me.team,
                bot_token=token,
                bot_id=me.bot,
                bot_user_id=me.user,
            )

        logger = logging.getLogger("bot_slack.bolt")
        logger.setLevel(logging.ERROR)  # it warns of variables that it would have read itself
        secret = self.settings.signing_secret
        client = self._client()
        client.token = None  # `authorize` gives it
        app = AsyncApp(
            client=client,
            authorize=authorize,
            # A request is signed, a socket is not.
            signing_secret=secret.reveal() if secret else "unused",
            request_verification_enabled=self.settings.mode == "http",
            process_before_response=True,  # stored first, acknowledged then
            logger=logger,
        )
        listeners = Listeners(bot, self.inbox, answering, self.settings, self._end)
        listeners.register(app)
        return app, listeners

    def _end(self, why: str) -> None:
        log.error("%s", why)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(why)

    # -- the two ways Slack reaches us ----------------------------------------------------------

    @asynccontextmanager
    async def _sockets(self, app: AsyncApp) -> AsyncIterator[None]:
        from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

        from bot_slack.calls import LOST

        assert self.settings.app_token is not None
        async with AsyncExitStack() as closing:
            clients: list[SocketModeClient] = []
            for _ in range(SOCKETS):
                handler = AsyncSocketModeHandler(
                    app,
                    self.settings.app_token.reveal(),
                    logger=logging.getLogger("bot_slack.socket"),
                    ping_interval=5,
                )
                closing.push_async_callback(handler.client.close)
                clients.append(handler.client)
            for client in clients:
                await _insist(
                    partial(_connect, client),
                    (*LOST, "not_allowed_token_type", "missing_scope"),
                    "Slack refuses app_token ({}); make one with the scope connections:write under "
                    "Basic Information of the app.",
                )
            watching = asyncio.create_task(_watch(clients))
            closing.callback(watching.cancel)
            yield

    @asynccontextmanager
    async def _requests(self, app: AsyncApp) -> AsyncIterator[None]:
        from aiohttp import web
        from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request

        async def receive(request: web.Request) -> web.Response:
            if not request.headers.get("x-slack-request-timestamp", "").isdigit():
                log.warning("a request without Slack's signature was refused")
                return web.Response(status=401)
            response = await app.async_dispatch(await to_bolt_request(request))
            if response.status == 401:
                log.warning(
                    "a request with a wrong or old signature was refused; if it was Slack's, check "
                    "signing_secret and the clock"
                )
            return await to_aiohttp_response(response)

        served = web.Application(client_max_size=2**20)
        served.router.add_post(manifest.PATH, receive)
        runner = web.AppRunner(served, shutdown_timeout=5)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self.settings.host, self.settings.port).start()
            except OSError as error:
                raise PluginError(
                    f"Port {self.settings.port} of {self.settings.host} cannot be used "
                    f"({error.strerror}); choose another `port`."
                ) from error
            log.info("listening at %s:%d%s", *runner.addresses[0][:2], manifest.PATH)
            yield
        finally:
            await runner.cleanup()

    async def _keep(self) -> None:
        """Look for lost jobs; every hour, forget what is older than the retention."""
        forget = 0.0
        while True:
            try:
                if lost := await self.inbox.sweep():
                    log.warning("%d messages had lost their job and have one again", lost)
                if forget <= time.monotonic():
                    oldest = datetime.now(UTC) - timedelta(days=self.settings.retention)
                    await purge(self.inbox.database, channel=self._name, before=oldest)
                    if self._answering is not None:
                        await self._answering.limiter.tidy()
                    forget = time.monotonic() + HOURLY
            except Exception as error:
                log.warning("conversations are not looked after: %s", error)
            await asyncio.sleep(SWEEP)


async def identify(client: AsyncWebClient, channel: str) -> Identity:
    """Ask Slack who we are; a Slack that is out of reach is waited for.

    Raises:
        PluginError: it refuses the token.
    """
    from bot_slack.calls import LOST

    said = await _insist(
        client.auth_test,
        LOST,
        "Slack refuses bot_token ({}); copy the one under OAuth & Permissions of the app.",
    )
    return Identity(
        channel=channel,
        team=said["team_id"],
        user=said["user_id"],
        bot=said.get("bot_id") or "",
        name=said.get("user") or "",
        url=said.get("url") or "",
    )


async def _connect(client: SocketModeClient) -> None:
    try:
        await client.connect_to_new_endpoint()
    except AttributeError as error:  # the SDK's own, over a page where it expects JSON
        raise ConnectionError("it answers with a page") from error


async def _insist(call: Callable[[], Awaitable[T]], fatal: Collection[str], refusal: str) -> T:
    """Call Slack until it answers; one that is out of reach or out of order is waited for.

    Args:
        fatal: the errors after which it is not asked again.
        refusal: a sentence with a place for the error, for whoever runs the bot.

    Raises:
        PluginError: one of these errors.
    """
    import aiohttp
    from slack_sdk.errors import SlackClientError

    from bot_slack.calls import reason

    wait = AGAIN
    while True:
        try:
            return await call()
        except (SlackClientError, aiohttp.ClientError, OSError) as error:
            said = reason(error)  # nothing, where it answers with a page or not at all
            if said in fatal:
                raise PluginError(refusal.format(said)) from error
            log.warning("Slack cannot be reached (%s)", said or describe(error))
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST)


async def _watch(clients: list[SocketModeClient]) -> None:
    """Say when a socket is deaf; the SDK opens it again by itself."""
    deaf: set[int] = set()
    while True:
        await asyncio.sleep(10)
        for number, client in enumerate(clients):
            if await client.is_connected():
                if number in deaf:
                    log.warning("socket %d is open again", number + 1)
                deaf.discard(number)
            elif number not in deaf:
                log.warning("socket %d to Slack is closed; it is opened again", number + 1)
                deaf.add(number)
