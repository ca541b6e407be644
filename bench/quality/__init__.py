"""How good retrieval, answers and refusals are on public questions: `python -m bench.quality`."""
