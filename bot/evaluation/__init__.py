"""Evaluation: golden questions, the engine that asks them, and what the answers are worth.

verdict = await compare_indexes(bot, candidate=2, live=1, margin=0.02)
kept, notes = await compare(bot, ["base", "base+rag", "lora"])
"""

from bot.evaluation.comparing import compare
from bot.evaluation.engine import Sheet, Trial, Variant, run
from bot.evaluation.golden import Golden
from bot.evaluation.indexes import Verdict, compare_indexes

__all__ = ["Golden", "Sheet", "Trial", "Variant", "Verdict", "compare", "compare_indexes", "run"]
