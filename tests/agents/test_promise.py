"""Certificates: what they hold, what they cost in labels, and what must not matter to them."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.agents.promise import (
    Candidate,
    Certificate,
    Promise,
    certify,
    certify_candidates,
    share_thresholds,
)
from trimtab.errors import ConfigError, InputError

GRID = tuple(np.round(np.arange(0.95, 0.0, -0.05), 2))


def _traffic(n: int, seed: int, *, risk: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and paired losses; the cheap answer fails where its score is low."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    gained = rng.random(n) < risk * (1.0 - scores)
    lost = rng.random(n) < 0.02
    return scores, gained.astype(float) - lost


def test_certificate_survives_json() -> None:
    scores, losses = _traffic(800, 0)
    certificate = certify(scores, losses, loss=0.05, confidence=0.9, thresholds=GRID, against="J")
    again = Certificate.from_json(json.loads(json.dumps(certificate.to_json())))
    assert again == certificate
    assert certificate.certified
    assert again.against == "J"


def test_foreign_json_is_no_certificate() -> None:
    with pytest.raises(InputError, match="certify again"):
        Certificate.from_json({"loss": 0.1})


def test_labels_on_equal_answers_are_neither_needed_nor_counted() -> None:
    scores, losses = _traffic(900, 1)
    differs = losses != 0.0
    hidden = np.where(differs, losses, np.nan)
    lazy = certify(
        scores, hidden, loss=0.03, confidence=0.95, thresholds=GRID, differs=differs, refusal=0.0
    )
    gold = certify(
        scores,
        losses,
        loss=0.03,
        confidence=0.95,
        thresholds=GRID,
        differs=np.ones(900, bool),
        refusal=0.0,
    )
    assert lazy.wealth == pytest.approx(gold.wealth, abs=1e-12)
    assert (lazy.threshold, lazy.tested) == (gold.threshold, gold.tested)
    assert lazy.labels < 0.2 * gold.labels


def test_a_row_that_needs_a_label_and_has_none_is_an_error() -> None:
    scores, losses = _traffic(400, 2)
    with pytest.raises(InputError, match="need a label and have none"):
        certify(scores, losses * np.nan, loss=0.03, confidence=0.95, thresholds=GRID)


def test_labels_beyond_the_first_failure_are_not_asked_for() -> None:
    scores, losses = _traffic(600, 3, risk=0.9)
    losses = np.where(scores < 0.3, np.nan, losses)  # nobody has labelled the low scores
    certificate = certify(scores, losses, loss=0.05, confidence=0.95, thresholds=GRID, refusal=0.0)
    assert certificate.threshold is None or certificate.threshold > 0.3


def test_an_llm_that_is_much_worse_is_refused_after_forty_requests() -> None:
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(200):
        losses = rng.choice([-1.0, 1.0, 0.0], p=[0.42, 0.02, 0.56], size=40)
        certificate = certify(rng.random(40), losses, loss=0.02, confidence=0.95, thresholds=GRID)
        refused += certificate.refused
    assert refused >= 170


def test_a_refusal_shows_every_cheap_answer() -> None:
    certificate = certify(
        np.full(60, 0.5), -np.ones(60), loss=0.02, confidence=0.95, thresholds=GRID
    )
    assert certificate.refused
    assert certificate.llm_share == 0.0
    assert certificate.shows_cheap(0.0)


def test_without_a_certificate_the_llm_is_always_asked() -> None:
    certificate = certify(
        np.linspace(0, 1, 50), np.ones(50), loss=0.02, confidence=0.95, thresholds=GRID
    )
    assert not certificate.certified
    assert certificate.llm_share == 1.0
    assert not certificate.shows_cheap(1.0)


def test_the_threshold_divides_what_is_shown() -> None:
    scores, losses = _traffic(2000, 5)
    certificate = certify(scores, losses, loss=0.05, confidence=0.95, thresholds=GRID)
    assert certificate.threshold is not None
    assert certificate.shows_cheap(certificate.threshold)
    assert not certificate.shows_cheap(certificate.threshold - 1e-9)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    promises=st.tuples(st.floats(0.005, 0.4), st.floats(0.005, 0.4)),
    refusal=st.sampled_from([0.0, 0.2]),
)
def test_llm_share_falls_as_the_promise_grows(
    seed: int, n: int, promises: tuple[float, float], refusal: float
) -> None:
    scores, losses = _traffic(n, seed)
    strict, lenient = (
        certify(
            scores, losses, loss=loss, confidence=0.9, thresholds=GRID, refusal=refusal
        ).llm_share
        for loss in sorted(promises)
    )
    assert lenient <= strict


@given(seed=st.integers(0, 10_000))
def test_thresholds_at_shares_fall_and_leave_their_share(seed: int) -> None:
    reference = np.random.default_rng(seed).integers(0, 20, size=137) / 20.0
    thresholds = share_thresholds(reference)
    assert all(a > b for a, b in itertools.pairwise(thresholds))
    assert np.sum(reference < thresholds[0]) <= math.ceil(0.975 * 137)


def test_outcomes_of_the_window_do_not_move_the_thresholds() -> None:
    scores, losses = _traffic(700, 6)
    thresholds = share_thresholds(_traffic(300, 7)[0])
    rng = np.random.default_rng(8)
    for shuffled in (losses, rng.permutation(losses), -losses):
        certificate = certify(
            scores, shuffled, loss=0.2, confidence=0.9, thresholds=thresholds, refusal=0.0
        )
        tested = thresholds[: certificate.tested]
        assert certificate.threshold is None or certificate.threshold in tested


def test_a_candidate_that_asks_always_is_certified_without_a_label() -> None:
    never_shown = Candidate(
        name="dear",
        shown=np.zeros(400, bool),
        losses=np.full(400, np.nan),
        differs=np.ones(400, bool),
    )
    certificate = certify_candidates([never_shown], loss=0.02, confidence=0.95)
    assert (certificate.certified, certificate.labels, certificate.llm_share) == (True, 0, 1.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"loss": 0.0}, "loss=0.0"),
        ({"confidence": 1.0}, "confidence=1.0"),
        ({"thresholds": (0.1, 0.9)}, "falling"),
        ({"refusal": 1.0}, "refusal=1.0"),
    ],
)
def test_arguments_outside_their_range_are_named(change: dict[str, object], named: str) -> None:
    arguments: dict[str, object] = {
        "loss": 0.1,
        "confidence": 0.9,
        "thresholds": GRID,
        "refusal": 0.2,
        **change,
    }
    with pytest.raises(ConfigError, match=named):
        certify([0.5], [0.0], **arguments)  # type: ignore[arg-type]


def test_arrays_of_unequal_length_are_named() -> None:
    with pytest.raises(InputError, match="equally long"):
        certify([0.5, 0.6], [0.0], loss=0.1, confidence=0.9, thresholds=GRID)


def test_no_candidates_is_an_error() -> None:
    with pytest.raises(ConfigError, match="candidates is empty"):
        certify_candidates([], loss=0.1, confidence=0.9)


def test_a_promise_needs_a_window() -> None:
    with pytest.raises(ConfigError, match="window=0"):
        Promise(loss=0.02, window=0)


def test_an_empty_reference_gives_no_thresholds() -> None:
    with pytest.raises(InputError, match="reference"):
        share_thresholds([])
