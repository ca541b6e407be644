from hypothesis import settings

pytest_plugins = ["bot.testing.postgres"]

# How long an example takes depends on what else the machine does.
settings.register_profile("bot", deadline=None)
settings.load_profile("bot")
