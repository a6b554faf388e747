"""The agent ``exact``: a search that ends with a proof, guided by what a net believes.

It is the tier behind the nets: always right, and on Sudoku a millisecond. Its answer is verified
against the rules, so its confidence is 1.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from trimtab.agents.recursion import solve
from trimtab.agents.recursive import RecursiveNet
from trimtab.domains.maze import MazeState
from trimtab.domains.maze_paths import only_path
from trimtab.domains.sudoku import SudokuState
from trimtab.domains.sudoku_solver import Chooser, Search, geometry, grid_text
from trimtab.errors import InputError
from trimtab.records import Passage, Prediction, Usage

Puzzle = SudokuState | MazeState


class ExactSearch:
    """Answers puzzles by exhaustive search; safe to call from several threads.

    Sudoku: depth first, digits tried in the order of the net's probabilities. Mazes: breadth
    first, where nothing is left to guide.

    Args:
        net: orders the digits of a Sudoku's cell; the smallest digit first if None.
        usd_per_cpu_s: price of this machine's processor time.
    """

    name = "exact"
    reads_context = False

    def __init__(self, *, net: RecursiveNet | None, usd_per_cpu_s: float) -> None:
        self._net = net
        self._usd_per_cpu_s = usd_per_cpu_s

    def predict(
        self,
        states: Sequence[SudokuState | MazeState],
        *,
        context: Sequence[Sequence[Passage]] = (),
    ) -> list[Prediction]:
        """Return one proven answer per state; ``context`` is not read.

        Raises:
            InputError: a state has no solution.
        """
        return [self._answer(state) for state in states]

    def _answer(self, state: Puzzle) -> Prediction:
        started, cpu = time.perf_counter(), time.thread_time()
        if isinstance(state, MazeState):
            answer, guesses = only_path(state.maze), 0
        else:
            answer, guesses = self._sudoku(state)
        spent = time.thread_time() - cpu
        return Prediction(
            agent=self.name,
            action=answer,
            confidence=1.0,
            usage=Usage(
                cpu_s=spent,
                latency_s=time.perf_counter() - started,
                cost_usd=spent * self._usd_per_cpu_s,
            ),
            tier="guided" if self._net is not None else "plain",
            signals={"guesses": float(guesses)},
            trace={"guesses": guesses},
        )

    def _sudoku(self, state: SudokuState) -> tuple[str, int]:
        shape = geometry(math.isqrt(len(state.givens)))
        masks = shape.candidates(state.givens)
        search = Search(shape, 1, order=self._order(state.givens))
        found = [] if masks is None else search.run(masks)
        if not found:
            raise InputError(f"state={state.givens!r} has no solution; give a puzzle that has one")
        return grid_text(found[0]), search.guesses

    def _order(self, givens: str) -> Chooser | None:
        net = self._net
        if net is None:
            return None
        solved = solve(
            net.step, net.codes.encode(givens), net.carry, most=net.most, halt_at=net.halt_at
        )
        probs = solved.probs[0]

        def likeliest_first(cell: int, bits: list[int]) -> list[int]:
            # a bit's digit is its position, and so is its class
            return sorted(bits, key=lambda bit: -float(probs[cell, bit.bit_length() - 1]))

        return likeliest_first
