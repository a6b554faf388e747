"""The pool of candidates: what competes, and what is worth certifying."""

import numpy as np
import pytest

from tests.recorded_worlds import independent, silent
from trimtab.agents.cascades import AgreementChain, Single, ValueCascade
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import InputError
from trimtab.training.agreement_chains import MOST_CHAINS, agreement_chains, reachable_trails
from trimtab.training.cascade_pool import best_single, fit_candidates, fit_pool, price_grid


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_all_three_kinds_compete_and_the_strong_step_alone_is_first() -> None:
    steps = independent([0.7, 0.8, 0.95], usd=[1e-3, 2e-3, 0.1], n=200)
    tried, _ = fit_candidates(steps, rng=_rng())
    assert tried[0].candidate.name == "always c"
    kinds = {type(one.candidate.cascade) for one in tried}
    assert kinds == {Single, AgreementChain, ValueCascade}


@pytest.mark.parametrize("prices", [0, 3])
def test_as_many_controllers_compete_as_are_asked_for(prices: int) -> None:
    steps = independent([0.7, 0.8, 0.95], usd=[1e-3, 2e-3, 0.1], n=100)
    tried, _ = fit_candidates(steps, rng=_rng(), prices=prices)
    assert sum(isinstance(one.candidate.cascade, ValueCascade) for one in tried) == prices


def test_names_are_unique() -> None:
    steps = independent([0.7, 0.8, 0.9, 0.95], usd=[1e-3, 2e-3, 3e-3, 0.1], n=100)
    names = [one.candidate.name for one in fit_candidates(steps, rng=_rng())[0]]
    assert len(set(names)) == len(names)


def test_the_pool_saves_ever_more_from_the_strong_step_down() -> None:
    steps = independent([0.7, 0.8, 0.8, 0.95], usd=[1e-3, 2e-3, 3e-3, 0.1], n=500)
    pool = fit_pool(steps, rng=_rng())
    assert pool[0].name == "always d"
    assert len(pool) > 3
    share = [float(one.run(steps).asked_strong.mean()) for one in pool]
    assert share[0] == 1.0
    assert max(share[1:]) < 1.0


def test_a_named_strong_step_is_the_one_that_is_asked() -> None:
    steps = independent([0.7, 0.8, 0.95], usd=[1e-3, 2e-3, 0.1], n=100)
    pool = fit_pool(steps, strong="b", rng=_rng())
    assert {one.strong for one in pool} == {"b"}
    with pytest.raises(InputError, match="no step is named 'z'"):
        fit_pool(steps, strong="z", rng=_rng())


def test_of_equally_good_steps_the_cheapest_is_the_best() -> None:
    steps = independent([1.0, 1.0, 0.5], usd=[2.0, 1.0, 0.1], n=50)
    assert best_single(steps) == "b"


def test_free_steps_have_one_price() -> None:
    assert price_grid(np.zeros(3)) == [0.0]
    grid = price_grid(np.array([0.0, 1e-3, 0.1]))
    assert grid == sorted(grid)


def test_the_same_seed_gives_the_same_pool() -> None:
    steps = independent([0.7, 0.8, 0.95], usd=[1e-3, 2e-3, 0.1], n=100)
    first, second = (fit_candidates(steps, rng=_rng())[0] for _ in range(2))
    assert [one.quality for one in first] == [one.quality for one in second]


def test_few_questions_and_silent_steps_make_a_pool() -> None:
    assert fit_pool(independent([0.5, 0.9], usd=[1e-3, 0.1], n=10), rng=_rng())
    assert fit_pool(silent(3, n=50), rng=_rng())


def _many(count: int) -> RecordedSteps:
    rng = np.random.default_rng(0)
    n = 120
    correct = rng.random((count, n)) < np.linspace(0.5, 0.9, count)[:, None]
    return RecordedSteps(
        names=tuple(f"m{place}" for place in range(count)),
        codes=np.where(correct, 0, 1 + rng.integers(20, size=(count, n))).astype(np.int64),
        correct=correct,
        cost_usd=np.repeat(np.geomspace(1e-4, 1e-1, count)[:, None], n, axis=1),
        signals=np.zeros((0, count, n)),
    )


def test_of_many_steps_only_the_trails_of_few_chains_are_fitted() -> None:
    steps = _many(12)
    chains = agreement_chains(steps, lambdas=price_grid(steps.cost_usd.mean(axis=1)))
    orders = {one.order for one in chains}
    assert 0 < len(orders) <= MOST_CHAINS
    trails = reachable_trails(steps, chains)
    assert {0, *(1 << m for m in range(12))} <= set(trails)
    assert len(trails) < 300


def test_a_pool_of_many_steps_runs() -> None:
    steps = _many(12)
    for one in fit_pool(steps, rng=_rng()):
        did = one.run(steps)
        assert (did.trail >> did.shown & 1).all()
