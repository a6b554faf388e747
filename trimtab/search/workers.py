"""What a search by worker threads needs: the leaf function's answer, settings, threads, result."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Generic, Literal, TypeVar

from trimtab.errors import ConfigError, LeafInvalid

S = TypeVar("S")
Stopped = Literal["simulations", "calls", "tokens", "time", "proven", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """What a leaf function says of a state.

    Attributes:
        priors: `[A]` probabilities, which sum to 1 over the legal actions.
        value: in [-1, 1] for the player to move.
        tokens: what the call used; 0 where nothing is counted.
    """

    priors: Sequence[float]
    value: float
    tokens: int = 0


LeafFn = Callable[[S], Leaf]
TOLERANCE = 1e-3


def legal_priors(leaf: object, actions: Sequence[int], num_actions: int) -> list[float]:
    """Return the priors of the legal actions, in their order.

    Raises:
        LeafInvalid: no Leaf, another number of priors, priors that do not sum to 1 over the legal
            actions, or a value outside [-1, 1].
    """
    if not isinstance(leaf, Leaf) or len(leaf.priors) != num_actions:
        raise LeafInvalid(
            f"the leaf function returned {leaf!r:.80}; it must return a Leaf with "
            f"{num_actions} priors"
        )
    priors = [float(leaf.priors[action]) for action in actions]
    if not (-1.0 <= leaf.value <= 1.0):
        raise LeafInvalid(f"the leaf function returned value={leaf.value}, outside [-1, 1]")
    if not (min(priors) >= 0.0 and abs(sum(priors) - 1.0) <= TOLERANCE):
        raise LeafInvalid(
            f"the leaf function returned priors={priors} for the legal actions "
            f"{list(actions)}; they must sum to 1"
        )
    return priors


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Settings of a search by worker threads; a budget that is None is not limited.

    Attributes:
        simulations: budget of the tree, the evaluation of the root not counted.
        workers: leaf calls on their way at a time.
        c_puct: weight of exploration.
        calls: leaf calls at most; terminal states need none.
        tokens: tokens at most; needs ``tokens_per_call``.
        tokens_per_call: the most that one call can use, by the LLM's own limit: a call begins
            only if that much is left, so that the budget is never exceeded.
        call_timeout_s: seconds after which a call counts as failed.
        timeout_s: seconds after which the search ends with what it has.
        ordered: whether answers are taken in by the order of the descents.
    """

    simulations: int = 100
    workers: int = 8
    c_puct: float = 1.25
    calls: int | None = None
    tokens: int | None = None
    tokens_per_call: int | None = None
    call_timeout_s: float | None = None
    timeout_s: float | None = None
    ordered: bool = True

    def __post_init__(self) -> None:
        """Check every field; raises ``ConfigError``."""
        for name in ("simulations", "workers", "calls", "tokens", "tokens_per_call"):
            number = getattr(self, name)
            if number is not None and (type(number) is not int or number < 1):
                raise ConfigError(f"{name}={number!r}: take a whole number of at least 1")
        for name in ("c_puct", "call_timeout_s", "timeout_s"):
            number = getattr(self, name)
            if number is not None and not (number > 0.0 and math.isfinite(number)):
                raise ConfigError(f"{name}={number!r}: take a finite number above 0")
        if self.tokens is not None and self.tokens_per_call is None:
            raise ConfigError(
                f"tokens={self.tokens} cannot be kept without tokens_per_call; give the most that "
                f"one call can use"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerResult:
    """What a search by worker threads found.

    Attributes:
        action: the move: a proven best one, else the most visited.
        visit_counts: `[A]` simulations per action.
        q: `[A]` mean value per action, exact where proven, 0 where never visited.
        value: of the root for the player to move, exact where proven.
        proven: exact value of the root, or None.
        simulations: done.
        calls: leaf calls made.
        tokens: used by them; a call without an answer counts as ``tokens_per_call``.
        stopped: what ended the search.
    """

    action: int
    visit_counts: tuple[int, ...]
    q: tuple[float, ...]
    value: float
    proven: float | None
    simulations: int
    calls: int
    tokens: int
    stopped: Stopped


class Workers(Generic[S]):
    """Threads that call the leaf function; they do not keep the program alive."""

    def __init__(self, leaf: LeafFn[S], count: int) -> None:
        self._leaf, self._count = leaf, count
        self._jobs: SimpleQueue[tuple[Future[Leaf], S] | None] = SimpleQueue()
        for _ in range(count):
            Thread(target=self._work, daemon=True).start()

    def submit(self, state: S) -> Future[Leaf]:
        """Return the future answer for a state."""
        answer: Future[Leaf] = Future()
        self._jobs.put((answer, state))
        return answer

    def close(self) -> None:
        """Let each thread end after the call that it is in; none is waited for."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            answer, state = job
            try:
                answer.set_result(self._leaf(state))
            except BaseException as error:  # noqa: BLE001 - raised where the answer is awaited
                answer.set_exception(error)
