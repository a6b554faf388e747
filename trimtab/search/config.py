"""The settings of a tree search and their presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from trimtab.errors import ConfigError
from trimtab.search.checks import finite, one_of, whole

FinalMove = Literal["visits", "value", "robust", "secure"]
Root = Literal["puct", "gumbel"]
FirstPlay = Literal["zero", "parent"]
FINAL_MOVES = ("visits", "value", "robust", "secure")


@dataclass(frozen=True, slots=True, kw_only=True)
class MCTSConfig:
    """Settings of a search with priors and values.

    Attributes:
        simulations: budget per tree, the evaluation of the root not counted; also the limit on
            memory where ``milliseconds`` is set.
        milliseconds: if set, no round begins later than this; the result then depends on the clock.
        c_puct: weight of exploration (AlphaZero's c_init, 1.25).
        first_play: value of an unvisited child: 0 (AlphaGo Zero) or its parent's mean.
        noise: share of Dirichlet noise in the root's priors (0.25 in AlphaZero's self-play), or,
            for a Gumbel root, the scale of its noise (1 in the paper); 0 plays for strength.
        noise_alpha: α of the Dirichlet noise; AlphaZero takes about 10 / (usual number of moves).
        temperature: 0 plays the final move, above 0 draws it from ``visits ** (1 / temperature)``.
        final_move: by most visits; by highest value; robust, by visits and then value; or secure,
            by the lower bound ``q - 1 / sqrt(n)``.
        leaves: leaves of one tree evaluated together by virtual loss, at most simulations / 16;
            each tree takes fewer while its paths collide.
        root: ``puct``, or ``gumbel``: sequential halving over sampled actions, whose policy target
            improves the prior even with few simulations; it chooses its own final move.
        considered: number of root actions that a Gumbel root samples (16 in the paper).
        c_visit: σ's constant for a Gumbel root (50 in the paper).
        c_scale: σ's factor for a Gumbel root (1 in the paper for Go and chess).
    """

    simulations: int = 100
    milliseconds: float | None = None
    c_puct: float = 1.25
    first_play: FirstPlay = "zero"
    noise: float = 0.0
    noise_alpha: float = 1.0
    temperature: float = 0.0
    final_move: FinalMove = "visits"
    leaves: int = 1
    root: Root = "puct"
    considered: int = 16
    c_visit: float = 50.0
    c_scale: float = 1.0

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConfigError: a field is out of range, or two contradict each other.
        """
        for name in ("simulations", "leaves", "considered"):
            whole(name, getattr(self, name))
        for name in ("c_puct", "noise", "temperature", "c_visit", "c_scale"):
            finite(name, getattr(self, name), above=False)
        finite("noise_alpha", self.noise_alpha, above=True)
        if self.milliseconds is not None:
            finite("milliseconds", self.milliseconds, above=True)
        one_of("first_play", self.first_play, ("zero", "parent"))
        one_of("final_move", self.final_move, FINAL_MOVES)
        one_of("root", self.root, ("puct", "gumbel"))
        most = max(1, self.simulations // 16)
        if self.leaves > most:
            raise ConfigError(
                f"leaves={self.leaves} with simulations={self.simulations}: take at most {most} "
                f"leaves (simulations / 16), or more simulations"
            )
        if self.root == "puct" and self.noise > 1.0:
            raise ConfigError(f"noise={self.noise} is a share of the priors; take 0 to 1")
        if self.root == "gumbel" and (self.temperature > 0.0 or self.final_move != "visits"):
            raise ConfigError(
                f"root='gumbel' chooses its own final move: leave temperature={self.temperature} "
                f"at 0 and final_move={self.final_move!r} at 'visits'; noise makes it vary"
            )


FAST = MCTSConfig(simulations=25)
BALANCED = MCTSConfig(simulations=100)
THOROUGH = MCTSConfig(simulations=500)
EXPLORATION = MCTSConfig(simulations=200, c_puct=2.5, noise=0.25, temperature=1.0)
EXPLOITATION = MCTSConfig(simulations=150, c_puct=0.75, final_move="robust")
PRESETS = {
    "fast": FAST,
    "balanced": BALANCED,
    "thorough": THOROUGH,
    "exploration": EXPLORATION,
    "exploitation": EXPLOITATION,
}


def preset(name: str) -> MCTSConfig:
    """Return a preset; change fields with ``dataclasses.replace``.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"preset={name!r} is unknown; take one of {sorted(PRESETS)}")
    return PRESETS[name]
