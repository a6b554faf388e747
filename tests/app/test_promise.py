"""The promise in the SDK: cold start, certificate, routing, audits, refusal."""

from __future__ import annotations

import hashlib
import threading
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
from trimtab.app.certificates import read_certificate
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.errors import BundleError, ConfigError, InputError, LLMUnavailable
from trimtab.ledger import SqliteLedger
from trimtab.pricing import load_prices
from trimtab.records import Budget, Passage, Prediction
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
            expert_id=expert.tier,
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
    issued = client.certify("letters", Promise(loss=0.03, window=375))
    assert issued.certificate.certified
    assert issued.certificate.n == 375
    later = [client.decide("letters", text) for text in TEXTS[500:]]
    asked = [decision for decision in later if decision.route.agent == "llm"]
    assert len(asked) < 0.5 * len(later)
    right = sum(decision.answer == REFERENCES[decision.state] for decision in later)
    assert right / len(later) > 0.95 - 0.03


def test_useless_llm_is_refused(opened: Opener) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    issued = client.certify("letters", Promise(loss=0.02, window=60))
    assert issued.certificate.refused
    decision = client.decide("letters", TEXTS[100])
    assert (decision.route.agent, decision.route.reason) == ("policy", "refused")


def test_useless_small_models_stay_uncertified(opened: Opener) -> None:
    client = opened(sure=0.0, llm=0.95)
    decide(client, TEXTS[:300])
    issued = client.certify("letters", Promise(loss=0.03, window=300))
    assert not issued.certificate.refused
    later = [client.decide("letters", text) for text in TEXTS[300:500]]
    assert sum(decision.route.agent == "llm" for decision in later) >= 0.95 * len(later)


def test_audits_reach_the_ledger_off_the_callers_path(opened: Opener) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    client.certify("letters", Promise(loss=0.02, window=60))
    returned = {d.decision_id: d for d in (client.decide("letters", t) for t in TEXTS[60:260])}
    client.flush()
    audited = [d for d, _ in client.ledger.scan() if d.audit]
    assert 30 <= len(audited) <= 75  # a quarter of 200: confidences that never vary show nothing
    for decision in audited:
        assert [p.agent for p in returned[decision.decision_id].predictions] == ["policy"]
        assert [p.agent for p in decision.predictions] == ["policy", "llm"]
        assert decision.answer == returned[decision.decision_id].answer
        assert decision.propensity == pytest.approx(0.25)


def test_next_client_finds_the_certificate(opened: Opener, settings: Settings) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    client.certify("letters", Promise(loss=0.02, window=60))
    other = opened(sure=1.0, llm=0.5)
    assert other.decide("letters", TEXTS[100]).route.reason == "refused"


def test_every_window_asks_for_more(opened: Opener) -> None:
    client = opened(sure=0.0, llm=0.9)
    promise = Promise(loss=0.05, window=180)
    decide(client, TEXTS[:240])
    first = client.certify("letters", promise)
    assert client.certify("letters", promise) == first
    decide(client, TEXTS[240:480])
    second = client.certify("letters", promise)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.certificate.confidence > first.certificate.confidence > promise.confidence


def test_certificate_of_another_bundle_is_refused(opened: Opener, settings: Settings) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    client.certify("letters", Promise(loss=0.02, window=60))
    [path] = [p for p in settings.certificates.iterdir() if ".watch." not in p.name]
    for wrong in ({"bundle_id": "c" * 64}, {"domain": "other"}, {"llm": "gpt-4o"}):
        with pytest.raises(BundleError, match=next(iter(wrong))):
            read_certificate(path, **wrong)
    path.write_text(path.read_text(encoding="utf-8")[:40], encoding="utf-8")
    with pytest.raises(InputError, match="certify again"):
        read_certificate(path)


def test_missing_labels_count_as_losses(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    decide(client, TEXTS[:600], label=False)
    issued = client.certify("letters", Promise(loss=0.02, window=450))
    assert issued.unlabelled > 0
    assert not issued.certificate.certified


def test_certificate_of_one_llm_does_not_hold_for_another(opened: Opener) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    assert client.certify("letters", Promise(loss=0.02, window=60)).certificate.refused
    better = opened(sure=1.0, llm=1.0)
    assert better.decide("letters", TEXTS[100]).route.reason == "uncertified"


def test_another_promise_on_the_same_requests_is_refused(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    decide(client, TEXTS[:60])
    client.certify("letters", Promise(loss=0.02, window=60))
    with pytest.raises(ConfigError, match="window=60"):
        client.certify("letters", Promise(loss=0.02, window=70))


def test_window_that_cannot_certify_is_refused(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    decide(client, TEXTS[:60])
    with pytest.raises(ConfigError, match="use at least"):
        client.certify("letters", Promise(loss=0.02, window=100))


def test_filling_window_does_not_undo_a_full_one(opened: Opener) -> None:
    client = opened(sure=0.7, llm=0.95)
    promise = Promise(loss=0.03, window=300)
    decide(client, TEXTS[:400])
    full = client.certify("letters", promise)
    assert full.certificate.certified
    decide(client, TEXTS[400:])
    assert client.certify("letters", promise) == full


@pytest.mark.parametrize("limits", [Budget(usd=1.0), Budget(calls=5), Budget(seconds=60.0)])
def test_limited_requests_are_not_taken_for_uniform_ones(opened: Opener, limits: Budget) -> None:
    client = opened(sure=0.7, llm=0.95)
    decision = client.decide("letters", TEXTS[0], budget=limits)
    assert (decision.route.agent, decision.route.reason) == ("llm", "uncertain")


def test_closing_waits_for_audits(opened: Opener, settings: Settings) -> None:
    client = opened(sure=1.0, llm=0.5)
    decide(client, TEXTS[:60])
    client.certify("letters", Promise(loss=0.02, window=60))
    client.decide_many("letters", TEXTS[80:200])
    client.close()
    audited = [d for d, _ in client.ledger.scan() if d.audit]
    assert audited
    assert all(d.predictions[-1].agent == "llm" for d in audited)


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


def test_audits_that_fall_behind_are_waited_for(tmp_path: Path) -> None:
    answering, asked, told = threading.Event(), threading.Event(), threading.Event()

    class Slow(TruthfulExpert):
        def predict(
            self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
        ) -> list[Prediction]:
            answering.wait()
            raise LLMUnavailable("gone")

    serving = desk_serving(Slow())
    with SqliteLedger(tmp_path / "ledger.sqlite") as ledger:
        with Trimtab(servings={"desk": serving}, ledger=ledger) as client:
            parcel = "where is my parcel"
            decisions = [client.decide("desk", parcel, mode="neural_only") for _ in range(3)]
        auditor = Auditor(ledger, most_waiting=2)

        def ask() -> None:
            for decision in decisions[:2]:
                auditor.submit(decision, serving)
            asked.set()
            auditor.submit(decisions[2], serving)
            told.set()

        caller = threading.Thread(target=ask)
        caller.start()
        asked.wait()
        assert not told.is_set()  # both places are taken until they are answered
        answering.set()
        caller.join()
        assert told.is_set()
        auditor.close()
    assert auditor.lost == 3
