"""The graph of one step: for embeddings as for codes, and the same as torch."""

from __future__ import annotations

import numpy as np
import torch

from trimtab.agents.recursion import best_restart, solve
from trimtab.agents.recursive import open_step
from trimtab.models.recursive import RecursiveConfig, RecursiveNet
from trimtab.training.puzzle_fit import carry_of, step_graph, torch_step


def test_a_graph_of_embeddings_agrees_with_torch_over_sixteen_steps_of_any_batch() -> None:
    torch.manual_seed(0)
    net = RecursiveNet(
        RecursiveConfig(
            kind="trm",
            outputs=2,
            rows=1,
            columns=9,
            input_width=7,
            width=16,
            blocks=1,
            mixer="attention",
        )
    ).eval()
    served = open_step(step_graph(net))
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        x = rng.normal(size=(batch, 9, 7)).astype(np.float32)
        ours = solve(served, x, carry_of(net), most=16)
        theirs = solve(torch_step(net), x, carry_of(net), most=16)
        assert ours.probs.shape == (batch, 9, 2)
        assert np.abs(ours.probs - theirs.probs).max() < 1e-4
        assert np.abs(ours.q_every - theirs.q_every).max() < 1e-4
    restarted = best_restart(
        served, x[:1], carry_of(net), most=4, halt_at=float("inf"), rng=rng, restarts=3
    )
    assert restarted.q[0] >= solve(served, x[:1], carry_of(net), most=4).q[0] - 1e-6
