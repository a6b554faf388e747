from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.boards import SMALL, samples
from trimtab.datasets.replay_buffer import Samples, Symmetry
from trimtab.errors import ConfigError
from trimtab.training.learner import LearnConfig, Learner

MIRROR = Symmetry.mirror((2, 6, 7), 7)


def learner(seed: int = 0, **changes: float) -> Learner:
    config = {"batch": 32, "rate": 0.01, "average": 0.5} | changes
    return Learner(SMALL, LearnConfig(**config), MIRROR, seed=seed)  # type: ignore[arg-type]


def fitted(learner: Learner, found: Samples, steps: int, seed: int = 0) -> Learner:
    counts = np.ones(len(found), np.int64)
    learner.fit(found, counts, steps=steps, rate=1.0, rng=np.random.default_rng(seed))
    return learner


def test_net_learns_a_few_positions_by_heart() -> None:
    few = samples(12)
    best = np.zeros((12, 7), np.float32)
    best[np.arange(12), np.arange(12) % 7] = 1.0
    few = Samples(
        observations=few.observations,
        legal=few.legal,
        policies=best,
        values=np.sign(few.values),
        games=few.games,
    )
    found = fitted(learner(), few, 400).validate(few)
    assert found.policy_loss < 0.1
    assert found.value_loss < 0.1


def test_initial_weights_come_from_the_seed_alone() -> None:
    torch.manual_seed(5)
    first = learner(seed=1)
    second = learner(seed=1)
    for name, weights in first.average.items():
        torch.testing.assert_close(weights, second.average[name], rtol=0.0, atol=0.0)
    assert any(
        not weights.equal(learner(seed=2).average[n]) for n, weights in first.average.items()
    )


def test_restored_learner_goes_on_bit_for_bit() -> None:
    found = samples(40)
    one = fitted(learner(), found, 5)
    other = learner(seed=9)
    other.restore({name: tensor.clone() for name, tensor in one.state().items()})
    fitted(one, found, 5, seed=1)
    fitted(other, found, 5, seed=1)
    assert one.steps == other.steps == 10
    for name, tensor in one.state().items():
        assert tensor.equal(other.state()[name]), name


def test_average_that_was_taken_stays_as_it_was() -> None:
    one = learner()
    taken = dict(one.average)
    before = {name: tensor.clone() for name, tensor in taken.items()}
    fitted(one, samples(40), 3)
    assert all(tensor.equal(before[name]) for name, tensor in taken.items())
    assert any(not tensor.equal(taken[name]) for name, tensor in one.average.items())


def test_illegal_actions_cost_nothing() -> None:
    found = samples(8)
    legal = found.legal.copy()
    legal[:, 3] = 0
    policies = found.policies * legal
    masked = Samples(
        observations=found.observations,
        legal=legal,
        policies=policies / policies.sum(axis=1, keepdims=True),
        values=found.values,
        games=found.games,
    )
    result = learner().validate(masked)
    assert result.entropy < np.log(6.0) + 1e-6
    assert np.isfinite(result.policy_loss)


def test_validation_without_samples_is_no_number() -> None:
    assert np.isnan(learner().validate(samples(3).take(np.zeros(3, bool))).policy_loss)


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch", 1), ("rate", 0.0), ("average", 1.0), ("weight_decay", -1.0), ("value_weight", -0.1)],
)
def test_unusable_setting_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=name):
        LearnConfig(**{name: value})  # type: ignore[arg-type]
