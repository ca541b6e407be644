"""What a worker does with a stored message: answer it once, whatever happened to those before."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from bot import record
from bot.conversation import APOLOGY
from bot.dispatch import describe
from bot.errors import BotError, DatabaseError, UsageError
from bot.turn import Answer, Conversation, Event, Failed, Outcome, Principal, TextDelta, Turn
from bot_slack import blocks, buttons, overview, private
from bot_slack.attempts import Attempts, Overtaken
from bot_slack.calls import LOST, Calls, explained, passing, reason
from bot_slack.conversations import Identity
from bot_slack.limits import Limiter
from bot_slack.places import Thread, adopt, unknown
from bot_slack.questions import Gone, Questions
from bot_slack.settings import SlackSettings
from bot_slack.status import Status
from bot_slack.stream import Removed, Writer, Written, remove

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from bot import Bot
    from bot.inbox import Claimed, Inbox

log = logging.getLogger(__name__)

TRIES = 5  # attempts at one answer whose workers die over it, until it is apologised for
FILES = "I cannot read files yet, so I have left the attached ones out."
STOPPED = "Stopped."
AGAIN = "is taking this up again …"
WORKING = "is looking it up …"

# Slack takes nothing there any more, so nobody can be told anything.
_UNREACHABLE = frozenset(
    "channel_not_found not_in_channel is_archived thread_not_found user_not_found"
    " cannot_reply_to_message restricted_action message_not_found".split()
)


class Answering:
    """Answers the messages of the inbox, in this process.

    Args:
        client: makes calls that write, once each.
        reading: makes calls that only read, again when they fail.
    """

    def __init__(
        self,
        bot: Bot,
        inbox: Inbox,
        client: AsyncWebClient,
        reading: AsyncWebClient,
        me: Identity,
        settings: SlackSettings,
    ) -> None:
        self.client = client
        self.reading = reading
        self.me = me
        self.bot = bot
        self.inbox = inbox
        self.settings = settings
        self.questions = Questions(inbox, reading, me, settings)
        self.limiter = Limiter(inbox.database, me.team, settings.rate)
        self._attempts = Attempts(inbox)

    async def aclose(self) -> None:
        """Stop watching."""
        await self._attempts.aclose()

    async def next(self, key: str, *, last: bool) -> None:
        """Answer the next message of a conversation, if there is one.

        Args:
            last: nobody will try again: whatever happens, the message is done with.

        Raises:
            Exception: Slack or the database cannot be reached; the job is to be tried again.
        """
        claimed = await self.inbox.claim(key)
        if claimed is None:
            return
        overtaken, stopped = self._attempts.add(claimed)
        work = asyncio.create_task(self._end(claimed, stopped, last))
        watch = asyncio.create_task(overtaken.wait())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.info("turn %s goes on elsewhere", claimed.turn)
                return
            await work
        except Overtaken:
            log.info("turn %s goes on elsewhere", claimed.turn)
        finally:
            self._attempts.remove(claimed)
            for one in (work, watch):
                one.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _end(self, claimed: Claimed, stopped: asyncio.Event, last: bool) -> None:
        """Do what a message asks for, and record how it ended."""
        try:
            outcome = await self._do(claimed, stopped)
        except (Overtaken, asyncio.CancelledError):
            raise
        except Removed:
            outcome = "disowned"
        except Exception as error:
            said = reason(error)
            if passing(error) and not last:
                if said in LOST:
                    log.error("turn %s waits: %s", claimed.turn, explained(error))
                raise
            log.error("turn %s could not be delivered: %s", claimed.turn, said or describe(error))
            outcome = "undelivered"
        await self.inbox.done(claimed, outcome)

    async def _do(self, claimed: Claimed, stopped: asyncio.Event) -> str:
        fence = self._attempts.fence(claimed)
        attempt = Attempt(self, claimed, fence, stopped)
        if claimed.removal:
            return await attempt.retract()
        match claimed.kind:
            case "publish":
                return await buttons.publish(attempt)
            case "handover":
                return await buttons.hand_over(attempt)
        try:
            return await attempt.answer()
        except Gone:
            return "retracted"
        finally:
            await attempt.survived()


class Attempt:
    """One attempt at one message."""

    def __init__(
        self,
        of: Answering,
        claimed: Claimed,
        fence: Callable[[], Awaitable[None]],
        stopped: asyncio.Event,
    ) -> None:
        self.of = of
        self.claimed = claimed
        self.fence = fence
        self.calls = Calls(of.client, of.limiter, fence)
        self.thread = Thread(
            team=claimed.team,
            channel=claimed.room,
            ts="" if ":" in claimed.thread else claimed.thread,
            user=claimed.author,
            after=claimed.ts or "",
        )
        self.answers = list(claimed.answers)
        self._counted = False
        self._stopped = stopped
        self._private = bool(claimed.details.get("private"))

    async def answer(self) -> str:
        """Answer a question, or say why not."""
        questions, claimed = self.of.questions, self.claimed
        if claimed.disowned:
            raise Removed
        asked = await questions.text(claimed)
        if claimed.attempt > 1 and not self._private:
            await self.take_over()
        status = Status(self.calls, self.thread)
        if self.thread.ts and not self._private:
            status.show(WORKING if claimed.attempt == 1 else AGAIN)
        try:
            written = await self._answered(asked)
            streamed = written.streamed if isinstance(written, Written) else False
            await status.clear(streamed=streamed)
        finally:
            status.cancel()
        if isinstance(written, str):
            return written
        return written.answer.outcome.value if written.answer else "stopped"

    async def _answered(self, asked: str) -> Written | str:
        """Write what belongs in the thread; what became of it, or the outcome of a sentence."""
        claimed, questions = self.claimed, self.of.questions
        assistant = self.of.settings.room(claimed.room).assistant
        try:
            refused, quietly = await questions.refusal(claimed, asked)
            if refused:
                await self.say(refused, quietly=quietly)
                return "refused"
            principals = await questions.principals(claimed)
            await questions.overhear(claimed, assistant)
            await self._count()
            events = await self._events(asked, assistant, principals)
            if self._private:
                return await private.write(self, events)
            return await self.writer().write(events, self._stopped)
        except UsageError as error:  # who may not ask this assistant
            await self.say(str(error).partition(";")[0].rstrip(".") + ".", quietly=True)
            return "refused"
        except (Overtaken, Removed):
            raise
        except Exception as error:
            if passing(error) or reason(error) in _UNREACHABLE:
                raise
            if not isinstance(error, (BotError, SlackApiError)):
                log.exception("a defect in answering turn %s", claimed.turn)
            await self._apologise(assistant, asked, explained(error) or describe(error))
            return "failed"

    async def _events(
        self, asked: str, assistant: str, principals: frozenset[Principal]
    ) -> AsyncGenerator[Event]:
        """Let the bot answer; what the app itself suggests to ask is answered here."""
        claimed, bot = self.claimed, self.of.bot
        author = f"{claimed.team}/{claimed.author}"
        options: dict[str, Any] = {
            "assistant": assistant, "principals": principals, "channel": claimed.channel,
            "conversation": claimed.key, "author": author, "turn_id": claimed.turn,
            "attempt": claimed.attempt,
        }  # fmt: skip
        if suggested := overview.asks(asked):
            turn = await bot.turn(asked, **options)
            if not await overview.is_curated(bot, turn):
                return overview.events(bot, turn, author, suggested)
        return bot.reply(asked, **options)

    def writer(self) -> Writer:
        """Make the writer of this answer."""
        return Writer(
            self.calls,
            self.thread,
            wrote=self.wrote,
            adopt=self.adopt,
            ending=self._ending,
            old=self.answers,
        )

    async def say(self, text: str, *, quietly: bool = False) -> None:
        """Answer with a sentence of ours; quietly: only who asked sees it."""
        if self._private or (quietly and not self.thread.direct):
            await private.post(self, text, [])
            return
        writer = self.writer()
        writer.ending = lambda _: []
        await writer.write(_sentence(text))

    async def retract(self) -> str:
        """Take the answer to a deleted question back, and forget every text of it."""
        if not self._private:
            await self.take_over()
        for ts in self.answers:
            await remove(self.calls, self.claimed.room, ts)
        if self.answers:
            await self.wrote([])
        await self.of.inbox.blank(self.claimed.turn)
        return "retracted"

    # -- what is known of the answer's messages ---------------------------------------------------

    async def wrote(self, answers: list[str]) -> None:
        """Record the messages of the answer.

        Raises:
            Overtaken: somebody else writes it now.
        """
        self.answers = list(answers)
        if not await self.of.inbox.wrote(self.claimed, answers):
            raise Overtaken

    async def adopt(self, own: list[str]) -> str:
        """Find a message that a call of ours may have posted; empty when it has not."""
        return await adopt(self, own)

    async def take_over(self) -> None:
        """Learn what an attempt before this one has posted without recording it."""
        if self.thread.ts and (found := await unknown(self, self.answers)):
            await self.wrote([*self.answers, *found])

    # -- what ends an answer ----------------------------------------------------------------------

    def _ending(self, written: Written) -> list[blocks.Block]:
        notes = [FILES] if self.claimed.details.get("files") else []
        if written.answer is None:
            return [blocks.context(*notes, STOPPED)]
        handover = self.of.settings.handover is not None
        below = blocks.ending(written.answer, handover=handover)
        return [*([blocks.context(*notes)] if notes else []), *below]

    async def _count(self) -> None:
        """Give up what workers have died over again and again.

        Raises:
            BotError: this is one attempt too many.
        """
        if self.claimed.attempt > 1:
            counted = await self.of.inbox.ask("trying", self.claimed)
            self._counted = True
            if counted.get("tries", 0) > TRIES:
                raise BotError(
                    f"The answer was begun {TRIES} times, and each time its worker died."
                )

    async def survived(self) -> None:
        """However this attempt ended, its worker did not die over it."""
        if self._counted:
            with suppress(DatabaseError):
                await self.of.inbox.ask("survived", self.claimed)

    async def _apologise(self, assistant: str, asked: str, error: str) -> None:
        """Apologise with a reference, and keep what an operator will want to know."""
        claimed = self.claimed
        log.error("turn %s failed: %s", claimed.turn, error)
        turn = Turn(
            id=claimed.turn,
            question=asked,
            assistant=self.of.bot.assistant(assistant),
            conversation=Conversation(channel=claimed.channel, key=claimed.key),
            attempt=claimed.attempt,
        )
        answer = Answer(turn=turn.id, outcome=Outcome.failed, text="", error=error)
        await record.start(self.of.inbox.database, turn, f"{claimed.team}/{claimed.author}")
        await record.finish(self.of.inbox.database, turn, answer)
        text = APOLOGY.format(id=turn.id)
        if self._private:
            await private.post(self, text, blocks.ending(answer))
        else:
            await self.writer().write(_failed(text, answer))


async def _sentence(text: str) -> AsyncGenerator[Event]:
    yield TextDelta(text)


async def _failed(text: str, answer: Answer) -> AsyncGenerator[Event]:
    yield Failed(text, answer.turn, answer)
