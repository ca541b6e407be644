"""Local models behind real HTTP: OpenAI's, Anthropic's and Ollama's interfaces, scripted by a test.

It speaks to the real `openai`, `anthropic`, `ollama` and LangChain clients, remembers what they
asked, and fails on demand. It needs aiohttp: `pip install domainbot[fake-models]`.
`python -m bot.testing.fake_models` runs it alone.
"""

from bot.testing.fake_models.script import Ending, Reply, Request, ToolCall, answer_from_sources
from bot.testing.fake_models.server import FakeModels

__all__ = ["Ending", "FakeModels", "Reply", "Request", "ToolCall", "answer_from_sources"]
