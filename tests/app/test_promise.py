"""The promise in the SDK: cold start, certificate, routing, audits, refusal."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.desk import TruthfulExpert, desk_serving, numbered_ids, ticking_clock
from trimtab import Trimtab
from trimtab.agents.promise import Promise
from trimtab.agents.routing import PromiseRule
from trimtab.agents.simulated import SimulatedExpert
from trimtab.app.audits import Auditor
from trimtab.app.certify import certificate_path, read_certificate
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.errors import BundleError, ConfigError, InputError, LLMUnavailable
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.records import Passage, Prediction
from trimtab.settings import Settings, load_settings

TEXTS = [f"request {number}" for number in range(900)]
LABELS = ("a", "b", "c", "d")


def draw(purpose: str, text: str) -> float:
    digest = hashlib.sha256(f"{purpose}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


REFERENCES = {text: LABELS[int(4 * draw("truth", text))] for text in TEXTS}
DOMAIN = Choices(name="letters", labels=LABELS, references=REFERENCES)


@dataclass(frozen=True, slots=True)
class CalibratedAgent:
    """Is right with exactly the probability that it states; sure on ``sure`` of the requests."""

    sure: float
    name: str = "policy"
    reads_context: bool = False

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [self._predict(state.text) for state in states]

    def _predict(self, text: str) -> Prediction:
        confidence = 0.99 if draw("sure", text) < self.sure else 0.4
        truth = DOMAIN.index(REFERENCES[text])
        right = draw("right", text) < confidence
        return Prediction(
            agent=self.name,
            action=truth if right else (truth + 1) % 4,
            confidence=confidence,
            tier="calibrated",
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(load_settings(), certificates=tmp_path / "certificates", audit_rate=0.2)


Opener = Callable[..., Trimtab]


@pytest.fixture
def opened(tmp_path: Path, settings: Settings) -> Iterator[Opener]:
    clients: list[Trimtab] = []

    def open_client(*, sure: float, llm: float) -> Trimtab:
        expert = SimulatedExpert(
            DOMAIN,
            accuracy=llm,
            priced_as="gpt-4o-2024-08-06",
            prices=load_prices(settings),
            seed=7,
        )
        serving = replace(
            desk_serving(expert),
            domain=DOMAIN,
            agents=(CalibratedAgent(sure),),
            rule=PromiseRule(),
            retriever=None,
        )
        ledger = SqliteLedger(tmp_path / f"ledger{len(clients)}.sqlite")
        client = Trimtab(
            servings={"letters": serving},
            ledger=ledger,
            settings=settings,
            new_id=numbered_ids(),
            now=ticking_clock(),
        )
        clients.append(client)
        return client

    yield open_client
    for client in clients:
        client.close()
        client.ledger.close()


def decide(client: Trimtab, texts: Sequence[str], *, label: bool = True) -> None:
    for text in texts:
        decision = client.decide("letters", text)
        if label:
            client.feedback(decision.decision_id, answer=REFERENCES[text])


def test_before_a_certificate_the_llm_is_always_asked(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    routes = {client.decide("letters", text).route.reason for text in TEXTS[:50]}
    assert routes == {"uncertified"}


def test_certificate_lets_sure_answers_through_and_keeps_its_promise(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    decide(client, TEXTS[:500])
    issued = client.certify("letters", Promise(loss=0.02, window=375))
    assert issued.certificate.certified
    assert issued.certificate.n == 375
    later = [client.decide("letters", text) for text in TEXTS[500:]]
    asked = [decision for decision in later if decision.route.agent == "llm"]
    assert len(asked) < 0.5 * len(later)
    right = sum(decision.answer == REFERENCES[decision.state] for decision in later)
    assert right / len(later) > 0.95 - 0.02


def test_useless_llm_is_refused(opened: Opener) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:80])
    issued = client.certify("letters", Promise(loss=0.02, window=80))
    assert issued.certificate.refused
    decision = client.decide("letters", TEXTS[100])
    assert (decision.route.agent, decision.route.reason) == ("policy", "refused")


def test_useless_small_models_stay_uncertified(opened: Opener) -> None:
    client = opened(sure=0.0, llm=0.95)
    decide(client, TEXTS[:300])
    issued = client.certify("letters", Promise(loss=0.02, window=225))
    assert not issued.certificate.refused
    later = [client.decide("letters", text) for text in TEXTS[300:500]]
    assert sum(decision.route.agent == "llm" for decision in later) >= 0.95 * len(later)


def test_audits_reach_the_ledger_off_the_callers_path(opened: Opener) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:80])
    client.certify("letters", Promise(loss=0.02, window=80))
    returned = {d.decision_id: d for d in (client.decide("letters", t) for t in TEXTS[80:280])}
    client.flush()
    audited = [d for d, _ in client.ledger.scan() if d.audit]
    assert 20 <= len(audited) <= 60  # a fifth of 200
    for decision in audited:
        assert [p.agent for p in returned[decision.decision_id].predictions] == ["policy"]
        assert [p.agent for p in decision.predictions] == ["policy", "llm"]
        assert decision.answer == returned[decision.decision_id].answer
        assert decision.propensity == pytest.approx(0.2)


def test_next_client_finds_the_certificate(opened: Opener, settings: Settings) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:80])
    client.certify("letters", Promise(loss=0.02, window=80))
    other = opened(sure=1.0, llm=0.5)
    assert other.decide("letters", TEXTS[100]).route.reason == "refused"


def test_every_window_asks_for_more(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    promise = Promise(loss=0.02, window=150)
    decide(client, TEXTS[:200])
    first = client.certify("letters", promise)
    assert client.certify("letters", promise) == first
    decide(client, TEXTS[200:300])
    second = client.certify("letters", promise)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.certificate.confidence > first.certificate.confidence > promise.confidence


def test_certificate_of_another_bundle_is_refused(opened: Opener, settings: Settings) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:80])
    client.certify("letters", Promise(loss=0.02, window=80))
    path = certificate_path(settings.certificates, domain="letters", bundle_id="b" * 64)
    with pytest.raises(BundleError, match="bundle"):
        read_certificate(path, bundle_id="c" * 64)
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(InputError, match="certify again"):
        read_certificate(path)


def test_missing_labels_are_counted(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    decide(client, TEXTS[:100], label=False)
    with pytest.raises(InputError, match=r"of 100 requests need a label.*trimtab label"):
        client.certify("letters", Promise(loss=0.02, window=75))


def test_agreement_needs_no_labels(opened: Opener) -> None:
    client = opened(sure=0.9, llm=1.0)
    decide(client, TEXTS[:300], label=False)
    issued = client.certify("letters", Promise(loss=0.05, window=225), against="agreement")
    assert issued.certificate.against == "agreement with the LLM"
    assert issued.certificate.certified


def test_too_few_requests_are_an_error(opened: Opener) -> None:
    client = opened(sure=0.9, llm=1.0)
    decide(client, TEXTS[:5])
    with pytest.raises(InputError, match="at least 20"):
        client.certify("letters", Promise(loss=0.05))


def test_adaptive_spends_its_rate(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    price = client.nodes.serving("letters").expert_price_usd()
    decisions = [
        client.decide("letters", text, mode="adaptive", spend_usd_per_1000=200 * price)
        for text in TEXTS[:300]
    ]
    asked = [decision for decision in decisions if decision.route.agent == "llm"]
    assert sum(d.usage.cost_usd for d in decisions) <= 200 * price / 1000 * len(decisions)
    assert len(asked) > 30


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "adaptive"},
        {"mode": "auto", "spend_usd_per_1000": 1.0},
        {"mode": "adaptive", "spend_usd_per_1000": -1.0},
    ],
)
def test_bad_spending_rate_is_named(opened: Opener, options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="spend_usd_per_1000"):
        opened(sure=0.7, llm=0.95).decide("letters", TEXTS[0], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("promise", [{"loss": 0.0}, {"loss": 0.02, "confidence": 1.0}])
def test_bad_promise_is_an_error(promise: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Promise(**promise)  # type: ignore[arg-type]


def test_lost_audit_is_counted(tmp_path: Path) -> None:
    serving = desk_serving(TruthfulExpert(LLMUnavailable("gone")))
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        auditor = Auditor(ledger)
        with Trimtab(servings={"desk": serving}, ledger=ledger) as client:
            decision = client.decide("desk", "where is my parcel")
        auditor.submit(decision, serving)
        auditor.flush()
        auditor.close()
    assert auditor.lost == 1
