"""Exact parsers: what a request visibly holds, found by pattern before any net reads it.

=======================  =====================================================================
feature                  is 1 exactly if the text holds
=======================  =====================================================================
``arxiv_id``             an arXiv identifier, new (1706.03762, month 01–12) or old
                         (hep-th/9711200), with or without version
``several_arxiv_ids``    two or more different ones, versions aside
``grid_81``              a block of 81 cells, in one run or as 9 rows of 9
``grid_36``              a block of 36 cells (digits 0–6), in one run or as 6 rows of 6
``grid_16``              a block of 16 cells (digits 0–4), in one run or as 4 rows of 4
``four_numbers``         exactly four whole numbers from 1 to 13, beside at most one 24
``four_numbers_and_24``  the same, and 24 (or "twenty-four")
``column_number``        a column from 1 to 7 by number, ordinal or word
``connect_four_moves``   five or more column digits 1–7 in a row, each at most six times
``connect_four_board``   six lines of seven cells
``maze_drawing``         three or more rows of walls (``#``, ``█``, or ``+--+`` with bars), one
                         a line, or of equal width one after the other
``arithmetic``           two numbers joined by an operator, a percentage of a number, a root,
                         logarithm or trigonometric function of one, or a factorial, beside
                         no grid
=======================  =====================================================================

A cell of a grid is a digit or one of ``. _ * ?`` for an empty one (``x`` too in a run of 81);
spaces, bars, commas, slashes, brackets and frame lines between cells are skipped, and at least one
cell is a digit. Every pattern reads a text in time proportional to its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from trimtab.protocols import Array

FEATURES: tuple[str, ...] = (
    "arxiv_id",
    "several_arxiv_ids",
    "grid_81",
    "grid_36",
    "grid_16",
    "four_numbers",
    "four_numbers_and_24",
    "column_number",
    "connect_four_moves",
    "connect_four_board",
    "maze_drawing",
    "arithmetic",
)
_POSITION = {name: position for position, name in enumerate(FEATURES)}

_DIGIT = re.compile(r"[0-9]")
_ARCHIVES = (
    r"acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas"
    r"|cond-mat|cs|dg-ga|econ|eess|funct-an|gr-qc|hep-(?:ex|lat|ph|th)|math|math-ph|mtrl-th|nlin"
    r"|nucl-(?:ex|th)|patt-sol|physics|plasm-ph|q-alg|q-bio|q-fin|quant-ph|solv-int|stat|supr-con"
)
_ARXIV = re.compile(
    rf"(?<![\w.])((?:[0-9]{{2}}(?:0[1-9]|1[0-2])\.[0-9]{{4,5}})"
    rf"|(?:{_ARCHIVES})(?:\.[a-z]{{2}})?/[0-9]{{2}}(?:0[1-9]|1[0-2])[0-9]{{3}})"
    r"(?:v[0-9]{1,2})?(?!\w|\.[0-9])",
    re.IGNORECASE,
)
# Possessive, so that a long block is read once.
_BLOCK = re.compile(r"(?<![\w.])(?=[0-9._*?|+\[])(?:[0-9._*?|,;/\[\]\s]|[-+=]{3,})++")
_RUN_81 = re.compile(r"(?<![\w.*?])[0-9._*?xX]{81}(?=\.?(?:[^\w.*?]|$))")
_CELL = re.compile(r"[0-9._*?]")
_GRID_DIGITS = {16: frozenset("01234"), 36: frozenset("0123456"), 81: frozenset("0123456789")}
_WHOLE = re.compile(r"(?<![\w.])[0-9]+(?!\w|\.[0-9])")
_TWENTY_FOUR = re.compile(r"\btwenty[- ]?four\b", re.IGNORECASE)
_WORDS = "one|two|three|four|five|six|seven"
_ORDINALS = "first|second|third|fourth|fifth|sixth|seventh"
_COLUMN = re.compile(
    rf"\bcol(?:umn|\.)?\s?(?:number\s|no\.?\s?|#)?(?:[1-7]|(?:{_WORDS})\b)(?![\w]|\.[0-9])"
    rf"|\b(?:[1-7](?:st|nd|rd|th)|{_ORDINALS})\scol(?:umn)?\b",
    re.IGNORECASE,
)
_MOVES = re.compile(
    r"(?<![\w.^*/+-])(?<![*+/^×] )(?:[1-7]{5,42}|[1-7](?:(?:, ?| |-)[1-7]){4,41})"
    r"(?![\w^*/+-]|\.[0-9]|,? [0-9]| [-*+/^×] ?[0-9])"
)
_BOARD_ROW = re.compile(r"(?:[ \t|]*+[.xoyrXOYR_0-2●○-]){7}[ \t|]*")
_WALL_ROW = re.compile(r"[ \t]*[#█▓ .·A-Za-z@*]*[#█▓][#█▓ .·A-Za-z@*]*[#█▓][ \t]*")
_FRAME_ROW = re.compile(r"[ \t]*(?:\+(?:[- ]*\+)+|\|[ .·SsEeGgXx@*o|_]*\|)[ \t]*")
_TOKEN = re.compile(r"[^\s/,;]+")
_MAZE_TOKEN = re.compile(r"(?=.*[#█▓.·])[#█▓.·A-Za-z@*><|_-]{3,}")
_WALL = re.compile(r"[#█▓]")
_NUMBER = r"[0-9](?:,?[0-9])*+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?+"
_ARITHMETIC = re.compile(
    rf"(?<![\w./])(?<![0-9],){_NUMBER}(?:"
    r"[a-z]?\)*+(?:\s?(?:\*\*|[+*^×÷·∙])\s?| [-−–/x] |/(?![0-9.]+/))"
    rf"\(*+[-−]?(?:{_NUMBER}|π)(?!/[0-9])"
    r"|\s?(?:plus|minus|times|over|mod(?:ulo)?|(?:divided|multiplied) by|to the power)\b"
    r"|\s?(?:%|per ?cent) of \$?[0-9]"
    r"|!\s?[-+*/^=)?])"
    r"|\b(?:sqrt|log2?|log10|ln|exp|sin|cos|tan)(?:\s?\(| of )\s?-?[0-9]|√\s?[0-9]|\be\^[0-9]"
    r"|\b(?:square|cube)(?: root)? of [0-9]",
    re.IGNORECASE,
)


def evidence_features(text: str) -> Array:
    """Return `[len(FEATURES)]` zeros and ones: which of :data:`FEATURES` the text holds."""
    found = np.zeros(len(FEATURES), dtype=np.float32)
    for name in _found(text):
        found[_POSITION[name]] = 1.0
    return found


def _found(text: str) -> Iterator[str]:
    lowered = text.casefold()
    if "col" in lowered and _COLUMN.search(text):
        yield "column_number"
    if "\n" in text:
        lines = text.split("\n")
        if _rows_in_a_row(_BOARD_ROW, lines) == 6:
            yield "connect_four_board"
    if _has_maze(text):
        yield "maze_drawing"
    if not _DIGIT.search(text):
        return
    # a look for the separators first: the pattern tries every position
    separated = "." in text or "/" in text
    ids = {match[1].lower() for match in _ARXIV.finditer(text)} if separated else set()
    if ids:
        yield "arxiv_id"
    if len(ids) > 1:
        yield "several_arxiv_ids"
    grids = _grids(text)
    yield from grids
    yield from _four_numbers(text)
    if not grids and _has_moves(text):
        yield "connect_four_moves"
    if not grids and _ARITHMETIC.search(text):
        yield "arithmetic"


def _grids(text: str) -> list[str]:
    sizes: set[int] = set()
    if len(_CELL.findall(text)) >= min(_GRID_DIGITS):
        found = (_grid_size(match[0]) for match in _BLOCK.finditer(text))
        sizes = {size for size in found if size is not None}
    if len(text) >= 81 and any(_DIGIT.search(match[0]) for match in _RUN_81.finditer(text)):
        sizes.add(81)
    return [f"grid_{size}" for size in sorted(sizes)]


def _grid_size(block: str) -> int | None:
    """Return the number of cells of a block that is a grid, else None."""
    if len(block) < min(_GRID_DIGITS):
        return None
    rows = [cells for line in block.split("\n") if (cells := _CELL.findall(line))]
    total = sum(len(row) for row in rows)
    if total - 1 in _GRID_DIGITS and block.rstrip().endswith("."):
        rows[-1].pop()  # the full stop of the sentence that ends with the grid
        total -= 1
    digits = {cell for row in rows for cell in row if cell.isdigit()}
    if not digits or not digits <= _GRID_DIGITS.get(total, frozenset()):
        return None
    side = round(total**0.5)
    square = [len(row) for row in rows if row] == [side] * side
    return total if square or len(rows) == 1 else None


def _four_numbers(text: str) -> Iterator[str]:
    numbers = [int(match[0]) if len(match[0]) < 4 else 1000 for match in _WHOLE.finditer(text)]
    goal = 24 in numbers
    if goal:
        numbers.remove(24)
    if len(numbers) == 4 and all(1 <= number <= 13 for number in numbers):
        yield "four_numbers"
        if goal or _TWENTY_FOUR.search(text):
            yield "four_numbers_and_24"


def _has_moves(text: str) -> bool:
    for match in _MOVES.finditer(text):
        digits = [character for character in match[0] if character.isdigit()]
        if len(digits) <= 42 and all(digits.count(column) <= 6 for column in set(digits)):
            return True
    return False


def _has_maze(text: str) -> bool:
    if "\n" in text:
        lines = text.split("\n")
        if _rows_in_a_row(_WALL_ROW, lines) >= 3:
            return True
        if "+-" in text and _rows_in_a_row(_FRAME_ROW, lines) >= 3:
            return True
    if not _WALL.search(text):
        return False
    run: list[str] = []
    for token in (*_TOKEN.findall(text), ""):
        if not _MAZE_TOKEN.fullmatch(token) or (run and len(token) != len(run[0])):
            if len(run) >= 3 and len(_WALL.findall("".join(run))) >= 2:
                return True
            run = []
        if _MAZE_TOKEN.fullmatch(token):
            run.append(token)
    return False


def _rows_in_a_row(row: re.Pattern[str], lines: list[str]) -> int:
    """Return the length of the longest run of neighbouring lines that match."""
    longest = run = 0
    for line in lines:
        run = run + 1 if row.fullmatch(line) else 0
        longest = max(longest, run)
    return longest
