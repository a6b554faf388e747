"""Ordering and betting on a pool of candidates."""

import numpy as np
import pytest

from trimtab.agents.cascades import Outcomes
from trimtab.agents.certify_pool import Rung, choose, net_losses, order_of, reached
from trimtab.stats import clopper_pearson


def _outcomes(
    correct: np.ndarray, asked: np.ndarray, *, usd: float = 0.1, sure: np.ndarray | None = None
) -> Outcomes:
    n = len(correct)
    zeros = np.zeros(n, np.int64)
    return Outcomes(
        trail=zeros,
        shown=zeros,
        correct=correct,
        cost_usd=np.full(n, usd),
        asked_strong=asked,
        confidence=np.linspace(0.5, 1.0, n) if sure is None else sure,
    )


def _world(n: int = 300) -> tuple[dict[str, Outcomes], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    right = rng.random(n) < 0.95
    half, never = rng.random(n) < 0.5, np.zeros(n, np.bool_)
    bad = right & (rng.random(n) < 0.7)
    played = {
        "half": _outcomes(right, half),
        "never": _outcomes(right ^ (rng.random(n) < 0.01), never),
        "bad": _outcomes(bad, never),
        "dear": _outcomes(right, half, usd=2.0),
        "blind": _outcomes(right, never, sure=np.full(n, 0.9)),
    }
    return played, right, np.ones(n)


def test_net_loss_is_what_the_llm_would_have_got_more() -> None:
    right = np.array([True, True, False, False])
    shown = np.array([True, False, True, False])
    np.testing.assert_array_equal(net_losses(_outcomes(shown, shown), right), [0, 1, -1, 0])


def test_an_order_leaves_out_what_loses_costs_more_or_is_blind() -> None:
    played, right, usd = _world()
    order = order_of(played, right, usd, loss=0.02, delta=0.05, planned=2000)
    assert [rung.name for rung in order] in (["half", "never"], ["never"], ["half"])


def test_an_order_goes_from_dear_and_soon_to_cheap_and_late() -> None:
    played, right, usd = _world()
    order = order_of(played, right, usd, loss=0.02, delta=0.05, planned=2000)
    assert [r.llm_share for r in order] == sorted((r.llm_share for r in order), reverse=True)
    assert [r.rows for r in order] == sorted(r.rows for r in order)


def test_blind_candidates_compete_where_no_other_is_left() -> None:
    played, right, usd = _world()
    order = order_of({"blind": played["blind"]}, right, usd, loss=0.02, delta=0.05, planned=2000)
    assert [rung.name for rung in order] == ["blind"]


def test_nothing_beyond_the_first_failure_is_certified() -> None:
    good, bad = np.zeros(800), np.full(800, 0.1)
    found = reached(
        [("a", good), ("b", bad), ("c", good)], loss=0.02, delta=0.05, planned=800, first=100
    )
    assert list(found) == ["a"]
    assert 400 <= found["a"] <= 500


def test_a_later_candidate_waits_for_those_before_it() -> None:
    rng = np.random.default_rng(0)
    slow = np.where(rng.random(2000) < 0.004, 1.0, 0.0)
    found = reached([("slow", slow), ("fast", np.zeros(2000))], loss=0.02, delta=0.05, planned=2000)
    assert found["fast"] >= found["slow"]


def test_a_pool_at_the_border_is_certified_at_most_at_the_error_rate() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(300):
        losses = (rng.random(500) < 0.05).astype(np.float64)
        wrong += bool(reached([("border", losses)], loss=0.05, delta=0.1, planned=500))
    assert clopper_pearson(wrong, 300, confidence=0.99)[0] <= 0.1
    assert wrong > 0


@pytest.mark.parametrize(
    ("cheaper_at", "served"),
    [(500.0, None), (2999.0, "dear"), (10_000.0, "dear")],
    ids=["soon", "too late to pay", "never"],
)
def test_a_cheaper_candidate_is_waited_for_only_where_that_pays(
    cheaper_at: float, served: str | None
) -> None:
    rungs = [
        Rung(name="dear", llm_share=0.2, rows=300.0),
        Rung(name="cheap", llm_share=0.0, rows=cheaper_at),
    ]
    assert choose(["dear"], rungs, row=300, planned=3000) == served


def test_at_the_end_of_a_window_the_best_certified_is_served() -> None:
    rungs = [
        Rung(name="dear", llm_share=0.2, rows=300.0),
        Rung(name="cheap", llm_share=0.0, rows=400.0),
    ]
    assert choose(["dear"], rungs, row=3000, planned=3000) == "dear"
    assert choose(["dear", "cheap"], rungs, row=3000, planned=3000) == "cheap"
    assert choose([], rungs, row=3000, planned=3000) is None
