"""What is left of a storm: each message with exactly one ending, in order, and no other post."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import psycopg

from bot.testing.fake_slack import Delivery, FakeSlack, Message

Place: TypeAlias = tuple[str, str]  # a channel, and a message or a thread

OUTCOMES = {"breaks": "failed", "breaks-off": "failed", "refused": "refused"}


@dataclass
class Asked:
    """A message to the bot, and the deliveries that told of it."""

    channel: str
    ts: str
    thread: str
    name: str
    how: str
    mention: bool
    deliveries: list[Delivery] = field(default_factory=list)

    @property
    def acked(self) -> float:
        """When the bot first acknowledged it."""
        times = (one.sent_at + one.seconds for one in self.deliveries if one.acked)
        return min(times, default=float("inf"))

    @property
    def sent(self) -> float:
        return min(one.sent_at for one in self.deliveries)


@dataclass
class Report:
    """What the storm was, and what is left of it; everything in `troubles` is a defect."""

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    seconds: float = 0.0


def look(
    report: Report, slack: FakeSlack, messages: Sequence[Asked], inbox: dict[Place, dict[str, Any]]
) -> None:
    """Compare what people see with what they asked."""
    troubles, counts = report.troubles, report.counts
    own: dict[Place, dict[str, Message]] = defaultdict(dict)
    answers: dict[str, str] = {}  # the answer's timestamp, by the question's name
    for message in slack.world.messages.values():
        if message.by_app:
            own[message.channel, message.thread][message.ts] = message
    for asked in messages:
        row = inbox.pop((asked.channel, asked.ts), None)
        if row is None:
            troubles.append(f"{asked.name} was lost: {asked.deliveries}")
            continue
        report.outcomes[row["outcome"]] += 1
        answers[asked.name] = min(row["answers"], default="")
        trouble = _trouble(asked, row, own[asked.channel, asked.thread])
        if trouble:
            troubles.append(f"{asked.name} {asked.how}: {trouble}; {row}")
    for (channel, thread), left in own.items():
        for message in left.values():
            troubles.append(f"a post too many in {channel} {thread}: {message}")
    troubles += [f"stored without being asked: {row}" for row in inbox.values()]
    troubles += _disorder(messages, answers)
    counts["delivered"] = sum(one.attempts for one in slack.deliverer.sent)
    counts["calls"] = len(slack.calls)
    report.faults.update(one.fault for one in slack.calls if one.fault)
    limited = [one for one in slack.calls if one.reply.get("error") == "ratelimited"]
    counts["over a limit"] = sum(one.fault != "rate_limit" for one in limited)
    counts["streamed"] = sum(
        one.method == "chat.startStream" and bool(one.reply.get("ok")) for one in slack.calls
    )


def _disorder(messages: Sequence[Asked], answers: Mapping[str, str]) -> list[str]:
    """Answers that stand in another order than their questions were stored."""
    found = []
    threads: dict[Place, list[Asked]] = defaultdict(list)
    for asked in messages:
        threads[asked.channel, asked.thread].append(asked)
    for said in threads.values():
        mentioned = float("inf")
        before: list[tuple[float, str, Asked]] = []
        for asked in said:
            mentioned = min(mentioned, asked.acked if asked.mention else float("inf"))
            answer = answers.get(asked.name, "")
            for stored, earlier, other in before:
                if stored < asked.sent and earlier > answer:
                    found.append(f"{asked.name} was answered before {other.name}")
            stored = asked.acked if asked.mention else max(asked.acked, mentioned)
            before.append((stored, answer, asked))
    return found


def _trouble(asked: Asked, row: dict[str, Any], posts: dict[str, Message]) -> str:
    """What is wrong with the answer to one message; it is taken out of the thread's posts."""
    answers = [posts.pop(ts, None) for ts in row["answers"]]
    if row["state"] != "done" or row["outcome"] != OUTCOMES.get(asked.how, "answered"):
        return "it did not end as it should"
    if row["recorded"] != row["outcome"]:
        return "its turn is not recorded"
    if len(answers) != 1 or answers[0] is None:
        return f"it has {len(answers)} answers"
    text, stream = answers[0].shown, answers[0].stream
    if stream is not None:
        return "its stream is still open"
    if row["outcome"] == "failed":
        ended = text.count(f"reference {row['turn_id']}") == 1 and text.count("Sorry") == 1
    else:
        ended = text.count(f"Begin {asked.name} ") == text.count(f"End {asked.name}.") == 1
    return "" if ended else f"it says {text!r}"


def still_waiting(conninfo: str) -> int:
    """Count the questions that are not done."""
    with psycopg.connect(conninfo) as connection:
        query = "select count(*) from inbox where state in ('waiting', 'answering')"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def stored(conninfo: str) -> dict[Place, dict[str, Any]]:
    """Read every stored message, by room and timestamp, with what is recorded of its turn."""
    with psycopg.connect(conninfo, row_factory=psycopg.rows.dict_row) as connection:
        rows = connection.execute(
            "select room, ts, i.state, i.outcome, i.answers, i.turn_id, i.attempt,"
            " t.outcome as recorded from inbox i left join turn t on t.id = i.turn_id"
        ).fetchall()
    return {(row["room"], row["ts"]): row for row in rows}
