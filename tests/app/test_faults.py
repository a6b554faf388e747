"""A bad afternoon of the LLM's provider: the real client against every fault, one row a case.

Whatever happens, the caller gets a right answer, an answer marked degraded, or an error that says
what is wrong; report and metrics count it; the ledger holds every decision that was given.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.desk import DESK, REFERENCES, desk_serving
from tests.loopback import Loopback, Reply, Request, Script, choosing, completion, refusing, serving
from trimtab import Trimtab
from trimtab.agents.llm import LLMAgent, open_chat_model
from trimtab.agents.resilience import CircuitBreaker, RetryPolicy
from trimtab.app.experts import OncePerDomain
from trimtab.errors import (
    ConfigError,
    ContextOverflow,
    LLMError,
    LLMUnavailable,
    ParseError,
    TrimtabError,
)
from trimtab.ledger import SqliteLedger
from trimtab.pricing import ModelPrice, PriceTable
from trimtab.protocols import AnyAgent, AnyDomain
from trimtab.records import Decision
from trimtab.settings import Settings, load_settings

MODEL = "scripted-1"
UNSURE = "screen stays black"
TRUTH = "technical"
ATTEMPTS = 3
THRESHOLD = 5
RESET_S = 30.0
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


@dataclass
class Afternoon:
    """A client, the server its LLM stands on, and the time, which moves by hand."""

    client: Trimtab
    server: Loopback
    slept: list[float]
    now_s: float = 0.0
    given: list[Decision] = field(default_factory=list)

    def decide(self, text: str = UNSURE, **options: Any) -> Decision:
        decision = self.client.decide("desk", text, **options)
        self.given.append(decision)
        return decision

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample, 0 where it was never counted."""
        inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        found = re.search(
            rf"^{re.escape(f'{name}{{{inside}}}')} (\S+)$",
            self.client.metrics.text(),
            flags=re.MULTILINE,
        )
        return float(found.group(1)) if found else 0.0

    def report(self) -> dict[str, Any]:
        [domain] = self.client.report()["domains"]
        found: dict[str, Any] = domain
        return found


@contextmanager
def afternoon(
    folder: Path, script: Script, *, url: str | None = None, timeout_s: float = 10.0
) -> Iterator[Afternoon]:
    """Open a desk whose LLM is the real client on a scripted server."""
    with ExitStack() as stack:
        server = stack.enter_context(serving(script))
        settings = load_settings(
            {
                "TRIMTAB_HOME": str(folder),
                "OPENAI_BASE_URL": url or server.url,
                "OPENAI_API_KEY": "sk-test",
                "TRIMTAB_LLM_MODEL": MODEL,
                "TRIMTAB_LLM_TIMEOUT_S": str(timeout_s),
            }
        )
        slept: list[float] = []
        days: list[Afternoon] = []
        agent = scripted_agent(stack, settings, slept, lambda: days[0].now_s)
        desk = desk_serving(agent(DESK))
        ledger = stack.enter_context(SqliteLedger(folder / "ledger.sqlite"))
        client = stack.enter_context(
            Trimtab(servings={"desk": with_expert(desk, agent)}, ledger=ledger, settings=settings)
        )
        days.append(Afternoon(client, server, slept))
        yield days[0]


def with_expert(desk: Any, agent: Callable[[AnyDomain], AnyAgent]) -> Any:
    return replace(desk, expert=OncePerDomain(agent, DESK))


def scripted_agent(
    stack: ExitStack, settings: Settings, slept: list[float], clock: Callable[[], float]
) -> Callable[[AnyDomain], AnyAgent]:
    opened = stack.enter_context(open_chat_model(settings))
    breaker = CircuitBreaker(failure_threshold=THRESHOLD, reset_after_s=RESET_S, clock=clock)
    retry = RetryPolicy(max_attempts=ATTEMPTS, sleep=slept.append, draw=lambda: 0.0)

    def agent(domain: AnyDomain) -> AnyAgent:
        return LLMAgent(
            domain,
            opened.model,
            model_id=opened.model_id,
            prices=PRICES,
            retry=retry,
            breaker=breaker,
        )

    return agent


def truthful(request: Request) -> Reply:
    """Answer as the references say."""
    text = request.last_message.removeprefix("<request>\n").removesuffix("\n</request>")
    return choosing(REFERENCES[text])


NO_CHOICES = Reply(body={"id": "1", "object": "chat.completion", "choices": []})
OVERFLOW = refusing(400, "context_length_exceeded", "maximum context length is 4096 tokens")
GONE = refusing(503)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault.

    Attributes:
        name: of the case.
        replies: what the server sends, in order.
        error: what ``llm_only`` raises; None where the answer is right after all.
        calls: requests that the server sees.
        retries: of them, repetitions.
        parse_errors: replies that named no legal action.
        timeout_s: the client's own time limit.
        slept: seconds waited between attempts; None for the policy's own.
    """

    name: str
    replies: Sequence[Reply]
    error: type[TrimtabError] | None = None
    calls: int
    retries: int = 0
    parse_errors: int = 0
    timeout_s: float = 10.0
    slept: tuple[float, ...] | None = None


RIGHT = choosing(TRUTH)
CASES = [
    Case(name="no fault", replies=[RIGHT], calls=1),
    Case(name="429 once", replies=[refusing(429), RIGHT], calls=2, retries=1, slept=(0.5,)),
    Case(
        name="429 with Retry-After",
        replies=[refusing(429, retry_after="7"), RIGHT],
        calls=2,
        retries=1,
        slept=(7.0,),
    ),
    Case(
        name="429 with too long a Retry-After",
        replies=[refusing(429, retry_after="3600")],
        error=LLMUnavailable,
        calls=1,
        slept=(),
    ),
    Case(
        name="429 for ever",
        replies=[refusing(429)] * 9,
        error=LLMUnavailable,
        calls=3,
        retries=2,
        slept=(0.5, 1.0),
    ),
    Case(name="500 once", replies=[refusing(500), RIGHT], calls=2, retries=1),
    Case(
        name="500 for ever", replies=[refusing(500)] * 9, error=LLMUnavailable, calls=3, retries=2
    ),
    Case(
        name="time-out",
        replies=[Reply(fault="hang")] * 9,
        error=LLMUnavailable,
        calls=3,
        retries=2,
        timeout_s=0.1,
    ),
    Case(
        name="slow stream",
        replies=[Reply(fault="drip")] * 9,
        error=LLMUnavailable,
        calls=3,
        retries=2,
        timeout_s=0.2,
    ),
    Case(
        name="slow stream once",
        replies=[Reply(fault="drip"), RIGHT],
        calls=2,
        retries=1,
        timeout_s=0.5,
    ),
    Case(name="connection dropped", replies=[Reply(fault="drop"), RIGHT], calls=2, retries=1),
    Case(
        name="cut JSON once",
        replies=[completion('{"action": "tech'), RIGHT],
        calls=2,
        parse_errors=1,
    ),
    Case(
        name="cut JSON twice",
        replies=[completion('{"action": "tech')] * 2,
        error=ParseError,
        calls=2,
        parse_errors=2,
    ),
    Case(
        name="body is cut",
        replies=[Reply(body=b'{"id": "1", "choi')] * 2,
        error=ParseError,
        calls=2,
        parse_errors=2,
    ),
    Case(
        name="wrong enum once",
        replies=[choosing("weather"), RIGHT],
        calls=2,
        parse_errors=1,
    ),
    Case(
        name="wrong enum twice",
        replies=[choosing("weather")] * 2,
        error=ParseError,
        calls=2,
        parse_errors=2,
    ),
    Case(name="empty choices", replies=[NO_CHOICES] * 2, error=ParseError, calls=2, parse_errors=2),
    Case(name="empty choices once", replies=[NO_CHOICES, RIGHT], calls=2, parse_errors=1),
    Case(name="context overflow", replies=[OVERFLOW], error=ContextOverflow, calls=1),
]
ids = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_small_model_stands_in_and_is_marked(case: Case, tmp_path: Path) -> None:
    with afternoon(tmp_path, case.replies, timeout_s=case.timeout_s) as day:
        decision = day.decide()
        right = case.error is None
        assert decision.answer == (TRUTH if right else "delivery")
        assert decision.route.reason == ("uncertain" if right else "degraded")
        assert len(day.server.requests) == case.calls
        assert case.slept is None or tuple(day.slept) == case.slept
        day.client.flush()
        assert day.client.ledger.get(decision.decision_id) == decision

        reasons = day.report()["reasons"]
        assert reasons == {decision.route.reason: 1}
        assert day.metric("trimtab_degraded_total", domain="desk") == float(not right)
        assert day.metric("trimtab_llm_calls_total", domain="desk") == case.calls
        assert day.metric("trimtab_llm_retries_total", domain="desk") == case.retries
        assert day.metric("trimtab_llm_parse_errors_total", domain="desk") == case.parse_errors
        cost_usd = day.metric("trimtab_llm_cost_usd_total", domain="desk")
        small = decision.predictions[0].usage.cost_usd
        assert cost_usd == pytest.approx(decision.usage.cost_usd - small)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_who_wants_the_llm_only_gets_its_answer_or_the_error(case: Case, tmp_path: Path) -> None:
    with afternoon(tmp_path, case.replies, timeout_s=case.timeout_s) as day:
        if case.error is None:
            decision = day.decide(mode="llm_only")
            assert decision.answer == TRUTH
            assert day.report()["parse_errors"] == case.parse_errors
            return
        with pytest.raises(case.error) as raised:
            day.decide(mode="llm_only")
        named = type(raised.value).__name__
        assert day.metric("trimtab_llm_failures_total", domain="desk", error=named) == 1.0
        assert list(day.client.ledger.scan()) == []


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (refusing(401, "invalid_api_key"), "OPENAI_API_KEY"),
        (refusing(404, "model_not_found"), "TRIMTAB_LLM_MODEL"),
    ],
)
def test_settings_that_are_wrong_are_an_error_not_an_outage(
    reply: Reply, named: str, tmp_path: Path
) -> None:
    with afternoon(tmp_path, [reply]) as day, pytest.raises(ConfigError, match=named):
        day.decide()


def test_refused_connection_degrades(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with afternoon(tmp_path, [], url=f"http://127.0.0.1:{port}/v1") as day:
        assert day.decide().route.reason == "degraded"
        assert day.metric("trimtab_llm_calls_total", domain="desk") == ATTEMPTS


def breaker(day: Afternoon) -> str:
    """Return the state that the metrics show."""
    return next(
        state
        for state in ("closed", "open", "half_open")
        if day.metric("trimtab_llm_breaker", domain="desk", state=state) == 1.0
    )


def test_breaker_opens_half_opens_and_closes(tmp_path: Path) -> None:
    broken = True
    with afternoon(tmp_path, lambda request: GONE if broken else truthful(request)) as day:
        assert day.decide().route.reason == "degraded"
        assert breaker(day) == "closed"
        # the fifth failure in a row opens it, in the middle of this decision's attempts
        assert day.decide().route.reason == "degraded"
        assert breaker(day) == "open"
        asked = len(day.server.requests)
        assert asked == THRESHOLD
        assert day.decide().route.reason == "degraded"
        assert len(day.server.requests) == asked
        assert day.metric("trimtab_llm_breaker_opened_total", domain="desk") == 1.0

        day.now_s += RESET_S
        assert breaker(day) == "half_open"
        assert day.decide().route.reason == "degraded"
        assert len(day.server.requests) == asked + 1
        assert breaker(day) == "open"
        assert day.metric("trimtab_llm_breaker_opened_total", domain="desk") == 2.0

        broken = False
        day.now_s += RESET_S
        assert day.decide().answer == TRUTH
        assert breaker(day) == "closed"
        assert day.report()["reasons"] == {"degraded": 4, "uncertain": 1}


def test_ledger_holds_every_decision_of_a_bad_afternoon(tmp_path: Path) -> None:
    faults = [
        GONE,
        refusing(429, retry_after="1"),
        completion('{"action": "tech'),
        NO_CHOICES,
        OVERFLOW,
        Reply(fault="drop"),
        choosing("weather"),
    ]

    def whimsical(request: Request) -> Reply:
        number = len(day.server.requests)
        return faults[number % len(faults)] if number % 3 else truthful(request)

    with afternoon(tmp_path, whimsical) as day:
        many = day.client.decide_many("desk", list(REFERENCES) * 10)
        day.client.flush()
        stored = {row.decision_id: row for row, _ in day.client.ledger.scan()}
        assert [stored[decision.decision_id] for decision in many] == many
        assert len(stored) == len(many)
        counted = sum(day.report()["reasons"].values())
        assert counted == len(many)
    for decision in many:
        if decision.route.agent == "llm":
            assert decision.answer == REFERENCES[decision.state]


def test_errors_of_the_llm_have_one_root() -> None:
    assert all(case.error is None or issubclass(case.error, LLMError) for case in CASES)
