"""Cascades on recorded steps, beside what a person would do by hand."""

import numpy as np
import pytest

from tests.recorded_worlds import independent, silent
from trimtab.agents.cascades import AgreementChain, Single, paid
from trimtab.domains.tables import RecordedSteps, answer_codes
from trimtab.errors import InputError
from trimtab.training.agreement_chains import agreement_chains
from trimtab.training.cascade_pool import fit_candidates


def _table(answers: list[list[str | None]]) -> RecordedSteps:
    codes = answer_codes(answers)
    return RecordedSteps(
        names=tuple("abcdefgh"[: len(answers)]),
        codes=codes,
        correct=np.array([[answer == "yes" for answer in row] for row in answers]),
        cost_usd=np.repeat(10.0 ** np.arange(len(answers))[:, None], codes.shape[1], axis=1),
        signals=np.zeros((0, *codes.shape)),
    )


def _run(
    answers: list[str | None], *, needed: int, last_decides: bool = False
) -> tuple[list[int], int]:
    """Return the steps that ran on one question, and the step shown."""
    chain = AgreementChain(
        order=tuple(range(len(answers))), needed=needed, name="chain", last_decides=last_decides
    )
    trail, shown = chain.run(_table([[answer] for answer in answers]))
    return [m for m in range(len(answers)) if int(trail[0]) >> m & 1], int(shown[0])


@pytest.mark.parametrize(
    ("answers", "needed", "ran", "shown"),
    [
        (["yes", "yes", "no"], 2, [0, 1], 1),
        (["yes", "no", "yes"], 2, [0, 1, 2], 2),
        (["yes", "no", "so"], 2, [0, 1, 2], 2),
        ([None, None, "yes"], 2, [0, 1, 2], 2),
        ([None, None, None], 2, [0, 1, 2], 2),
        (["yes", "yes", "no"], 3, [0, 1, 2], 1),
    ],
)
def test_a_chain_stops_where_enough_agree_and_else_shows_the_largest_support(
    answers: list[str | None], needed: int, ran: list[int], shown: int
) -> None:
    assert _run(answers, needed=needed) == (ran, shown)


@pytest.mark.parametrize(
    ("answers", "needed", "ran", "shown"),
    [
        (["yes", "yes", "yes", "no"], 3, [0, 1, 2], 2),
        (["yes", "no", "yes", "so"], 3, [0, 1, 3], 3),
        (["yes", "yes", "no", "so"], 3, [0, 1, 2, 3], 3),
        ([None, "yes", "yes", "so"], 3, [0, 3], 3),
        (["yes", "no", "no", "no", "so"], 3, [0, 1, 2, 3], 3),
    ],
)
def test_a_last_step_that_decides_runs_at_the_first_quarrel_that_settles_it(
    answers: list[str | None], needed: int, ran: list[int], shown: int
) -> None:
    assert _run(answers, needed=needed, last_decides=True) == (ran, shown)


def test_all_steps_that_ran_are_paid() -> None:
    steps = _table([["yes"], ["no"], ["no"]])
    assert paid(steps, np.array([0b101])).tolist() == [101.0]


def test_a_single_step_answers_everything() -> None:
    steps = independent([0.5, 0.9], usd=[1.0, 2.0], n=20)
    trail, shown = Single(step=1, name="b").run(steps)
    assert (trail == 2).all()
    assert (shown == 1).all()


def test_no_cascade_reads_what_is_right() -> None:
    steps = independent([0.6, 0.7, 0.9], usd=[1.0, 2.0, 9.0], n=120)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    flipped = RecordedSteps(
        names=steps.names,
        codes=steps.codes,
        correct=~steps.correct,
        cost_usd=steps.cost_usd,
        signals=steps.signals,
    )
    for one in tried:
        before, after = one.candidate.cascade.run(steps), one.candidate.cascade.run(flipped)
        assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_what_is_shown_has_run() -> None:
    steps = independent([0.6, 0.7, 0.8, 0.9], usd=[1.0, 2.0, 3.0, 9.0], n=120)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    for one in tried:
        did = one.candidate.run(steps)
        assert (did.trail >> did.shown & 1).all()
        assert ((did.confidence >= 0.0) & (did.confidence <= 1.0)).all()


def test_steps_that_say_nothing_are_never_thought_right() -> None:
    steps = silent(3)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    assert all((one.candidate.run(steps).confidence == 0.0).all() for one in tried)


def test_other_steps_than_the_fitted_ones_are_refused() -> None:
    steps = independent([0.6, 0.9], usd=[1.0, 9.0], n=60)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    with pytest.raises(InputError, match="the model was fitted on"):
        tried[-1].candidate.run(independent([0.6, 0.7, 0.9], usd=[1.0, 2.0, 9.0], n=60))


def test_chains_climb_in_price() -> None:
    steps = independent([0.6, 0.7, 0.9], usd=[5.0, 2.0, 9.0], n=60)
    orders = {one.order for one in agreement_chains(steps, lambdas=[1.0])}
    assert orders == {(1, 0), (1, 2), (0, 2), (1, 0, 2)}
