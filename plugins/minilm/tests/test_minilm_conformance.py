from bot.testing.conformance import EmbedderConformance


class TestMiniLM(EmbedderConformance):
    plugin = "minilm"
    tolerance = 5e-3  # reduced precision where the processor has it
