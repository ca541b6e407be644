"""One answer on its way into one thread: streamed while it comes, complete in the end.

A message begins with the first sentence or after half a second, grows at the pace that the rate
limits leave, and is followed by another before Slack would close it. Whatever goes wrong on the
way is put right at the end: a stream that Slack closed, or of which nobody knows how much arrived,
is written whole with chat.update, and without a stream the answer is one plain post.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from slack_sdk.errors import SlackApiError

from bot.turn import Answer, Event, Failed, Finished, Passage, Status, TextDelta
from bot_slack.blocks import Block, markdown, summary
from bot_slack.calls import PATIENCE, WAIT, Busy, Calls, Unsure, reason
from bot_slack.draft import Draft
from bot_slack.links import Links
from bot_slack.places import Thread
from bot_slack.render import Cleaner, clean

log = logging.getLogger(__name__)

FIRST = 0.5  # seconds that the first words may wait for their sentence
PACE = 0.7  # seconds between two additions to a message
LIFE = 240.0  # seconds after which a message is followed by another: Slack closes it after 300
SOON = 5.0  # seconds that a message which is complete waits for its turn to be closed

_CLOSED = frozenset({"message_not_in_streaming_state"})
_DELETED = frozenset({"message_not_found", "cant_update_message"})
_BAD_BLOCKS = frozenset("invalid_blocks invalid_blocks_format msg_blocks_too_long".split())


class Removed(Exception):
    """Somebody has deleted the answer; that is respected."""


@dataclass(kw_only=True)
class Part:
    """One message of the answer.

    Attributes:
        sent: how many characters of the draft it holds, if `certain`.
        open: it is a stream that has not been closed.
    """

    ts: str
    sent: int = 0
    open: bool = False
    certain: bool = False
    begun: float = 0.0


@dataclass(kw_only=True)
class Written:
    """What has become of an answer.

    Attributes:
        answer: None when it was stopped before its end.
        passages: what the prompt held.
        streamed: Slack knows from its last message that the answer is complete.
    """

    answer: Answer | None = None
    passages: Sequence[Passage] = ()
    streamed: bool = False
    parts: list[Part] = field(default_factory=list)


class Writer:
    """Writes one answer into one thread; nobody else may write it meanwhile.

    Args:
        wrote: called with the timestamps of the answer's messages whenever there is a new one.
        adopt: finds a message of ours in the thread that nobody has recorded; it is asked when a
            call may have posted one.
        old: what an earlier attempt, or the answer before an edit, has written.
        ending: the blocks below the text.
    """

    def __init__(
        self,
        calls: Calls,
        thread: Thread,
        *,
        wrote: Callable[[list[str]], Awaitable[None]],
        adopt: Callable[[list[str]], Awaitable[str]],
        ending: Callable[[Written], list[Block]],
        old: Sequence[str] = (),
    ) -> None:
        self._calls = calls
        self._thread = thread
        self._wrote = wrote
        self._adopt = adopt
        self.ending = ending
        self._live = not old
        self._written = Written(parts=[Part(ts=ts) for ts in old])
        self._parts = self._written.parts
        self._draft = Draft()
        self._cleaner = Cleaner()
        self._changed = asyncio.Event()
        self._begun = 0.0  # when the first text came
        self._flushed = 0.0

    async def write(
        self, events: AsyncGenerator[Event], stopped: asyncio.Event | None = None
    ) -> Written:
        """Write the answer that these events make; `stopped` ends it early.

        Raises:
            Removed: somebody deleted it meanwhile.
            Busy, Unsure, OSError: Slack cannot be reached for now.
            SlackApiError: Slack refuses, and will refuse again.
        """
        stopped = stopped or asyncio.Event()
        waking = asyncio.create_task(self._wake(stopped))
        reading = asyncio.create_task(self._read(events))
        reading.add_done_callback(lambda _: self._changed.set())

        def ended() -> bool:
            return reading.done() or stopped.is_set()

        try:
            while not ended():
                await self._changed.wait()
                self._changed.clear()
                if self._live and self._draft.parts and not ended():
                    await self._rest(ended)
                    await self._flush()
            if reading.done():
                reading.result()
        finally:
            for task in (waking, reading):
                task.cancel()
            await asyncio.gather(waking, reading, return_exceptions=True)
        self._draft.add(self._cleaner.end())
        await self._finish()
        return self._written

    async def _wake(self, stopped: asyncio.Event) -> None:
        await stopped.wait()
        self._changed.set()

    # -- reading --------------------------------------------------------------------------------

    async def _read(self, events: AsyncGenerator[Event]) -> None:
        async with aclosing(events) as items:
            async for event in items:
                match event:
                    case Status(passages=passages) if passages:
                        self._written.passages = passages
                        self._cleaner.links = Links(passages)
                    case TextDelta(text):
                        self._begun = self._begun or time.monotonic()
                        self._draft.add(self._cleaner.feed(text))
                        self._changed.set()
                    case Finished(answer):
                        self._written.answer = answer
                    case Failed(text, _, answer):
                        self._written.answer = answer
                        self._apologise(text)

    def _apologise(self, text: str) -> None:
        self._draft.add(self._cleaner.end())
        self._cleaner = Cleaner()
        self._draft.add([("\n\n" if self._draft.parts else "") + clean(text)])

    async def _rest(self, ended: Callable[[], bool]) -> None:
        """Keep the pace; a first sentence is shown at once."""
        first = not self._parts
        until = (self._begun if first else self._flushed) + (FIRST if first else PACE)
        while (left := until - time.monotonic()) > 0:
            if ended() or (first and self._draft.begun()):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), left)
            self._changed.clear()

    # -- streaming ------------------------------------------------------------------------------

    async def _flush(self) -> None:
        """Bring what is new into Slack, as far as the limits leave room for it now."""
        self._flushed = time.monotonic()
        if self._parts and self._parts[-1].begun + LIFE < time.monotonic():
            self._draft.cut()
        number = 0
        while self._live and number < len(self._draft.parts):
            text = self._draft.parts[number]
            if number == len(self._parts):
                if not await self._start(text):
                    return
            elif not await self._append(self._parts[number], text):
                return
            part, following = self._parts[number], number < len(self._draft.parts) - 1
            if following and part.sent < len(self._draft.parts[number]):
                continue  # its last words have come meanwhile
            if following and part.open:
                await self._stop(part, "", [], last=False, patience=SOON)
            number += 1

    async def _start(self, text: str) -> bool:
        thread = self._thread
        recipient = {"recipient_team_id": thread.team, "recipient_user_id": thread.user}
        try:
            arguments = {
                "channel": thread.channel,
                "thread_ts": thread.ts,
                "markdown_text": text,
                **(recipient if not thread.direct else {}),
            }
            ts = str((await self._calls("chat.startStream", arguments, patience=0))["ts"])
        except (Busy, OSError):
            self._live = False  # the whole of it is posted in the end
            return False
        except Unsure:
            ts = await self._adopt(self._ts)
            if not ts:
                self._live = False
                return False
        except SlackApiError as error:
            log.info("no stream (%s), so the answer is posted when it is complete", reason(error))
            self._live = False
            return False
        now = time.monotonic()
        await self._add(Part(ts=ts, sent=len(text), open=True, certain=True, begun=now))
        return True

    async def _append(self, part: Part, text: str) -> bool:
        """Add what is new; False when that has to wait."""
        if not (new := text[part.sent :]):
            return True
        if not part.open or not part.certain:
            return False
        try:
            place = {"channel": self._thread.channel, "ts": part.ts}
            await self._calls("chat.appendStream", {**place, "markdown_text": new}, patience=0)
        except Busy:
            self._changed.set()  # it is still to be written
            return False
        except (Unsure, OSError):
            part.certain = self._live = False
            return False
        except SlackApiError as error:
            _respect(error)
            part.open = reason(error) not in _CLOSED
            part.certain = self._live = False
            return False
        part.sent = len(text)
        return True

    # -- the end --------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Make every message say what it should, and the last one carry the ending."""
        ending = self.ending(self._written)
        texts = self._draft.parts or [""]
        for number, text in enumerate(texts):
            last = number == len(texts) - 1
            blocks = ending if last else []
            if number < len(self._parts):
                await self._complete(self._parts[number], text, blocks, last=last)
            else:
                await self._post(text, blocks)
        for part in self._parts[len(texts) :]:
            await remove(self._calls, self._thread.channel, part.ts)
        if len(self._parts) > len(texts):
            del self._parts[len(texts) :]
            await self._wrote(self._ts)

    async def _complete(self, part: Part, text: str, blocks: list[Block], *, last: bool) -> None:
        if part.open and part.certain:
            if await self._stop(part, text[part.sent :], blocks, last=last):
                return
        elif part.certain and part.sent == len(text) and not blocks:
            return
        await self._update(part, text, blocks)

    async def _stop(
        self, part: Part, new: str, blocks: list[Block], *, last: bool, patience: float = 60.0
    ) -> bool:
        """Close a stream; False when its message has to be written whole."""
        arguments = {
            "channel": self._thread.channel,
            "ts": part.ts,
            **({"markdown_text": new} if new else {}),
            **({"blocks": blocks} if blocks else {}),
            **({"session_status": "active"} if last else {}),
        }
        try:
            await self._calls("chat.stopStream", arguments, patience=patience)
        except Busy:
            return False
        except Unsure:
            part.certain = False
            return False
        except SlackApiError as error:
            _respect(error)
            log.info("a stream could not be closed (%s), so it is written whole", reason(error))
            part.certain = False
            part.open = reason(error) not in _CLOSED
            return False
        part.open = False
        part.sent += len(new)
        self._written.streamed = last
        return True

    async def _update(self, part: Part, text: str, blocks: list[Block]) -> None:
        place = {"channel": self._thread.channel, "ts": part.ts}
        for closed in (False, True):
            try:
                await self._say("chat.update", text, blocks, place)
                break
            except SlackApiError as error:
                _respect(error)
                if closed or reason(error) != "streaming_state_conflict":
                    raise
            await _close(self._calls, place)
        part.open = False

    async def _post(self, text: str, blocks: list[Block]) -> None:
        thread = self._thread
        place: dict[str, object] = {"unfurl_links": False, "unfurl_media": False}
        place |= {"channel": thread.channel} | ({"thread_ts": thread.ts} if thread.ts else {})
        while True:
            try:
                said = await self._say("chat.postMessage", text, blocks, place)
                await self._add(Part(ts=said))
                return
            except Unsure:
                found = await self._adopt(self._ts)
            if found:
                await self._add(Part(ts=found))
                await self._update(self._parts[-1], text, blocks)
                return

    async def _say(
        self, method: str, text: str, blocks: list[Block], place: Mapping[str, object]
    ) -> str:
        whole = [*([markdown(text)] if text else []), *blocks]
        try:
            said = await self._calls(method, {"text": summary(text), "blocks": whole, **place})
        except SlackApiError as error:
            if reason(error) not in _BAD_BLOCKS:
                raise
            log.error("Slack refuses the blocks of an answer: %s", error.response.data)
            said = await self._calls(method, {"markdown_text": text or "…", **place})
        return str(said["ts"])

    # -- what is known --------------------------------------------------------------------------

    @property
    def _ts(self) -> list[str]:
        return [part.ts for part in self._parts]

    async def _add(self, part: Part) -> None:
        self._parts.append(part)
        await self._wrote(self._ts)


async def remove(calls: Calls, channel: str, ts: str) -> None:
    """Delete a message of ours, should it still be there."""
    place = {"channel": channel, "ts": ts}
    for closed in (False, True):
        try:
            await calls("chat.delete", place)
            return
        except SlackApiError as error:
            if reason(error) in _DELETED:
                return
            if closed or reason(error) != "cant_delete_message":  # a stream is still open
                raise
        await _close(calls, place)


async def _close(calls: Calls, place: Mapping[str, object]) -> None:
    """Close a stream; asked again, one that is closed says so."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            await calls("chat.stopStream", place)
        except Unsure:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(WAIT)
            continue
        except SlackApiError as error:
            if reason(error) not in _CLOSED | _DELETED:
                raise
        return


def _respect(error: Exception) -> None:
    if reason(error) in _DELETED:
        raise Removed from error
