"""Deep supervision: it learns what is there, nothing else, and resumes bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trimtab.datasets.puzzles import Codes, augmenter, encode, generate
from trimtab.errors import ConfigError
from trimtab.models.recursive import RecursiveConfig, RecursiveNet
from trimtab.training.deep_supervision import DeepSupervision, TrainConfig

CONFIG = RecursiveConfig(
    kind="trm", inputs=5, outputs=4, rows=4, columns=4, box=(2, 2), width=32, blocks=2
)


class Puzzles:
    """Draws from fixed puzzles, twins of them where asked."""

    def __init__(self, n: int, *, twins: bool = False, shuffled: bool = False) -> None:
        rows = generate("sudoku4", n, seed=3)
        self.questions = encode([row.question for row in rows], "sudoku4")
        self.answers = encode([row.answer for row in rows], "sudoku4")
        if shuffled:
            self.answers = np.random.default_rng(0).integers(1, 5, self.answers.shape)
        self._augment = augmenter("sudoku4") if twins else None

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], Codes]:
        rows = rng.integers(len(self.questions), size=n)
        x, answers = self.questions[rows], self.answers[rows]
        if self._augment is not None:
            x, answers = self._augment(x, answers, rng)
        return x, answers - 1


def run(sampler: Puzzles, steps: int, **changes: Any) -> DeepSupervision:
    torch.manual_seed(0)
    plain: dict[str, Any] = {"steps": steps, "batch": 16, "warmup": 10, "supervision": 4}
    return DeepSupervision(RecursiveNet(CONFIG), sampler, TrainConfig(**{**plain, **changes}))


def exact(net: RecursiveNet, sampler: Puzzles, *, steps: int = 4) -> float:
    y, z = net.carry(len(sampler.questions))
    with torch.no_grad():
        for _ in range(steps):
            y, z, logits, _ = net(torch.from_numpy(sampler.questions), y, z)
    right = logits.argmax(-1).numpy() == sampler.answers - 1
    return float(right.all(axis=1).mean())


def test_eight_puzzles_are_learned_by_heart() -> None:
    training = run(Puzzles(8), 400)
    assert any(training.advance().answer_loss < 0.01 for _ in range(400))


class Embeddings:
    """Draws sets of vectors; a class says whether a first number plus their mean is positive."""

    def draw(self, n: int, rng: np.random.Generator) -> tuple[NDArray[Any], Codes]:
        x = rng.normal(size=(n, 6, 3)).astype(np.float32)
        return x, (x[..., 0] + x[..., 0].mean(axis=1, keepdims=True) > 0).astype(np.int64)


def test_what_follows_from_embeddings_of_all_positions_is_learned() -> None:
    torch.manual_seed(0)
    net = RecursiveNet(
        RecursiveConfig(
            kind="trm", outputs=2, rows=1, columns=6, input_width=3, width=16, mixer="attention"
        )
    )
    training = DeepSupervision(net, Embeddings(), TrainConfig(steps=150, batch=32, warmup=10))
    losses = [training.advance().answer_loss for _ in range(150)]
    assert np.mean(losses[-10:]) < 0.25 * losses[0]


def test_shuffled_targets_teach_nothing_about_unseen_puzzles() -> None:
    training = run(Puzzles(64, twins=True, shuffled=True), 120)
    for _ in range(120):
        training.advance()
    assert exact(training.averaged, Puzzles(100)) <= 0.02


def test_a_resumed_run_is_the_uninterrupted_one() -> None:
    straight = run(Puzzles(32, twins=True), 20)
    for _ in range(8):
        straight.advance()
    tensors, plain = straight.state()
    rest = [straight.advance() for _ in range(8)]
    resumed = run(Puzzles(32, twins=True), 20, seed=0)
    resumed.restore(tensors, plain)
    assert [resumed.advance() for _ in range(8)] == rest
    for name, value in straight.averaged.state_dict().items():
        assert torch.equal(value, resumed.averaged.state_dict()[name])


def test_a_finished_puzzle_gives_its_place_to_a_new_one_with_the_first_carry() -> None:
    training = run(Puzzles(32, twins=True), 20, supervision=1)
    training.advance()
    tensors, _ = training.state()
    assert tensors["steps"].tolist() == [0] * 16
    first = training.net.carry(16)
    assert torch.equal(tensors["y"], first[0])
    assert torch.equal(tensors["z"], first[1])


def test_the_rate_warms_up_and_falls_to_its_floor() -> None:
    config = TrainConfig(steps=100, warmup=10, lr=1.0, floor=0.1)
    assert config.rate(0) == pytest.approx(0.1)
    assert config.rate(9) == pytest.approx(1.0)
    assert config.rate(100) == pytest.approx(0.1)


@pytest.mark.parametrize("changes", [{"steps": 0}, {"batch": 0}, {"ema": 1.5}])
def test_a_recipe_that_cannot_be_used_is_named(changes: dict[str, Any]) -> None:
    [name] = changes
    with pytest.raises(ConfigError, match=f"{name}="):
        TrainConfig(**{"steps": 10, **changes})
