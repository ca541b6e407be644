pytest_plugins = ["bot.testing.postgres"]
