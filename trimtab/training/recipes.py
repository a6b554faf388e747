"""Recipes of self-play: every setting of a run in one record, and three presets.

What the presets take and reach stands in the shipped net's card.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from trimtab.errors import ConfigError
from trimtab.models.policy_value import PolicyValueConfig
from trimtab.search.mcts import MCTSConfig
from trimtab.training.board_games import board_game
from trimtab.training.learner import LearnConfig
from trimtab.training.self_play import SelfPlayConfig

PresetName = Literal["smoke", "short", "long"]
PRESET_NAMES = get_args(PresetName)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A whole recipe.

    Attributes:
        net: sizes of the net.
        learn: how it is fitted.
        play: how the games are played.
        iterations: of self-play and fitting.
        shards: batches of games per iteration; each is played by one process.
        shard_games: games of a shard, played side by side.
        reuse: how often a new sample is drawn on average.
        window: iterations that are kept at first.
        window_growth: share of all further iterations by which the window grows.
        decay_from: share of the run after which the learning rate falls, linearly to 2 %.
        measure_every: iterations between two measures.
        snapshot_every: iterations between two snapshots.
        validation_every: one game of so many is held out.
        ahead: whether the games of an iteration are played while the net is fitted to those of
            the one before, by the weights from before that fit.
        seed: of every draw.
    """

    net: PolicyValueConfig
    learn: LearnConfig
    play: SelfPlayConfig
    iterations: int
    shards: int = 1
    shard_games: int = 256
    reuse: float = 4.0
    window: int = 4
    window_growth: float = 0.5
    decay_from: float = 0.7
    measure_every: int = 5
    snapshot_every: int = 2
    validation_every: int = 20
    ahead: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        least_one = ("iterations", "shards", "shard_games", "window")
        for name in (*least_one, "measure_every", "snapshot_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is under 1")
        if self.seed < 0:
            raise ConfigError(f"seed={self.seed} is negative; give 0 or more")
        if not self.reuse > 0.0:
            raise ConfigError(f"reuse={self.reuse} is not positive; give about 4")
        for name in ("window_growth", "decay_from"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name}={getattr(self, name)} is not in [0, 1]")

    def to_json(self) -> dict[str, Any]:
        """Return the recipe as plain JSON values."""
        return asdict(self)

    def rate(self, iteration: int) -> float:
        """Return the share of the learning rate in an iteration, counted from 0."""
        start = self.decay_from * self.iterations
        if iteration < start:
            return 1.0
        left = (self.iterations - iteration) / max(self.iterations - start, 1.0)
        return max(0.02, left)

    def keep(self, iteration: int) -> int:
        """Return how many iterations the window holds, counted from 0."""
        return self.window + int(self.window_growth * max(0, iteration + 1 - self.window))


def preset(name: str, *, game: str = "connect_four", seed: int = 0) -> TrainConfig:
    """Return a preset for a game: ``smoke`` (90 CPU-s), ``short`` (10 minutes) or ``long``.

    Raises:
        ConfigError: there is no such preset.
        UnknownDomain: no net is trained for the game.
    """
    if name not in PRESET_NAMES:
        raise ConfigError(f"preset={name!r} is unknown; give one of {list(PRESET_NAMES)}")
    board = board_game(game)
    planes, height, width = board.game.observation_shape
    net = PolicyValueConfig(
        planes=planes,
        height=height,
        width=width,
        actions=board.game.num_actions,
        line_length=board.line_length,
        channels=32,
        blocks=3,
    )
    search = MCTSConfig(simulations=24, root="gumbel", noise=1.0)
    config = TrainConfig(
        net=net,
        learn=LearnConfig(),
        play=SelfPlayConfig(search=search, random_plies=24),
        iterations=5,
        shard_games=192,
        seed=seed,
    )
    if name == "smoke":
        return config
    if name == "short":
        return replace(config, net=replace(net, blocks=4), iterations=20, shard_games=256)
    return replace(
        config,
        net=replace(net, blocks=5),
        learn=LearnConfig(average=0.995, bfloat16=True),
        iterations=52,
        shards=4,
        shard_games=96,
        ahead=True,
    )
