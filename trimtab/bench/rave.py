"""How many fewer simulations RAVE needs than UCT for an equal score, in Hex and Connect Four.

RAVE with n simulations a move plays UCT with k n; the figure is the k at which each would score a
half. G is the number of pairs of games, F of factors k that were played.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.bench.result import Bar, Measure, bench_result
from trimtab.domains.connect_four import ConnectFour
from trimtab.domains.hex import Hex
from trimtab.errors import ConfigError
from trimtab.protocols import AnyDomain, AnyGame
from trimtab.search.uct import UCT, UCTConfig
from trimtab.stats import interval

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
FIRST = FACTORS.index(2.0)
MARGIN = 0.1
"""How far from a half the scores must reach on both sides, lest the range cuts an interval off."""
RESAMPLES = 2000
BAR = 2.0
_SEEDS = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class _Match:
    """A game, the settings of both sides, and the random moves that open a pair of games.

    Both sides were chosen in games under other seeds than the default: UCT's c among .2 to 1.4,
    RAVE's b among .03 to .5 and its c among 0 to .3. With b = .05 the all-moves-as-first mean
    weighs half after 1 / (4 b²) = 100 visits.
    """

    name: str
    domain: AnyDomain
    game: AnyGame
    rave: UCTConfig
    uct: UCTConfig
    opening: int


def run(
    *,
    sizes: Sequence[int] = (5, 7),
    simulations: Sequence[int] = (50, 100, 200, 400),
    games: int = 200,
    seed: int = 0,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Return, by game and simulations n, the factor k at which UCT with k n scores a half.

    Factors are doubled from 2 until RAVE scores .4 or less, and halved until it scores .6 or more,
    between 1/4 and 8; log k is interpolated. What lies beyond is given as 1/4 or as 8. Games come
    in pairs from one random opening with the sides swapped, and pairs are resampled for the
    intervals. ``hex_5`` and so on are geometric means over the simulations.

    Args:
        sizes: of Hex boards.
        simulations: of RAVE a move.
        games: of each factor, an even number.
        seed: of every draw.
        progress: called with a line for each game and number of simulations.

    Raises:
        ConfigError: a size or number cannot be used.
    """
    if games < 2 or games % 2:
        raise ConfigError(f"games={games} makes no pairs; use an even number, 2 or more")
    if not sizes or not simulations or min(simulations) < 8:
        raise ConfigError(
            f"sizes={list(sizes)}, simulations={list(simulations)}: give one each at least, and 8 "
            f"simulations or more"
        )
    measures: dict[str, Measure] = {}
    played = 0
    for match in [*(_hex(size) for size in sizes), _connect_four()]:
        draws = []
        for n in simulations:
            rng = np.random.default_rng([seed, n, match.domain.num_actions])
            pairs = _scores(match, n, games // 2, rng)
            played += games * len(pairs)
            logs = _resampled(pairs, rng)
            draws.append((_log_factor({k: s.mean() for k, s in pairs.items()}), logs))
            measures[f"{match.name}_{n}"] = _factor(*draws[-1])
            means = ", ".join(f"{s.mean():.2f} against {k:g}n" for k, s in sorted(pairs.items()))
            progress(f"{match.name}, n = {n}: RAVE scores {means}")
        value = float(np.mean([log for log, _ in draws]))
        measures[match.name] = _factor(value, np.mean([logs for _, logs in draws], axis=0))
    names = [f"hex_{size}" for size in sizes]
    return bench_result(
        "rave",
        data="games from random openings",
        n=played,
        seed=seed,
        measures=measures,
        bars=[
            Bar(key=key, at_least=BAR)
            for key in measures
            if any(key == name or key.startswith(f"{name}_") for name in names)
        ],
        packages=("numpy", "numba"),
    )


def _hex(size: int) -> _Match:
    domain = Hex(size)
    return _Match(
        name=domain.name,
        domain=domain,
        game=domain.compiled,
        rave=UCTConfig(c=0.0, rave_bias=0.05),
        uct=UCTConfig(c=0.7),
        opening=2,
    )


def _connect_four() -> _Match:
    domain = ConnectFour()
    return _Match(
        name=domain.name,
        domain=domain,
        game=domain.compiled,
        rave=UCTConfig(c=0.7, rave_bias=0.5),
        uct=UCTConfig(c=1.0),
        opening=4,
    )


def _scores(
    match: _Match, n: int, pairs: int, rng: np.random.Generator
) -> dict[float, NDArray[np.float64]]:
    """Return RAVE's mean scores `[G]` of pairs, for each factor that had to be played."""
    rave = replace(match.rave, simulations=n)
    scores: dict[float, NDArray[np.float64]] = {}

    def play(index: int) -> float:
        k = FACTORS[index]
        uct = replace(match.uct, simulations=round(k * n))
        scores[k] = np.array([_pair(match, rave, uct, rng) for _ in range(pairs)])
        return float(scores[k].mean())

    first = play(FIRST)
    index, score = FIRST, first
    while score > 0.5 - MARGIN and index + 1 < len(FACTORS):
        index += 1
        score = play(index)
    index, score = FIRST, first
    while score < 0.5 + MARGIN and index > 0:
        index -= 1
        score = play(index)
    return scores


def _pair(match: _Match, rave: UCTConfig, uct: UCTConfig, rng: np.random.Generator) -> float:
    """Return the first side's mean score of two games from one opening, sides swapped."""
    opening = match.domain.initial_state(0)
    for _ in range(match.opening):
        legal = match.domain.legal_actions(opening)
        opening = match.domain.apply_action(opening, int(rng.choice(legal)))
    scores = []
    for sides in ((rave, uct), (uct, rave)):
        state, ply = opening, 0
        while not match.domain.is_terminal(state):
            search = UCT(
                match.game, match.game.encode(state), sides[ply % 2], int(rng.integers(_SEEDS))
            )
            state = match.domain.apply_action(state, int(search.run().action[0]))
            ply += 1
        # an even opening: player 0 moved first here too
        won = match.domain.returns(state)[sides.index(rave)]
        scores.append(0.5 + 0.5 * won)
    return sum(scores) / 2


def _resampled(
    pairs: Mapping[float, NDArray[np.float64]], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return `[RESAMPLES]` logarithms of the factor over resampled pairs."""
    means = {k: s[rng.integers(len(s), size=(RESAMPLES, len(s)))].mean(1) for k, s in pairs.items()}
    return np.array([_log_factor({k: m[b] for k, m in means.items()}) for b in range(RESAMPLES)])


def _log_factor(scores: Mapping[float, float]) -> float:
    """Return log2 of the factor at which the score is a half, by interpolation between factors.

    The score falls with the factor; where luck has it rise, the smaller score stands for both.
    """
    factors = sorted(scores)
    falling = np.minimum.accumulate([scores[k] for k in factors])
    logs = [math.log2(k) for k in factors]
    above = int((falling > 0.5).sum())
    if above in (0, len(factors)):
        return logs[0] if above == 0 else logs[-1]
    high, low = falling[above - 1], falling[above]
    share = float((high - 0.5) / (high - low))
    return logs[above - 1] + share * (logs[above] - logs[above - 1])


def _factor(log: float, draws: NDArray[np.float64]) -> Measure:
    low, high = interval(draws)
    unit = "simulations of UCT per one of RAVE"
    return Measure(value=float(2.0**log), low=2.0**low, high=2.0**high, unit=unit)
