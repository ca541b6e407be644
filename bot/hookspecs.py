"""The contract: every hook that the core calls, who calls it, when, and what a failure does.

Implement a hook with `bot.hookimpl`. A hook may be a plain function, which runs on a thread of its
own, or an `async def`; but the hooks of set-up are plain, and `bot_serve` is asynchronous.
`bot.dispatch` calls each implementation alone, under its timeout, and names it when it raises or
hangs; the turn or the command goes on without it.

A *component* is an object made from a table of `bot.toml` by a factory that `bot_components`
offers; it is a plugin itself, registered as `KIND:NAME` (`retriever:documents`). Hooks marked
"component" are called only on the components, or plugins, that the configuration names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from bot.hookmarkers import hookimpl as hookimpl
from bot.hookmarkers import hookspec, since
from bot.indexing.hookspecs import *  # noqa: F403 - one contract, in two files
from bot.turn import Answer, Delta, Feedback, Likelihood, Passage, Prompt, Turn

if TYPE_CHECKING:
    import click

    from bot.app import Bot
    from bot.evaluation.golden import Golden
    from bot.jobs import Task
    from bot.plugins import Component

API_VERSION = 1
OLDEST_API = 1  # what a plugin may say in `BOT_API` and still be loaded


# -- set-up -------------------------------------------------------------------------------------


@since("0.1")
@hookspec
def bot_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Offer factories of components, by kind and type name.

    Called: once for each plugin, when it is loaded. A plain function. Import nothing heavy in
    it: a factory imports what it needs when it is called.
    Gives: `bot.Component`s: `kind` (`retriever`, `generator`, `channel`, `loader`, `splitter`
    or `embedder`), `type`, `settings` (a pydantic model) and `make(name, settings, context)`.
    Failure: the plugin is left out, and named by `bot plugins doctor`. The same happens when it
    takes longer than 10 s, or when another plugin has a component of that kind and type.
    """


@since("0.1")
@hookspec
def bot_commands(cli: click.Group) -> None:
    """Add commands to the command line.

    Called: for `bot --help`, and when a command is asked for that the core does not have. A
    plain function, called without a time limit.
    Gives: nothing; it adds to `cli`, a `click.Group`.
    Failure: a warning names the plugin; the other plugins' commands are there.
    """


@since("0.1")
@hookspec
def bot_migrations() -> Path:  # type: ignore[empty-body]
    """Name the folder of the plugin's database migrations.

    Called: each time a bot opens its database. A plain function, within 10 s.
    Gives: a folder of yoyo migrations. File names begin with the distribution's name
    (`domainbot-pgvector.0001.index.sql`), so that two plugins never share an id.
    Failure: the plugin's migrations are left out, and the log says so. A migration that fails
    stops the command; nothing of it is kept.
    """


@since("0.1")
@hookspec
def bot_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Offer what workers can do for the plugin.

    Called: when a worker begins (`bot worker`, and commands that do their own work). A plain
    function.
    Gives: `bot.jobs.Task`s: a name that begins with the plugin's, `run(bot, job)`, the queue
    where its jobs wait, and how often one is tried. `bot.jobs.defer` adds a job in your own
    transaction.
    Failure: the log names the plugin; the other plugins' jobs are done, and its own wait.
    """


# -- one turn -----------------------------------------------------------------------------------


@since("0.1")
@hookspec
def bot_turn_started(turn: Turn) -> None:
    """Learn that a turn begins.

    Called: first thing in a turn, also in a search without an answer; all implementations at
    once, each within `limits.hook`.
    Gives: nothing.
    Failure: a notice in the answer; the turn goes on.
    """


@since("0.1")
@hookspec
def bot_queries(turn: Turn) -> Sequence[str]:  # type: ignore[empty-body]
    """Say what to search for: a follow-up made standalone, or several queries at once.

    Called: at the start of step `queries`; all implementations at once, each within
    `limits.hook`.
    Gives: texts. Those of all plugins are joined in order, without doubles. When nobody gives
    one, the core searches for the question, and carries the subject of the conversation over
    when it is a follow-up.
    Failure: a notice in the answer; the others' queries are used.
    """


@since("0.1")
@hookspec
def bot_retrieve(turn: Turn) -> Sequence[Passage]:  # type: ignore[empty-body]
    """Find passages. Component, or plugin by name: only those that the assistant's `retrievers`
    name.

    Called: in step `retrieve`; all of them at once, each within `limits.retrieve`.
    Gives: at most `turn.k` passages for `turn.queries`, the best first. Respect
    `turn.principals`, `turn.filters`, `turn.sources` and `turn.index`. What the asker may not
    read is dropped by the core all the same.
    Failure: a notice in the answer, and the other retrievers' passages are used. When all of
    them fail, the turn fails.
    """


@since("0.1")
@hookspec
def bot_rerank(turn: Turn, passages: Sequence[Passage]) -> Sequence[Passage]:  # type: ignore[empty-body]
    """Put the passages into a better order, or leave some out.

    Called: at the end of step `rank`, after the core has fused what the retrievers brought,
    unless there is nothing. One plugin after the other until one gives something other than
    None, each within `limits.hook`.
    Gives: passages. The core checks their readers again, and cuts after `turn.k`.
    Failure: a notice in the answer, and the next plugin is asked; with none left, the fused
    order stands.
    """


@since("0.1")
@hookspec
def bot_generate(turn: Turn, prompt: Prompt) -> AsyncIterator[Delta]:  # type: ignore[empty-body]
    """Write the answer. Component, or plugin by name: the one that the assistant's `generator`
    names.

    Called: in step `generate`. Each item must come within `limits.token`, the first one
    included.
    Gives: an asynchronous iterator, a plain iterator (read on a thread) or a list of `Delta`s
    or texts. `[1]` in a text stands for `prompt.passages[0]`; a marker without a passage is
    removed. `Delta(verbatim=True)` is a quotation, in which `[1]` is no marker; in all other text
    a link that stands in no passage, question or instruction is left out.
    `Delta(passages=…)` brings what was found meanwhile, for further markers;
    `Delta(reasoning=…)` is no part of the answer. `Delta(logprobs=…)` tells how probable the model
    finds its tokens, `Delta(route=…)` that another generator writes from here on.
    Failure: the turn ends as failed, with an apology and a reference id. When the person stops
    the answer, the iterator is closed: stop the work then.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_context_limit() -> int | None:
    """Tell how many tokens the generator reads and writes at once. Component: the generator.

    Called: in step `prompt`, within `limits.hook`.
    Gives: a number, or None for no limit. A quarter of it is kept free for the answer, and at
    most a quarter of the rest holds history.
    Failure: as None.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_count_tokens(text: str) -> int | None:
    """Count tokens as the generator does. Component: the generator.

    Called: in step `prompt`, for each part of the prompt when there is a limit, within
    `limits.hook`.
    Gives: the number of tokens in `text`.
    Failure: the core counts one token for every three bytes of UTF-8, as it does when nobody
    implements this.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_likelihoods(  # type: ignore[empty-body]
    turn: Turn, pairs: Sequence[tuple[str, str]]
) -> Sequence[Likelihood]:
    """Tell how likely the model goes on with one text after another. Component: the generator.

    Called: by `bot eval compare` for multiple choice and for the loss on a text, with a few pairs
    at once, within `limits.token`.
    Gives: a `bot.Likelihood` for each pair of a beginning and what comes after it, as texts
    without a chat template. Whoever asks is `turn.principals`. An empty beginning is the start of
    a document. What is too long loses the front of its beginning, and never anything else.
    Failure: the variant has no such figure, and the comparison says so.
    """


@since("0.1")
@hookspec(firstresult=True)
def bot_revision() -> str:  # type: ignore[empty-body]
    """Tell what the generator answers with now, as far as bot.toml does not say it, such as the
    live version of an adapter. Component: the generator.

    Called: by `bot eval compare` and `bot router calibrate`, when they begin and after each
    answer, within `limits.token`.
    Gives: a few words that change when something else begins to answer; None when nothing can.
    Failure: as None.
    """


@since("0.1")
@hookspec
def bot_measure(
    golden: Golden, answer: Answer, passages: Sequence[Passage]
) -> Mapping[str, float] | None:
    """Measure an answer to a golden question, by a team's own rule.

    Called: by `bot eval compare` for each answer that a variant gives, refusals too; all
    implementations at once, each within `limits.hook`. Marker N of the answer stands for
    `passages[N - 1]`.
    Gives: numbers by the metric's name, the higher the better; None when it says nothing about
    this answer. A name that is taken already is refused.
    Failure: the answer is without this metric, and the comparison says so.
    """


@since("0.1")
@hookspec
def bot_turn_finished(turn: Turn, answer: Answer) -> None:
    """Learn how a turn ended.

    Called: after it was recorded, all implementations at once, each within `limits.hook`. Also
    when the person stopped the answer.
    Gives: nothing.
    Failure: a notice in the answer; the record stays as it is.
    """


@since("0.1")
@hookspec
def bot_feedback(feedback: Feedback) -> None:
    """Learn what a person thinks of an answer.

    Called: after it was recorded; all implementations at once, each within `limits.hook`.
    Gives: nothing.
    Failure: a line in the log.
    """


@since("0.1")
@hookspec
def bot_around(step: str, turn: Turn) -> AbstractAsyncContextManager[None]:  # type: ignore[empty-body]
    """Stand around one step of every turn: to trace, to measure, to guard.

    Called: before each of the steps `queries`, `retrieve`, `rank`, `prompt`, `generate`,
    `record`. The context managers are entered in the order of registration and left in reverse;
    the call, entering and leaving each have `limits.hook`.
    Gives: an asynchronous context manager, or None for a step that does not matter.
    Failure: a notice in the answer; the step goes on without it. An error of the step itself
    passes through, and cannot be swallowed.
    """


# -- channels -----------------------------------------------------------------------------------


@since("0.1")
@hookspec
def bot_serve(bot: Bot) -> None:
    """Serve a channel. Component: each table of `[channels]`, or the terminal for `bot chat`.

    Called: by `bot serve` and `bot chat`, once, as a coroutine (`async def`), without a time
    limit, until it is cancelled. Then finish the turns in flight.
    Gives: nothing. It calls `bot.reply(…)` and shows the events.
    Failure: `bot serve` logs it and goes on with the other channels; when none is left it ends
    with exit code 1.
    """
