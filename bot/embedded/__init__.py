"""The embedded PostgreSQL: a server of our own in the bot's home, shared by its processes."""

from bot.embedded.server import EmbeddedServer, default_home

__all__ = ["EmbeddedServer", "default_home"]
