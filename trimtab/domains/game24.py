"""The Game of 24: join numbers by + - * / until one is left, which should be 24."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations

import numpy as np

from trimtab.domains.arithmetic import (
    Expression,
    bracketed,
    combined,
    numbers,
    parse,
    spelled,
    value,
)
from trimtab.domains.texts import short
from trimtab.errors import IllegalAction, InputError
from trimtab.protocols import Array

TARGET = 24
MAX_NUMBERS = 4
_LARGEST_DRAWN = 13
_LARGEST = 10_000
# Action: pair times six plus operation. Pairs of slots a b c d, first (a, b), last (c, d); the
# operations are x+y, x-y, y-x, x*y, x/y, y/x.
_PAIRS = tuple(combinations(range(MAX_NUMBERS), 2))
_OPERATIONS = (("+", False), ("-", False), ("-", True), ("*", False), ("/", False), ("/", True))
# slots of each action in the order of its operation, and the operation's sign
_DECODED = tuple(
    (second, first, sign) if backwards else (first, second, sign)
    for first, second in _PAIRS
    for sign, backwards in _OPERATIONS
)
# the actions on so many numbers, before divisions by zero are left out
_ACTIONS = tuple(
    tuple(a for a, (first, second, _) in enumerate(_DECODED) if max(first, second) < left)
    for left in range(MAX_NUMBERS + 1)
)
_SLOTS = "abcd"
_STEP = re.compile(r"([a-d])\s*([-+*/])\s*([a-d])")
_RESULT = re.compile(r"\s*=\s*24\s*$")


@dataclass(frozen=True, slots=True)
class Game24State:
    """What is left to join: values in ascending order, each with the expression that made it."""

    values: tuple[Fraction, ...]
    expressions: tuple[str, ...]

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the puzzle, ascending."""
        return sorted(int(n) for part in self.expressions for n in re.findall(r"[0-9]+", part))


class Game24:
    """The Game of 24 for one player, over exact fractions.

    An action joins two of the numbers that are left, called a, b, c, d in ascending order. An
    answer may also be a whole expression, which solves the puzzle if it is worth 24 and uses each
    number once. Truth is exact: a step is right if 24 can still be reached after it.

    Example:
        >>> game = Game24()
        >>> state = game.from_text("4 4 10 8")
        >>> game.check(state, "(10-4)*(8-4)"), game.check(state, "10*4-8*4")
        (1.0, 0.0)
        >>> game.to_text(game.apply_action(state, 0))
        '(4+4) 8 10'
    """

    name = "game24"
    num_actions = len(_PAIRS) * len(_OPERATIONS)
    instructions = (
        "Game of 24: make 24 from the numbers given, each used exactly once, with + - * / and "
        "brackets; fractions on the way are allowed.\n"
        "Answer with one expression such as (10-4)*(8-4), and nothing else."
    )

    def initial_state(self, seed: int) -> Game24State:
        """Return a puzzle of four numbers, 1 to 13, that has a solution."""
        rng = np.random.default_rng(seed)
        while True:
            drawn = [int(number) for number in rng.integers(1, _LARGEST_DRAWN + 1, MAX_NUMBERS)]
            state = _state([(Fraction(number), str(number)) for number in drawn])
            if can_reach_target(state.values):
                return state

    def legal_actions(self, state: Game24State) -> Sequence[int]:
        """Return the steps that join two numbers without dividing by zero."""
        left = len(state.values)
        if all(state.values):
            return _ACTIONS[left]
        return [
            action
            for action in _ACTIONS[left]
            if _step(state.values, *_DECODED[action]) is not None
        ]

    def apply_action(self, state: Game24State, action: int) -> Game24State:
        """Return the state with two numbers joined.

        Raises:
            IllegalAction: there is no such action or number, or it divides by zero.
        """
        index = None if isinstance(action, str) else _index(action)
        joined = None if index is None else _step(state.values, *_DECODED[index])
        if index is None or joined is None:
            raise IllegalAction(
                f"action {short(action)} is not possible on {self.to_text(state)!r}; legal: "
                f"{list(self.legal_actions(state))}"
            )
        first, second, sign = _DECODED[index]
        expression = f"({state.expressions[first]}{sign}{state.expressions[second]})"
        parts = [
            part
            for slot, part in enumerate(zip(state.values, state.expressions, strict=True))
            if slot not in (first, second)
        ]
        return _state([*parts, (joined, expression)])

    def is_terminal(self, state: Game24State) -> bool:
        """Return whether one number is left."""
        return len(state.values) == 1

    def returns(self, state: Game24State) -> tuple[float, ...]:
        """Return 1 if the last number is 24, else -1.

        Raises:
            InputError: several numbers are left.
        """
        if not self.is_terminal(state):
            raise InputError(f"{len(state.values)} numbers are left; join them first")
        return (1.0,) if state.values[0] == TARGET else (-1.0,)

    def observation(self, state: Game24State) -> Array:
        """Return `[4, 2]`: whether slot a, b, c, d is taken, and sign(x) log(1 + |x|) of it."""
        table = np.zeros((MAX_NUMBERS, 2), np.float32)
        for slot, number in enumerate(state.values):
            x = float(number)
            table[slot] = 1.0, np.sign(x) * np.log1p(abs(x))
        return table

    def to_text(self, state: Game24State) -> str:
        """Return what is left in ascending order, each part as the expression that made it."""
        return " ".join(state.expressions)

    def from_text(self, text: str) -> Game24State:
        """Return the state of one to four numbers or expressions without blanks, in any order.

        Raises:
            InputError: empty, no numbers, more than four, above 10,000, or a division by zero.
        """
        parts = text.split() if isinstance(text, str) else []
        if not 1 <= len(parts) <= MAX_NUMBERS:
            raise InputError(
                f"numbers={short(text)} has {len(parts)} parts; write 1 to {MAX_NUMBERS} whole "
                f"numbers, separated by blanks"
            )
        expressions = [parse(part) for part in parts]
        given = [number for expression in expressions for number in numbers(expression)]
        if len(given) > MAX_NUMBERS or max(given) > _LARGEST:
            raise InputError(
                f"numbers={short(text)} holds {given}; use at most {MAX_NUMBERS}, none above "
                f"{_LARGEST}"
            )
        worths = [(value(expression), bracketed(expression)) for expression in expressions]
        valued = [(worth, part) for worth, part in worths if worth is not None]
        if len(valued) < len(worths):
            raise InputError(f"numbers={short(text)} divides by zero; correct the expression")
        return _state(valued)

    def canonical(self, answer: int | str) -> str:
        """Return the one spelling of a step, such as ``b-a``, or of an expression.

        Raises:
            IllegalAction: it is neither.
        """
        step = self.index(answer)
        if step is not None:
            first, second, sign = _DECODED[step]
            return f"{_SLOTS[first]}{sign}{_SLOTS[second]}"
        return spelled(_parsed(answer))

    def index(self, answer: int | str) -> int | None:
        """Return the action of a step, by index or in letters, and None for an expression.

        Raises:
            IllegalAction: an index that does not exist, or a letter joined with itself.
        """
        if not isinstance(answer, str):
            action = _index(answer)
            if action is None:
                raise IllegalAction(
                    f"action {short(answer)} is no index; legal: 0..{self.num_actions - 1}"
                )
            return action
        match = _STEP.fullmatch(answer.strip())
        if match is None:
            return None
        first, second = _SLOTS.index(match[1]), _SLOTS.index(match[3])
        if first == second:
            raise IllegalAction(f"answer {short(answer)} joins a number with itself; use two")
        backwards = first > second and match[2] in "-/"
        operation = _OPERATIONS.index((match[2], backwards))
        pair = (min(first, second), max(first, second))
        return _PAIRS.index(pair) * len(_OPERATIONS) + operation

    def check(self, state: Game24State, answer: int | str) -> float:
        """Return 1 for a step that leaves 24 in reach, or an expression that solves the puzzle.

        Raises:
            IllegalAction: no step and no expression, or a step that cannot be made.
        """
        step = self.index(answer)
        if step is not None:
            return 1.0 if can_reach_target(self.apply_action(state, step).values) else 0.0
        expression = _parsed(answer)
        right = value(expression) == TARGET and numbers(expression) == state.numbers
        return 1.0 if right else 0.0

    def solution(self, state: Game24State) -> str:
        """Return the one spelling of the expression that a final state stands for.

        Raises:
            InputError: several numbers are left.
        """
        if not self.is_terminal(state):
            raise InputError(f"{len(state.values)} numbers are left; join them first")
        return spelled(parse(state.expressions[0]))

    def __repr__(self) -> str:
        return "Game24()"


@lru_cache(maxsize=100_000)
def can_reach_target(values: tuple[Fraction, ...]) -> bool:
    """Return whether the values, ascending, can be joined to 24, by trying every way."""
    if len(values) == 1:
        return values[0] == TARGET
    for action in _ACTIONS[len(values)]:
        first, second, sign = _DECODED[action]
        joined = _step(values, first, second, sign)
        if joined is not None:
            rest = [v for slot, v in enumerate(values) if slot not in (first, second)]
            if can_reach_target(tuple(sorted([*rest, joined]))):
                return True
    return False


def _state(parts: list[tuple[Fraction, str]]) -> Game24State:
    values, expressions = zip(*sorted(parts), strict=True)
    return Game24State(values, expressions)


def _step(values: tuple[Fraction, ...], first: int, second: int, sign: str) -> Fraction | None:
    if first >= len(values) or second >= len(values):
        return None
    return combined(sign, values[first], values[second])


def _index(action: object) -> int | None:
    if isinstance(action, bool) or not isinstance(action, int | np.integer):
        return None
    return int(action) if 0 <= action < Game24.num_actions else None


def _parsed(answer: int | str) -> Expression:
    try:
        return parse(_RESULT.sub("", str(answer)))
    except InputError as error:
        raise IllegalAction(f"{error}; or a step such as a+b") from error
