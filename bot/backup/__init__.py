"""Backup and restore: one file that holds the whole database, by PostgreSQL's own programs."""

from bot.backup.archive import Archive, inspect
from bot.backup.dumping import backup
from bot.backup.restoring import restore

__all__ = ["Archive", "backup", "inspect", "restore"]
