"""A served promise while the world moves: alarms, withdrawal, restart, a new certificate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.desk import desk_serving, numbered_ids, ticking_clock
from trimtab import Trimtab
from trimtab.agents.promise import Promise
from trimtab.agents.routing import PromiseRule
from trimtab.agents.window_plan import window_delta
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.errors import InputError, LLMUnavailable, TrimtabError
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision, Passage, Prediction
from trimtab.settings import Settings, load_settings

LABELS = ("a", "b", "c", "d")
CALM = [f"request {number}" for number in range(1500)]
MOVED = [f"moved request {number}" for number in range(300)]
"""Their words mean other labels than they did: the small model is wrong, as sure as before."""
HARD = [f"hard request {number}" for number in range(300)]
"""The small model is less sure of them, and says so."""
PROMISE = Promise(loss=0.1, window=150)


def draw(purpose: str, text: str) -> float:
    digest = hashlib.sha256(f"{purpose}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


REFERENCES = {text: LABELS[int(4 * draw("truth", text))] for text in (*CALM, *MOVED, *HARD)}
DOMAIN = Choices(name="letters", labels=LABELS, references=REFERENCES)


@dataclass(frozen=True, slots=True)
class Small:
    """Right as often as it says on calm requests, wrong on moved ones."""

    name: str = "policy"
    reads_context: bool = False

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [self._predict(state.text) for state in states]

    def _predict(self, text: str) -> Prediction:
        confidence = 0.5 + 0.4 * draw("sure", text)
        if not text.startswith("hard"):
            confidence = 0.99 if draw("easy", text) < 0.8 else confidence
        right = draw("right", text) < confidence and not text.startswith("moved")
        truth = DOMAIN.index(REFERENCES[text])
        return Prediction(
            agent=self.name,
            action=truth if right else (truth + 1) % 4,
            confidence=confidence,
            tier="small",
        )


@dataclass(slots=True)
class Large:
    """The LLM: right, until it is replaced by a worse one."""

    name: str = "llm"
    reads_context: bool = False
    worse: bool = False
    gone: bool = False
    asked: list[str] = field(default_factory=list)

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        if self.gone:
            raise LLMUnavailable("gone")
        self.asked += [state.text for state in states]
        return [
            Prediction(
                agent=self.name,
                action=(DOMAIN.index(REFERENCES[state.text]) + self.worse) % 4,
                confidence=None,
                tier="large",
            )
            for state in states
        ]


Opener = Callable[[Large], Trimtab]
"""Opens a client; the one before it ends first, as on a restart."""


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    rate = getattr(request, "param", 0.1)
    return replace(load_settings(), certificates=tmp_path / "certificates", audit_rate=rate)


@pytest.fixture
def opened(tmp_path: Path, settings: Settings) -> Iterator[Opener]:
    clients: list[Trimtab] = []
    new_id, now = numbered_ids(), ticking_clock()

    def end() -> None:
        if clients:
            client = clients.pop()
            client.close()
            client.ledger.close()

    def open_client(large: Large) -> Trimtab:
        end()
        serving = replace(
            desk_serving(large),
            domain=DOMAIN,
            agents=(Small(),),
            rule=PromiseRule(),
            expert_id="large",
            retriever=None,
        )
        client = Trimtab(
            servings={"letters": serving},
            ledger=SqliteLedger(tmp_path / "ledger.sqlite"),
            settings=settings,
            new_id=new_id,
            now=now,
        )
        clients.append(client)
        return client

    yield open_client
    end()


def decide(client: Trimtab, texts: Sequence[str]) -> list[Decision]:
    return [client.decide("letters", text) for text in texts]


def certified(client: Trimtab) -> None:
    decide(client, CALM[:200])
    issued = client.certify("letters", PROMISE, against="agreement")
    assert issued.certificate.certified


def until_the_alarm(client: Trimtab, texts: Sequence[str]) -> None:
    for text in texts:
        client.decide("letters", text)
        client.flush()
        if alarm_of(client) is not None:
            return


def capitals(client: Trimtab) -> dict[str, list[float]]:
    [path] = client.settings.certificates.glob("*.watch.json")
    plain = json.loads(path.read_text(encoding="utf-8"))
    found: dict[str, list[float]] = plain["windows"]["alarms"]["capitals"]
    return found


def samples(client: Trimtab) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(client.metrics.text())
        for sample in family.samples
    }


def alarm_of(client: Trimtab) -> str | None:
    """Return the last alarm that took a certificate back."""
    taken = client.certificates.issued["letters"].withdrawals
    return taken[-1].alarm if taken else None


def test_calm_traffic_sounds_no_alarm(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    reasons = {decision.route.reason for decision in decide(client, CALM[200:700])}
    client.flush()
    assert alarm_of(client) is None
    assert "confident" in reasons
    assert samples(client)["trimtab_promise_in_force", "letters"] == 1.0


def test_wrong_small_answers_sound_the_alarm_on_audits(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    for text in MOVED:
        client.decide("letters", text)
        client.flush()
    assert alarm_of(client) == "A2"
    after = client.decide("letters", CALM[500])
    assert (after.route.agent, after.route.reason) == ("llm", "uncertified")


def test_unsure_small_models_sound_the_free_alarm(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    decide(client, HARD)
    assert alarm_of(client) == "A1"


def test_withdrawn_certificate_stays_withdrawn_after_a_restart(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    until_the_alarm(client, HARD)
    other = opened(Large())
    assert other.decide("letters", CALM[500]).route.reason == "uncertified"
    assert alarm_of(other) == "A1"


def test_metrics_and_report_say_which_alarm_sounded(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    until_the_alarm(client, HARD)
    found = samples(client)
    assert found["trimtab_drift_alarms_total", "A1", "letters"] == 1.0
    assert found["trimtab_promise_in_force", "letters"] == 0.0
    assert found["trimtab_promise_window", "letters"] == 2.0
    [domain] = client.report()["domains"]
    assert domain["promise"]["state"] == "withdrawn"
    assert domain["promise"]["withdrawal"]["alarm"] == "A1"


def test_next_certificate_needs_requests_decided_since_the_alarm(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    for text in HARD:
        if client.decide("letters", text).route.reason == "uncertified":
            break
    client.flush()
    since = sum(d.route.reason == "uncertified" for d, _ in client.ledger.scan()) - 200
    assert since > 0
    decide(client, CALM[900 : 900 + 200 - since])
    again = client.certify("letters", PROMISE, against="agreement")
    assert again.attempt == 2
    assert again.withdrawn is None
    assert again.certificate.confidence > 1.0 - window_delta(0.05, 2)
    assert again.first > again.withdrawals[0].at


def test_restart_goes_on_with_the_capital_it_had(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    decide(client, HARD[:10])
    client.flush()
    before = capitals(client)["A1"]
    assert max(before) > 1.0
    other = opened(Large())
    assert alarm_of(other) is None
    assert capitals(other)["A1"] == before
    until_the_alarm(other, HARD[10:])
    assert alarm_of(other) == "A1"


@pytest.mark.parametrize("settings", [0.001], indirect=True)  # A2 would be sooner otherwise
def test_worse_llm_sounds_the_alarm_on_canaries(opened: Opener) -> None:
    large = Large()
    client = opened(large)
    client.canary("letters", {text: REFERENCES[text] for text in CALM[:30]})
    certified(client)
    large.worse = True
    before = 1.0
    for text in (*CALM[200:], *CALM[:200]):
        client.decide("letters", text, decision_id=f"later {text}")
        client.flush()
        if alarm_of(client) is not None:
            break
        client.watch.save()
        before = max(capitals(client)["A3"])
    assert alarm_of(client) in ("A2", "A3")
    assert before > 1.0


def test_canaries_are_asked_under_a_certificate_only(opened: Opener) -> None:
    large = Large()
    client = opened(large)
    canary = CALM[-1]
    client.canary("letters", {canary: REFERENCES[canary]})
    decide(client, CALM[:200])
    client.flush()
    assert large.asked.count(canary) == 1
    assert client.certify("letters", PROMISE, against="agreement").certificate.certified
    decide(client, CALM[200:500])
    client.flush()
    assert large.asked.count(canary) == 2 + 3  # when set, when certified, 1 in 100


def test_canary_that_cannot_be_asked_is_not_held_against_the_llm(opened: Opener) -> None:
    large = Large()
    client = opened(large)
    client.canary("letters", {CALM[0]: REFERENCES[CALM[0]]})
    certified(client)
    large.gone = True
    decide(client, CALM[200:500])
    client.flush()
    assert set(capitals(client)["A3"]) == {1.0}


def test_canaries_survive_a_restart(opened: Opener) -> None:
    client = opened(Large())
    client.canary("letters", {CALM[0]: REFERENCES[CALM[0]]})
    certified(client)
    large = Large()
    other = opened(large)
    decide(other, [text for text in CALM[200:600] if draw("easy", text) < 0.8])
    other.flush()
    assert CALM[0] in large.asked


@pytest.mark.parametrize(
    ("examples", "problem"), [({}, "none were given"), ({CALM[0]: "e"}, "'e'")]
)
def test_bad_canaries_are_named(opened: Opener, examples: dict[str, str], problem: str) -> None:
    with pytest.raises(TrimtabError, match=problem):
        opened(Large()).canary("letters", examples)


def test_canaries_that_the_llm_gets_all_wrong_are_refused(opened: Opener) -> None:
    with pytest.raises(InputError, match="cannot become worse"):
        opened(Large(worse=True)).canary("letters", {CALM[0]: REFERENCES[CALM[0]]})


def test_audits_wait_for_the_labels_that_they_need(opened: Opener) -> None:
    client = opened(Large())
    for decision in decide(client, CALM[:200]):
        client.feedback(decision.decision_id, answer=REFERENCES[decision.state])
    assert client.certify("letters", PROMISE).certificate.certified
    shown = decide(client, MOVED)
    client.flush()
    assert alarm_of(client) is None
    for decision in shown:
        client.feedback(decision.decision_id, answer=REFERENCES[decision.state])
    assert alarm_of(client) == "A2"


def test_lost_audits_raise_the_rate_that_is_recorded(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    rates = set()
    for text in MOVED:
        decision = client.decide("letters", text)
        client.flush()
        if decision.route.reason != "uncertified" and decision.audit:
            rates.add(decision.propensity)
    assert rates == {0.1, 1.0}


def test_certificate_of_a_version_without_alarms_still_routes(opened: Opener) -> None:
    client = opened(Large())
    certified(client)
    watched, path = sorted(client.settings.certificates.iterdir(), key=lambda p: len(p.name))[::-1]
    plain = json.loads(path.read_text(encoding="utf-8"))
    for name in ("predicted", "withdrawals", "looked"):
        del plain[name]
    client.close()
    watched.unlink()
    path.write_text(json.dumps(plain), encoding="utf-8")
    other = opened(Large())
    reasons = {decision.route.reason for decision in decide(other, HARD)}
    assert "confident" in reasons
    assert "uncertified" not in reasons
    assert alarm_of(other) is None
