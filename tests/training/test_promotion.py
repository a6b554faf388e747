"""Variants of the controller are promoted where a paired test on unseen questions says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.recorded_worlds import independent, steps_of
from trimtab.agents.cascades import Candidate, Cascade, Outcomes, Single
from trimtab.domains.tables import Codes, RecordedSteps
from trimtab.errors import ConfigError, InputError
from trimtab.training.agreement_chains import all_trails
from trimtab.training.controller import fit_judge
from trimtab.training.promotion import fit_ridge, net_rewards, promotion
from trimtab.training.text_judge import fit_text


def _topical(n: int = 400) -> RecordedSteps:
    # the first coordinate of a question tells whether a or b knows it; b and c cost alike
    rng = np.random.default_rng(0)
    easy = rng.random(n) < 0.5
    right = [easy, np.ones(n, dtype=np.bool_)]
    steps = steps_of(right, usd=[1e-3, 0.3], rng=rng)
    return replace(steps, questions=np.where(easy, 3.0, -3.0)[:, None])


@dataclass(frozen=True)
class _Memory:
    """Shows a step, and what is right in training wherever it has seen the question."""

    known: RecordedSteps
    name = "memory"

    def run(self, steps: RecordedSteps) -> tuple[Codes, Codes]:
        seen = np.isin(steps.signals[0, 0], self.known.signals[0, 0])
        shown = np.where(seen, steps.correct.argmax(axis=0), 0).astype(np.int64)
        return np.int64(1) << shown, shown


def _all(cascade: Cascade, steps: RecordedSteps, lambdas: Sequence[float]) -> list[Candidate]:
    judged = fit_judge(steps, trails=all_trails(len(steps.names)), rng=np.random.default_rng(0))
    return [Candidate(cascade=cascade, judge=judged.model, strong="b") for _ in lambdas]


def _always(step: int):
    def fit(steps: RecordedSteps, *, lambdas: Sequence[float], rng: object) -> list[Candidate]:
        return _all(Single(step=step, name=f"always {step}"), steps, lambdas)

    return fit


def _memory(steps: RecordedSteps, *, lambdas: Sequence[float], rng: object) -> list[Candidate]:
    return _all(_Memory(steps), steps, lambdas)


def _rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_better_step_at_the_same_price_is_promoted() -> None:
    steps = independent([0.6, 0.9], usd=[1e-3, 1e-3], n=200)
    found = promotion(steps, champion=_always(0), challenger=_always(1), rng=_rng())
    assert found.promoted
    assert found.gain.value == pytest.approx(float(np.diff(steps.correct.mean(axis=1))[0]))
    assert not promotion(steps, champion=_always(1), challenger=_always(0), rng=_rng()).promoted


def test_an_equal_is_not_promoted() -> None:
    steps = independent([0.6, 0.9], usd=[1e-3, 1e-2], n=100)
    found = promotion(steps, champion=_always(1), challenger=_always(1), rng=_rng())
    assert (found.gain.value, found.promoted) == (0.0, False)


def test_what_was_memorised_wins_nothing() -> None:
    steps = independent([0.5, 0.5], usd=[1e-3, 1e-3], n=120)
    numbered = replace(steps, signals=np.tile(np.arange(120.0), (1, 2, 1)))
    found = promotion(numbered, champion=_always(0), challenger=_memory, rng=_rng())
    assert found.gain.value == 0.0


def test_net_reward_pays_for_what_ran() -> None:
    steps = independent([0.5, 1.0], usd=[0.1, 0.25], n=10)
    (one,) = _always(1)(steps, lambdas=[1.0], rng=None)
    did: Outcomes = one.run(steps)
    assert net_rewards([did, did], [1.0, 3.0]).tolist() == [0.5] * 10


def test_text_that_tells_who_knows_is_promoted() -> None:
    found = promotion(_topical(), champion=fit_ridge, challenger=fit_text, rng=_rng())
    assert found.promoted


def test_text_that_tells_nothing_is_not_promoted() -> None:
    noise = np.random.default_rng(1).normal(size=(200, 8))
    steps = replace(independent([0.6, 0.7, 0.9], usd=[1e-3, 2e-3, 0.05], n=200), questions=noise)
    found = promotion(steps, champion=fit_ridge, challenger=fit_text, rng=_rng())
    assert not found.promoted


def test_text_is_asked_for_where_there_is_none() -> None:
    steps = independent([0.6, 0.9], usd=[1e-3, 1e-2], n=60)
    with pytest.raises(InputError, match="questions is None; give the vectors"):
        fit_text(steps, lambdas=[1.0], rng=_rng())


def test_vectors_of_another_width_are_an_error() -> None:
    steps = _topical(60)
    (one,) = fit_text(steps, lambdas=[1.0], rng=_rng())
    with pytest.raises(InputError, match="2 wide, the scores were fitted on 1"):
        one.run(replace(steps, questions=np.zeros((60, 2))))


def test_too_few_questions_to_leave_out_are_an_error() -> None:
    steps = independent([0.6, 0.9], usd=[1e-3, 1e-2], n=14)
    with pytest.raises(ConfigError, match="14 questions are too few for 5 folds; give 15"):
        promotion(steps, champion=_always(0), challenger=_always(1), rng=_rng())
