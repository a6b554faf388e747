"""Tree search guided by priors and values, over a whole batch of positions at once.

The leaf function is called with the leaves of all trees together, a batch `[n, W]` of states as
words, and answers with priors `[n, A]` (sum 1 over the legal actions) and values `[n]` in [-1, 1]
for the player to move. It must not keep the rows: their memory is used again.

An agent asks for one position or a batch of them::

    config = MCTSConfig(simulations=100)
    rows = np.stack([game.encode(state) for state in states])            # [T, W]
    result = search(game, rows, evaluate, config, seeds=range(len(states)))
    result.action[i], result.value[i], result.visit_counts[i]
    result.principal_variation(i)                          # steps: action, visits, value

Self-play searches all its games together, with noise, and keeps the policy target::

    config = MCTSConfig(simulations=32, root="gumbel", noise=1.0)        # or root="puct", with
    result = search(game, rows, evaluate, config, seeds)                 # noise and temperature
    observations, targets = observe(rows), result.policy                 # [T, A], sum 1
    moves = result.action                                  # drawn under the noise of each seed

A seed belongs to one search of one tree: derive it from the game and its ply. A tree's result
depends on its row, its seed and the leaf function's answers, not on the rest of the batch.

To keep what a failing leaf function leaves behind, use :class:`Search`: after a
``SearchError``, ``result()`` gives the search so far and ``run`` goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.protocols import AnyGame, Array, Words
from trimtab.search import forest_intake as intake
from trimtab.search import forest_kernels as kernels
from trimtab.search.checks import checked_rows, checked_seeds
from trimtab.search.compiled import build
from trimtab.search.config import PRESETS, MCTSConfig, preset
from trimtab.search.descent import CHOICE
from trimtab.search.forest import Forest
from trimtab.search.forest_outcome import summarise
from trimtab.search.outcome import SearchResult, Step
from trimtab.search.selection import considered_visits, with_dirichlet

__all__ = [
    "PRESETS",
    "Evaluator",
    "MCTSConfig",
    "Search",
    "SearchResult",
    "Step",
    "preset",
    "search",
]

Evaluator = Callable[[Words], tuple[Array, Array]]
"""States `[n, W]` as words to priors `[n, A]` and values `[n]` for the player to move."""
_FAULTS = {
    intake.NOT_FINITE: "a number that is not finite",
    intake.NO_DISTRIBUTION: "priors that are not a distribution over the legal actions",
    intake.VALUE_OUT_OF_RANGE: "a value outside [-1, 1]",
}


def search(
    game: AnyGame,
    rows: Words,
    evaluator: Evaluator,
    config: MCTSConfig,
    seeds: Sequence[int] | NDArray[np.integer],
) -> SearchResult:
    """Search `[T, W]` positions to the end of the budget; see :class:`Search`."""
    return Search(game, rows, config, seeds).run(evaluator)


class Search:
    """A search of T positions; not for use from several threads at once.

    Args:
        game: compiled rules.
        rows: `[T, W]` positions as words; none may be finished.
        config: settings.
        seeds: `[T]` seeds at least 0, one per tree; they decide noise and drawn moves.
        clock: seconds, asked only where ``config.milliseconds`` is set.

    Raises:
        InputError: a row has the wrong shape or is finished, or the seeds do not fit.
        ConfigError: the simulations are more than the memory holds.
    """

    def __init__(
        self,
        game: AnyGame,
        rows: Words,
        config: MCTSConfig,
        seeds: Sequence[int] | NDArray[np.integer],
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        rows = checked_rows(game, rows)
        trees = rows.shape[0]
        self._seeds = checked_seeds(seeds, trees)
        self._config, self._clock, self._actions = config, clock, game.num_actions
        self._forest = Forest.allocate(
            trees=trees,
            nodes=config.simulations + config.leaves + 1,
            actions=game.num_actions,
            words=game.words,
        )
        self._nodes, self._heads = self._forest.nodes, self._forest.heads
        finished = build(kernels.build_plant, game)(self._nodes, self._heads, rows)
        if finished >= 0:
            raise InputError(
                f"rows[{finished}] is a finished game; search only positions with a legal action"
            )
        batch = trees * config.leaves
        self._rows = np.empty((batch, game.words), np.uint64)
        self._leaves = np.empty((2, batch), np.int32)
        self._priors = np.empty((0, game.num_actions), np.float32)
        self._values = np.empty(0, np.float32)
        self._step = kernels.entry(build(kernels.build_step, game), game.num_actions, game.words)
        choice, schedule = _choice(config, game.num_actions)
        scores = np.empty(game.num_actions, np.float64)
        self._settings = (
            choice,
            schedule,
            config.simulations,
            config.leaves,
            self._rows,
            scores,
        )
        self._planted = False

    @property
    def forest(self) -> Forest:
        """Return the trees themselves, for tests and drawings; not to be written to."""
        return self._forest

    def run(self, evaluator: Evaluator) -> SearchResult:
        """Search until each tree has its simulations, is settled, or the time is up.

        Raises:
            LeafFailed: the leaf function raised; what it raised is the cause. The search so far
                is in ``partial``, and ``run`` can be called again.
            LeafInvalid: the leaf function gave a wrong shape, NaN, infinity, priors that do not
                sum to 1 over the legal actions, or a value outside [-1, 1].
        """
        milliseconds = self._config.milliseconds
        end = None if milliseconds is None else self._clock() + milliseconds / 1000.0
        count = self._gather()
        while count:
            answer = self._asked(evaluator, count)
            late = end is not None and self._clock() >= end
            count = self._take_in(answer, count, kernels.FINISH if late else kernels.GO_ON)
        return self.result()

    def round(self, evaluator: Evaluator) -> bool:
        """Gather a batch of leaves, evaluate it and take it in; False where nothing was left."""
        count = self._gather()
        if count:
            self._take_in(self._asked(evaluator, count), count, kernels.STOP)
        return bool(count)

    def result(self) -> SearchResult:
        """Return the search so far.

        Raises:
            SearchError: a tree has not finished a single simulation.
        """
        if not self._planted or not self._heads["done"].all():
            raise SearchError("no simulation is finished yet in some tree; run the search first")
        return summarise(self._forest, self._config, self._seeds)

    def _partial(self) -> SearchResult | None:
        ready = self._planted and bool(self._heads["done"].all())
        return self.result() if ready else None

    def _gather(self) -> int:
        return self._stepped(0, self._priors, self._values, kernels.GO_ON)

    def _asked(self, evaluator: Evaluator, count: int) -> tuple[Array, Array]:
        try:
            return evaluator(self._rows[:count])
        except BaseException as error:
            kernels.give_up(self._nodes, self._leaves, count)
            if not isinstance(error, Exception):
                raise
            raise LeafFailed(
                f"the leaf function raised {type(error).__name__}: {error}",
                partial=self._partial(),
            ) from error

    def _take_in(self, answer: tuple[Array, Array], count: int, then: int) -> int:
        """Take the answer in and return how many leaves were gathered after it."""
        try:
            priors, values = _as_arrays(answer, count, self._actions)
            if not self._planted:
                self._stepped(count, priors, values, kernels.STOP)
                self._planted = True
                self._add_noise()
                return self._gather() if then else 0
            return self._stepped(count, priors, values, then)
        except LeafInvalid as error:
            kernels.give_up(self._nodes, self._leaves, count)
            error.partial = self._partial()
            raise

    def _stepped(self, count: int, priors: Array, values: Array, then: int) -> int:
        gathered: int = self._step(
            self._nodes, self._heads, self._leaves, count, priors, values, then, *self._settings
        )
        if gathered >= 0:
            return gathered
        fault, row = intake.fault_of(gathered)
        raise LeafInvalid(
            f"the leaf function returned {_FAULTS[fault]} for row {row}: priors "
            f"{priors[row].tolist()}, value {values[row]}"
        )

    def _add_noise(self) -> None:
        noise = self._config.noise
        if noise == 0.0:
            return
        actions = np.arange(self._actions, dtype=np.uint64)
        for head, root, seed in zip(self._heads, self._nodes[:, 0], self._seeds, strict=True):
            rng = np.random.default_rng((seed, 0))
            if self._config.root == "gumbel":
                head["gumbel"] = noise * rng.gumbel(size=self._actions)
                continue
            root["priors"] = with_dirichlet(
                root["priors"],
                (root["legal"] >> actions & np.uint64(1)).astype(np.bool_),
                alpha=self._config.noise_alpha,
                fraction=noise,
                rng=rng,
            )


def _choice(config: MCTSConfig, actions: int) -> tuple[NDArray[np.void], NDArray[np.int32]]:
    gumbel = config.root == "gumbel"
    numbers = (
        config.c_puct,
        config.c_visit,
        config.c_scale,
        config.first_play == "parent",
        gumbel,
    )
    most = min(config.considered, actions) if gumbel else 0
    return np.array([numbers], CHOICE), _schedule(most, config.simulations)


@lru_cache(maxsize=16)
def _schedule(most: int, simulations: int) -> NDArray[np.int32]:
    return np.stack([considered_visits(m, simulations) for m in range(most + 1)])


def _as_arrays(answer: tuple[Array, Array], count: int, actions: int) -> tuple[Array, Array]:
    wanted = f"the leaf function must return priors ({count}, {actions}) and values ({count},)"
    try:
        given, estimates = answer
        priors = np.ascontiguousarray(given, np.float32)
        values = np.ascontiguousarray(estimates, np.float32)
    except (TypeError, ValueError) as error:
        raise LeafInvalid(f"{wanted}: {error}") from error
    if priors.shape != (count, actions) or values.shape != (count,):
        raise LeafInvalid(f"{wanted}, and returned {priors.shape} and {values.shape}")
    return priors, values
