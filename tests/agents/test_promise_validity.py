"""The promise against a known truth: how often a certificate is wrong, and who agrees with it.

In this world the cheap answer's score s is uniform on [0, 1]; the LLM is right where it is wrong
with probability (1 − s)² / 4, the reverse happens with probability 1/100, so a rule that shows the
cheap answer from t on truly loses (1 − t)³ / 12 − (1 − t) / 100. It exceeds two points below
t = 0.2848, and the promise is broken there.
"""

import warnings

import numpy as np
from mapie.risk_control import BinaryClassificationController, BinaryRisk, control_fwer

from trimtab.agents.promise import certify
from trimtab.stats import bet, clopper_pearson, fixed_sequence

DRAWS, N = 600, 500
PROMISE, CONFIDENCE = 0.02, 0.9
DELTA = 1.0 - CONFIDENCE
GRID = tuple(float(t) for t in np.round(np.arange(0.98, 0.0, -0.02), 2))


def true_loss(threshold: float) -> float:
    shown = 1.0 - threshold
    return shown**3 / 12.0 - shown / 100.0


def window(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    scores = rng.random(N)
    draw = rng.random(N)
    gained = draw < (1.0 - scores) ** 2 / 4.0
    lost = draw > 0.99
    return scores, gained.astype(float) - lost


def tuned(scores: np.ndarray, losses: np.ndarray) -> float | None:
    """Return the cheapest threshold that keeps the promise on this very window: no margin."""
    kept = [t for t in GRID if np.where(scores >= t, losses, 0.0).mean() <= PROMISE]
    return min(kept, default=None)


def within_the_bound(broken: int) -> bool:
    """Return whether so many broken promises are what an error rate of delta may give."""
    return clopper_pearson(broken, DRAWS, confidence=0.99)[0] <= DELTA


def broken(thresholds: list[float | None]) -> int:
    return sum(t is not None and true_loss(t) > PROMISE for t in thresholds)


def test_certificates_keep_their_promise_and_tuned_thresholds_do_not() -> None:
    rng = np.random.default_rng(0)
    certified: list[float | None] = []
    without_margin: list[float | None] = []
    for _ in range(DRAWS):
        scores, losses = window(rng)
        certificate = certify(scores, losses, loss=PROMISE, confidence=CONFIDENCE, thresholds=GRID)
        certified.append(0.0 if certificate.refused else certificate.threshold)
        without_margin.append(tuned(scores, losses))
    assert within_the_bound(broken(certified))
    assert not within_the_bound(broken(without_margin))
    assert sum(t is not None for t in certified) > 0.8 * DRAWS  # it does not hold by refusing


def test_a_world_at_the_border_uses_the_allowed_error_and_no_more() -> None:
    """One rule whose loss is exactly what is promised: the hardest case there is."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(DRAWS):
        losses = rng.choice([1.0, -1.0, 0.0], p=[0.05, 0.03, 0.92], size=N)
        certificate = certify(
            np.ones(N), losses, loss=0.02, confidence=CONFIDENCE, thresholds=(0.5,)
        )
        wrong += certificate.certified
    assert within_the_bound(wrong)
    assert wrong > 0


def test_mapie_certifies_the_same_set_from_the_same_bets() -> None:
    """Ville's inequality makes 1 / (largest capital) a p-value; MAPIE tests those in our order."""
    rng = np.random.default_rng(2)
    lengths = set()
    for _ in range(40):
        scores, losses = window(rng)
        rows = [np.where(scores >= t, losses, 0.0) for t in GRID]
        p_values = np.exp([-bet(row, alpha=PROMISE, delta=DELTA).log_peak for row in rows])
        theirs = control_fwer(p_values, DELTA, fwer_method="fixed_sequence")
        ours = [
            place
            for place, wealth in enumerate(fixed_sequence(rows, alpha=PROMISE, delta=DELTA))
            if wealth.certified
        ]
        assert theirs.tolist() == ours
        lengths.add(len(ours))
    assert len(lengths) > 3


def test_mapie_with_its_own_bound_certifies_nearly_the_same_set() -> None:
    """MAPIE's risks are 0 or 1, so the cheap answer is never the better one in this world.

    Its p-value (Hoeffding and Bentkus) is made for 0 and 1 and reads the window at once; a bet
    takes losses in [-1, 1] one by one and pays for that: its threshold lies two steps of 0.02
    higher on average.
    """
    rng = np.random.default_rng(3)
    distances = []
    for _ in range(25):
        scores = rng.random(N)
        lost = rng.random(N) < (1.0 - scores) ** 2 / 4.0
        controller = BinaryClassificationController(
            predict_function=lambda x: np.column_stack([1.0 - x[:, 0], x[:, 0]]),
            risk=BinaryRisk(
                risk_occurrence=lambda y_true, y_pred: (y_true == 1) & (y_pred == 1),
                risk_condition=lambda y_true, y_pred: np.ones(len(y_true), dtype=bool),
                higher_is_better=False,
            ),
            best_predict_param_choice="recall",
            target_level=PROMISE,
            confidence_level=CONFIDENCE,
            list_predict_params=np.array(GRID[::-1]),
            fwer_method="fixed_sequence",
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            controller.calibrate(scores[:, None], lost.astype(int))
        ours = certify(
            scores,
            lost.astype(float),
            loss=PROMISE,
            confidence=CONFIDENCE,
            thresholds=GRID,
            refusal=0.0,
        )
        assert ours.threshold is not None
        distances.append(ours.threshold - float(np.min(controller.valid_predict_params)))
    assert np.max(np.abs(distances)) <= 0.2 + 1e-9
    assert abs(float(np.mean(distances))) <= 0.06
