"""A fitted controller under a promise: tried in retrospect, certified, watched, taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.desk import numbered_ids, ticking_clock
from tests.recorded_tables import recorded_world
from trimtab import Trimtab
from trimtab.agents.cascades import Candidate, Outcomes, ValueCascade
from trimtab.agents.controller_rule import ControllerRule
from trimtab.agents.promise import Promise
from trimtab.app.following import follow
from trimtab.app.recorded_serving import recorded_serving
from trimtab.datasets.recorded import RecordedTable
from trimtab.domains.tables import RecordedSteps
from trimtab.graphs.serving import Serving
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision
from trimtab.settings import load_settings
from trimtab.training.cascade_pool import fit_candidates

World = tuple[RecordedTable, RecordedSteps]
FITTED, N = 150, 450
PROMISE = Promise(loss=0.2, window=150)


@pytest.fixture(scope="module")
def world() -> World:
    return recorded_world(N)


@pytest.fixture(scope="module")
def candidate(world: World) -> Candidate:
    train = world[1].take(np.arange(FITTED))
    tried, _ = fit_candidates(train, strong="strong", rng=np.random.default_rng(0))
    learned = [one.candidate for one in tried if isinstance(one.candidate.cascade, ValueCascade)]
    return min(learned, key=lambda one: abs(one.run(train).asked_strong.mean() - 0.6))


@pytest.fixture(scope="module")
def outcomes(world: World, candidate: Candidate) -> Outcomes:
    return candidate.run(world[1])


@pytest.fixture(scope="module")
def serving(world: World, candidate: Candidate) -> Serving:
    return recorded_serving(world[0], candidate, bundle_id="b", rule=ControllerRule())


@pytest.fixture
def client(tmp_path: Path, serving: Serving) -> Iterator[Trimtab]:
    settings = replace(load_settings({"TRIMTAB_HOME": str(tmp_path)}), audit_rate=0.2)
    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        Trimtab(
            servings={"world": serving},
            ledger=ledger,
            settings=settings,
            new_id=numbered_ids(),
            now=ticking_clock(),
        ) as opened,
    ):
        yield opened


def decide(client: Trimtab, places: Sequence[int]) -> list[Decision]:
    found = []
    for number, q in enumerate(places, start=1):
        found.append(client.decide("world", f"question {q}"))
        if number % 10 == 0:
            client.flush()
    client.flush()
    return found


def test_what_a_controller_would_have_done_is_what_it_does(
    client: Trimtab, serving: Serving, outcomes: Outcomes, candidate: Candidate
) -> None:
    client.promise("world", PROMISE, against="agreement")
    names = ["llm" if n == "strong" else n for n in candidate.judge.names]
    for q, decision in enumerate(decide(client, range(12))):
        assert {one.agent for one in decision.predictions} == set(names)
        found = follow(serving, decision)
        assert found is not None
        assert found.shown.agent == names[outcomes.shown[q]]
        assert found.asked == outcomes.asked_strong[q]
        assert found.probability == pytest.approx(outcomes.confidence[q])


def test_a_row_without_a_step_tells_nothing(client: Trimtab, serving: Serving) -> None:
    client.promise("world", PROMISE, against="agreement")
    [decision] = decide(client, [0])
    assert follow(serving, replace(decision, predictions=decision.predictions[-1:])) is None


def test_a_controller_is_certified_watched_and_taken_back(
    client: Trimtab, outcomes: Outcomes
) -> None:
    client.promise("world", PROMISE, against="agreement")
    decisions = decide(client, range(350))
    issued = client.certificates.issued["world"]
    assert issued.is_controller
    assert issued.predicted is not None
    assert issued.predicted.mean == pytest.approx(outcomes.confidence[:FITTED].mean(), abs=0.1)
    [state] = client.watch.promises()
    assert state.phase == "certified"
    routed = [one for one in decisions if one.route.reason != "uncertified"]
    assert {one.route.reason for one in routed} == {"confident", "uncertain"}
    assert any(one.audit for one in routed)
    asked = np.mean([any(p.agent == "llm" for p in one.predictions) for one in routed])
    assert asked < 0.8
    hard = np.argsort(outcomes.confidence)[:40]  # those that the controller is least sure of
    [domain] = client.report()["domains"]
    assert domain["promise"]["state"] == "certified"
    assert domain["promise"]["bill"] is None  # what a controller does is not read off scores
    again = decide(client, [*hard.tolist() * 4])
    assert "uncertified" in {one.route.reason for one in again}
    [state] = client.watch.promises()
    assert state.alarms == {"A1": 1}
    assert {len(one.predictions) for one in again[-5:]} == {4}  # every step runs once more
