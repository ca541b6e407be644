"""The kit for plugin authors: fixtures to test a plugin against the real thing."""
