from bot.testing.conformance import RetrieverConformance


class TestEcho(RetrieverConformance):
    plugin = "echo"
    question = "Who is there?"
