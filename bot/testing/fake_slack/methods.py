"""The Web API's methods, by name: arguments in, Slack's answer out, or `ApiError`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from bot.testing.fake_slack.checking import ApiError, checked_blocks, checked_view, need
from bot.testing.fake_slack.world import Channel, Json, Message

if TYPE_CHECKING:
    from bot.testing.fake_slack.server import FakeSlack

Function: TypeAlias = Callable[["FakeSlack", Json], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class Method:
    """One method: what it does, and the scope that a bot token needs for it."""

    run: Function
    scope: str = ""


METHODS: dict[str, Method] = {}


def method(name: str, scope: str = "") -> Callable[[Function], Function]:
    """Register a method."""

    def register(function: Function) -> Function:
        METHODS[name] = Method(function, scope)
        return function

    return register


# -- messages -----------------------------------------------------------------------------------


@method("chat.postMessage", "chat:write")
async def post(slack: FakeSlack, arguments: Json) -> Json:
    channel = writable(slack, arguments)
    message = _message(slack, channel, arguments)
    slack.world.add(message)
    await slack.echo(message)
    return {"channel": channel.id, "ts": message.ts, "message": message.payload(slack.world.app)}


@method("chat.postEphemeral", "chat:write")
async def post_ephemeral(slack: FakeSlack, arguments: Json) -> Json:
    channel = writable(slack, arguments)
    user = need(arguments, "user")
    if channel.members and user not in channel.members:
        raise ApiError("user_not_in_channel")
    message = _message(slack, channel, arguments)
    message.visible_to = user
    slack.world.add(message)
    return {"message_ts": message.ts}


@method("chat.update", "chat:write")
async def update(slack: FakeSlack, arguments: Json) -> Json:
    message = own(slack, arguments)
    if message.stream is not None:
        raise ApiError("streaming_state_conflict")
    text, markdown = arguments.get("text"), arguments.get("markdown_text")
    if markdown and (text or arguments.get("blocks")):
        raise ApiError("markdown_text_conflict")
    blocks = checked_blocks(arguments.get("blocks"))
    if text is None and markdown is None and not blocks:
        raise ApiError("no_text")
    message.text, message.markdown = str(text or ""), str(markdown or "")
    if blocks or markdown or arguments.get("blocks") == []:
        message.blocks = blocks
    message.metadata = arguments.get("metadata") or message.metadata
    message.edited = True
    message.writes += 1
    await slack.changed(message)
    return {"channel": message.channel, "ts": message.ts, "text": message.text}


@method("chat.delete", "chat:write")
async def delete(slack: FakeSlack, arguments: Json) -> Json:
    message = own(slack, arguments)
    if message.stream is not None:
        raise ApiError("cant_delete_message")
    await slack.removed(message)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.getPermalink")
async def permalink(slack: FakeSlack, arguments: Json) -> Json:
    channel, ts = need(arguments, "channel"), need(arguments, "message_ts")
    if (channel, ts) not in slack.world.messages:
        raise ApiError("message_not_found")
    link = f"https://fake.slack.com/archives/{channel}/p{ts.replace('.', '')}"
    return {"channel": channel, "permalink": link}


@method("chat.startStream", "chat:write")
async def start_stream(slack: FakeSlack, arguments: Json) -> Json:
    message = slack.streams.start(writable(slack, arguments), arguments)
    await slack.echo(message)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.appendStream", "chat:write")
async def append_stream(slack: FakeSlack, arguments: Json) -> Json:
    message = slack.streams.append(arguments)
    return {"channel": message.channel, "ts": message.ts}


@method("chat.stopStream", "chat:write")
async def stop_stream(slack: FakeSlack, arguments: Json) -> Json:
    message = slack.streams.stop(arguments)
    if status := arguments.get("session_status"):
        slack.world.statuses.setdefault((message.channel, message.thread), []).append(
            {"status": status}
        )
    await slack.changed(message)
    return {
        "channel": message.channel,
        "ts": message.ts,
        "message": message.payload(slack.world.app),
    }


@method("reactions.add", "reactions:write")
async def react(slack: FakeSlack, arguments: Json) -> Json:
    message = _found(slack, need(arguments, "channel"), need(arguments, "timestamp"))
    name = need(arguments, "name")
    if name in message.reactions:
        raise ApiError("already_reacted")
    message.reactions.add(name)
    return {}


@method("reactions.remove", "reactions:write")
async def unreact(slack: FakeSlack, arguments: Json) -> Json:
    message = _found(slack, need(arguments, "channel"), need(arguments, "timestamp"))
    if arguments.get("name") not in message.reactions:
        raise ApiError("no_reaction")
    message.reactions.discard(str(arguments["name"]))
    return {}


# -- sessions, prompts, views -------------------------------------------------------------------


@method("agents.sessions.setStatus", "chat:write")
async def session_status(slack: FakeSlack, arguments: Json) -> Json:
    status = need(arguments, "status")
    if status not in ("processing", "active", "suspended", "closed"):
        raise ApiError("invalid_status")
    return _status(slack, need(arguments, "channel_id"), arguments)


@method("agents.sessions.rename", "chat:write")
async def session_rename(slack: FakeSlack, arguments: Json) -> Json:
    need(arguments, "title")
    return _status(slack, need(arguments, "channel_id"), arguments)


@method("assistant.threads.setStatus", "chat:write")
async def thread_status(slack: FakeSlack, arguments: Json) -> Json:
    if len(arguments.get("loading_messages") or ()) > 10:
        raise ApiError("invalid_arguments")
    return _status(slack, need(arguments, "channel_id"), arguments)


@method("assistant.threads.setTitle", "assistant:write")
async def thread_title(slack: FakeSlack, arguments: Json) -> Json:
    return _status(slack, need(arguments, "channel_id"), arguments)


@method("assistant.threads.setSuggestedPrompts", "assistant:write")
async def suggested_prompts(slack: FakeSlack, arguments: Json) -> Json:
    prompts = arguments.get("prompts") or []
    if not 0 < len(prompts) <= 4:
        raise ApiError("invalid_arguments")
    return _status(slack, need(arguments, "channel_id"), arguments)


@method("views.publish")
async def publish(slack: FakeSlack, arguments: Json) -> Json:
    view = checked_view(arguments.get("view"))
    found = {**view, "id": f"V{slack.world.number()}"}
    slack.world.views[f"home:{need(arguments, 'user_id')}"] = found
    return {"view": found}


@method("views.open")
async def open_view(slack: FakeSlack, arguments: Json) -> Json:
    slack.use_trigger(need(arguments, "trigger_id"))
    found = {**checked_view(arguments.get("view")), "id": f"V{slack.world.number()}"}
    slack.world.views[found["id"]] = found
    return {"view": found}


@method("views.update")
async def update_view(slack: FakeSlack, arguments: Json) -> Json:
    id_ = need(arguments, "view_id")
    if id_ not in slack.world.views:
        raise ApiError("not_found")
    found = {**checked_view(arguments.get("view")), "id": id_}
    slack.world.views[id_] = found
    return {"view": found}


# -- shared by the methods ----------------------------------------------------------------------


def readable(slack: FakeSlack, arguments: Json) -> Channel:
    """The channel of a call, which the bot must be in."""
    channel = slack.world.channels.get(need(arguments, "channel", "channel_not_found"))
    if channel is None or (channel.kind != "channel" and not channel.bot_in):
        raise ApiError("channel_not_found")
    return channel


def writable(slack: FakeSlack, arguments: Json) -> Channel:
    given = str(arguments.get("channel", ""))
    if given in slack.world.users:
        return slack.world.direct(given)
    channel = readable(slack, arguments)
    if channel.archived:
        raise ApiError("is_archived")
    if not channel.bot_in:
        raise ApiError("not_in_channel")
    return channel


def own(slack: FakeSlack, arguments: Json) -> Message:
    """The app's own message that a call is about."""
    message = _found(slack, need(arguments, "channel"), need(arguments, "ts"))
    if not message.by_app:
        raise ApiError("cant_update_message")
    slack.streams.expire(message)
    return message


def _found(slack: FakeSlack, channel: str, ts: str) -> Message:
    message = slack.world.messages.get((channel, ts))
    if message is None:
        raise ApiError("message_not_found")
    return message


def _message(slack: FakeSlack, channel: Channel, arguments: Json) -> Message:
    text, markdown = arguments.get("text"), arguments.get("markdown_text")
    if markdown and (text or arguments.get("blocks")):
        raise ApiError("markdown_text_conflict")
    if len(str(markdown or "")) > 12_000:
        raise ApiError("msg_too_long")
    blocks = checked_blocks(arguments.get("blocks"))
    if not text and not markdown and not blocks:
        raise ApiError("no_text")
    return Message(
        channel=channel.id,
        ts=slack.world.new_ts(),
        user=slack.world.bot_user,
        by_app=True,
        text=str(text or "")[:40_000],
        markdown=str(markdown or ""),
        blocks=blocks,
        thread_ts=str(arguments.get("thread_ts") or ""),
        metadata=arguments.get("metadata"),
        unfurl=_truth(arguments, "unfurl_links") or _truth(arguments, "unfurl_media"),
    )


def _truth(arguments: Json, name: str) -> bool:
    return str(arguments.get(name, True)).lower() not in ("false", "0")


def _status(slack: FakeSlack, channel: str, arguments: Json) -> Json:
    if channel not in slack.world.channels:
        raise ApiError("channel_not_found")
    noted: dict[str, Any] = {k: v for k, v in arguments.items() if k not in ("token", "channel_id")}
    key = (channel, str(arguments.get("thread_ts") or ""))
    slack.world.statuses.setdefault(key, []).append(noted)
    return {}
