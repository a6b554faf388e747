"""Self-play: many games side by side, each move by a search that a net guides.

Sources: Danihelka et al. 2022, "Policy improvement by planning with Gumbel" (moves and policy
targets of few simulations); Sutton 1988, "Learning to predict by the methods of temporal
differences" (TD(λ) between a search's value and the game's end). T is the number of games that are
still on, W the words of a state, A the actions.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trimtab.agents.board_net import BoardNet, observe_rows
from trimtab.datasets.replay_buffer import Samples
from trimtab.errors import ConfigError
from trimtab.protocols import ONGOING, AnyGame, Array, Words
from trimtab.search.mcts import Evaluator, MCTSConfig, search
from trimtab.training.board_games import board_game


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfPlayConfig:
    """How games are played.

    Attributes:
        search: of every move; its simulations, root and noise.
        random_plies: a game begins with a uniformly drawn number of random moves, at most this.
        trace: λ of the value targets: 1 takes the end of the game, 0 each position's own search.
        play_on: chance that a game goes on after a position whose exact value the search has
            proven; otherwise it ends there with that value.
    """

    search: MCTSConfig = field(
        default_factory=lambda: MCTSConfig(simulations=24, root="gumbel", noise=1.0)
    )
    random_plies: int = 24
    trace: float = 0.8
    play_on: float = 0.25

    def __post_init__(self) -> None:
        if self.random_plies < 0:
            raise ConfigError(f"random_plies={self.random_plies} is negative; give 0 or more")
        for name in ("trace", "play_on"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}={getattr(self, name)} is not in [0, 1]")


@dataclass(frozen=True, slots=True)
class Job:
    """A batch of games for one process.

    Attributes:
        seed: of every draw.
        games: how many are played side by side.
        first_game: number of the first.
    """

    seed: tuple[int, ...]
    games: int
    first_game: int


@dataclass(frozen=True, slots=True)
class Task:
    """A job with all that another process needs for it."""

    game: str
    graph: bytes
    config: SelfPlayConfig
    job: Job


@dataclass(frozen=True, slots=True)
class Episodes:
    """What a job found.

    Attributes:
        samples: the searched positions.
        proven: how many of them have an exact value.
        cpu_s: that it took.
    """

    samples: Samples
    proven: int
    cpu_s: float


@dataclass(slots=True)
class Searched:
    """One searched position of a game, before its value target is known.

    Attributes:
        row: `[W]` words.
        policy: `[A]` policy target.
        value: of the search, for the player to move; exact where proven.
        proven: whether it is exact.
    """

    row: NDArray[np.uint64]
    policy: Array
    value: float
    proven: bool


def play_task(task: Task) -> Episodes:
    """Return the episodes of a task; deterministic in it, whatever process it runs in."""
    started = time.thread_time()
    game = board_game(task.game).game
    net = BoardNet(task.graph, game)
    rng = np.random.default_rng(task.job.seed)
    records, ends = play_games(net.evaluate, game, task.config, games=task.job.games, rng=rng)
    rows, policies, values, numbers = [], [], [], []
    for number, (found, end) in enumerate(zip(records, ends, strict=True)):
        rows += [record.row for record in found]
        policies += [record.policy for record in found]
        values += value_targets(
            [record.value for record in found],
            [record.proven for record in found],
            end,
            trace=task.config.trace,
        )
        numbers += [task.job.first_game + number] * len(found)
    observations, legal = observe_rows(game, np.array(rows, np.uint64).reshape(-1, game.words))
    samples = Samples(
        observations=observations.astype(np.uint8),
        legal=legal.astype(np.uint8),
        policies=np.array(policies, np.float32).reshape(-1, game.num_actions),
        values=np.array(values, np.float32),
        games=np.array(numbers, np.int64),
    )
    proven = sum(record.proven for found in records for record in found)
    return Episodes(
        samples=samples,
        proven=proven,
        cpu_s=time.thread_time() - started,
    )


def play_games(
    evaluator: Evaluator,
    game: AnyGame,
    config: SelfPlayConfig,
    *,
    games: int,
    rng: np.random.Generator,
) -> tuple[list[list[Searched]], list[float]]:
    """Play games side by side to their ends.

    Returns:
        the searched positions of each game, and the value of the position after the last of them
        for the player to move there (exact: by the rules, or as proven by the search).
    """
    rows = random_openings(game, games=games, most_plies=config.random_plies, rng=rng)
    found: list[list[Searched]] = [[] for _ in range(games)]
    ends = [0.0] * games
    live = list(range(games))
    while live:
        seeds = rng.integers(2**62, size=len(live))
        goes_on = rng.random(len(live)) < config.play_on
        result = search(game, rows[live], evaluator, config.search, seeds)
        still = []
        for tree, number in enumerate(live):
            proven = bool(result.proven[tree] != ONGOING)
            value = float(result.value[tree])
            policy = result.policy[tree].astype(np.float32)
            found[number].append(Searched(rows[number].copy(), policy, value, proven))
            if proven and not goes_on[tree]:
                ends[number] = -value
                continue
            game.play(rows[number], int(result.action[tree]), rows[number])
            end = game.result(rows[number])
            if end == ONGOING:
                still.append(number)
            else:
                ends[number] = float(end)
        live = still
    return found, ends


def value_targets(
    values: Sequence[float], proven: Sequence[bool], end: float, *, trace: float
) -> list[float]:
    """Return one value target per position of a game, each for the player to move there.

    Args:
        values: what the search said of each position; exact where proven.
        proven: whether it is exact.
        end: value of the position after the last one, for the player to move there.
        trace: λ of TD(λ).
    """
    targets: list[float] = []
    following = end
    for value, exact in zip(reversed(values), reversed(proven), strict=True):
        following = value if exact else (1.0 - trace) * value - trace * following
        targets.append(following)
    return targets[::-1]


def random_openings(
    game: AnyGame, *, games: int, most_plies: int, rng: np.random.Generator
) -> Words:
    """Return `[games, W]` positions after random moves, none of them over.

    The number of moves is uniform over 0 to ``most_plies``; a game that ends sooner is drawn anew.
    """
    start = board_game(game.name).start
    rows = np.empty((games, game.words), np.uint64)
    for number in range(games):
        while True:
            rows[number] = start
            for _ in range(int(rng.integers(most_plies + 1))):
                if game.result(rows[number]) != ONGOING:
                    break
                action = int(rng.choice(legal_actions(game, rows[number])))
                game.play(rows[number], action, rows[number])
            if game.result(rows[number]) == ONGOING:
                break
    return rows


def legal_actions(game: AnyGame, row: NDArray[np.uint64]) -> list[int]:
    """Return the legal actions of `[W]` words, ascending."""
    mask = int(game.legal_mask(row))
    return [action for action in range(game.num_actions) if mask >> action & 1]
