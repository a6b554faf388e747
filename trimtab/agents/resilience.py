"""Calls to a server that may fail: one retry layer, one circuit breaker, one bound on concurrency.

The three guard the same calls, so they are one object, :class:`CallGuard`. The time limit of a
single attempt belongs to the HTTP client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from trimtab.errors import ConfigError, LLMError, LLMUnavailable

T = TypeVar("T")
BreakerState = Literal["closed", "open", "half_open"]


class TransientFailure(LLMUnavailable):
    """One attempt failed in a way that the next may not; ``retry_after_s`` is the server's wish."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a failed attempt is repeated, and after how long.

    Attempt n is followed by a wait of ``min(cap_s, base_s * 2**(n-1))``, shortened by up to
    ``jitter`` of itself so that several callers do not return together. A ``Retry-After`` of the
    server replaces it, unless it exceeds ``retry_after_cap_s``: then the call fails at once,
    because asking earlier than told would only be refused again.
    """

    max_attempts: int = 4
    base_s: float = 0.5
    cap_s: float = 20.0
    retry_after_cap_s: float = 60.0
    jitter: float = 0.25
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = field(default_factory=lambda: np.random.default_rng().random)

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise ConfigError(f"max_attempts={self.max_attempts} must be at least 1")
        if not 0.0 < self.base_s <= self.cap_s:
            raise ConfigError(f"base_s={self.base_s} must be > 0 and at most cap_s={self.cap_s}")
        if self.retry_after_cap_s < 0.0:
            raise ConfigError(f"retry_after_cap_s={self.retry_after_cap_s} must not be negative")
        if not 0.0 <= self.jitter < 1.0:
            raise ConfigError(f"jitter={self.jitter} must lie in [0, 1)")

    def wait_s(self, attempt: int, failure: TransientFailure) -> float:
        """Return the seconds to wait after the given attempt (from 1) failed."""
        if failure.retry_after_s is not None:
            return failure.retry_after_s
        backoff_s = min(self.cap_s, self.base_s * 2.0 ** (attempt - 1))
        return backoff_s * (1.0 - self.jitter * self.draw())


class CircuitBreaker:
    """Stops asking a server that keeps failing; one probe finds out whether it is back.

    ``failure_threshold`` failures in a row open it; while open every call is refused at once.
    After ``reset_after_s`` a single probe is let through: its success closes the breaker, its
    failure opens it for another ``reset_after_s``. Thread-safe.
    """

    def __init__(
        self,
        *,
        failure_threshold: int = 5,
        reset_after_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if failure_threshold < 1:
            raise ConfigError(f"failure_threshold={failure_threshold} must be at least 1")
        if reset_after_s <= 0.0:
            raise ConfigError(f"reset_after_s={reset_after_s} must be > 0")
        self._threshold = failure_threshold
        self._reset_after_s = reset_after_s
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False
        self._opened_total = 0

    @property
    def state(self) -> BreakerState:
        """Return whether calls pass (closed), are refused (open), or one may probe (half_open)."""
        with self._lock:
            return self._state()

    @property
    def opened_total(self) -> int:
        """Return how often the breaker went from passing or probing to open."""
        with self._lock:
            return self._opened_total

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run one attempt and learn from it.

        A :class:`TransientFailure` counts against the server. Any other ``LLMError`` or
        configuration error is an answer of a living server. What else escapes (an interrupt)
        says nothing about the server and leaves the counts alone.

        Raises:
            LLMUnavailable: the breaker is open, or another probe is on its way.
        """
        probe = self._enter()
        try:
            yield
        except TransientFailure:
            self._learn(alive=False, probe=probe)
            raise
        except (LLMError, ConfigError):
            self._learn(alive=True, probe=probe)
            raise
        except BaseException:
            self._learn(alive=None, probe=probe)
            raise
        self._learn(alive=True, probe=probe)

    def _state(self) -> BreakerState:
        if self._opened_at is None:
            return "closed"
        waited_s = self._clock() - self._opened_at
        return "half_open" if waited_s >= self._reset_after_s else "open"

    def _enter(self) -> bool:
        """Return whether this attempt is the probe."""
        with self._lock:
            state = self._state()
            if state == "closed":
                return False
            if state == "open" or self._probing:
                raise LLMUnavailable(
                    f"the LLM failed {self._failures} times in a row and is not asked again "
                    f"for {self._reset_after_s:g} s; check that its server runs"
                )
            self._probing = True
            return True

    def _learn(self, *, alive: bool | None, probe: bool) -> None:
        with self._lock:
            if probe:
                self._probing = False
            if alive is None:
                return
            if alive:
                # a late success from before the breaker opened must not close it: only a probe may
                if probe or self._opened_at is None:
                    self._failures, self._opened_at = 0, None
                return
            self._failures += 1
            first = self._opened_at is None and self._failures >= self._threshold
            if probe or first:
                self._opened_at = self._clock()
                self._opened_total += 1


class CallGuard:
    """Runs calls under a retry policy, a breaker and a bound on calls in flight; thread-safe.

    The bound is held during an attempt only: a call that waits for its next attempt does not keep
    others from the server.
    """

    def __init__(
        self, *, retry: RetryPolicy, breaker: CircuitBreaker, max_concurrency: int
    ) -> None:
        if max_concurrency < 1:
            raise ConfigError(f"max_concurrency={max_concurrency} must be at least 1")
        self.breaker = breaker
        self._retry = retry
        self._slots = threading.BoundedSemaphore(max_concurrency)

    def call(self, attempt: Callable[[], T], *, on_retry: Callable[[], None]) -> T:
        """Return what ``attempt`` returns; ``on_retry`` is called before each repetition.

        Raises:
            LLMUnavailable: every attempt failed, the server asked for too long a wait, or the
                breaker is open.
        """

        def run() -> T:
            with self._slots, self.breaker.attempt():
                return attempt()

        def before_sleep(_: RetryCallState) -> None:
            on_retry()

        retrying = Retrying(
            stop=self._stop,
            wait=self._wait,
            retry=retry_if_exception_type(TransientFailure),
            before_sleep=before_sleep,
            sleep=self._retry.sleep,
            reraise=True,
        )
        try:
            return retrying(run)
        except TransientFailure as failure:
            raise LLMUnavailable(self._explain(failure, retrying)) from failure

    def _stop(self, state: RetryCallState) -> bool:
        wished_s = _failure(state).retry_after_s
        if wished_s is not None and wished_s > self._retry.retry_after_cap_s:
            return True
        return stop_after_attempt(self._retry.max_attempts)(state)

    def _wait(self, state: RetryCallState) -> float:
        return self._retry.wait_s(state.attempt_number, _failure(state))

    def _explain(self, failure: TransientFailure, retrying: Retrying) -> str:
        attempts = retrying.statistics["attempt_number"]
        wished_s = failure.retry_after_s
        if wished_s is not None and wished_s > self._retry.retry_after_cap_s:
            return (
                f"the LLM server asks to wait {wished_s:g} s, more than "
                f"{self._retry.retry_after_cap_s:g} s; last error: {failure}"
            )
        return f"the LLM failed {attempts} times; last error: {failure}"


def _failure(state: RetryCallState) -> TransientFailure:
    outcome = state.outcome
    error = None if outcome is None else outcome.exception()
    if not isinstance(error, TransientFailure):
        raise TypeError(f"asked to retry after {error!r}")
    return error
