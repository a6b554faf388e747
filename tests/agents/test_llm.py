from __future__ import annotations

import dataclasses
import email.utils
import json
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.agent import AgentContract
from tests.desk import DESK, REFERENCES
from tests.loopback import (
    Loopback,
    Reply,
    Request,
    Script,
    choosing,
    completion,
    refusing,
    serving,
)
from trimtab.agents.chat_call import retry_after_s
from trimtab.agents.llm import LLMAgent, UnreadableReply, open_chat_model
from trimtab.agents.resilience import CircuitBreaker, RetryPolicy
from trimtab.domains.choices import ChoiceState
from trimtab.domains.sudoku import Sudoku
from trimtab.errors import (
    ConfigError,
    ContextOverflow,
    LLMError,
    LLMUnavailable,
    ParseError,
    PriceUnknown,
    TrimtabError,
    UsageMissing,
)
from trimtab.pricing import ModelPrice, PriceTable
from trimtab.protocols import AnyDomain
from trimtab.records import Passage, Prediction
from trimtab.settings import Settings

MODEL = "scripted-1"
KEY = "sk-test-0123456789"
HELLO = ChoiceState("where is my parcel")
PRICES = PriceTable(
    [
        ModelPrice(
            model=MODEL,
            unit="token",
            usd_per_1m_input=1.0,
            usd_per_1m_cached_input=0.5,
            usd_per_1m_output=2.0,
            as_of=datetime(2026, 1, 1, tzinfo=UTC).date(),
            source="this test",
        )
    ],
    usd_per_cpu_s=1e-5,
)


def settings(url: str, *, timeout_s: float = 10.0) -> Settings:
    return Settings(
        home=Path("unused"),
        ledger=Path("unused"),
        certificates=Path("unused"),
        openai_api_key=KEY,
        openai_base_url=url,
        llm_model=MODEL,
        llm_timeout_s=timeout_s,
    )


@dataclasses.dataclass
class Asked:
    """An agent, the server it asks, and the seconds that it waited between attempts."""

    agent: LLMAgent
    server: Loopback
    slept: list[float]

    def predict(self, state: ChoiceState = HELLO) -> Prediction:
        return self.agent.predict([state])[0]


@contextmanager
def asking(
    script: Script,
    *,
    domain: AnyDomain = DESK,
    timeout_s: float = 10.0,
    breaker: CircuitBreaker | None = None,
    **options: Any,
) -> Iterator[Asked]:
    slept: list[float] = []
    retry = RetryPolicy(max_attempts=3, sleep=slept.append, draw=lambda: 0.0)
    with (
        serving(script) as server,
        open_chat_model(settings(server.url, timeout_s=timeout_s)) as opened,
    ):
        agent = LLMAgent(
            domain,
            opened.model,
            model_id=opened.model_id,
            prices=PRICES,
            retry=retry,
            breaker=breaker or CircuitBreaker(failure_threshold=100),
            **options,
        )
        yield Asked(agent, server, slept)


def answer_truly(request: Request) -> Reply:
    """Answer as the references say; an unknown text is technical."""
    text = request.last_message.removeprefix("<request>\n").removesuffix("\n</request>")
    return choosing(REFERENCES.get(text, "technical"))


def test_the_named_action_is_predicted() -> None:
    with asking([choosing("refund")]) as asked:
        prediction = asked.predict()
    assert (prediction.agent, prediction.tier, prediction.action) == ("llm", MODEL, 1)


def test_confidence_is_never_made_up() -> None:
    with asking([choosing("refund")]) as asked:
        prediction = asked.predict()
    assert (prediction.confidence, prediction.probs) == (None, None)


def test_tokens_are_priced_and_cached_ones_apart() -> None:
    with asking([choosing("refund", usage=(1000, 400, 10))]) as asked:
        usage = asked.predict().usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens) == (1000, 400, 10)
    assert usage.cost_usd == pytest.approx((600 * 1.0 + 400 * 0.5 + 10 * 2.0) / 1e6)
    assert usage.cpu_s == 0.0


def test_the_request_carries_schema_seed_and_temperature() -> None:
    with asking([choosing("refund")]) as asked:
        asked.predict()
        body = asked.server.requests[0].body
    schema = body["response_format"]["json_schema"]
    assert schema["schema"]["properties"]["action"]["enum"] == ["delivery", "refund", "technical"]
    assert schema["strict"] is True
    assert (body["model"], body["temperature"], body["seed"]) == (MODEL, 0.0, 0)


def test_the_request_carries_the_key() -> None:
    with asking([choosing("refund")]) as asked:
        asked.predict()
        assert asked.server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_examples_travel_as_turns() -> None:
    near = Passage(text="my parcel", source_id="1", score=1.0, metadata={"label": "delivery"})
    with asking([choosing("refund")]) as asked:
        asked.agent.predict([HELLO], context=[[near]])
        roles = [message["role"] for message in asked.server.requests[0].body["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    "first",
    [
        completion('{"action": "weather"}'),
        completion('{"action": "refu'),
        completion('{"action": "refu', finish_reason="length"),
        completion("I would say refund."),
        completion(""),
        completion(None, refusal="I cannot help with that."),
    ],
    ids=["not in the enum", "cut", "cut at the limit", "prose", "empty", "refusal"],
)
def test_an_unreadable_reply_is_counted_paid_and_asked_once_more(first: Reply) -> None:
    with asking([first, choosing("refund")]) as asked:
        prediction = asked.predict()
    assert prediction.action == 1
    assert prediction.usage.prompt_tokens == 100
    assert asked.agent.counts == {"calls": 2, "retries": 0, "parse_errors": 1, "unavailable": 0}


@pytest.mark.parametrize(
    "first",
    [
        Reply(body={"id": "1", "object": "chat.completion", "choices": []}),
        Reply(body={"id": "1", "object": "chat.completion", "choices": None}),
        Reply(body={"id": "1", "object": "chat.completion"}),
        Reply(body={"id": "1", "object": "chat.completion", "choices": [{}]}),
        Reply(body=[]),
        Reply(body=b"{]"),
        Reply(body=b"<html>welcome</html>", headers={"content-type": "text/html"}),
    ],
    ids=["no choices", "null choices", "choices absent", "no message", "list", "not JSON", "HTML"],
)
def test_a_reply_without_a_message_is_asked_once_more(first: Reply) -> None:
    with asking([first, choosing("refund")]) as asked:
        assert asked.predict().action == 1
    assert asked.agent.counts["parse_errors"] == 1


def test_wrong_grid_is_an_answer_and_a_broken_one_is_asked_for_again() -> None:
    domain = Sudoku(4)
    state = domain.from_text(".....42......1.3")
    wrong = "1234" * 4
    script = [completion('{"grid": "12"}'), completion(json.dumps({"grid": wrong}))]
    with asking(script, domain=domain) as asked:
        [prediction] = asked.agent.predict([state])
        sent = asked.server.requests[0].body["response_format"]["json_schema"]
    assert (prediction.action, prediction.confidence) == (wrong, None)
    assert prediction.signals == {"parse_errors": 1.0}
    assert domain.check(state, prediction.action) == 0.0
    assert asked.agent.counts["parse_errors"] == 1
    assert sent["strict"] is True
    assert sent["schema"]["properties"]["grid"]["pattern"] == "^[1-4]{16}$"


def test_two_unreadable_replies_raise_and_tell_what_they_cost() -> None:
    with (
        asking([completion("hm"), completion("hmm")]) as asked,
        pytest.raises(UnreadableReply, match="no legal action in 2 replies") as caught,
    ):
        asked.predict()
    assert isinstance(caught.value, ParseError)
    assert caught.value.usage.cost_usd == pytest.approx(2 * (40 + 5 + 10) / 1e6)
    assert len(asked.server.requests) == 2


def test_what_was_paid_is_told_although_the_llm_is_gone() -> None:
    with (
        asking([completion("hm"), *[refusing(503)] * 3]) as asked,
        pytest.raises(UnreadableReply, match="is gone") as caught,
    ):
        asked.predict()
    assert caught.value.usage.prompt_tokens == 50
    assert asked.agent.counts["unavailable"] == 1


def test_the_second_ask_shows_the_first_reply() -> None:
    with asking([completion("hm"), choosing("refund")]) as asked:
        asked.predict()
        messages = asked.server.requests[1].body["messages"]
    assert messages[-2] == {"role": "assistant", "content": "hm"}


def test_missing_token_counts_are_an_error() -> None:
    with asking([choosing("refund", usage=None)]) as asked, pytest.raises(UsageMissing):
        asked.predict()


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_a_transient_status_is_retried(status: int) -> None:
    with asking([refusing(status), choosing("refund")]) as asked:
        assert asked.predict().action == 1
    assert asked.slept == [0.5]
    assert asked.agent.counts == {"calls": 2, "retries": 1, "parse_errors": 0, "unavailable": 0}


def test_a_broken_connection_is_retried() -> None:
    with asking([Reply(fault="drop"), choosing("refund")]) as asked:
        assert asked.predict().action == 1
    assert asked.slept == [0.5]


def test_a_time_out_is_retried() -> None:
    with asking([Reply(fault="hang"), choosing("refund")], timeout_s=0.3) as asked:
        assert asked.predict().action == 1
    assert asked.slept == [0.5]


def test_retry_after_is_honoured() -> None:
    with asking([refusing(429, retry_after="7"), choosing("refund")]) as asked:
        asked.predict()
    assert asked.slept == [7.0]


def test_retry_after_may_be_a_date() -> None:
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    date = email.utils.format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after_s({"retry-after": date}, now=lambda: now) == 90.0
    assert retry_after_s({"retry-after": date}, now=lambda: now + timedelta(hours=1)) == 0.0


@pytest.mark.parametrize("text", ["soon", "nan", "inf", ""])
def test_an_unreadable_retry_after_is_ignored(text: str) -> None:
    assert retry_after_s({"retry-after": text}, now=lambda: datetime.now(UTC)) is None


def test_used_up_retries_make_the_llm_unavailable() -> None:
    with (
        asking([refusing(503)] * 3) as asked,
        pytest.raises(LLMUnavailable, match="failed 3 times; last error: HTTP 503"),
    ):
        asked.predict()
    assert len(asked.server.requests) == 3
    assert asked.agent.counts["unavailable"] == 1


def test_the_breaker_stops_the_asking() -> None:
    breaker = CircuitBreaker(failure_threshold=2, clock=lambda: 0.0)
    with asking([refusing(503)] * 9, breaker=breaker) as asked:
        for _ in range(3):
            with pytest.raises(LLMUnavailable):
                asked.predict()
    assert len(asked.server.requests) == 2
    assert breaker.state == "open"


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (refusing(401, "invalid_api_key"), ConfigError, "OPENAI_API_KEY"),
        (refusing(403), ConfigError, "OPENAI_API_KEY"),
        (refusing(404, "model_not_found"), ConfigError, "TRIMTAB_LLM_MODEL"),
        (refusing(400, "context_length_exceeded"), ContextOverflow, MODEL),
        (refusing(400, "exceed_context_size_error"), ContextOverflow, MODEL),
        (refusing(413), ContextOverflow, MODEL),
        (refusing(429, "insufficient_quota"), LLMUnavailable, "used up"),
        (refusing(400, "bad"), LLMError, "refused the request"),
        (refusing(422), LLMError, "HTTP 422"),
    ],
)
def test_a_lasting_refusal_is_not_retried(
    reply: Reply, error: type[TrimtabError], message: str
) -> None:
    with asking([reply, choosing("refund")]) as asked, pytest.raises(error, match=message):
        asked.predict()
    assert len(asked.server.requests) == 1


def test_the_key_stays_out_of_the_error() -> None:
    with asking([refusing(401)]) as asked, pytest.raises(ConfigError) as caught:
        asked.predict()
    assert KEY not in str(caught.value)


def test_a_server_that_is_gone_is_unavailable() -> None:
    with serving([]) as server:
        url = server.url
    with open_chat_model(settings(url)) as opened:
        agent = LLMAgent(
            DESK,
            opened.model,
            model_id=MODEL,
            prices=PRICES,
            retry=RetryPolicy(max_attempts=2, sleep=lambda _: None),
        )
        with pytest.raises(LLMUnavailable, match="check OPENAI_BASE_URL"):
            agent.predict([HELLO])


def test_a_batch_is_answered_in_order() -> None:
    texts = list(REFERENCES)
    with asking(answer_truly) as asked:
        predictions = asked.agent.predict([ChoiceState(text) for text in texts])
    assert [DESK.canonical(p.action) for p in predictions] == list(REFERENCES.values())


def test_no_more_requests_are_in_flight_than_allowed() -> None:
    release = threading.Event()

    def answer(_: Request) -> Reply:
        if len(asked.server.requests) >= 2:
            release.set()
        return dataclasses.replace(choosing("refund"), after=release)

    with asking(answer, max_concurrency=2) as asked:
        asked.agent.predict([HELLO] * 6)
    assert asked.server.most_in_flight == 2


def test_errors_stand_beside_answers() -> None:
    def answer(request: Request) -> Reply:
        long = "long" in request.last_message
        return refusing(400, "context_length_exceeded") if long else answer_truly(request)

    states = [HELLO, ChoiceState("a long story"), ChoiceState("pay me back please")]
    with asking(answer) as asked:
        first, second, third = asked.agent.attempt(states)
        with pytest.raises(ContextOverflow):
            asked.agent.predict(states)
    assert isinstance(first, Prediction)
    assert isinstance(second, ContextOverflow)
    assert isinstance(third, Prediction)


def test_an_unknown_price_is_known_before_the_first_request() -> None:
    with (
        serving([]) as server,
        open_chat_model(settings(server.url)) as opened,
        pytest.raises(PriceUnknown, match="nobody-1"),
    ):
        LLMAgent(DESK, opened.model, model_id="nobody-1", prices=PRICES)


def letter(text: str, odds: dict[str, float]) -> Reply:
    top = [{"token": t, "logprob": math.log(p), "bytes": None} for t, p in odds.items()]
    token = {"token": text, "logprob": math.log(odds[text]), "bytes": None, "top_logprobs": top}
    return completion(text, finish_reason="length", logprobs={"content": [token]})


def test_letters_give_a_confidence() -> None:
    with asking([letter("B", {"B": 0.6, "A": 0.1, "C": 0.1, "The": 0.2})], letters=True) as asked:
        prediction = asked.predict()
        body = asked.server.requests[0].body
    assert prediction.action == 1
    assert prediction.confidence == pytest.approx(0.75)
    assert prediction.probs == pytest.approx((0.125, 0.75, 0.125))
    assert prediction.signals["letter_mass"] == pytest.approx(0.8)
    assert (body["logprobs"], body["top_logprobs"], body["max_completion_tokens"]) == (True, 20, 1)
    assert "response_format" not in body


def test_letters_without_logprobs_give_no_confidence() -> None:
    with asking([completion("B")], letters=True) as asked:
        prediction = asked.predict()
    assert (prediction.action, prediction.confidence) == (1, None)


def test_a_letter_that_stands_for_nothing_is_unreadable() -> None:
    with asking([completion("D"), completion("A")], letters=True) as asked:
        assert asked.predict().action == 0
    assert asked.agent.counts["parse_errors"] == 1


def test_a_model_must_be_named() -> None:
    nameless = dataclasses.replace(settings("http://127.0.0.1:9/v1"), llm_model=None)
    with pytest.raises(ConfigError, match="TRIMTAB_LLM_MODEL"), open_chat_model(nameless):
        pytest.fail("it opened")


def test_a_server_of_ones_own_needs_no_key() -> None:
    with (
        serving([choosing("refund")]) as server,
        open_chat_model(dataclasses.replace(settings(server.url), openai_api_key=None)) as opened,
    ):
        LLMAgent(DESK, opened.model, model_id=MODEL, prices=PRICES).predict([HELLO])
        assert len(server.requests) == 1


class TestLLMAgentKeepsTheContract(AgentContract):
    @pytest.fixture
    def agent(self) -> Iterator[LLMAgent]:
        with asking(answer_truly) as asked:
            yield asked.agent

    @pytest.fixture
    def domain(self) -> AnyDomain:
        return DESK

    @pytest.fixture
    def states(self) -> Sequence[ChoiceState]:
        return [ChoiceState(text) for text in REFERENCES]
