"""Candidates that decide one request at a time, beside their runs on whole tables."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.recorded_worlds import independent, silent, steps_of
from trimtab.agents.candidate_json import pool_from_json, pool_to_json
from trimtab.agents.cascades import Candidate
from trimtab.agents.live_chain import LiveChain, live_controller, renamed
from trimtab.agents.meta_controller import Ceilings, ValueOfComputation
from trimtab.bench.cascade_act import canonical, prediction
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import InputError
from trimtab.records import Budget, Prediction, Usage
from trimtab.training.cascade_pool import fit_candidates

FREE = Budget()


def _world() -> RecordedSteps:
    rng = np.random.default_rng(0)
    steps = steps_of(
        [rng.random(120) < p for p in (0.5, 0.6, 0.7, 0.9)],
        usd=[1e-3, 2e-3, 4e-3, 0.1],
        wrong=2,
        rng=rng,
    )
    codes = steps.codes.copy()
    codes[1, :30], codes[3, 20:40] = -2, -4
    return RecordedSteps(
        names=steps.names,
        codes=codes,
        correct=steps.correct & (codes >= 0),
        cost_usd=steps.cost_usd,
        signals=steps.signals,
    )


@pytest.fixture(scope="module")
def world() -> RecordedSteps:
    return _world()


@pytest.fixture(scope="module")
def pool(world: RecordedSteps) -> list[Candidate]:
    tried, _ = fit_candidates(world, strong="d", rng=np.random.default_rng(0))
    return [one.candidate for one in tried]


def _live(candidate: Candidate, steps: RecordedSteps) -> ValueOfComputation | LiveChain:
    prices = dict(zip(steps.names, steps.cost_usd.mean(axis=1).tolist(), strict=True))
    return live_controller(candidate, prices=prices, canonical=canonical)


def _play(
    controller: ValueOfComputation | LiveChain, steps: RecordedSteps, question: int
) -> list[Prediction]:
    trail: list[Prediction] = []
    left = list(steps.names)
    while (step := controller.next(trail, left, FREE)).agent is not None:
        left.remove(step.agent)
        trail.append(prediction(steps, steps.index(step.agent), question))
    return trail


def _assert_plays_alike(
    candidates: Sequence[Candidate], steps: RecordedSteps, questions: Sequence[int]
) -> None:
    for candidate in candidates:
        did = candidate.run(steps)
        controller = _live(candidate, steps)
        for question in questions:
            trail = _play(controller, steps, question)
            ran = sum(1 << steps.index(one.agent) for one in trail)
            shown, probability = controller.answer(trail)
            assert ran == did.trail[question], candidate.name
            assert steps.index(shown.agent) == did.shown[question], candidate.name
            assert probability == pytest.approx(did.confidence[question], abs=1e-12)


def test_every_candidate_decides_question_by_question_as_on_the_table(
    world: RecordedSteps, pool: list[Candidate]
) -> None:
    _assert_plays_alike(pool, world, range(0, world.n, 3))


def test_steps_that_say_nothing_are_played_alike() -> None:
    steps = silent(3, n=20)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    _assert_plays_alike([one.candidate for one in tried], steps, [0, 19])


def test_pool_read_back_from_json_runs_bit_by_bit_as_before(
    world: RecordedSteps, pool: list[Candidate]
) -> None:
    again = pool_from_json(pool_to_json(pool))
    assert [one.name for one in again] == [one.name for one in pool]
    for old, new in zip(pool, again, strict=True):
        before, after = old.run(world), new.run(world)
        assert (before.trail == after.trail).all()
        assert (before.shown == after.shown).all()
        assert (before.confidence == after.confidence).all()


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("schema", "trimtab.certificate/1", "schema='trimtab.certificate/1'"),
        ("names", ["a", "a"], "names="),
        ("strong", "z", "strong='z'"),
        ("exact", True, "exact=True"),
        ("judge", {"64": [[1.0]]}, "trail '64'"),
        ("judge", {"1": [[1.0]]}, "judge.1"),
        ("candidates", [{"kind": "oracle"}], "kind='oracle'"),
        ("candidates", [{"kind": "single", "step": 9, "name": "x"}], "step=9"),
        ("candidates", [{"kind": "value", "further": {}, "gains": {"1": [["x"]]}}], "gains.1"),
    ],
)
def test_foreign_field_is_refused_by_name(
    pool: list[Candidate], field: str, value: object, named: str
) -> None:
    with pytest.raises(InputError, match=named.replace("[", r"\[")):
        pool_from_json({**pool_to_json(pool[:1]), field: value})


def test_pools_of_several_judges_are_not_written_as_one(pool: list[Candidate]) -> None:
    other, _ = fit_candidates(_world(), rng=np.random.default_rng(1))
    with pytest.raises(InputError, match="one judge"):
        pool_to_json([pool[0], other[0].candidate])


def test_other_names_change_nothing_but_names(world: RecordedSteps, pool: list[Candidate]) -> None:
    steps = RecordedSteps(
        names=(*world.names[:3], "llm"),
        codes=world.codes,
        correct=world.correct,
        cost_usd=world.cost_usd,
        signals=world.signals,
    )
    for one in pool[::7]:
        assert (renamed(one, {"d": "llm"}).run(steps).trail == one.run(world).trail).all()
    with pytest.raises(InputError, match="share a name"):
        renamed(pool[0], {"d": "a"})


@pytest.mark.parametrize(
    ("budget", "trail", "expected"),
    [
        (Budget(usd=2.0), [], "b"),
        (Budget(usd=5.0), ["a"], "b"),
        (Budget(usd=3.0), ["a"], None),
        (Budget(calls=1), ["a"], None),
        (Budget(seconds=6.0), ["a"], "c"),
        (Budget(seconds=4.0), ["a"], None),
        (Budget(seconds=3.0), [], "c"),
    ],
)
def test_chain_passes_over_what_the_budget_cannot_bear(
    budget: Budget, trail: list[str], expected: str | None
) -> None:
    steps = independent([0.6, 0.7, 0.9], usd=[2.0, 1.0, 9.0], n=60)
    tried, _ = fit_candidates(steps, rng=np.random.default_rng(0))
    found = {one.candidate.name: one.candidate for one in tried}
    candidate = found["2 agree of b, a, c"]
    prices = {"a": 2.0, "b": 1.0, "c": 9.0}
    controller = live_controller(
        candidate,
        prices=prices,
        canonical=canonical,
        ceilings=Ceilings(
            usd={"a": 3.0, "b": 2.0, "c": 9.0}, seconds={"a": 4.0, "b": 9.0, "c": 2.0}
        ),
    )
    ran = [
        Prediction(
            agent=name,
            action="1",
            confidence=None,
            usage=Usage(cost_usd=3.0, latency_s=4.0),
        )
        for name in trail
    ]
    left = [name for name in "abc" if name not in trail]
    assert controller.next(ran, left, budget).agent == expected


def test_chain_without_a_price_is_refused(pool: list[Candidate]) -> None:
    with pytest.raises(InputError, match=r"lacks \['b', 'c', 'd'\]"):
        live_controller(pool[0], prices={"a": 1.0}, canonical=canonical)
