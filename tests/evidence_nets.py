"""A selector of evidence as it comes from its initialisation, for tests of several packages."""

from __future__ import annotations

import functools

import torch

from trimtab.training.evidence import EvidenceRecipe
from trimtab.training.evidence_net import EvidenceNet
from trimtab.training.puzzle_fit import step_graph


@functools.cache
def fresh_net() -> EvidenceNet:
    """Return an untrained net; nobody may change it."""
    torch.manual_seed(0)
    return EvidenceNet(EvidenceRecipe().net).eval()


@functools.cache
def fresh_graph() -> bytes:
    """Return its graph, exported once: that takes seconds."""
    return step_graph(fresh_net())
