"""What the buttons under an answer ask of a worker: show it to everybody, or ask a person."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackApiError

from bot import record
from bot.errors import NotFound
from bot.turn import Answer, Citation, Event, Finished, Outcome, Passage, Status, TextDelta
from bot_slack import blocks, private
from bot_slack.attempts import Overtaken
from bot_slack.calls import reason
from bot_slack.mrkdwn import mrkdwn
from bot_slack.render import plain

if TYPE_CHECKING:
    from bot_slack.answering import Attempt

log = logging.getLogger(__name__)

LOOKED_AT = 5  # documents that a person is shown besides the question
GONE = "That answer has been deleted."
OTHERS = "Only the person who asked can do this."
NOT_PUBLIC = (
    "The answer rests on documents that not everybody in this channel may read, "
    "so I do not show it here."
)
NOT_HERE = "I am not in this channel, so I cannot post there; invite me and ask again."


async def publish(attempt: Attempt) -> str:
    """Post an answer that one person saw, for everybody in its channel."""
    found = await _recorded(attempt)
    if isinstance(found, str):
        await private.post(attempt, found, [])
        return "refused"
    if attempt.claimed.attempt > 1:
        await attempt.take_over()
    everybody = private.listeners(attempt, attempt.claimed.room)
    citations = [Citation(**{**c, "readers": frozenset(c["readers"])}) for c in found["citations"]]
    if not all(everybody & citation.readers for citation in citations):
        await private.post(attempt, NOT_PUBLIC, [])
        return "refused"
    answer = Answer(
        turn=found["id"],
        outcome=Outcome(found["outcome"]),
        text=found["answer"],
        citations=tuple(citations),
    )
    writer = attempt.writer()
    try:
        await writer.write(_again(answer))
    except SlackApiError as error:
        if reason(error) not in ("not_in_channel", "channel_not_found"):
            raise
        await private.post(attempt, NOT_HERE, [])
        return "refused"
    return "published"


async def hand_over(attempt: Attempt) -> str:
    """Post a question that found no answer where people look after such questions."""
    found = await _recorded(attempt)
    claimed = attempt.claimed
    if isinstance(found, str):
        await _tell(attempt, found)
        return "refused"
    if claimed.attempt > 1:
        await attempt.take_over()
    person = await attempt.of.questions.directory.person(str(found["author"]).rpartition("/")[2])
    passages = await _looked_at(attempt, found)
    below = [
        blocks.context(mrkdwn(plain(f"Asked by {person.name or person.id}; turn {found['id']}"))),
        *([blocks.context("I looked at:\n" + "\n".join(passages))] if passages else []),
        *await _permalink(attempt),
    ]
    writer = attempt.writer()
    writer.ending = lambda _: below
    await writer.write(_quoted(found["question"]))
    await _tell(attempt, "I have asked a person; the answer will come from them.")
    return "handed over"


async def _recorded(attempt: Attempt) -> Mapping[str, Any] | str:
    """Read the turn that a button belongs to, or say why it is not to be had."""
    claimed = attempt.claimed
    try:
        found = await record.show(attempt.of.inbox.database, str(claimed.details["turn"]))
    except NotFound:
        return GONE
    if not found["question"] or (claimed.kind == "publish" and not found["answer"]):
        return GONE
    if claimed.kind == "publish" and found["author"] != f"{claimed.team}/{claimed.author}":
        return OTHERS
    return found


async def _looked_at(attempt: Attempt, found: Mapping[str, Any]) -> list[str]:
    """List what a search finds for the question, of what the people over there may read."""
    everybody = private.listeners(attempt, attempt.claimed.room)
    try:
        passages, _ = await attempt.of.bot.search(
            found["question"], k=LOOKED_AT, assistant=found["assistant"], principals=everybody
        )
    except Exception as error:  # the question is handed over all the same
        log.warning("nothing was found for a question that is handed over: %s", error)
        return []
    return [blocks.source_line(one) for one in _distinct(passages)]


def _distinct(passages: Sequence[Passage]) -> list[Citation]:
    documents = {(one.uri, one.title): one for one in reversed(passages)}
    return [
        Citation(marker=number, uri=one.uri, title=one.title, quote="", location=one.location)
        for number, one in enumerate(reversed(documents.values()), start=1)
    ]


async def _permalink(attempt: Attempt) -> list[blocks.Block]:
    """Link the thread where it was asked, which opens only for those who may see it."""
    details = attempt.claimed.details
    if not details.get("thread") or not details.get("from"):
        return []
    try:
        said = await attempt.of.reading.chat_getPermalink(
            channel=details["from"], message_ts=details["thread"]
        )
    except SlackApiError as error:
        log.info("no link to a thread: %s", reason(error))
        return []
    return [blocks.context(f"<{said['permalink']}|The thread>")]


async def _tell(attempt: Attempt, text: str) -> None:
    """Tell who pressed the button, where they pressed it."""
    details = attempt.claimed.details
    place = {"channel": details.get("from"), "user": attempt.claimed.author}
    body: dict[str, object] = {"text": text}
    if details.get("thread"):
        body["thread_ts"] = details["thread"]
    try:
        if not await private.respond(attempt, body):
            await attempt.calls("chat.postEphemeral", {**place, **body})
    except (Overtaken, asyncio.CancelledError):
        raise
    except Exception as error:  # it is done; this sentence is a courtesy
        log.info("who pressed a button was not told: %s", error)


async def _again(answer: Answer) -> AsyncGenerator[Event]:
    """Tell a recorded answer once more."""
    count = max((citation.marker for citation in answer.citations), default=0)
    nothing = Passage(id="", text="", readers=frozenset())
    passages = [nothing] * count
    for one in answer.citations:
        passages[one.marker - 1] = replace(nothing, uri=one.uri, title=one.title, text=one.quote)
    yield Status("", tuple(passages))
    yield TextDelta(answer.text)
    yield Finished(answer)


async def _quoted(question: str) -> AsyncGenerator[Event]:
    lines = "\n".join(f"> {line}" for line in question.splitlines())
    yield TextDelta(f"A question that I could not answer:\n{lines}")
