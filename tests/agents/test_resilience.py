from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.agents.resilience import CallGuard, CircuitBreaker, RetryPolicy, TransientFailure
from trimtab.errors import ConfigError, ContextOverflow, LLMUnavailable, ParseError


@dataclass
class Clock:
    now_s: float = 0.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@dataclass
class Server:
    """Fails or answers as its script says; the last entry stays."""

    script: list[Exception | str]
    asked: int = 0

    def __call__(self) -> str:
        entry = self.script[min(self.asked, len(self.script) - 1)]
        self.asked += 1
        if isinstance(entry, Exception):
            raise entry
        return entry


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(failure_threshold=3, reset_after_s=30.0, clock=clock)


def guard(clock: Clock, breaker: CircuitBreaker | None = None, **policy: float) -> CallGuard:
    retry = RetryPolicy(sleep=clock.sleep, draw=lambda: 0.0, **policy)  # type: ignore[arg-type]
    return CallGuard(
        retry=retry,
        breaker=breaker or CircuitBreaker(failure_threshold=100, clock=clock),
        max_concurrency=2,
    )


def call(guard: CallGuard, server: Callable[[], str]) -> str:
    return guard.call(server, on_retry=lambda: None)


def fail_until_open(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        fail(breaker)


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(TransientFailure), breaker.attempt():
        raise TransientFailure("down")


def test_waits_double_up_to_the_cap(clock: Clock) -> None:
    server = Server([TransientFailure("down")])
    with pytest.raises(LLMUnavailable, match="failed 5 times; last error: down"):
        call(guard(clock, max_attempts=5, base_s=0.5, cap_s=2.0), server)
    assert clock.slept == [0.5, 1.0, 2.0, 2.0]


def test_a_success_ends_the_retries(clock: Clock) -> None:
    assert call(guard(clock), Server([TransientFailure("down"), "fine"])) == "fine"
    assert clock.slept == [0.5]


def test_the_wish_of_the_server_replaces_the_wait(clock: Clock) -> None:
    call(guard(clock), Server([TransientFailure("busy", retry_after_s=7.0), "fine"]))
    assert clock.slept == [7.0]


def test_too_long_a_wish_ends_the_call(clock: Clock) -> None:
    server = Server([TransientFailure("busy", retry_after_s=3600.0)])
    with pytest.raises(LLMUnavailable, match="asks to wait 3600 s, more than 60 s"):
        call(guard(clock), server)
    assert (server.asked, clock.slept) == (1, [])


@pytest.mark.parametrize("error", [ContextOverflow("long"), ParseError("?"), ConfigError("key")])
def test_other_errors_are_not_retried(clock: Clock, error: Exception) -> None:
    server = Server([error])
    with pytest.raises(type(error)):
        call(guard(clock), server)
    assert (server.asked, clock.slept) == (1, [])


def test_every_repetition_is_reported(clock: Clock) -> None:
    repeated: list[int] = []
    server = Server([TransientFailure("down"), TransientFailure("down"), "fine"])
    guard(clock).call(server, on_retry=lambda: repeated.append(1))
    assert len(repeated) == 2


@given(attempt=st.integers(1, 60), draw=st.floats(0.0, 1.0, exclude_max=True))
def test_jitter_only_shortens_a_wait(attempt: int, draw: float) -> None:
    policy = RetryPolicy(draw=lambda: draw)
    full_s = min(policy.cap_s, policy.base_s * 2.0 ** (attempt - 1))
    wait_s = policy.wait_s(attempt, TransientFailure("down"))
    assert full_s * (1.0 - policy.jitter) <= wait_s <= full_s


@pytest.mark.parametrize(
    "fields", [{"max_attempts": 0}, {"base_s": 0.0}, {"base_s": 9.0, "cap_s": 1.0}, {"jitter": 1.0}]
)
def test_an_impossible_policy_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        RetryPolicy(**fields)  # type: ignore[arg-type]  # floats stand for ints here


def test_failures_in_a_row_open_the_breaker(breaker: CircuitBreaker) -> None:
    fail_until_open(breaker)
    assert (breaker.state, breaker.opened_total) == ("open", 1)


def test_a_success_between_starts_the_count_anew(breaker: CircuitBreaker) -> None:
    fail(breaker)
    fail(breaker)
    with breaker.attempt():
        pass
    fail(breaker)
    assert breaker.state == "closed"


def test_a_refusal_of_the_request_is_a_sign_of_life(breaker: CircuitBreaker) -> None:
    for _ in range(9):
        with pytest.raises(ContextOverflow), breaker.attempt():
            raise ContextOverflow("long")
    assert breaker.state == "closed"


def test_an_open_breaker_refuses_without_asking(clock: Clock, breaker: CircuitBreaker) -> None:
    fail_until_open(breaker)
    server = Server(["fine"])
    with pytest.raises(LLMUnavailable, match="not asked again for 30 s"):
        call(guard(clock, breaker), server)
    assert server.asked == 0


def test_a_breaker_that_opens_ends_the_retries(clock: Clock, breaker: CircuitBreaker) -> None:
    server = Server([TransientFailure("down")])
    with pytest.raises(LLMUnavailable, match="3 times in a row"):
        call(guard(clock, breaker, max_attempts=9), server)
    assert server.asked == 3


def test_a_good_probe_closes_the_breaker(clock: Clock, breaker: CircuitBreaker) -> None:
    fail_until_open(breaker)
    clock.now_s += 30.0
    states: list[str] = [breaker.state]
    assert call(guard(clock, breaker), Server(["fine"])) == "fine"
    assert [*states, breaker.state] == ["half_open", "closed"]


def test_a_bad_probe_opens_it_for_another_period(clock: Clock, breaker: CircuitBreaker) -> None:
    fail_until_open(breaker)
    clock.now_s += 30.0
    fail(breaker)
    assert (breaker.state, breaker.opened_total) == ("open", 2)
    clock.now_s += 29.0
    assert breaker.state == "open"


def test_only_one_probe_is_on_its_way(clock: Clock, breaker: CircuitBreaker) -> None:
    fail_until_open(breaker)
    clock.now_s += 30.0
    with breaker.attempt(), pytest.raises(LLMUnavailable), breaker.attempt():
        pytest.fail("a second probe went through")


def test_an_interrupted_probe_leaves_room_for_the_next(
    clock: Clock, breaker: CircuitBreaker
) -> None:
    fail_until_open(breaker)
    clock.now_s += 30.0
    with pytest.raises(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    with breaker.attempt():
        pass
    assert breaker.state == "closed"


def test_a_late_success_does_not_close_an_open_breaker(breaker: CircuitBreaker) -> None:
    with breaker.attempt():
        fail_until_open(breaker)
    assert breaker.state == "open"


def test_no_more_calls_are_in_flight_than_allowed(clock: Clock) -> None:
    guarded = guard(clock)
    both_inside = threading.Barrier(2)
    lock = threading.Lock()
    inside, most = 0, 0

    def visit() -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        both_inside.wait(timeout=10)
        with lock:
            inside -= 1
        return "fine"

    threads = [threading.Thread(target=call, args=(guarded, visit)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_a_call_that_waits_leaves_its_slot(clock: Clock) -> None:
    breaker = CircuitBreaker(failure_threshold=100, clock=clock)
    answers: Iterator[Exception | None] = iter([TransientFailure("down"), None])

    def outer() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "outer"

    guarded = CallGuard(
        retry=RetryPolicy(sleep=lambda _: seen.append(call(guarded, lambda: "inner"))),
        breaker=breaker,
        max_concurrency=1,
    )
    seen: list[str] = []
    assert call(guarded, outer) == "outer"
    assert seen == ["inner"]
