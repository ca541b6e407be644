"""Evaluation: golden questions, the engine that asks them, and what the answers are worth.

verdict = await compare_indexes(bot, candidate=2, live=1, margin=0.02)
"""

from bot.evaluation.engine import Sheet, Trial, Variant, run
from bot.evaluation.golden import Golden
from bot.evaluation.indexes import Verdict, compare_indexes

__all__ = ["Golden", "Sheet", "Trial", "Variant", "Verdict", "compare_indexes", "run"]
