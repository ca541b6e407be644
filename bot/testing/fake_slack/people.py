"""What people do in Slack, and the payloads that an app receives for it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from fnmatch import fnmatchcase
from typing import Any
from uuid import uuid4

from bot.testing.fake_slack.checking import ApiError
from bot.testing.fake_slack.delivery import Deliverer, Delivery
from bot.testing.fake_slack.streams import Streams
from bot.testing.fake_slack.world import Channel, Json, Message, World

TRIGGER_LIFE = 3.0  # seconds in which a modal may be opened


class People(ABC):
    """Everything that a person can do; each method returns what a test needs to go on."""

    def __init__(self, world: World, deliverer: Deliverer) -> None:
        self.world = world
        self.deliverer = deliverer
        self.streams = Streams(world)
        self.verification = "fake-verification-token"
        self._triggers: dict[str, float] = {}

    # -- messages ---------------------------------------------------------------------------------

    async def post_message(
        self,
        channel: str,
        user: str,
        text: str,
        thread_ts: str | None = None,
        *,
        files: list[Json] | None = None,
        bot_id: str = "",
    ) -> str:
        """Somebody writes; the app gets `message`, and `app_mention` when it is mentioned."""
        place = self._place(channel, user)
        message = self.world.add(
            Message(
                channel=place.id,
                ts=self.world.new_ts(),
                user=user,
                text=text,
                thread_ts=thread_ts or "",
                subtype="bot_message" if bot_id else "file_share" if files else "",
            )
        )
        if place.bot_in:
            payload = self._message_event(place, message)
            payload |= {"files": files} if files else {}
            payload |= {"bot_id": bot_id} if bot_id else {}
            self.event(payload)
            if f"<@{self.world.bot_user}>" in text and place.kind != "im":
                mention = {k: v for k, v in payload.items() if k not in ("channel_type", "subtype")}
                self.event({**mention, "type": "app_mention"})
        return message.ts

    async def mention(
        self, channel: str, user: str, text: str, thread_ts: str | None = None
    ) -> str:
        """Somebody writes to the bot in a channel."""
        return await self.post_message(
            channel, user, f"<@{self.world.bot_user}> {text}", thread_ts=thread_ts
        )

    async def edit(self, channel: str, ts: str, text: str) -> None:
        """A person changes a message of their own."""
        message = self.world.messages[self._place(channel).id, ts]
        before = message.payload(self.world.app)
        message.text, message.edited = text, True
        await self.changed(message, before)

    async def delete(self, channel: str, ts: str) -> None:
        """A person deletes a message, be it their own or, as an administrator, the bot's."""
        await self.removed(self.world.messages[self._place(channel).id, ts])

    async def changed(self, message: Message, before: Json | None = None) -> None:
        """Tell the app that a message has changed."""
        now = message.payload(self.world.app)
        self._about(message, "message_changed", {"message": now, "previous_message": before or now})

    async def removed(self, message: Message) -> None:
        """Remove a message, and tell the app."""
        del self.world.messages[message.channel, message.ts]
        before = message.payload(self.world.app)
        details = {"deleted_ts": message.ts, "previous_message": before}
        self._about(message, "message_deleted", details)

    async def echo(self, message: Message) -> None:
        """Tell the app of its own message, as Slack does."""
        self.event(self._message_event(self.world.channels[message.channel], message))

    # -- commands, buttons, shortcuts, modals ----------------------------------------------------

    async def slash_command(
        self, channel: str, user: str, text: str, command: str = "/ask"
    ) -> Delivery:
        place = self._place(channel, user)
        return self.deliverer.send(
            "slash_commands",
            {
                **self._interactive(user),
                "command": command,
                "text": text,
                "team_id": self.world.team,
                "channel_id": place.id,
                "channel_name": place.name or place.id.lower(),
                "user_id": user,
                "user_name": user.lower(),
                "response_url": self._response_url(place.id, user),
            },
        )

    async def click(
        self, action_id: str, user: str, channel: str, ts: str = "", value: str | None = None
    ) -> Delivery:
        """Press a button that is really there: in a message, an ephemeral one, or the latest."""
        message = self._with_action(action_id, self._place(channel).id, user, ts)
        action = _action(message.blocks, action_id)
        assert action is not None
        if action["type"] == "feedback_buttons":
            choice = action["positive_button" if value in (None, "good") else "negative_button"]
            action = {"type": "feedback_buttons", "action_id": action_id, "value": choice["value"]}
        elif value is not None:
            action = {**action, "value": value}
        container = {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": message.channel,
            "is_ephemeral": bool(message.visible_to),
        } | ({"thread_ts": message.thread_ts} if message.thread_ts else {})
        payload = {
            **self._interactive(user),
            "type": "block_actions",
            "user": {"id": user, "team_id": self.world.team},
            "channel": {"id": message.channel},
            "container": container,
            "message": message.payload(self.world.app),
            "actions": [{**action, "action_ts": self.world.new_ts()}],
            "response_url": self._response_url(message.channel, user, message.ts),
        }
        return self.deliverer.send("interactive", payload)

    async def click_home(self, action_id: str, user: str) -> Delivery:
        """Press a button in the person's App Home."""
        view = self.world.views[f"home:{user}"]
        action = _action(view["blocks"], action_id)
        if action is None:
            raise LookupError(f"there is no {action_id} in the home of {user}")
        payload = {
            **self._interactive(user),
            "type": "block_actions",
            "user": {"id": user, "team_id": self.world.team},
            "container": {"type": "view", "view_id": view["id"]},
            "view": view,
            "actions": [{**action, "action_ts": self.world.new_ts()}],
        }
        return self.deliverer.send("interactive", payload)

    async def shortcut(self, callback_id: str, user: str, channel: str, ts: str) -> Delivery:
        """Use a message shortcut on a message."""
        message = self.world.messages[self._place(channel).id, ts]
        payload = {
            **self._interactive(user),
            "type": "message_action",
            "callback_id": callback_id,
            "user": {"id": user, "team_id": self.world.team},
            "channel": {"id": message.channel},
            "message": message.payload(self.world.app),
            "message_ts": message.ts,
            "response_url": self._response_url(message.channel, user),
        }
        return self.deliverer.send("interactive", payload)

    async def submit(self, user: str, view_id: str, values: Json | None = None) -> Delivery:
        """Submit an open modal with values by block id and action id."""
        view = self.world.views.pop(view_id)
        state = {"state": {"values": values or {}}}
        payload = {
            **self._interactive(user),
            "type": "view_submission",
            "user": {"id": user, "team_id": self.world.team},
            "view": {**view, **state, "app_id": self.world.app["app_id"]},
        }
        return self.deliverer.send("interactive", payload)

    # -- places -----------------------------------------------------------------------------------

    async def open_home(self, user: str, tab: str = "home") -> Delivery:
        """Open the app's home, or with `tab="messages"` its conversation."""
        channel = self.world.direct(user).id
        return self.event(
            {
                "type": "app_home_opened",
                "user": user,
                "channel": channel,
                "tab": tab,
                "event_ts": self.world.new_ts(),
            }
        )

    async def stop_session(self, user: str, channel: str, thread_ts: str) -> Delivery:
        """Press Slack's stop button in a thread."""
        thread = self.world.thread(self._place(channel).id, thread_ts)
        streaming = [message for message in thread if message.stream is not None]
        return self.event(
            {
                "type": "agent_session_stopped",
                "user": user,
                "channel": self._place(channel).id,
                "thread_ts": thread_ts,
                "streaming_message_ts": [message.ts for message in streaming],
                "event_ts": self.world.new_ts(),
            }
        )

    async def uninstall(self) -> Delivery:
        """Remove the app from the workspace."""
        return self.event({"type": "app_uninstalled", "event_ts": self.world.new_ts()})

    # -- payloads ---------------------------------------------------------------------------------

    def event(self, event: Json, **envelope: Any) -> Delivery:
        """Deliver any event; `envelope` replaces parts of what stands around it."""
        bot = {"team_id": self.world.team, "user_id": self.world.bot_user, "is_bot": True}
        payload = {
            "token": self.verification,
            "team_id": self.world.team,
            "api_app_id": self.world.app["app_id"],
            "type": "event_callback",
            "event_id": f"Ev{self.world.number():08d}",
            "event_time": int(time.time()),
            "authorizations": [bot],
            "event": event,
        }
        return self.deliverer.send("events_api", payload | envelope)

    def redeliver(self, delivery: Delivery) -> Delivery:
        """Deliver the same payload once more, as Slack does when an acknowledgement got lost."""
        return self.deliverer.send(delivery.kind, delivery.payload)

    def use_trigger(self, trigger: str) -> None:
        """Spend a trigger id.

        Raises:
            ApiError: it is unknown, used, or too old.
        """
        if trigger not in self._triggers:
            raise ApiError("invalid_trigger_id")
        if time.monotonic() - self._triggers.pop(trigger) > TRIGGER_LIFE:
            raise ApiError("expired_trigger_id")

    @abstractmethod
    def _response_url(self, channel: str, user: str, ts: str = "") -> str:
        """Where an app may answer; the server knows its own address."""

    def _interactive(self, user: str) -> Json:
        trigger = uuid4().hex
        self._triggers[trigger] = time.monotonic()
        return {
            "token": self.verification,
            "team": {"id": self.world.team, "domain": "fake"},
            "api_app_id": self.world.app["app_id"],
            "trigger_id": trigger,
        }

    def _message_event(self, place: Channel, message: Message) -> Json:
        return {
            **message.payload(self.world.app),
            "channel": place.id,
            "channel_type": place.kind,
            "event_ts": message.ts,
            "team": self.world.users[message.user].team or self.world.team
            if message.user in self.world.users
            else self.world.team,
        }

    def _about(self, message: Message, subtype: str, details: Json) -> None:
        place = self.world.channels[message.channel]
        self.event(
            {
                "type": "message",
                "subtype": subtype,
                "channel": place.id,
                "channel_type": place.kind,
                "hidden": True,
                "ts": self.world.new_ts(),
                "event_ts": self.world.new_ts(),
                **details,
            }
        )

    def _place(self, channel: str, user: str = "") -> Channel:
        """A channel by id; `dm` is the direct conversation of the person with the bot."""
        if channel == "dm":
            return self.world.direct(user)
        return self.world.channels[channel]

    def _with_action(self, action_id: str, channel: str, user: str, ts: str) -> Message:
        visible = [m for m in self.world.ephemerals if m.visible_to == user]
        visible += self.world.messages.values()
        for message in sorted(visible, key=lambda m: m.ts, reverse=True):
            right = message.channel == channel and ts in ("", message.ts)
            if right and _action(message.blocks, action_id) is not None:
                return message
        raise LookupError(f"there is no {action_id} to press in {channel} {ts}")


def _action(value: Any, action_id: str) -> Json | None:
    """The element of blocks that has this action id; a pattern may end in `*`."""
    if isinstance(value, list):
        return next(filter(None, (_action(each, action_id) for each in value)), None)
    if isinstance(value, dict):
        own = str(value.get("action_id", ""))
        if own and fnmatchcase(own, action_id):
            return value
        return _action(list(value.values()), action_id)
    return None
