import signal

from hypothesis import settings

pytest_plugins = ["bot.testing.postgres"]

# How long an example takes depends on what else the machine does.
settings.register_profile("bot", deadline=None)
settings.load_profile("bot")

# A shell's background job ignores Ctrl-C, and so would every command that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
