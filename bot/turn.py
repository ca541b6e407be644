"""The values that flow through one turn, from a question to its recorded answer.

All are frozen: a step that changes something makes a new value with `dataclasses.replace`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from bot.document import IndexVersion

EVERYONE = "everyone"
NOTHING: Mapping[str, Any] = MappingProxyType({})

Principal: TypeAlias = str
"""`everyone`, `email:ADDRESS`, `group:NAME` or `slack:channel:TEAM/ID`."""


class Outcome(StrEnum):
    """How a turn ended."""

    answered = "answered"
    refused = "refused"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One utterance in a conversation.

    Attributes:
        public: False for an answer that is derived from what not everyone may read.
    """

    role: Literal["user", "assistant"]
    text: str
    author: str = ""
    at: datetime | None = None
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A thread: where it happens and what was said before, oldest message first."""

    id: int | None = None
    channel: str = ""
    key: str = ""
    history: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assistant:
    """A named configuration: instructions, retrievers, generator, what it may look at.

    Attributes:
        glossary: groups of phrases that mean the same.
        answer_words: how long an answer should be at most; None leaves it to the generator.
        context: what a generator reads: passages, or whole documents where they fit.
    """

    name: str = "default"
    instructions: str = ""
    retrievers: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    generator: str = ""
    sources: frozenset[str] = frozenset()
    k: int = 8
    without_sources: Literal["refuse", "answer_labelled"] = "refuse"
    glossary: tuple[tuple[str, ...], ...] = ()
    answer_words: int | None = None
    context: Literal["passages", "documents"] = "passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Where the parts of a step note their times, in milliseconds."""

    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add up how long the block takes."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            took = (time.perf_counter() - begun) * 1000
            self.timings[name] = round(self.timings.get(name, 0.0) + took, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One question being answered, with everything known about it.

    Attributes:
        id: public reference of the turn; `bot turn show ID` explains it.
        queries: what to search for; the question itself until `bot_queries` has run.
        weighted: for a retriever that can weigh, instead of `queries`: the question, and what was
            said before it, each with how much it counts. Empty when `queries` say it all.
        k: how many passages the prompt may hold; a retriever returns at most this many.
        glossary: phrases that mean the same in this team, a group for each that the question
            has; its own phrase first.
        filters: metadata that a passage must have, by key; a tuple means any of its values.
        principals: who asks; a passage is theirs to read when its readers meet this set.
        sources: names of the sources to search; empty means every source.
        index: the index version to search, resolved by the core; None when nothing is indexed.
        author: who asks, as the channel names them; empty when it does not say.
        attempt: 1 for the first try; a retry after a crash counts on.
        trace: takes the times of a retriever's own steps, when somebody asked for an explanation.
    """

    id: str
    question: str
    assistant: Assistant = field(default_factory=Assistant)
    conversation: Conversation = field(default_factory=Conversation)
    queries: tuple[str, ...] = ()
    weighted: tuple[tuple[str, float], ...] = ()
    glossary: tuple[tuple[str, ...], ...] = ()
    k: int = 8
    filters: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    principals: frozenset[Principal] = frozenset({EVERYONE})
    sources: frozenset[str] = frozenset()
    index: IndexVersion | None = None
    author: str = ""
    attempt: int = 1
    trace: Trace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Retrieved text with where it comes from and who may read it.

    Attributes:
        id: stable name of the passage; the line's own `_id` for a JSONL source.
        readers: principals who may read it. It has no default: say who may read.
        score: higher is better; only comparable within one retriever's result.
        location: where in the document, for people: "Install › Windows", "page 3".
        start, end: character span of `text` in the document, when known.
        evidence: why it was found, in its retriever's own words: scores and places in rankings.
        retriever: the retriever that brought it; set by the core. One that asked another stands
            before it: "rerank/documents".
    """

    id: str
    text: str
    readers: frozenset[Principal]
    title: str = ""
    uri: str = ""
    score: float = 0.0
    source: str = ""
    location: str = ""
    start: int | None = None
    end: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    evidence: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    retriever: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a generator is asked: the finished messages, and the parts they were made of.

    Attributes:
        messages: system, user and assistant messages for a chat model, in order.
        passages: the passages in the prompt; marker N stands for `passages[N - 1]`.
        question: the question as the person wrote it.
        queries: the question made standalone, and its variants.
        glossary: see `Turn.glossary`.
        public: False when the messages hold, beside the passages, what not everyone may read.
    """

    messages: tuple[tuple[Literal["system", "user", "assistant"], str], ...]
    passages: tuple[Passage, ...]
    question: str
    queries: tuple[str, ...] = ()
    glossary: tuple[tuple[str, ...], ...] = ()
    instructions: str = ""
    without_sources: Literal["refuse", "answer_labelled"] = "refuse"
    public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a model read and wrote.

    Attributes:
        cost: what they cost, in the currency of bot.toml's prices; 0 on one's own machine.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A generator on the way to an answer, when one generator chooses among others.

    Attributes:
        generator: its name in bot.toml.
        cause: why it was asked, in one word that is the same for all such turns: `weak`.
        reason: why, for people.
        milliseconds: how long it wrote; the core measures it.
        usage: what it spent; the core takes it from its deltas.
    """

    generator: str
    cause: str = ""
    reason: str = ""
    milliseconds: float = 0.0
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """One step of a generator's stream.

    Attributes:
        text: text to append to the answer; `[1]` marks the first passage of the prompt.
        usage: tokens spent, usually once at the end.
        notice: something the person should know that is no part of the answer.
        refusal: True when the generator declines to answer; `text` then says so.
        verbatim: `text` is quoted as it stands, so that `[1]` in it is no marker.
        reasoning: how the model came to it; no part of the answer, shown when somebody asks.
        passages: found while generating; markers go on after the last one of the prompt's.
        logprobs: natural logarithms of the probabilities of the tokens that the model has chosen
            for this delta, where it tells them; not of its thoughts.
        route: from this delta on, another generator writes.
    """

    text: str = ""
    verbatim: bool = False
    reasoning: str = ""
    passages: tuple[Passage, ...] = ()
    usage: Usage | None = None
    notice: str = ""
    refusal: bool = False
    logprobs: tuple[float, ...] = ()
    route: Route | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood:
    """How likely a model goes on with a text.

    Attributes:
        logprob: natural logarithm of the text's probability.
        tokens: that were counted; the first one of a document is not, where nothing precedes it.
        greedy: the model would have chosen exactly these tokens.
    """

    logprob: float
    tokens: int
    greedy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A marker in an answer and the passage it stands for; `quote` is verbatim from it."""

    marker: int
    uri: str
    title: str
    quote: str
    location: str = ""
    passage_id: str = ""
    source: str = ""
    readers: frozenset[Principal] = frozenset()
    retriever: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The end of a turn.

    Attributes:
        timings: milliseconds by step; `total` is the whole turn.
        notices: what did not work and was left out, one sentence each.
        error: what failed, for operators; never shown to the person who asked.
        reasoning: how the model came to it; no part of the answer, and not recorded.
        routes: the generators that were asked, in this order, when one has chosen among others.
        doubts: how many of its claims their sources do not support; None when nobody looked.
        readers: who may read it, as far as its citations do not say so already.
    """

    turn: str
    outcome: Outcome
    text: str
    citations: tuple[Citation, ...] = ()
    generator: str = ""
    timings: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    usage: Usage | None = None
    notices: tuple[str, ...] = ()
    error: str = ""
    reasoning: str = ""
    routes: tuple[Route, ...] = ()
    doubts: int | None = None
    readers: frozenset[Principal] = frozenset({EVERYONE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """What a person thinks of an answer."""

    turn: str
    good: bool
    author: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """The turn has reached a step, in words for people.

    Attributes:
        passages: once the prompt is made, what it holds: marker N of the text that follows stands
            for `passages[N - 1]`, so that a channel can link the markers while they come.
    """

    text: str
    passages: tuple[Passage, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Checked text to append to what is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The final answer, already recorded; `answer.text` is all text that was streamed."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn failed: an apology for the person, with the reference for an operator."""

    text: str
    reference: str
    answer: Answer


Event: TypeAlias = Status | TextDelta | Finished | Failed
"""What a channel receives; every turn ends in exactly one `Finished` or `Failed`."""
