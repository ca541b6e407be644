from bot.testing.conformance import GeneratorConformance


class TestExtractive(GeneratorConformance):
    plugin = "extractive"
