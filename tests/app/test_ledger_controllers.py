"""A controller for a live domain: fitted on its ledger, followed in the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.app.test_lifetimes import DOMAIN, LARGE, MOVED, REFERENCES, Agent, draw
from tests.desk import desk_serving, numbered_ids, ticking_clock
from trimtab import Trimtab
from trimtab.agents.meta_controller import CheapestFirst
from trimtab.agents.promise import Promise
from trimtab.agents.routing import PromiseRule
from trimtab.app.controlled_serving import controlled_serving
from trimtab.app.ledger_controllers import ledger_steps, train_live_controller
from trimtab.errors import BundleError, ConfigError, InputError
from trimtab.graphs.decide import build
from trimtab.graphs.serving import Serving
from trimtab.graphs.state import DecideContext
from trimtab.ledger import SqliteLedger
from trimtab.settings import load_settings

TEXTS = MOVED[:330]
ASKED = Promise(loss=0.15, confidence=0.9, window=150)
FIRST = Agent("first", lambda text: 0.75, lambda text: 0.5 + 0.5 * draw("sure", text), 1e-4)
SECOND = Agent("second", lambda text: 0.75, lambda text: 0.6, 2e-4)


@dataclass(frozen=True, slots=True)
class Live:
    serving: Serving
    ledger: SqliteLedger
    client: Trimtab


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    serving = replace(
        desk_serving(LARGE),
        domain=DOMAIN,
        agents=(FIRST, SECOND),
        meta_controller=CheapestFirst(prices={"first": 1e-4, "second": 2e-4}, stop_at=0.9),
        rule=PromiseRule(),
        expert_id="large",
        retriever=None,
    )
    with (
        SqliteLedger(tmp_path / "ledger.sqlite") as ledger,
        Trimtab(
            servings={"letters": serving},
            ledger=ledger,
            settings=load_settings({"TRIMTAB_HOME": str(tmp_path)}),
            new_id=numbered_ids(),
            now=ticking_clock(),
        ) as client,
    ):
        yield Live(serving, ledger, client)


def decide(live: Live, texts: list[str]) -> None:
    live.client.decide_many("letters", texts)
    live.client.flush()


def test_steps_that_did_not_run_are_known_all_the_same(live: Live) -> None:
    decide(live, TEXTS[:40])
    ran = {tuple(p.agent for p in decision.predictions) for decision, _ in live.ledger.scan()}
    assert ran == {("first", "llm"), ("first", "second", "llm")}
    steps, ids = ledger_steps(live.ledger.scan(), live.serving, against="agreement")
    assert steps.names == ("first", "second", "llm")
    assert len(ids) == steps.n == 40
    assert (steps.codes >= 0).all()
    assert steps.correct[-1].all()


def test_differing_answers_need_a_label(live: Live) -> None:
    decide(live, TEXTS[:20])
    with pytest.raises(InputError, match="need a label"):
        ledger_steps(live.ledger.scan(), live.serving, against="gold")
    for decision, _ in list(live.ledger.scan()):
        live.client.feedback(decision.decision_id, answer=REFERENCES[decision.state])
    steps, _ = ledger_steps(live.ledger.scan(), live.serving, against="gold")
    assert 0.4 < steps.correct[0].mean() < 1.0


def test_a_live_domain_follows_its_controller_and_says_why(live: Live, tmp_path: Path) -> None:
    decide(live, TEXTS)
    out = tmp_path / "controller"
    bundle = train_live_controller(
        live.ledger.scan(), live.serving, out=out, asked=ASKED, train_size=180, against="agreement"
    )
    assert bundle.metrics["certified"] == 1.0
    settings, served = live.client.settings, {"letters": live.serving}
    with Trimtab(
        servings=served, controllers={"letters": out}, ledger=live.ledger, settings=settings
    ) as client:
        decisions = [client.decide("letters", text) for text in MOVED[400:520]]
        asked = [any(p.agent == "llm" for p in one.predictions) for one in decisions]
        assert 0.1 < sum(asked) / len(asked) < 0.9
        right = [one.answer == REFERENCES[one.state] for one in decisions]
        assert sum(right) / len(right) >= 1.0 - ASKED.loss
        told = [
            chunk
            for chunk in build(client.nodes).stream(
                {"text": MOVED[600]}, context=DecideContext(domain="letters"), stream_mode="custom"
            )
            if "prices" in chunk
        ]
    assert set(told[0]["prices"]) == {"first", "second", "llm"}


def test_a_controller_of_another_llm_is_refused(live: Live, tmp_path: Path) -> None:
    decide(live, TEXTS)
    out = tmp_path / "controller"
    train_live_controller(
        live.ledger.scan(), live.serving, out=out, asked=ASKED, train_size=180, against="agreement"
    )
    with pytest.raises(BundleError, match="other-llm"):
        controlled_serving(replace(live.serving, expert_id="other-llm"), out)


def test_a_controller_of_a_domain_that_is_not_served_is_an_error(live: Live) -> None:
    with pytest.raises(ConfigError, match="strangers"):
        Trimtab(servings={"letters": live.serving}, controllers={"strangers": "x"})


def test_too_few_requests_are_named(live: Live, tmp_path: Path) -> None:
    decide(live, TEXTS[:30])
    with pytest.raises(ConfigError, match="of 30 uniform requests"):
        train_live_controller(
            live.ledger.scan(),
            live.serving,
            out=tmp_path / "controller",
            asked=ASKED,
            train_size=180,
            against="agreement",
        )
