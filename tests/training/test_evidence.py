from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.evidence_nets import fresh_graph, fresh_net
from trimtab.agents.evidence import FUSED, PRESENT, QUESTION, WIDTH
from trimtab.agents.recursion import solve
from trimtab.agents.recursive import open_step
from trimtab.errors import ConfigError
from trimtab.models.halting import step_loss
from trimtab.models.recursive import RecursiveConfig
from trimtab.protocols import Array
from trimtab.training.deep_supervision import TrainConfig
from trimtab.training.evidence import EvidenceRecipe, train_net
from trimtab.training.evidence_data import EvidenceData
from trimtab.training.evidence_net import EvidenceNet
from trimtab.training.puzzle_fit import carry_of, torch_step

LENGTH = EvidenceRecipe().net.length


def inputs(n: int, *, passages: int = 5, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    x = np.zeros((n, LENGTH, WIDTH), dtype=np.float32)
    x[:, : passages + 1] = rng.normal(size=(n, passages + 1, WIDTH))
    x[:, :, [PRESENT, QUESTION]] = 0.0
    x[:, 0, QUESTION] = 1.0
    x[:, 1 : passages + 1, PRESENT] = 1.0
    return x


def test_places_without_a_passage_have_no_probability() -> None:
    net = fresh_net()
    solved = solve(torch_step(net), inputs(3), carry_of(net), most=2)
    assert solved.probs.shape == (3, 1, LENGTH)
    assert solved.probs[:, 0, 6:].max() == 0.0
    assert solved.probs[:, 0, :6].min() > 0.0


def test_the_graph_agrees_with_torch() -> None:
    net = fresh_net()
    step = open_step(fresh_graph())
    for batch in (1, 3):
        x = inputs(batch)
        ours = solve(step, x, carry_of(net), most=8)
        theirs = solve(torch_step(net), x, carry_of(net), most=8)
        assert np.abs(ours.probs - theirs.probs).max() < 1e-4
        assert np.abs(ours.q_every - theirs.q_every).max() < 1e-4


def test_it_starts_from_the_order_of_the_fused_scores() -> None:
    torch.manual_seed(0)
    net = EvidenceNet(EvidenceRecipe().net).eval()
    torch.nn.init.zeros_(net.head.weight)
    x = inputs(4)
    solved = solve(torch_step(net), x, carry_of(net), most=1)
    assert (solved.probs[:, 0, 1:6].argmax(1) == x[:, 1:6, FUSED].argmax(1)).all()


def test_a_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    net = EvidenceNet(EvidenceRecipe().net)
    # past the first step: the halting head starts at zero and passes nothing on
    torch.nn.init.normal_(net.halt.weight)
    y, z = net.carry(4)
    _, _, logits, q = net(torch.from_numpy(inputs(4)), y, z)
    step_loss(logits, q, torch.ones(4, 1, dtype=torch.int64)).total.backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0.0, name


def test_eight_questions_are_learned_by_heart() -> None:
    x = inputs(8)
    targets = np.arange(8, dtype=np.int64)[:, None] % 6
    found = EvidenceData(
        inputs=x,
        targets=targets,
        papers=np.arange(8),
        hidden=np.arange(8) % 2 == 1,
        reduced=np.zeros(8, dtype=np.bool_),
    )
    recipe = EvidenceRecipe(train=TrainConfig(steps=250, batch=16, lr=5e-3, warmup=20, ema=0.9))
    net, cpu_s = train_net(found, recipe)
    solved = solve(torch_step(net.eval()), x, carry_of(net), most=8)
    assert cpu_s > 0.0
    assert (solved.probs[:, 0].argmax(1) == targets[:, 0]).all()
    assert (solved.q > 0.0).all()


def test_a_selector_gives_one_logit_per_passage() -> None:
    with pytest.raises(ConfigError, match="outputs=2"):
        EvidenceNet(RecursiveConfig(kind="trm", outputs=2, rows=21, columns=1, input_width=30))
