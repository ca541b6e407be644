"""chat.startStream, appendStream and stopStream as a state machine with Slack's limits.

A stream is open until it is stopped, has lived `life` seconds, or its reader pressed stop; an open
one refuses `chat.update` and `chat.delete`, a closed one refuses `append` and `stop`.
"""

from __future__ import annotations

import time

from bot.testing.fake_slack.checking import ApiError, checked_blocks, need
from bot.testing.fake_slack.world import Channel, Json, Message, Stream, World

CALL_LIMIT = 12_000  # characters of Markdown in one call
LIFE = 300.0  # seconds, even while it is written to
SIZE = 10_600  # bytes of UTF-8 in one stream: the least that was measured


class Streams:
    """The streams of a workspace."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.life = LIFE
        self.size = SIZE

    def start(self, channel: Channel, arguments: Json) -> Message:
        """Begin a message in a thread."""
        need(arguments, "thread_ts")
        if channel.kind != "im":
            need(arguments, "recipient_team_id", "missing_recipient_team_id")
            need(arguments, "recipient_user_id", "missing_recipient_user_id")
        text = self._text(arguments)
        message = Message(
            channel=channel.id,
            ts=self._world.new_ts(),
            user=self._world.bot_user,
            by_app=True,
            thread_ts=str(arguments["thread_ts"]),
            stream=Stream(
                begun=time.monotonic(), recipient=str(arguments.get("recipient_user_id", ""))
            ),
        )
        self._write(message, text)
        return self._world.add(message)

    def append(self, arguments: Json) -> Message:
        message = self._open(arguments)
        text = self._text(arguments)
        if not text and not arguments.get("chunks"):
            raise ApiError("no_text")
        self._write(message, text)
        message.writes += 1
        return message

    def stop(self, arguments: Json) -> Message:
        message = self._open(arguments)
        text = self._text(arguments)
        blocks = checked_blocks(arguments.get("blocks"), also=message.markdown + text)
        self._write(message, text)
        message.blocks = blocks
        message.metadata = arguments.get("metadata") or message.metadata
        message.stream = None
        message.writes += 1
        return message

    def expire(self, message: Message) -> None:
        """Close what is too old, as Slack does in the background."""
        if message.stream and time.monotonic() - message.stream.begun > self.life:
            message.stream = None

    def _open(self, arguments: Json) -> Message:
        need(arguments, "ts")
        key = (str(arguments.get("channel")), str(arguments["ts"]))
        message = self._world.messages.get(key)
        if message is None:
            raise ApiError("message_not_found")
        if not message.by_app:
            raise ApiError("message_not_owned_by_app")
        self.expire(message)
        if message.stream is None:
            raise ApiError("message_not_in_streaming_state")
        return message

    def _write(self, message: Message, text: str) -> None:
        assert message.stream is not None
        written = message.stream.written + len(text.encode())
        if written > self.size:
            raise ApiError("msg_too_long")
        message.stream.written = written
        message.markdown += text

    def _text(self, arguments: Json) -> str:
        text = str(arguments.get("markdown_text") or "")
        for chunk in arguments.get("chunks") or ():
            if not isinstance(chunk, dict) or "type" not in chunk:
                raise ApiError("invalid_chunks")
            if chunk["type"] == "markdown_text":
                text += str(chunk["text"])
        if len(text) > CALL_LIMIT:
            raise ApiError("msg_too_long")
        return text
