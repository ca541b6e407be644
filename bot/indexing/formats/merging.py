"""Tables with merged cells: what is merged counts for each row and column that it covers.

A row then says all that it means by itself, wherever a table is cut. A table is given as the number
of the cell that stands at each place, by row and column, and the text of each cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from bot.indexing.formats.extracted import plain
from bot.indexing.formats.table import table

_NAMES = 3  # rows of names at most

Merged = Sequence[Sequence[int]]
"""By row and column, the number of a cell; what is merged has the same one."""


def merged_table(merged: Merged, said: Mapping[int, str], named: int = 0) -> str:
    """Write a Markdown table, below its title if one is merged over all columns.

    Args:
        named: how many rows are known to name the columns; 0 when that must be guessed.
    """
    title = title_rows(merged)
    above = [plain(said.get(row[0], "")) for row in merged[:title]]
    rest = merged[title:]
    depth = named - title if named > title else name_rows(rest)
    names = joined_names([[said.get(cell, "") for cell in row] for row in rest[:depth]])
    below = table([names, *(texts(row, said) for row in rest[depth:])])
    return "\n\n".join(filter(None, [*above, below]))


def title_rows(merged: Merged) -> int:
    """Count the rows at the top that are one cell each."""
    if not merged or len(merged[0]) < 2:
        return 0
    return len(list(takewhile(lambda row: len(set(row)) == 1, merged)))


def name_rows(merged: Merged) -> int:
    """Count the rows of names: below one that is merged over columns, each column has its own."""
    depth = 1
    if not merged or len(set(merged[0])) == len(merged[0]):
        return depth
    while depth < min(_NAMES, len(merged) - 1):
        row, below = merged[depth - 1], merged[depth]
        if len(set(row)) == len(row) and not set(row) & set(below):
            break
        depth += 1
    return depth


def joined_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Join the names of each column, from top to bottom."""
    return [" ".join(filter(None, dict.fromkeys(column))) for column in zip(*rows, strict=True)]


def texts(row: Sequence[int], said: Mapping[int, str]) -> list[str]:
    """Write a row; what is merged over all of it stands once."""
    written = [said.get(cell, "") for cell in row]
    once = len(row) > 1 and len(set(row)) == 1
    return [written[0], *[""] * (len(row) - 1)] if once else written
