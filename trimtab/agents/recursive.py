"""The agents ``trm`` and ``hrm``: a recursive net on ONNX Runtime that answers whole puzzles.

A net halts once its q passes the threshold that was fitted for its bundle, and otherwise keeps
the step in which it believed most. ``<name>_restarts`` is the next-priced step: K noisy runs of
the same net, of which the most believed one is kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trimtab.agents.calibration import Gate
from trimtab.agents.recursion import (
    NOISE,
    RESTARTS,
    Codes,
    Inputs,
    Solved,
    StepFn,
    best_restart,
    confidence_features,
    solve,
)
from trimtab.errors import BundleError, ConfigError
from trimtab.inference import open_session
from trimtab.protocols import AnyDomain, Array
from trimtab.records import Passage, Prediction, Usage
from trimtab.release.bundle import LoadedBundle

KIND = "recursive-net/1"
GRAPH = "step.onnx"
INPUTS = ("x", "y", "z")
OUTPUTS = ("y_next", "z_next", "logits", "q")


@dataclass(frozen=True, slots=True, kw_only=True)
class PuzzleCodes:
    """How a domain's texts become codes and classes become texts.

    Attributes:
        alphabet: characters of a question; a cell's code is the position of its character.
        classes: characters of an answer; a cell's class is the position of its character.
        empty: characters of a question whose cell the answer may change.
    """

    alphabet: str
    classes: str
    empty: str

    def encode(self, text: str) -> Codes:
        """Return `[1, L]` codes."""
        return np.array([[self.alphabet.index(c) for c in text]], dtype=np.int64)

    def decode(self, question: str, classes: Codes) -> str:
        """Return the answer; givens stay as they are, whatever the net says of them."""
        return "".join(
            self.classes[code] if given in self.empty else given
            for given, code in zip(question, classes, strict=True)
        )


def open_step(graph: bytes) -> StepFn:
    """Return one supervision step on ONNX Runtime, on the calling thread; may be shared.

    Raises:
        ConfigError: the graph cannot be opened, or is not one supervision step.
    """
    session = open_session(graph)
    inputs = tuple(spec.name for spec in session.get_inputs())
    outputs = tuple(spec.name for spec in session.get_outputs())
    if inputs != INPUTS or outputs != OUTPUTS:
        raise ConfigError(
            f"the graph maps {list(inputs)} to {list(outputs)}, not {list(INPUTS)} to "
            f"{list(OUTPUTS)}; export one supervision step"
        )

    def step(x: Inputs, y: Array, z: Array) -> tuple[Array, Array, Array, Array]:
        y, z, logits, q = session.run(OUTPUTS, {"x": x, "y": y, "z": z})
        return y, z, logits, q

    return step


class RecursiveNet:
    """One supervision step on the calling thread, and how it is to be used; may be shared.

    Args:
        graph: the ONNX graph of one step.
        carry: the (y, z) `[D]` with which every puzzle begins.
        codes: of the domain.
        most: steps at most.
        halt_at: the q at which a puzzle stops.
        gate: turns :func:`confidence_features` into the probability that the answer is right.
        accept: confidence from which an answer may be kept, fitted with the gate.

    Raises:
        ConfigError: the graph cannot be opened, or is not one supervision step.
    """

    def __init__(
        self,
        graph: bytes,
        *,
        carry: tuple[Array, Array],
        codes: PuzzleCodes,
        most: int,
        halt_at: float,
        gate: Gate,
        accept: float,
    ) -> None:
        self.step = open_step(graph)
        self.carry, self.codes = carry, codes
        self.most, self.halt_at, self.gate, self.accept = most, halt_at, gate, accept

    @classmethod
    def from_bundle(cls, bundle: LoadedBundle) -> RecursiveNet:
        """Return the net of a bundle.

        Raises:
            BundleError: the bundle holds no such net, or was altered.
        """
        if bundle.spec.get("kind") != KIND:
            raise BundleError(
                f"{bundle.folder}: kind={bundle.spec.get('kind')!r}, not {KIND!r}; load a bundle "
                "that `trimtab train trm` or `trimtab train hrm` wrote"
            )
        spec = bundle.spec
        try:
            return cls(
                bundle.read(GRAPH),
                carry=(
                    np.array(spec["y_init"], dtype=np.float32),
                    np.array(spec["z_init"], dtype=np.float32),
                ),
                codes=PuzzleCodes(**spec["codes"]),
                most=spec["most"],
                halt_at=float("inf") if spec["halt_at"] is None else spec["halt_at"],
                gate=Gate(tuple(spec["gate"]["weights"]), spec["gate"]["bias"]),
                accept=bundle.bundle.thresholds["accept"],
            )
        except (KeyError, TypeError, ConfigError) as error:
            raise BundleError(f"{bundle.folder}: {error}; pack the bundle again") from error

    def confidence(self, solved: Solved) -> list[float]:
        """Return `[B]` probabilities that an answer is right in every cell."""
        return [
            self.gate.confidence(row.tolist())
            for row in confidence_features(solved.q, solved.entropy)
        ]


class RecursiveAgent:
    """Answers puzzles with a recursive net; safe to call from several threads.

    Args:
        domain: of the puzzles; its text form is the question.
        net: the net.
        name: ``trm`` or ``hrm``; the predictions' name.
        usd_per_cpu_s: price of this machine's processor time.
        restarts: K noisy runs of each puzzle; 1 for a single run without noise.
        noise: standard deviation of a restart's noise.
    """

    reads_context = False

    def __init__(
        self,
        domain: AnyDomain,
        net: RecursiveNet,
        *,
        name: str,
        usd_per_cpu_s: float,
        restarts: int = 1,
        noise: float = NOISE,
    ) -> None:
        if restarts < 1:
            raise ConfigError(f"restarts={restarts} must be at least 1; {RESTARTS} is usual")
        self.name = name if restarts == 1 else f"{name}_restarts"
        self.net = net
        self._domain = domain
        self._usd_per_cpu_s = usd_per_cpu_s
        self._restarts, self._noise = restarts, noise

    def predict(
        self, states: Sequence[object], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one whole answer per state; ``context`` is not read."""
        # one by one: every puzzle halts at its own step, and a batch would change the last bits
        return [self._answer(self._domain.to_text(state)) for state in states]

    def _answer(self, text: str) -> Prediction:
        started, cpu = time.perf_counter(), time.thread_time()
        question = text.partition("/")[0]
        solved = self._solve(question)
        [confidence] = self.net.confidence(solved)
        spent = time.thread_time() - cpu
        codes = self.net.codes
        # rows past its own steps stand for other restarts that ran longer
        steps = int(solved.steps[0])
        grids = [codes.decode(question, classes[0]) for classes in solved.every[:steps]]
        return Prediction(
            agent=self.name,
            action=codes.decode(question, solved.classes[0]),
            confidence=confidence,
            usage=Usage(
                cpu_s=spent,
                latency_s=time.perf_counter() - started,
                cost_usd=spent * self._usd_per_cpu_s,
            ),
            tier=f"step {solved.best[0]} of {steps}",
            signals={
                "q": float(solved.q[0]),
                "entropy": float(solved.entropy[0]),
                "steps": float(steps),
            },
            trace={
                "grids": grids,
                "q": [round(float(q), 4) for q in solved.q_every[:steps, 0]],
                "kept": int(solved.best[0]),
            },
        )

    def _solve(self, question: str) -> Solved:
        net = self.net
        x = net.codes.encode(question)
        if self._restarts == 1:
            return solve(net.step, x, net.carry, most=net.most, halt_at=net.halt_at)
        # the noise follows from the puzzle: the same one gives the same answer
        digest = hashlib.sha256(question.encode()).digest()
        return best_restart(
            net.step,
            x,
            net.carry,
            most=net.most,
            halt_at=net.halt_at,
            rng=np.random.default_rng(list(digest[:8])),
            restarts=self._restarts,
            noise=self._noise,
        )
