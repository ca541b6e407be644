"""What Slack tells us: each thing is stored, and only then acknowledged.

One set of listeners for Socket Mode and HTTP. An exception leaves the event without an
acknowledgement, so that Slack delivers it again; what comes twice is stored once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from bot.errors import NotFound
from bot.inbox import Inbox, Incoming, Place
from bot.turn import Principal
from bot_slack import access, blocks, conversations, home, rating
from bot_slack.access import Room
from bot_slack.settings import SlackSettings
from bot_slack.status import reassure

if TYPE_CHECKING:
    from slack_bolt.async_app import AsyncApp

    from bot import Bot
    from bot_slack.answering import Answering

log = logging.getLogger(__name__)

Body = dict[str, Any]
Ack = Callable[..., Awaitable[Any]]

SHORTCUT = "ask_msg"
REMEMBERED = 10_000  # questions that are known to be stored without asking the database


class Listeners:
    """Registers everything that the app listens to.

    Args:
        gone: called with a sentence when Slack says that the app may work no longer.
    """

    def __init__(
        self,
        bot: Bot,
        inbox: Inbox,
        answering: Answering,
        settings: SlackSettings,
        gone: Callable[[str], None],
    ) -> None:
        self._bot = bot
        self._inbox = inbox
        self._client = answering.client
        self._me = answering.me
        self._settings = settings
        self._limiter = answering.limiter
        self._directory = answering.questions.directory
        self._gone = gone
        self._stored: dict[tuple[str, str | None, bool], None] = {}
        self._storing: dict[tuple[str, str | None, bool], asyncio.Task[bool]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, app: AsyncApp) -> None:
        """Register with Bolt; the catch-all comes last, as unmatched events are never acked."""
        app.middleware(self._ours)
        app.event("message")(self._message)
        app.event("app_mention")(self._mention)
        app.event("agent_session_stopped")(self._stopped)
        app.event("app_home_opened")(self._home_opened)
        app.event("app_uninstalled")(self._uninstalled)
        app.event("tokens_revoked")(self._revoked)
        app.command(re.compile(".*"))(self._command)
        app.shortcut(SHORTCUT)(self._shortcut)
        app.action(blocks.FEEDBACK)(self._feedback)
        app.action(blocks.PUBLISH)(self._publish)
        app.action(blocks.HANDOVER)(self._hand_over)
        app.action(re.compile(f"^{rating.ACTION}"))(self._rate)
        app.action(re.compile(".*"))(_acknowledge)
        app.view(home.COMMENT)(self._comment)
        app.event(re.compile(".*"))(_unknown)

    async def drain(self) -> None:
        """Wait for what goes on behind an acknowledgement."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _ours(self, body: Body, next: Ack, ack: Ack) -> Any:
        """Take nothing of a workspace that the token does not belong to."""
        team = body.get("team_id") or (body.get("team") or {}).get("id")
        # In a channel that is shared an event bears the team of who wrote; it is sent to us all
        # the same, and whether such people are answered is decided later.
        ours = {one.get("team_id") for one in body.get("authorizations") or ()}
        if team in (None, self._me.team) or self._me.team in ours:
            return await next()
        log.warning(
            "an event of the workspace %s was left out; we belong to %s", team, self._me.team
        )
        return await ack()

    # -- messages -------------------------------------------------------------------------------

    async def _mention(self, event: Body, body: Body) -> None:
        await self._store(conversations.asked(event, body["event_id"], self._me, self._settings))

    async def _message(self, event: Body, body: Body) -> None:
        event_id = body["event_id"]
        match event.get("subtype"):
            case "message_changed":
                await self._edited(event, event_id)
            case "message_deleted":
                place = conversations.deleted(event, self._me)
                if place is not None:
                    await self._inbox.remove(place, event_id)
            case _:
                await self._store(conversations.asked(event, event_id, self._me, self._settings))

    async def _edited(self, event: Body, event_id: str) -> None:
        asked = conversations.edited(event, event_id, self._me, self._settings)
        message = event.get("message") or {}
        if asked is None and message.get("edited") and message.get("user") != self._me.user:
            # Without our mention any more: what was asked before stays a question.
            place = conversations.place_of({**message, "channel": event["channel"]}, self._me)
            incoming = Incoming(
                event=event_id, place=place, key="", author=message.get("user", ""),
                text=message.get("text") or "", edited=message["edited"]["ts"],
            )  # fmt: skip
            await self._inbox.edit(incoming)
        elif asked is not None and await self._inbox.edit(asked.incoming) is None:
            await self._store(asked)

    async def _store(self, asked: conversations.Asked | None) -> None:
        """Store a message; a mention comes twice, mostly at once, and is stored once."""
        if asked is None:
            return
        name = (asked.incoming.place.room, asked.incoming.place.ts, asked.addressed)
        if name in self._stored:
            return
        storing = self._storing.get(name)
        if storing is None:
            storing = self._storing[name] = asyncio.create_task(self._stored_now(asked))
            storing.add_done_callback(lambda _: self._storing.pop(name, None))
        if await asyncio.shield(storing):
            self._stored[name] = None
            while len(self._stored) > REMEMBERED:
                del self._stored[next(iter(self._stored))]

    async def _stored_now(self, asked: conversations.Asked) -> bool:
        """Store a message; say whether it is a question for good."""
        stored = await self._inbox.store(
            asked.incoming, addressed=asked.addressed, follows=asked.follows
        )
        if stored and not asked.incoming.details.get("private"):
            self._behind(reassure(self._inbox, self._client, self._limiter, asked.incoming))
        return stored or asked.addressed

    async def _stopped(self, event: Body) -> None:
        room = event.get("channel_id") or event.get("channel") or ""
        place = self._place(room, event.get("thread_ts") or "")
        answers = [str(ts) for ts in event.get("streaming_message_ts") or ()]
        await self._inbox.stop(place, answers)

    # -- commands, shortcuts, buttons -----------------------------------------------------------

    async def _command(self, body: Body, ack: Ack) -> None:
        text = body.get("text", "").strip()
        if not text:
            await ack(f"Write a question after it: `{body['command']} How do I …?`")
            return
        trigger = body["trigger_id"]
        place = self._place(body["channel_id"], f"command:{trigger}")
        await self._inbox.store(
            Incoming(
                event=f"command:{trigger}",
                place=place,
                key=conversations.key(place),
                author=body["user_id"],
                text=text,
                details={"private": True, "response_url": body.get("response_url", "")},
            ),
            addressed=True,
        )
        await ack("One moment …")

    async def _shortcut(self, body: Body, ack: Ack) -> None:
        message, user = body["message"], body["user"]["id"]
        event = {**message, "channel": body["channel"]["id"], "user": user, "type": "app_mention"}
        event.pop("bot_id", None)
        event.pop("subtype", None)
        trigger = f"shortcut:{body['trigger_id']}"
        asked = conversations.asked(event, trigger, self._me, self._settings)
        stored = asked is not None and await self._inbox.store(asked.incoming, addressed=True)
        await ack()
        if not stored:
            self._behind(
                self._say(event["channel"], user, "I was asked this already; see its thread.")
            )

    async def _feedback(self, body: Body, ack: Ack) -> None:
        value = json.loads(body["actions"][0]["value"])
        turn, good = str(value["turn"]), bool(value["good"])
        try:
            await self._bot.feedback(turn, good, author=self._author(body))
        except NotFound:
            await ack()
            return
        await ack()
        if not good:
            view = home.comment_view(turn)
            self._behind(self._client.views_open(trigger_id=body["trigger_id"], view=view))

    async def _comment(self, body: Body, ack: Ack) -> None:
        turn, comment = home.read_comment(body["view"])
        if comment:
            author = self._author(body)
            await self._bot.feedback(turn, False, author=author, comment=comment)
        await ack()

    async def _rate(self, body: Body, ack: Ack) -> None:
        user = body["user"]["id"]
        principals = await self._principals(user)
        value = str(body["actions"][0]["value"])
        await rating.take(self._bot, value, principals, self._author(body))
        await ack()
        self._behind(self._show_home(user))

    async def _publish(self, body: Body, ack: Ack) -> None:
        await self._do("publish", body, self._room_of(body))
        await ack()

    async def _hand_over(self, body: Body, ack: Ack) -> None:
        if self._settings.handover is not None:
            await self._do("handover", body, self._settings.handover)
        await ack()

    async def _do(self, kind: str, body: Body, room: str) -> None:
        """Store what a button asks for; pressed twice it is done once."""
        turn = str(body["actions"][0]["value"])
        container = body.get("container") or {}
        thread = container.get("thread_ts") or (body.get("message") or {}).get("thread_ts") or ""
        place = self._place(room, thread if kind == "publish" else f"{kind}:{turn}")
        details = {
            "turn": turn,
            "from": self._room_of(body),
            "thread": thread,
            "response_url": body.get("response_url", ""),
        }
        await self._inbox.store(
            Incoming(
                event=f"{kind}:{turn}",
                place=place,
                key=f"{conversations.key(place)}/{kind}",
                author=body["user"]["id"],
                text="",
                kind=kind,
                details=details,
            ),
            addressed=True,
        )

    # -- the app itself -------------------------------------------------------------------------

    async def _home_opened(self, event: Body) -> None:
        if event.get("tab", "home") == "home":
            self._behind(self._show_home(event["user"]))
        else:
            self._behind(self._suggest(event["user"], event["channel"]))

    async def _suggest(self, user: str, channel: str) -> None:
        """Suggest what the settings say, else what the team has approved answers to."""
        prompts = self._settings.prompts or await home.prompts(
            self._bot, await self._principals(user)
        )
        if prompts:
            await self._client.assistant_threads_setSuggestedPrompts(
                channel_id=channel,
                prompts=[{"title": prompt, "message": prompt} for prompt in prompts],
            )

    async def _principals(self, user: str) -> frozenset[Principal]:
        """As whom somebody reads what nobody else sees."""
        person = await self._directory.person(user)
        alone = Room(id="", direct=True)
        return await access.principals(
            person, alone, self._directory, self._me, self._settings, private=True
        )

    async def _show_home(self, user: str) -> None:
        principals = await self._principals(user)
        recent = [
            {**one, "text": conversations.question(one["text"], self._me)}
            for one in await self._inbox.recent(self._place("", ""), user)
        ]
        view = await home.view(self._bot, principals, recent, self._settings.assistant)
        asked = await rating.blocks(self._bot, principals, f"{self._me.team}/{user}")
        view["blocks"] = [*asked, *view["blocks"]]
        await self._client.views_publish(user_id=user, view=view)

    async def _uninstalled(self) -> None:
        self._gone("The app was uninstalled from the workspace; install it again.")

    async def _revoked(self, event: Body) -> None:
        if self._me.user in ((event.get("tokens") or {}).get("bot") or ()):
            self._gone("Slack has revoked bot_token; install the app again and set the new one.")

    # -- shared ---------------------------------------------------------------------------------

    def _place(self, room: str, thread: str) -> Place:
        me = self._me
        return Place(channel=me.channel, team=me.team, room=room, thread=thread, ts=None)

    def _author(self, body: Body) -> str:
        return f"{self._me.team}/{body['user']['id']}"

    def _room_of(self, body: Body) -> str:
        container = body.get("container") or {}
        return str(container.get("channel_id") or (body.get("channel") or {}).get("id") or "")

    async def _say(self, room: str, user: str, text: str) -> None:
        await self._client.chat_postEphemeral(channel=room, user=user, text=text)

    def _behind(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do what may fail without harm, after the acknowledgement."""

        async def run() -> None:
            try:
                await work
            except Exception as error:
                log.warning("Slack was not told: %s", error)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _acknowledge(ack: Ack) -> None:
    await ack()


async def _unknown(event: Body) -> None:
    log.debug("an event of type %s is nothing to us", event.get("type"))
