"""The GRU variant of the controller: a net over the trail in place of a regression per trail.

It is fitted by policy iteration on measured outcomes. In every round the values of all trails are
computed backwards under the policy of the round before, and two nets learn what each further step
brings, each from its half of the questions. The decisions that a question's values rest on come
from the net that has not seen it. Which answer is shown is the ridge judge's business, as in
:mod:`trimtab.training.controller`. n is the number of questions, T of trails, M of steps, L of
prices λ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trimtab.agents.cascades import STOP, Candidate
from trimtab.agents.trail_features import members
from trimtab.agents.trail_model import Seen, TrailModel, best_answer
from trimtab.domains.tables import Codes, Floats, RecordedSteps
from trimtab.errors import ConfigError
from trimtab.models.trail_gru import Level, TrailGru
from trimtab.training.agreement_chains import LARGEST_FULL, all_trails
from trimtab.training.cascade_pool import best_single
from trimtab.training.controller import Judged, fit_judge, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class GruConfig:
    """The recipe.

    Attributes:
        hidden: width of a state.
        rounds: of policy iteration.
        updates: of each net in a round.
        batch: questions in an update; each brings all its trails.
        learning_rate: AdamW's.
        weight_decay: decoupled.
    """

    hidden: int = 16
    rounds: int = 3
    updates: int = 60
    batch: int = 64
    learning_rate: float = 5e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if min(self.hidden, self.rounds, self.updates, self.batch) < 1:
            raise ConfigError(f"hidden, rounds, updates and batch must be >= 1; got {self}")
        if self.learning_rate <= 0.0 or self.weight_decay < 0.0:
            raise ConfigError(f"learning_rate must be > 0, weight_decay >= 0; got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GruCascade:
    """Runs the step with the largest gain by the nets while it is above 0.

    Attributes:
        nets: whose predictions are averaged.
        judge: chooses the answer to show.
        prices: `[M]` mean price of each step.
        value_of_usd: λ.
        place: of λ among the nets' prices.
    """

    nets: tuple[TrailGru, ...]
    judge: TrailModel
    prices: Floats
    value_of_usd: float
    place: int

    @property
    def name(self) -> str:
        """Return the name, which holds λ."""
        return f"GRU over the trail, {self.value_of_usd:.4g} per USD"

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        """Return each question's trail and the step whose answer is shown."""
        seen = self.judge.see(steps)
        levels = trail_levels(seen, self.prices)
        brings = np.mean([predict(net, levels) for net in self.nets], axis=0)[..., self.place]
        choice: dict[int, Codes] = {}
        shown: dict[int, Codes] = {}
        trails = all_trails(len(self.prices))
        for trail, of_trail in zip(trails, brings, strict=True):
            choice[trail] = _decide(
                of_trail - self.value_of_usd * self.prices, trail, self.judge, seen
            )
            if trail:
                shown[trail], _ = best_answer(self.judge.judge(trail, seen), trail, self.prices)
        return walk(choice, shown, steps.n)


def fit_gru(
    steps: RecordedSteps,
    *,
    lambdas: Sequence[float],
    rng: np.random.Generator,
    config: GruConfig | None = None,
) -> list[Candidate]:
    """Return the controller of each λ whose gains come from GRUs over the trail.

    Args:
        steps: training questions.
        lambdas: values of a US dollar.
        rng: draws folds, halves, weights and batches.
        config: the recipe; its defaults if None.

    Raises:
        ConfigError: fewer questions than folds, or too many steps to read all their trails.
    """
    if len(steps.names) > LARGEST_FULL:
        raise ConfigError(
            f"{len(steps.names)} steps have too many trails; give at most {LARGEST_FULL}"
        )
    recipe = GruConfig() if config is None else config
    judged = fit_judge(steps, trails=all_trails(len(steps.names)), rng=rng)
    levels = trail_levels(judged.seen, judged.prices)
    half = rng.permutation(np.arange(steps.n) % 2)
    nets = _new_nets(levels, len(steps.names), len(lambdas), recipe, rng)
    optimisers = [
        torch.optim.AdamW(
            net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        for net in nets
    ]
    brings: Floats | None = None
    for _ in range(recipe.rounds):
        targets = torch.from_numpy(trail_targets(steps, judged, lambdas, brings)).float()
        for own, (net, optimiser) in enumerate(zip(nets, optimisers, strict=True)):
            _learn(net, optimiser, levels, targets, np.flatnonzero(half == own), recipe, rng)
        predicted = [predict(net, levels) for net in nets]
        other = (half == 0)[None, :, None, None]
        brings = np.where(other, predicted[1], predicted[0])
    strong = best_single(steps)
    return [
        Candidate(
            cascade=GruCascade(
                nets=nets,
                judge=judged.model,
                prices=judged.prices,
                value_of_usd=value,
                place=place,
            ),
            judge=judged.model,
            strong=strong,
        )
        for place, value in enumerate(lambdas)
    ]


def trail_levels(seen: Seen, prices: Floats) -> list[Level]:
    """Return the words of all trails, each read from its cheapest step to its dearest.

    A word says which step speaks, whether it gave no answer, and which of those before it agree.
    """
    rank = np.argsort(np.argsort(prices, kind="stable"), kind="stable")
    count = len(prices)
    by_size: dict[int, list[int]] = {}
    for trail in all_trails(count):
        by_size.setdefault(trail.bit_count(), []).append(trail)
    levels = []
    for size in range(1, count + 1):
        parents, words = [], []
        for trail in by_size[size]:
            last = max(members(trail), key=lambda m: int(rank[m]))
            before = trail & ~(1 << last)
            word = np.zeros((seen.n, 2 * count + 1), dtype=np.float32)
            word[:, last] = 1.0
            word[:, count] = seen.codes[last] < 0
            for m in members(before):
                word[:, count + 1 + m] = seen.same[last, m]
            parents.append(by_size[size - 1].index(before))
            words.append(word)
        levels.append(Level(torch.tensor(parents), torch.from_numpy(np.stack(words))))
    return levels


def trail_targets(
    steps: RecordedSteps, judged: Judged, lambdas: Sequence[float], brings: Floats | None
) -> Floats:
    """Return `[T, n, M, L]` what each further step brought, NaN where it is not further.

    Args:
        steps: training questions.
        judged: chooses the answers shown, out of fold.
        lambdas: the L prices.
        brings: `[T, n, M, L]` predictions out of sample that decide; nobody goes on if None.
    """
    trails = all_trails(len(steps.names))
    cost = judged.prices[:, None] * np.asarray(lambdas, dtype=np.float64)
    found = np.full((len(trails), steps.n, *cost.shape), np.nan)
    values: dict[int, Floats] = {}
    for place in range(len(trails))[::-1]:
        trail = trails[place]
        reward = np.zeros((steps.n, 1))
        if trail:
            reward = steps.correct[judged.shown[trail], np.arange(steps.n)][:, None].astype(float)
        value = np.repeat(reward, cost.shape[1], axis=1)
        for m in range(len(steps.names)):
            if not trail >> m & 1:
                found[place, :, m] = values[trail | 1 << m] - reward
        if brings is not None:
            for one in range(cost.shape[1]):
                gains = brings[place, :, :, one] - cost[:, one]
                step = _decide(gains, trail, judged.model, judged.seen)
                on = np.flatnonzero(step != STOP)
                value[on, one] += found[place, on, step[on], one] - cost[step[on], one]
        values[trail] = value
    return found


def predict(net: TrailGru, levels: Sequence[Level]) -> Floats:
    """Return `[T, n, M, L]` predictions of a net."""
    with torch.no_grad():
        found: Tensor = net(levels)
    predicted: Floats = found.double().numpy()
    return predicted


def _decide(gains: Floats, trail: int, judge: TrailModel, seen: Seen) -> Codes:
    """Return `[n]` the step to take after a trail by `[n, M]` gains, or STOP."""
    ran = np.array([bool(trail >> m & 1) for m in range(gains.shape[1])])
    open_gains = np.where(ran, -np.inf, gains)
    # something has to be shown, so the first step is taken whatever it costs
    stop = (open_gains.max(axis=1) <= 0.0) & (trail != 0) | judge.sure(trail, seen)
    return np.where(stop, STOP, open_gains.argmax(axis=1))


def _new_nets(
    levels: Sequence[Level], steps: int, prices: int, recipe: GruConfig, rng: np.random.Generator
) -> tuple[TrailGru, ...]:
    width = levels[0].words.shape[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        return tuple(
            TrailGru(width=width, steps=steps, prices=prices, hidden=recipe.hidden)
            for _ in range(2)
        )


def _learn(
    net: TrailGru,
    optimiser: torch.optim.Optimizer,
    levels: Sequence[Level],
    targets: Tensor,
    rows: Codes,
    recipe: GruConfig,
    rng: np.random.Generator,
) -> None:
    """Fit the net to the targets of these rows by least squares."""
    for _ in range(recipe.updates):
        drawn = torch.from_numpy(rng.choice(rows, size=min(recipe.batch, len(rows)), replace=False))
        target = targets.index_select(1, drawn)
        further = ~target.isnan()
        predicted: Tensor = net([level.take(drawn) for level in levels])
        # zeros, not a selection: the gradient of a selection is several times as slow
        missed = (predicted - target.nan_to_num()) * further
        loss = missed.square().sum() / further.sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
