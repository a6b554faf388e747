"""Trains the evidence selector by deep supervision, fits when it halts and how sure it may be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from trimtab.agents.calibration import Gate, fit_gate
from trimtab.agents.evidence import CANDIDATES, KIND, WIDTH, confidence_inputs
from trimtab.agents.recursion import Solved, solve
from trimtab.agents.recursive import GRAPH
from trimtab.models.recursive import RecursiveConfig
from trimtab.records import Bundle
from trimtab.release.bundle import pack
from trimtab.stats import auroc, bootstrap_means, interval
from trimtab.training.deep_supervision import DeepSupervision, TrainConfig
from trimtab.training.evidence_data import EvidenceData, EvidenceSampler
from trimtab.training.evidence_net import EvidenceNet
from trimtab.training.puzzle_fit import WEIGHTS, carry_of, halting_threshold, step_graph, torch_step

DOMAIN = "evidence"
CURVE_EVERY = 50
Watch = Callable[[Mapping[str, float]], None]


def _net() -> RecursiveConfig:
    return RecursiveConfig(
        kind="trm",
        outputs=1,
        rows=1 + CANDIDATES,
        columns=1,
        input_width=WIDTH,
        width=32,
        blocks=1,
        mixer="attention",
        heads=2,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecipe:
    """A net, its questions and its training.

    Attributes:
        net: sizes.
        train: optimiser and schedule.
        keep: shares of words of the shortened questions.
        hidden: share of questions whose paper is not there, in training and in the confidence.
        dev: share of the papers that only halting and confidence are fitted on.
        most: supervision steps at most when it serves.
    """

    net: RecursiveConfig = field(default_factory=_net)
    train: TrainConfig = field(
        default_factory=lambda: TrainConfig(steps=600, lr=1e-3, supervision=4)
    )
    keep: tuple[float, ...] = (0.7, 0.45, 0.3)
    hidden: float = 0.2
    dev: float = 0.2
    most: int = 8

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain JSON values."""
        return {
            "net": self.net.to_json(),
            "train": {**asdict(self.train), "betas": list(self.train.betas)},
            "keep": list(self.keep),
            "hidden": self.hidden,
            "dev": self.dev,
            "most": self.most,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSelector:
    """When to halt and what to believe, fitted on questions of papers that were not trained on.

    Attributes:
        halt_at: the q at which it stops.
        gate: from :func:`confidence_inputs` to the probability that the best passage is right.
        metrics: what was measured on these questions.
    """

    halt_at: float
    gate: Gate
    metrics: Mapping[str, float]


def train_net(
    found: EvidenceData, recipe: EvidenceRecipe, *, watch: Watch | None = None
) -> tuple[EvidenceNet, float]:
    """Return the averaged net and the processor seconds that its steps took.

    Args:
        found: questions to train on.
        recipe: how.
        watch: called with points of the curve.
    """
    torch.manual_seed(recipe.train.seed)
    sampler = EvidenceSampler(found, hidden_share=recipe.hidden)
    training = DeepSupervision(EvidenceNet(recipe.net), sampler, recipe.train)
    threads = torch.get_num_threads()
    # one thread: more change the order of sums, and gain nothing on nets of this size
    torch.set_num_threads(1)
    started = time.thread_time()
    try:
        while training.step < recipe.train.steps:
            done = training.advance()
            if watch is not None and training.step % CURVE_EVERY == 0:
                watch({"step": training.step, "loss": done.answer_loss, "exact": done.exact})
    finally:
        torch.set_num_threads(threads)
    net = training.averaged
    if not isinstance(net, EvidenceNet):
        raise TypeError(f"the averaged net is a {type(net).__name__}")
    return net, time.thread_time() - started


def dev_papers(found: EvidenceData, recipe: EvidenceRecipe) -> NDArray[np.bool_]:
    """Return `[N]` whether a question is of a paper that is kept from training."""
    count = int(found.papers.max()) + 1
    order = np.random.default_rng(recipe.train.seed).permutation(count)
    chosen: NDArray[np.bool_] = np.isin(found.papers, order[: round(recipe.dev * count)])
    return chosen


def fit_selector(net: EvidenceNet, dev: EvidenceData, recipe: EvidenceRecipe) -> FittedSelector:
    """Return the halting threshold and the confidence of a trained net."""
    step, carry = torch_step(net), carry_of(net)
    targets = dev.targets[:, 0]
    whole = solve(step, dev.inputs, carry, most=recipe.most)
    halt_at = halting_threshold(whole.q_every, whole.every[..., 0] == targets)
    kept = solve(step, dev.inputs, carry, most=recipe.most, halt_at=halt_at)
    right = best_passages(kept) == targets
    rows = _balanced(dev, recipe)
    features = confidence_inputs(kept)
    gate = fit_gate(features[rows], right[rows])
    confidence = np.array([gate.confidence(row.tolist()) for row in features])
    asked = ~dev.hidden & ~dev.reduced
    gain = right[asked].astype(np.float64) - (targets[asked] == 1)
    draws = bootstrap_means(gain[:, None], rng=np.random.default_rng(recipe.train.seed))
    low, high = interval(draws)
    return FittedSelector(
        halt_at=halt_at,
        gate=gate,
        metrics={
            "recall_at_1": float(right[asked].mean()),
            "fusion_recall_at_1": float((targets[asked] == 1).mean()),
            "gain_low": low,
            "gain_high": high,
            "confidence_auroc": auroc(confidence[rows], right[rows]),
            "cosine_auroc": auroc(dev.inputs[rows, 1, 3], targets[rows] == 1),
            "mean_steps": float(kept.steps.mean()),
            "dev_questions": float(asked.sum()),
        },
    )


def best_passages(solved: Solved) -> NDArray[np.int64]:
    """Return `[B]` the place of the most probable passage, "none of them" aside."""
    places: NDArray[np.int64] = solved.probs[:, 0, 1:].argmax(axis=1) + 1
    return places


def pack_selector(
    folder: Path,
    *,
    net: EvidenceNet,
    recipe: EvidenceRecipe,
    fitted: FittedSelector,
    embedder: str,
    papers: str,
    cpu_s: float,
    command: str,
) -> Bundle:
    """Write a selector's bundle and return its record.

    Args:
        folder: must not exist, or be empty.
        net: the averaged weights.
        recipe: what it was trained by.
        fitted: on questions of papers that were not trained on.
        embedder: name of the embedder whose vectors it reads.
        papers: that it was trained on, in words.
        cpu_s: processor seconds of the training.
        command: that trains such a net.

    Raises:
        BundleError: the folder holds something else or cannot be written.
    """
    net = net.eval()
    y_init, z_init = carry_of(net)
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    parameters = sum(parameter.numel() for parameter in net.parameters())
    metrics = {**fitted.metrics, "parameters": float(parameters), "cpu_s": round(cpu_s, 1)}
    return pack(
        folder,
        domain=DOMAIN,
        files={GRAPH: step_graph(net), WEIGHTS: safetensors.torch.save(weights)},
        thresholds={},
        metrics=metrics,
        card=_card(recipe, metrics, embedder=embedder, papers=papers, said=command),
        spec={
            "kind": KIND,
            "recipe": recipe.to_json(),
            "embedder": embedder,
            "y_init": y_init.tolist(),
            "z_init": z_init.tolist(),
            "most": recipe.most,
            "halt_at": fitted.halt_at if np.isfinite(fitted.halt_at) else None,
            "gate": {"weights": list(fitted.gate.weights), "bias": fitted.gate.bias},
        },
    )


def _balanced(dev: EvidenceData, recipe: EvidenceRecipe) -> NDArray[np.int64]:
    """Return rows of which the recipe's share is without its paper."""
    shown, hidden = np.flatnonzero(~dev.hidden), np.flatnonzero(dev.hidden)
    size = min(hidden.size, round(shown.size * recipe.hidden / (1.0 - recipe.hidden)))
    drawn = np.random.default_rng(recipe.train.seed).choice(hidden, size=size, replace=False)
    return np.concatenate([shown, np.sort(drawn)])


def _card(
    recipe: EvidenceRecipe, metrics: Mapping[str, float], *, embedder: str, papers: str, said: str
) -> str:
    measured = "".join(f"| {name} | {value:.4f} |\n" for name, value in metrics.items())
    settings = "".join(f"| {name} | {value} |\n" for name, value in recipe.to_json().items())
    return (
        f"# Selector of evidence\n\n"
        f"A recursive net of {metrics['parameters']:,.0f} parameters that orders the first "
        f"{CANDIDATES} passages found for a question and says how sure it is of the first. "
        f"`{said}` made it, in {metrics['cpu_s']:.0f} processor seconds on one thread.\n\n"
        f"## Data\n\n{papers}. Their titles and sentences ask for the paper that they are from, "
        f"hidden in it, in full and with words left out; {recipe.hidden:.0%} of the questions "
        f"drawn have their paper taken out. Vectors are of `{embedder}`; the net reads cosines, "
        f"BM25 scores and ranks, no directions.\n\n"
        f"## Measured\n\nOn full titles and sentences of the {recipe.dev:.0%} of papers kept from "
        f"training, on which halting and confidence were fitted: recall at 1 beside that of the "
        f"fused scores, the interval of the difference, AUROC of its confidence and of the first "
        f"passage's cosine. `trimtab bench retrieval --selector` measures on files of yours.\n\n"
        f"| measure | value |\n|---|---|\n{measured}\n"
        f"## Limits\n\nTitles and sentences are not questions of people. The evidence must be "
        f"among the passages found.\n\n"
        f"## Recipe\n\n| setting | value |\n|---|---|\n{settings}"
    )
