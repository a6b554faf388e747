from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.boards import GAME
from tests.contracts.agent import AgentContract
from tests.games import GATES, small_net
from trimtab.agents.board_policy import BoardPolicy
from trimtab.domains.connect_four import ConnectFour, ConnectFourState
from trimtab.errors import InputError
from trimtab.protocols import AnyAgent, AnyDomain

TEXTS = ("start", "4453", "1111112", "444444333333")


class TestBoardPolicy(AgentContract):
    @pytest.fixture
    def agent(self) -> AnyAgent:
        return BoardPolicy(ConnectFour(), small_net(), gate=GATES.policy, usd_per_cpu_s=1e-5)

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return ConnectFour()

    @pytest.fixture
    def states(self, domain: ConnectFour) -> Sequence[ConnectFourState]:
        return [domain.from_text(text) for text in TEXTS]

    def test_move_is_the_net_s_likeliest(
        self, agent: AnyAgent, states: Sequence[ConnectFourState]
    ) -> None:
        for state in states:
            priors, values = small_net().evaluate(GAME.encode(state)[None])
            [prediction] = agent.predict([state])
            assert prediction.action == int(priors[0].argmax())
            assert prediction.probs == pytest.approx(priors[0].tolist(), abs=1e-6)
            assert prediction.value == pytest.approx(float(values[0]))
            assert np.isfinite(list(prediction.signals.values())).all()

    def test_finished_game_is_refused(self, agent: AnyAgent, domain: ConnectFour) -> None:
        with pytest.raises(InputError, match=r"1212121.*finished game"):
            agent.predict([domain.from_text("1212121")])
