"""The promise, and the certificate that a rule keeps it.

A promise bounds the *paired net loss* against always asking the LLM: on one request it is
right(LLM) − right(shown answer) in [-1, 1], and 0 where the LLM's own answer is shown. A rule is
certified on a window of requests drawn at random, on which both answers are known. Which rules
are tested, and in which order (dear to cheap: from "nearly always the LLM" to "never"), is fixed
before the window's losses are looked at; so are the window's length and its order. Then all
certified rules hold at once with the stated confidence.

Where the cheap answer equals the LLM's, the loss is exactly 0 whatever is right, so only rows
that differ need a label.

Source: Angelopoulos et al. 2025, "Learn then Test", section on fixed-sequence testing; the bound
is :func:`trimtab.stats.bet`. n is the number of requests in the window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trimtab.errors import ConfigError, InputError
from trimtab.stats import Wealth, bet, fixed_sequence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SHARES = tuple(round(1.0 - step / 40, 4) for step in range(1, 40))
"""LLM shares of the candidates, dear to cheap; share 0 follows them all."""
REFUSAL = 0.2
"""Part of the allowed error that a refusal is tested with, beside the sequence of candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a person asks for: at most ``loss`` below always asking the LLM, with ``confidence``.

    Attributes:
        loss: largest paired net loss, a share in (0, 1): 0.02 is two points.
        confidence: in (0, 1), that a certificate is right.
        window: requests to certify on, fixed before the first of them is drawn.
    """

    loss: float
    confidence: float = 0.95
    window: int = 600

    def __post_init__(self) -> None:
        check_promise(loss=self.loss, confidence=self.confidence)
        if self.window < 1:
            raise ConfigError(f"window={self.window} is not a number of requests; give 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A rule to be certified, seen on the window.

    Attributes:
        name: what a reader calls it.
        shown: `[n]` whether it shows a cheap answer.
        losses: `[n]` paired net losses of its cheap answers in the order in which the requests
            were drawn; whatever stands where nothing cheap is shown is not read. NaN: not labelled.
        differs: `[n]` whether its cheap answer differs from the LLM's.
        threshold: the score from which on it shows the cheap answer, if that is its rule.
        refuses: whether it never asks the LLM, on any request.
    """

    name: str
    shown: Bools
    losses: Floats
    differs: Bools
    threshold: float | None = None
    refuses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a window has shown of a promise.

    Attributes:
        loss: the promised paired net loss.
        confidence: of the promise.
        n: requests in the window.
        certified: whether any rule is certified; if not, the LLM is always asked.
        refused: whether never asking the LLM is certified: the LLM is not worth asking.
        candidate: name of the cheapest certified rule, empty if there is none.
        threshold: score from which on the cheap answer is shown; None if the rule has none.
        llm_share: share of the window on which the rule shows the LLM's answer.
        wealth: largest capital of the bet against the chosen rule, starting from 1; without a
            certificate, of the bet that failed.
        needed: capital that certifies.
        labels: rows whose right answer had to be known.
        tested: rules tested, up to the first that was not certified.
        against: what the loss was measured against (gold, a judge's name, agreement).
    """

    loss: float
    confidence: float
    n: int
    certified: bool
    refused: bool
    candidate: str
    threshold: float | None
    llm_share: float
    wealth: float
    needed: float
    labels: int
    tested: int
    against: str = "gold"

    def shows_cheap(self, score: float) -> bool:
        """Return whether the certificate lets the cheap answer with this score be shown."""
        if self.refused:
            return True
        return self.certified and self.threshold is not None and score >= self.threshold

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Certificate:
        """Return the certificate that :meth:`to_json` wrote.

        Raises:
            InputError: a field is missing or unknown.
        """
        try:
            return cls(**plain)
        except TypeError as error:
            raise InputError(f"not a certificate ({error}); certify again") from error


def certify(
    scores: ArrayLike,
    paired_losses: ArrayLike,
    *,
    loss: float,
    confidence: float,
    thresholds: Sequence[float],
    differs: ArrayLike | None = None,
    refusal: float = REFUSAL,
    against: str = "gold",
    planned: int | None = None,
) -> Certificate:
    """Return the certificate for showing the cheap answer from some score on.

    Args:
        scores: `[n]` of the cheap answers, larger is surer, in the order of drawing.
        paired_losses: `[n]` right(LLM) − right(cheap) in [-1, 1]; NaN where not labelled.
        loss: the promised loss.
        confidence: of the promise.
        thresholds: dear to cheap (falling), fixed without looking at the window: see
            :func:`share_thresholds`. LLM share 0 follows them.
        differs: `[n]` whether the cheap answer differs from the LLM's; where it does not, the
            loss is 0 and needs no label. None: wherever the loss is not 0.
        refusal: part of 1 − confidence with which LLM share 0 is tested at once, in [0, 1).
        against: what the losses were measured against.
        planned: requests that a full window holds, n if None; see :func:`trimtab.stats.bet`.

    Raises:
        InputError: the arrays do not fit, or a row that is needed has no label.
        ConfigError: an argument is outside its range.
    """
    s, losses = np.asarray(scores, dtype=np.float64), np.asarray(paired_losses, dtype=np.float64)
    d = losses != 0.0 if differs is None else np.asarray(differs, dtype=np.bool_)
    if s.ndim != 1 or s.shape != losses.shape or s.shape != d.shape or np.isnan(s).any():
        raise InputError(
            f"scores {s.shape}, paired_losses {losses.shape} and differs {d.shape} must be equally "
            f"long, and no score NaN"
        )
    if any(a < b for a, b in itertools.pairwise(thresholds)):
        raise ConfigError(f"thresholds={list(thresholds)} rise; give them dear to cheap, falling")
    candidates = [
        Candidate(name=f"score >= {t:.6g}", shown=s >= t, losses=losses, differs=d, threshold=t)
        for t in thresholds
    ]
    always = np.ones(len(s), np.bool_)
    never = Candidate(name="never", shown=always, losses=losses, differs=d, refuses=True)
    return certify_candidates(
        [*candidates, never],
        loss=loss,
        confidence=confidence,
        refusal=refusal,
        against=against,
        planned=planned,
    )


def certify_candidates(
    candidates: Sequence[Candidate],
    *,
    loss: float,
    confidence: float,
    refusal: float = 0.0,
    against: str = "gold",
    planned: int | None = None,
) -> Certificate:
    """Return the certificate of the last candidate in the sequence that could be certified.

    The candidates and their order must not depend on the window's losses. With ``refusal`` > 0 a
    last candidate that refuses is also tested at once, with that part of the allowed error; the
    sequence has the rest.
    """
    check_promise(loss=loss, confidence=confidence)
    if not 0.0 <= refusal < 1.0:
        raise ConfigError(f"refusal={refusal} is not a part of the allowed error; use [0, 1)")
    if not candidates:
        raise ConfigError("candidates is empty; give at least one rule to certify")
    delta = 1.0 - confidence
    read: Bools = np.zeros(len(candidates[0].shown), np.bool_)
    last = candidates[-1]
    if refusal > 0.0 and last.refuses:
        wealth = bet(_labelled(last, read), alpha=loss, delta=delta * refusal, planned=planned)
        if wealth.certified:
            return _certificate(last, [wealth], read, loss, confidence, against)
    # a generator: the labels of a rule are read only when its turn comes
    losses = (_labelled(candidate, read) for candidate in candidates)
    results = fixed_sequence(losses, alpha=loss, delta=delta * (1.0 - refusal), planned=planned)
    certified = sum(wealth.certified for wealth in results)
    chosen = candidates[certified - 1] if certified else None
    return _certificate(chosen, results, read, loss, confidence, against)


def share_thresholds(reference: ArrayLike, shares: Sequence[float] = SHARES) -> tuple[float, ...]:
    """Return the scores from which on the cheap answer is shown, one for each LLM share.

    Needs no labels, but the reference must be other requests than the window's (earlier traffic,
    the rows that a gate was fitted on): thresholds that follow the window's own scores would make
    its rows depend on each other.

    Args:
        reference: `[m]` scores of earlier requests.
        shares: falling, in (0, 1).
    """
    ordered = np.sort(np.asarray(reference, dtype=np.float64))
    if ordered.ndim != 1 or not len(ordered) or np.isnan(ordered).any():
        raise InputError(f"reference scores: need a list without NaN, not shape {ordered.shape}")
    found: list[float] = []
    for share in shares:
        # the smallest score that leaves at least this share of the reference below it
        place = min(len(ordered) - 1, math.ceil(share * len(ordered)))
        if not found or ordered[place] < found[-1]:
            found.append(float(ordered[place]))
    return tuple(found)


def check_promise(*, loss: float, confidence: float) -> None:
    """Raise ConfigError for a loss or a confidence outside (0, 1)."""
    if not 0.0 < loss < 1.0:
        raise ConfigError(f"loss={loss} is no share; give a number in (0, 1): 0.02 is two points")
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence={confidence} is not in (0, 1); 0.95 is usual")


def _labelled(candidate: Candidate, read: Bools) -> Floats:
    """Return `[n]` losses of a candidate; ``read`` gains the rows whose label that needed."""
    needed = candidate.shown & candidate.differs
    read |= needed
    losses = np.where(needed, candidate.losses, 0.0)
    missing = int(np.isnan(losses).sum())
    if missing:
        raise InputError(
            f"{candidate.name}: {missing} rows need a label and have none; label the rows on which "
            f"the cheap answer differs from the LLM's"
        )
    return losses


def _certificate(
    chosen: Candidate | None,
    results: Sequence[Wealth],
    read: Bools,
    loss: float,
    confidence: float,
    against: str,
) -> Certificate:
    bets = [wealth for wealth in results if wealth.certified] or results
    share = 1.0 if chosen is None or not len(read) else 1.0 - float(chosen.shown.mean())
    return Certificate(
        loss=loss,
        confidence=confidence,
        n=len(read),
        certified=chosen is not None,
        refused=chosen is not None and chosen.refuses,
        candidate="" if chosen is None else chosen.name,
        threshold=None if chosen is None else chosen.threshold,
        llm_share=share,
        wealth=math.exp(min(bets[-1].log_peak, 700.0)),  # exp of more is no float
        needed=math.exp(bets[-1].needed),
        labels=int(read.sum()),
        tested=len(results),
        against=against,
    )
