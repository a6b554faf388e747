"""The trainers of the heads, on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.agents.text_heads import softmax
from trimtab.errors import ConfigError
from trimtab.training.head_fit import HeadConfig, fit_head, fit_witness

ONES = np.ones(2, np.float32)
LINEAR = HeadConfig(
    epochs=200, learning_rate=0.05, weight_decay=0.0, input_dropout=0.0, max_steps=10_000
)


def test_linear_head_finds_the_probabilities_that_minimise_the_loss() -> None:
    # Two inputs, each seen with both labels: the best probabilities are the shares.
    inputs = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4, np.float32)
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    rng = np.random.default_rng(0)
    head = fit_head(inputs, labels, num_labels=2, scale=ONES, config=LINEAR, rng=rng)
    assert softmax(head.logits(inputs))[[0, -1], 0] == pytest.approx([0.75, 0.25], abs=0.01)


def test_hidden_layer_learns_what_no_linear_head_can() -> None:
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 32, np.float32)
    labels = np.array([0, 1, 1, 0] * 32)
    config = HeadConfig(
        hidden=32, learning_rate=0.02, input_dropout=0.0, hidden_dropout=0.0, weight_decay=0.0
    )
    rng = np.random.default_rng(0)
    head = fit_head(inputs, labels, num_labels=2, scale=ONES, config=config, rng=rng)
    assert head.logits(inputs).argmax(axis=1).tolist() == labels.tolist()


def test_scale_is_folded_into_the_weights() -> None:
    inputs = np.array([[0.01, 0.0], [0.0, 0.01]] * 16, np.float32)
    labels = np.array([0, 1] * 16)
    rng = np.random.default_rng(0)
    head = fit_head(inputs, labels, num_labels=2, scale=100 * ONES, config=LINEAR, rng=rng)
    assert softmax(head.logits(inputs))[0, 0] > 0.9


def test_same_seed_gives_the_same_weights() -> None:
    inputs = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    labels = np.arange(50) % 3
    config = HeadConfig(hidden=4, min_steps=20, epochs=1)
    heads = [
        fit_head(
            inputs,
            labels,
            num_labels=3,
            scale=ONES,
            config=config,
            rng=np.random.default_rng(seed),
        ).arrays("h")["h.0.weight"]
        for seed in (7, 7, 8)
    ]
    assert np.array_equal(heads[0], heads[1])
    assert not np.array_equal(heads[0], heads[2])


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_witness_never_chooses_a_label_without_a_sample(absent: int) -> None:
    present = [label for label in range(3) if label != absent]
    keys = ["red apple", "green apple", "old car", "new car"]
    labels = np.array([present[0], present[0], present[1], present[1]])
    witness = fit_witness(keys, labels, num_labels=3, penalty=1.0, seed=0)
    chosen = [int(witness.logits(key).argmax()) for key in [*keys, "unseen words"]]
    assert chosen[:4] == labels.tolist()
    assert absent not in chosen


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": -1},
        {"epochs": 0},
        {"batch": 0},
        {"min_steps": 10, "max_steps": 9},
        {"input_dropout": 1.0},
        {"hidden_dropout": -0.1},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
    ],
)
def test_settings_that_cannot_train_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        HeadConfig(**wrong)  # type: ignore[arg-type]
