"""The life of a served promise against known truth: it certifies, alarms and recovers by itself."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.desk import desk_serving, numbered_ids, ticking_clock
from trimtab import Trimtab
from trimtab.agents.promise import Promise
from trimtab.agents.promise_windows import PromiseWindows
from trimtab.agents.routing import PromiseRule
from trimtab.app.certify import plan_of
from trimtab.app.watched import Watched, drift_plan
from trimtab.cli.app import app
from trimtab.domains.choices import Choices, ChoiceState
from trimtab.errors import ConfigError, InputError
from trimtab.ledger import SqliteLedger
from trimtab.records import Decision, Passage, Prediction, Usage
from trimtab.settings import Settings, load_settings

LABELS = ("a", "b", "c", "d")
PROMISE = Promise(loss=0.15, window=150)
CALM = [f"calm {number}" for number in range(700)]
MOVED = [f"moved {number}" for number in range(900)]
"""On these, small models are mostly wrong when they are .97 sure, and right when they are .99."""


def draw(purpose: str, text: str) -> float:
    digest = hashlib.sha256(f"{purpose}\0{text}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


REFERENCES = {text: LABELS[int(4 * draw("truth", text))] for text in (*CALM, *MOVED)}
DOMAIN = Choices(name="letters", labels=LABELS, references=REFERENCES)


@dataclass(frozen=True, slots=True)
class Agent:
    """Right as often as ``rightness`` says of a text, and as sure as ``sureness`` says."""

    name: str
    rightness: Callable[[str], float]
    sureness: Callable[[str], float | None]
    cost_usd: float = 0.0
    reads_context: bool = False

    def predict(
        self, states: Sequence[ChoiceState], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        return [self._predict(state.text) for state in states]

    def _predict(self, text: str) -> Prediction:
        right = draw(f"{self.name} right", text) < self.rightness(text)
        truth = DOMAIN.index(REFERENCES[text])
        # what is wrong is wrong in its own way: two wrong answers seldom agree
        wrong = (truth + 1 + int(3 * draw(f"{self.name} wrong", text))) % 4
        return Prediction(
            agent=self.name,
            action=truth if right else wrong,
            confidence=self.sureness(text),
            tier="large" if self.name == "llm" else "small",
            usage=Usage(cost_usd=self.cost_usd),
        )


def sure(text: str) -> float:
    if draw("sure", text) < 0.3:
        return 0.99
    return 0.97 if draw("sure", text) < 0.95 else 0.6


def right(text: str) -> float:
    return 0.2 if text.startswith("moved") and sure(text) == 0.97 else sure(text)


SMALL = Agent("policy", right, sure)
RANDOM = Agent("policy", lambda text: 0.25, sure)
LARGE = Agent("llm", lambda text: 1.0, lambda text: None, cost_usd=0.01)
WORSE = Agent("llm", lambda text: 0.4, lambda text: None, cost_usd=0.01)

Opener = Callable[..., Trimtab]
"""Opens a client; the one before it ends first, as on a restart."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(load_settings(), certificates=tmp_path / "certificates", audit_rate=0.1)


@pytest.fixture
def opened(tmp_path: Path, settings: Settings) -> Iterator[Opener]:
    clients: list[Trimtab] = []
    new_id, now = numbered_ids(), ticking_clock()

    def end() -> None:
        if clients:
            client = clients.pop()
            client.close()
            client.ledger.close()

    def open_client(small: Agent = SMALL, large: Agent = LARGE) -> Trimtab:
        end()
        serving = replace(
            desk_serving(large),
            domain=DOMAIN,
            agents=(small,),
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


def decide(client: Trimtab, texts: Sequence[str], *, settled: int = 10) -> list[Decision]:
    """Decide in turn; what runs in the background has ended after every few."""
    found = []
    for number, text in enumerate(texts, start=1):
        found.append(client.decide("letters", text))
        if number % settled == 0:
            client.flush()
    client.flush()
    return found


def asks(decisions: Sequence[Decision]) -> float:
    return sum(d.route.agent == "llm" for d in decisions) / len(decisions)


def phase(client: Trimtab) -> tuple[str, int]:
    [state] = client.watch.promises()
    return state.phase, state.window


def until_recollecting(client: Trimtab) -> None:
    for text in MOVED:
        client.decide("letters", text)
        client.flush()
        if phase(client)[0] == "recollecting":
            return


def test_a_cold_start_certifies_by_itself(opened: Opener) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decisions = decide(client, CALM[:400])
    assert decisions[100].route.reason == "uncertified"
    assert phase(client) == ("certified", 1)
    assert asks(decisions[250:]) < 0.7


def test_without_a_promise_asked_for_nothing_is_certified(opened: Opener) -> None:
    client = opened()
    assert asks(decide(client, CALM[:300])) == 1.0
    assert client.watch.promises() == []


def test_a_drifting_stream_recovers_and_keeps_its_promise(
    opened: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    with caplog.at_level(logging.INFO, logger="trimtab"):
        before, after = decide(client, CALM[:400]), decide(client, MOVED[:600])
    reasons = [decision.route.reason for decision in after]
    assert "uncertified" in reasons  # the alarm: the LLM takes over
    assert phase(client) == ("certified", 2)
    last = after[-150:]
    assert all(decision.route.reason != "uncertified" for decision in last)
    assert 0.6 < asks(last) < 0.95  # only what is said at .99 is shown
    for part in (before + after, last):
        wrong = sum(d.answer != REFERENCES[d.state] for d in part) / len(part)
        assert wrong <= PROMISE.loss
    told = [record.message for record in caplog.records]
    assert any(line.startswith("A2: the certificate") for line in told)
    assert any("window 2 of domain letters is certified" in line for line in told)
    [domain] = client.report()["domains"]
    life = domain["promise"]["life"]
    assert [(one["opened_by"], bool(one["candidate"])) for one in life["ended"]] == [
        ("cold start", True),
        ("A2", True),
    ]


def test_a_restart_in_mid_window_loses_nothing(opened: Opener) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:60])
    [before] = client.watch.promises()
    other = opened()
    [after] = other.watch.promises()
    assert (after.phase, after.window, after.rows) == ("cold start", 1, 60)
    assert before.rows == 60
    decide(other, CALM[60:220])
    assert phase(other) == ("certified", 1)


def test_no_restart_gives_a_window_back(opened: Opener) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:200])
    until_recollecting(client)
    assert phase(opened()) == ("recollecting", 2)


def test_lost_state_gives_no_window_back_either(opened: Opener, settings: Settings) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:200])
    until_recollecting(client)
    client.close()
    [path] = settings.certificates.glob("*.watch.json")
    path.unlink()
    assert phase(opened()) == ("recollecting", 2)


def test_a_state_older_than_its_certificate_follows_it(opened: Opener, settings: Settings) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:60])
    [path] = settings.certificates.glob("*.watch.json")
    older = path.read_text(encoding="utf-8")
    decide(client, CALM[60:300])
    client.close()
    assert json.loads(older)["windows"]["phase"] == "cold start"
    path.write_text(older, encoding="utf-8")
    assert phase(opened()) == ("certified", 1)


def test_an_llm_worse_than_the_small_models_is_hardly_asked(opened: Opener) -> None:
    client = opened(SMALL, WORSE)
    client.promise("letters", PROMISE)
    for text in CALM[:200]:
        client.feedback(client.decide("letters", text).decision_id, answer=REFERENCES[text])
    client.flush()
    assert phase(client) == ("certified", 1)
    assert asks(decide(client, CALM[200:500])) <= 0.05


def test_random_small_models_save_nothing_and_the_report_says_so(opened: Opener) -> None:
    client = opened(RANDOM)
    client.promise("letters", PROMISE, against="agreement")
    assert asks(decide(client, CALM[:300])) == 1.0
    assert phase(client) == ("no saving", 1)
    [domain] = client.report()["domains"]
    assert domain["promise"]["life"]["phase"] == "no saving"


def test_the_report_of_another_process_tells_the_open_window(
    opened: Opener, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:40])
    client.close()
    monkeypatch.setenv("TRIMTAB_LEDGER", str(tmp_path / "ledger.sqlite"))
    monkeypatch.setenv("TRIMTAB_CERTIFICATES", str(settings.certificates))
    done = CliRunner().invoke(app, ("report",))
    said = " ".join(done.output.split())
    assert "Window 1, opened by the cold start, holds 40 of at most 200 requests" in said


def test_a_full_window_waits_for_the_labels_that_it_needs(opened: Opener) -> None:
    client = opened(SMALL, WORSE)
    client.promise("letters", PROMISE)
    decisions = decide(client, CALM[:210])
    assert phase(client) == ("cold start", 1)
    for decision in decisions:
        client.feedback(decision.decision_id, answer=REFERENCES[decision.state])
    client.flush()
    assert phase(client) == ("certified", 1)


def test_no_restart_gives_a_full_window_other_requests(opened: Opener) -> None:
    client = opened(RANDOM)
    decide(client, CALM[:30])
    client.promise("letters", PROMISE)
    decide(client, CALM[30:230])
    held = list(client.watch._lives.of["letters"].rows)  # what is bet on, nowhere else told
    assert len(held) == 200
    other = opened(RANDOM)
    decide(other, CALM[230:260])
    third = opened(RANDOM)
    assert list(third.watch._lives.of["letters"].rows) == held


def test_no_restart_lets_another_promise_be_asked_of_requests_that_were_bet_on(
    opened: Opener,
) -> None:
    client = opened(RANDOM)
    client.promise("letters", PROMISE)
    decide(client, CALM[:100])
    with pytest.raises(ConfigError, match="bet on"):
        opened(RANDOM).promise("letters", replace(PROMISE, loss=0.3))


def test_a_window_that_waits_for_labels_is_looked_at_ever_more_seldom() -> None:
    plan = plan_of(PROMISE)
    windows = PromiseWindows(plan, drift_plan(PROMISE.loss, audit_rate=0.0, canaries=None))
    watched = Watched(domain="d", asked=PROMISE, against="gold", windows=windows)
    looks = []
    for late in range(1, 1000 * plan.every):
        watched.late = late
        if watched.looks_again:
            looks.append(late)
    assert looks == [plan.every * 2**k for k in range(10)]


@pytest.mark.parametrize(
    ("kept", "damage"),
    [
        ("large.json", "[]"),
        ("large.json", ('"attempt": ', '"attempt": -')),
        ("watch.json", ('"phase": "', '"phase": "un')),
        ("watch.json", ('"capitals"', '"capital"')),
    ],
)
def test_a_damaged_file_is_named(
    opened: Opener, settings: Settings, kept: str, damage: str | tuple[str, str]
) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    decide(client, CALM[:200])
    client.close()
    [path] = settings.certificates.glob(f"*{kept}")
    whole = path.read_text(encoding="utf-8")
    path.write_text(damage if isinstance(damage, str) else whole.replace(*damage), "utf-8")
    with pytest.raises(InputError, match=path.name):
        opened()


def test_a_person_takes_a_certificate_back(opened: Opener) -> None:
    client = opened()
    client.promise("letters", PROMISE, against="agreement")
    with pytest.raises(InputError, match="no certificate in force"):
        client.watch.withdraw("letters")
    decide(client, CALM[:200])
    client.watch.withdraw("letters")
    assert phase(client) == ("recollecting", 2)
    assert client.decide("letters", CALM[300]).route.reason == "uncertified"
    [domain] = client.report()["domains"]
    assert domain["promise"]["withdrawal"]["alarm"] == "a person"


def test_too_few_requests_still_ask_for_the_promise(opened: Opener) -> None:
    client = opened()
    decide(client, CALM[:10])
    with pytest.raises(InputError, match="certified by itself"):
        client.certify("letters", PROMISE, against="agreement")
    decide(client, CALM[10:220])
    assert phase(client) == ("certified", 1)


def test_another_promise_replaces_one_that_nothing_was_bet_on(opened: Opener) -> None:
    client = opened()
    client.promise("letters", PROMISE)
    other = replace(PROMISE, loss=0.2)
    client.promise("letters", other, against="agreement")
    decide(client, CALM[:200])
    with pytest.raises(ConfigError, match=r"loss=0\.2"):
        client.promise("letters", PROMISE)


def test_later_windows_are_longer_because_they_may_err_less() -> None:
    plan = plan_of(Promise(loss=0.02))
    assert plan.cold_start == 800
    assert plan.recollect > 1.5 * plan.cold_start
