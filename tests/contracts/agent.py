"""What every agent must keep, whatever it computes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from trimtab.protocols import AnyAgent, AnyDomain
from trimtab.records import Passage, Prediction, usage_to_json


def _essence(prediction: Prediction) -> tuple[object, ...]:
    """Return what must not depend on the batch or the thread; times may."""
    return (prediction.agent, prediction.action, prediction.tier)


class AgentContract:
    """Subclass it and provide the three fixtures."""

    @pytest.fixture
    def agent(self) -> AnyAgent:
        raise NotImplementedError

    @pytest.fixture
    def domain(self) -> AnyDomain:
        raise NotImplementedError

    @pytest.fixture
    def states(self) -> Sequence[Any]:
        """Return at least three different states that are not terminal."""
        raise NotImplementedError

    def test_each_state_gets_one_prediction_in_order(
        self, agent: AnyAgent, states: Sequence[Any]
    ) -> None:
        together = [_essence(p) for p in agent.predict(states)]
        alone = [_essence(agent.predict([state])[0]) for state in states]
        assert together == alone

    def test_no_states_get_no_predictions(self, agent: AnyAgent) -> None:
        assert agent.predict([]) == []

    def test_predictions_are_legal_and_signed(
        self, agent: AnyAgent, domain: AnyDomain, states: Sequence[Any]
    ) -> None:
        for state, prediction in zip(states, agent.predict(states), strict=True):
            assert prediction.agent == agent.name
            if isinstance(prediction.action, int):
                assert prediction.action in domain.legal_actions(state)

    def test_confidence_and_probabilities_are_probabilities(
        self, agent: AnyAgent, domain: AnyDomain, states: Sequence[Any]
    ) -> None:
        for prediction in agent.predict(states):
            assert prediction.confidence is None or 0.0 <= prediction.confidence <= 1.0
            if prediction.probs is not None:
                assert len(prediction.probs) == domain.num_actions
                assert sum(prediction.probs) == pytest.approx(1.0)

    def test_usage_is_counted(self, agent: AnyAgent, states: Sequence[Any]) -> None:
        for prediction in agent.predict(states):
            assert all(amount >= 0 for amount in usage_to_json(prediction.usage).values())
            assert prediction.usage.cached_tokens <= prediction.usage.prompt_tokens

    def test_several_threads_may_ask(self, agent: AnyAgent, states: Sequence[Any]) -> None:
        alone = [_essence(p) for p in agent.predict(states)]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: agent.predict(states), range(4)))
        assert all([_essence(p) for p in answer] == alone for answer in answers)

    def test_context_of_another_length_is_refused(
        self, agent: AnyAgent, states: Sequence[Any]
    ) -> None:
        if not agent.reads_context:
            pytest.skip("context does not matter to this agent")
        note = Passage(text="a note", source_id="1", score=1.0)
        with pytest.raises(Exception, match="context"):
            agent.predict(states, context=[[note]])
