"""Trains the evidence selector on papers and packs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trimtab.datasets.papers import read_papers
from trimtab.datasets.shipped_papers import shipped_papers
from trimtab.errors import ConfigError
from trimtab.protocols import Embedder
from trimtab.records import Bundle
from trimtab.release.manifest import MANIFEST
from trimtab.training.evidence import (
    EvidenceRecipe,
    dev_papers,
    fit_selector,
    pack_selector,
    train_net,
)
from trimtab.training.evidence_data import evidence_data


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTraining:
    """What is asked of a training.

    Attributes:
        out: folder of the bundle.
        papers: JSON lines of papers; the shipped ones if None.
        seed: of every draw.
        steps: optimiser steps instead of the recipe's.
    """

    out: Path
    papers: Path | None = None
    seed: int = 0
    steps: int | None = None


def train_evidence(
    asked: EvidenceTraining,
    embedder: Embedder,
    *,
    progress: Callable[[str], None] = lambda line: None,
    watch: Callable[[Mapping[str, float], int], None] | None = None,
) -> Bundle:
    """Return the bundle of a selector that was trained on the titles and sentences of papers.

    Args:
        asked: what is asked for.
        embedder: whose vectors it will read.
        progress: told what is being done.
        watch: called with points of the curve and the number of steps.

    Raises:
        ConfigError: the folder holds a bundle, or there are too few papers.
    """
    if (asked.out / MANIFEST).exists():
        raise ConfigError(f"out={asked.out} holds a bundle already; give another folder")
    recipe = EvidenceRecipe()
    steps = recipe.train.steps if asked.steps is None else asked.steps
    recipe = replace(recipe, train=replace(recipe.train, steps=steps, seed=asked.seed))
    papers = shipped_papers() if asked.papers is None else tuple(read_papers(asked.papers))
    found = evidence_data(
        papers,
        embedder,
        keep=recipe.keep,
        rng=np.random.default_rng(asked.seed),
        progress=progress,
    )
    dev = dev_papers(found, recipe)
    net, cpu_s = train_net(
        found.part(~dev),
        recipe,
        watch=None if watch is None else lambda point: watch(point, steps),
    )
    said = "The papers that trimtab ships" if asked.papers is None else f"`{asked.papers.name}`"
    return pack_selector(
        asked.out,
        net=net,
        recipe=recipe,
        fitted=fit_selector(net, found.part(dev), recipe),
        embedder=embedder.name,
        papers=f"{said}: {len(papers):,}",
        cpu_s=cpu_s,
        command=_command(asked),
    )


def _command(asked: EvidenceTraining) -> str:
    papers = "" if asked.papers is None else f" --papers {asked.papers.name}"
    steps = "" if asked.steps is None else f" --steps {asked.steps}"
    return f"trimtab train evidence{papers}{steps} --seed {asked.seed}"
