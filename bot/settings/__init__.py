"""The configuration: `bot.toml` and `BOT_*`, read, checked as a whole, shown and edited.

settings = read(find_config(None, os.environ, Path.cwd()), os.environ)
checked = check(settings, plugins.component, plugins.types, names)
"""

from bot.settings.checking import Checked, check
from bot.settings.editing import add_source, remove_source, switch_plugin
from bot.settings.model import (
    AssistantSettings,
    BudgetSettings,
    ComponentTable,
    ConversationsSettings,
    IndexSettings,
    LimitsSettings,
    PluginsSettings,
    Settings,
    SourceTable,
)
from bot.settings.principals import principal, principals
from bot.settings.reading import find_config, read
from bot.settings.secret import Secret
from bot.settings.showing import dump, json_schema

__all__ = [
    "AssistantSettings",
    "BudgetSettings",
    "Checked",
    "ComponentTable",
    "ConversationsSettings",
    "IndexSettings",
    "LimitsSettings",
    "PluginsSettings",
    "Secret",
    "Settings",
    "SourceTable",
    "add_source",
    "check",
    "dump",
    "find_config",
    "json_schema",
    "principal",
    "principals",
    "read",
    "remove_source",
    "switch_plugin",
]
