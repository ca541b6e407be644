"""Every error that the bot raises on purpose, as one tree.

A class's docstring is its default message: one sentence that says what happened and what to do
next. The command line prints the message and exits with the class's code; everything else is a
defect and shows its traceback.
"""

from __future__ import annotations

from inspect import cleandoc


class BotError(Exception):
    """Something went wrong; run the command again with --debug for the details."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or " ".join(cleandoc(type(self).__doc__ or "").split()))


class UsageError(BotError):
    """The command was called with something it cannot use; see its --help."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration has mistakes; run `bot config check` to list them."""


class PluginError(BotError):
    """A plugin failed; run `bot plugins doctor` to see which one and why."""


class HookFailed(PluginError):
    """One implementation of a hook raised or hung; its name and its error are given.

    Attributes:
        plugin: the name the failing plugin is registered under.
        hook: the hook's name.
    """

    def __init__(self, plugin: str, hook: str, reason: str) -> None:
        super().__init__(f"{plugin}: {hook} {reason}")
        self.plugin = plugin
        self.hook = hook
        self.reason = reason


class DatabaseError(BotError):
    """The database refused; run `bot db status` to see its state."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached; check that it runs and that `database_url` is right."""


class SchemaError(DatabaseError):
    """The database's schema does not fit this version; run `bot db status`."""


class EmbeddedServerError(DatabaseUnavailable):
    """The embedded PostgreSQL cannot run here; set `database_url` or choose another --home."""


class BackupError(DatabaseError):
    """A backup cannot be made or restored; the database is as it was, run `bot db status`."""


class MonitoringError(UsageError):
    """Monitoring cannot listen at its address; give another one with --monitor."""


class SourceError(BotError):
    """A source cannot be read; check its path and its settings in bot.toml."""


class DocumentError(SourceError):
    """One document cannot be read; it is reported and skipped."""


class IndexingError(BotError):
    """Indexing stopped; what was finished is kept, run `bot reindex` again to go on."""


class SourceBusy(IndexingError):
    """The source is being synced by another process; wait for it to end."""


class MassDeletion(IndexingError):
    """A source has lost most of its documents; look whether it is whole, then use --yes."""


class EmbeddingError(BotError):
    """The embedder cannot work; check that its model is installed."""


class ModelMissing(EmbeddingError):
    """The model's files are not on this machine; run `make setup` to install them."""


class GenerationError(BotError):
    """The generator failed before it had finished its answer."""


class Declined(GenerationError):
    """A generator was not asked; its sentence is for the person who asked, who may ask otherwise.

    Nothing was sent and nothing was said when it is raised, so another generator may answer.
    """


class MayNotReceive(Declined):
    """Text may not leave this machine; see `may_receive` of the component in bot.toml."""


class OverBudget(Declined):
    """The budget is used up; see `[budget]` in bot.toml, or wait until it begins anew."""


class EvaluationError(BotError):
    """An evaluation cannot be brought to an end; its message says what to mend."""


class NotFound(BotError):
    """There is nothing by this name; list what exists with the command's `list`."""
