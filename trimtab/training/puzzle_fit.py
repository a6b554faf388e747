"""Fits when a recursive net halts and what it may believe, and packs it into a bundle.

B is the batch, S the supervision steps, D the width.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from trimtab.agents.calibration import Gate, accept_threshold, fit_gate
from trimtab.agents.recursion import Inputs, StepFn, confidence_features, solve
from trimtab.agents.recursive import GRAPH, INPUTS, KIND, OUTPUTS
from trimtab.datasets.puzzles import alphabet, encode
from trimtab.errors import BundleError
from trimtab.models.graph import write_graph
from trimtab.models.recursive import RecursiveConfig, RecursiveNet
from trimtab.protocols import Array
from trimtab.records import Bundle
from trimtab.release.bundle import LoadedBundle, pack
from trimtab.training.puzzle_data import PuzzleData, class_offset
from trimtab.training.puzzle_recipes import Recipe
from trimtab.training.puzzle_training import recipe_to_json

WEIGHTS = "net.safetensors"
HALT_LOSS = 0.001
"""Share of the development puzzles that halting early may cost."""
PRECISION = 0.99
ENOUGH = 20
"""Right and wrong kept answers from which the confidence is fitted on those alone."""


def torch_step(net: RecursiveNet) -> StepFn:
    """Return the net as the step function that serving runs on ONNX Runtime."""

    def step(x: Inputs, y: Array, z: Array) -> tuple[Array, Array, Array, Array]:
        with torch.inference_mode():
            out = net(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(z))
        y_next, z_next, logits, q = (part.numpy() for part in out)
        return y_next, z_next, logits, q

    return step


def net_of(bundle: LoadedBundle) -> RecursiveNet:
    """Return the torch net of a bundle, for comparison and further training.

    Raises:
        BundleError: the bundle was altered, or holds other weights.
    """
    net = RecursiveNet(RecursiveConfig.from_json(bundle.spec["recipe"]["net"]))
    try:
        net.load_state_dict(safetensors.torch.load(bundle.read(WEIGHTS)))
    except RuntimeError as error:
        raise BundleError(f"{bundle.folder / WEIGHTS}: {error}; pack the bundle again") from error
    return net.eval()


def carry_of(net: RecursiveNet) -> tuple[Array, Array]:
    """Return the (y, z), `[D]` each, with which every puzzle begins."""
    return net.y_init.numpy(), net.z_init.numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """When to halt and what to believe, fitted on development puzzles.

    Attributes:
        halt_at: the q at which a puzzle stops.
        gate: from the kept answer's features to the probability that it is right.
        accept: least confidence of which a share of ``PRECISION`` is right, 1.0 for none.
        exact: share of the development puzzles that were solved so.
        exact_after: the same after each number of steps, by its name.
        mean_steps: supervision steps of a puzzle.
        n: development puzzles.
    """

    halt_at: float
    gate: Gate
    accept: float
    exact: float
    exact_after: Mapping[str, float]
    mean_steps: float
    n: int


def fit(net: RecursiveNet, data: PuzzleData, recipe: Recipe) -> Fitted:
    """Return the halting threshold and the confidence of a trained net."""
    kind = recipe.kind
    x = encode([row.question for row in data.dev], kind)
    answers = encode([row.answer for row in data.dev], kind) - class_offset(kind)
    step, carry = torch_step(net), carry_of(net)
    whole = solve(step, x, carry, most=recipe.most)
    right = (whole.every == answers).all(axis=2)
    halt_at = halting_threshold(whole.q_every, right)
    kept = solve(step, x, carry, most=recipe.most, halt_at=halt_at)
    correct = (kept.classes == answers).all(axis=1)
    features = confidence_features(kept.q, kept.entropy)
    if min(correct.sum(), (~correct).sum()) >= ENOUGH:
        gate = fit_gate(features, correct)
    else:
        # a net that is nearly always right at last is wrong often enough on the way there
        gate = fit_gate(confidence_features(whole.q_every, whole.entropy_every), right.ravel())
    confidence = np.array([gate.confidence(row.tolist()) for row in features])
    shown = [number for number in (1, 2, 4, 8, 16) if number <= recipe.most]
    return Fitted(
        halt_at=halt_at,
        gate=gate,
        accept=accept_threshold(confidence, correct, target=PRECISION),
        exact=float(correct.mean()),
        exact_after={f"exact_step_{s}": float(right[s - 1].mean()) for s in shown},
        mean_steps=float(kept.steps.mean()),
        n=len(data.dev),
    )


def halting_threshold(q: Array, right: NDArray[np.bool_]) -> float:
    """Return the least q at which stopping costs at most ``HALT_LOSS`` of the puzzles.

    It is fitted for one net: the scale of q differs from one to the next, and q > 0, at which a
    puzzle leaves the batch in training, stops too early.

    Args:
        q: `[S, B]` halting logits after each step.
        right: `[S, B]` whether the answer after that step is right.
    """
    best = np.take_along_axis(right, q.argmax(axis=0)[None], 0)[0]
    for threshold in np.quantile(q, np.linspace(0.0, 1.0, 101)):
        passed = q >= threshold
        chosen = np.where(passed.any(axis=0), passed.argmax(axis=0), q.argmax(axis=0))
        kept = np.take_along_axis(right, chosen[None], 0)[0]
        if float(best.mean() - kept.mean()) <= HALT_LOSS:
            return float(threshold)
    return float("inf")


def step_graph(net: RecursiveNet) -> bytes:
    """Return the ONNX graph of one supervision step, the carry going in and coming out.

    Never the loop: halting, keeping the best step and noise live outside.
    """
    config = net.config
    y, z = net.carry(2)
    x = torch.zeros(2, config.length, dtype=torch.int64)
    if not config.inputs:
        x = torch.zeros(2, config.length, config.input_width)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / GRAPH
        write_graph(
            net, (x, y, z), file, input_names=INPUTS, output_names=OUTPUTS, dynamic_axes=(0,)
        )
        return file.read_bytes()


def pack_puzzle_net(
    folder: Path,
    *,
    net: RecursiveNet,
    recipe: Recipe,
    fitted: Fitted,
    steps: int,
    cpu_s: float,
    command: str,
) -> Bundle:
    """Write a net's bundle and return its record.

    Args:
        folder: must not exist, or be empty.
        net: the averaged weights.
        recipe: what it was trained by.
        fitted: on development puzzles.
        steps: optimiser steps taken.
        cpu_s: processor seconds that they took.
        command: that trains such a net.

    Raises:
        BundleError: the folder holds something else or cannot be written.
    """
    net = net.eval()
    y_init, z_init = carry_of(net)
    characters = alphabet(recipe.kind)
    maze = recipe.kind.startswith("maze")
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    parameters = sum(parameter.numel() for parameter in net.parameters())
    return pack(
        folder,
        domain=recipe.kind,
        files={GRAPH: step_graph(net), WEIGHTS: safetensors.torch.save(weights)},
        thresholds={"accept": fitted.accept},
        metrics={
            "exact": fitted.exact,
            "mean_steps": fitted.mean_steps,
            "parameters": float(parameters),
            "cpu_s": round(cpu_s, 1),
            **fitted.exact_after,
        },
        card=_card(recipe, fitted, parameters=parameters, steps=steps, cpu_s=cpu_s, said=command),
        spec={
            "kind": KIND,
            "name": recipe.net.kind,
            "recipe": recipe_to_json(recipe),
            "codes": {
                "alphabet": characters,
                "classes": characters if maze else characters[1:],
                "empty": " " if maze else ".",
            },
            "y_init": y_init.tolist(),
            "z_init": z_init.tolist(),
            "most": recipe.most,
            "halt_at": fitted.halt_at if np.isfinite(fitted.halt_at) else None,
            "gate": {"weights": list(fitted.gate.weights), "bias": fitted.gate.bias},
        },
    )


def _card(
    recipe: Recipe, fitted: Fitted, *, parameters: int, steps: int, cpu_s: float, said: str
) -> str:
    net = recipe.net
    groups = ", ".join(f"{n:,} {grade or 'minimal'}" for grade, n in recipe.puzzles.items())
    grades = ", ".join(grade or "any" for grade in recipe.dev_grades)
    measured = "".join(
        f"| {name} | {value:.4f} |\n"
        for name, value in {
            "exact, halting early": fitted.exact,
            "mean supervision steps": fitted.mean_steps,
            **fitted.exact_after,
        }.items()
    )
    settings = "".join(
        f"| {name} | {value} |\n"
        for part in (net.to_json(), asdict(recipe.train))
        for name, value in part.items()
    )
    return (
        f"# {net.kind.upper()} for {recipe.kind}\n\n"
        f"A recursive net of {parameters:,} parameters that answers a whole puzzle and says how "
        f"sure it is. `{said}` made it: {steps:,} optimiser steps, {cpu_s / 60:.1f} processor "
        f"minutes on one thread.\n\n"
        f"## Data\n\nPuzzles of the generator in `trimtab/domains`, none from elsewhere: "
        f"{groups}, each drawn as a random symmetric twin. No twin of a development puzzle was "
        f"trained on{', but at 4×4 there are too few for that' if net.rows == 4 else ''}.\n\n"
        f"## Measured\n\nOn {fitted.n} development puzzles (grades: {grades}), on which halting "
        f"and confidence were fitted, so these figures are a little kind; `trimtab bench puzzles` "
        f"measures on files of yours.\n\n"
        f"| measure | value |\n|---|---|\n{measured}\n"
        f"A puzzle halts at q ≥ {fitted.halt_at:.3f}; the answer is that of the step with the "
        f"largest q. From a confidence of {fitted.accept:.4f} on, {PRECISION:.0%} were right.\n\n"
        f"## Limits\n\nIt answers puzzles of this size with one solution. An exact solver takes "
        f"about a millisecond here: the net shows that confidence can be trusted, not that Sudoku "
        f"needs a net.\n\n"
        f"## Recipe\n\n| setting | value |\n|---|---|\n{settings}"
    )
