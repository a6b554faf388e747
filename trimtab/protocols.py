"""The seams of trimtab, as protocols with their laws.

B is the batch, A the actions, N a number of texts, D an embedding's width, W a state's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from trimtab.records import (
    Admission,
    Budget,
    Decision,
    Outcome,
    Passage,
    Prediction,
    Route,
    Step,
)

Array = NDArray[np.float32]
Words = NDArray[np.uint64]
S = TypeVar("S")
PolicyValueFn = Callable[[Sequence[S]], tuple[Array, Array]]
"""States `[B]` to priors `[B, A]`, which sum to 1 over the legal actions, and values `[B]` in
[-1, 1] for the player to move. Compiled search calls it with rows `[B, W]` of words instead."""
ONGOING = 2.0
"""What ``CompiledGame.result`` returns while the game goes on."""
S_contra = TypeVar("S_contra", contravariant=True)


class Domain(Protocol[S]):
    """Rules, text form and, where it is known, truth.

    Laws: states are immutable; an action is legal exactly if :meth:`apply_action` takes it;
    a terminal state has no legal action; ``from_text(to_text(s)) == s``; ``canonical`` is
    idempotent, and two answers mean the same exactly if their canonical forms are equal.
    """

    @property
    def name(self) -> str:
        """Return the domain's name."""
        ...

    @property
    def num_actions(self) -> int:
        """Return A; actions are ``0 .. A-1``."""
        ...

    @property
    def instructions(self) -> str:
        """Return what an LLM or a person is told before a state: the task and its actions."""
        ...

    def initial_state(self, seed: int) -> S:
        """Return a start state; the same seed gives the same state."""
        ...

    def legal_actions(self, state: S) -> Sequence[int]:
        """Return the legal actions in ascending order."""
        ...

    def apply_action(self, state: S, action: int) -> S:
        """Return the next state; raises ``IllegalAction`` and names the legal ones."""
        ...

    def is_terminal(self, state: S) -> bool:
        """Return whether the state is final."""
        ...

    def returns(self, state: S) -> tuple[float, ...]:
        """Return one value per player in [-1, 1] for a terminal state."""
        ...

    def observation(self, state: S) -> Array:
        """Return the state as a float32 array of fixed shape."""
        ...

    def to_text(self, state: S) -> str:
        """Return the text form."""
        ...

    def from_text(self, text: str) -> S:
        """Return the state of a text form; raises ``InputError``."""
        ...

    def canonical(self, answer: int | str) -> str:
        """Return the one spelling of an answer; raises ``IllegalAction`` for none."""
        ...

    def check(self, state: S, answer: int | str) -> float:
        """Return the reward in [0, 1]; raises ``TruthUnknown`` where truth is not known."""
        ...


@runtime_checkable
class Drawn(Protocol[S_contra]):
    """A domain whose states can be drawn for a reader, a person or an LLM."""

    def board_text(self, state: S_contra) -> str:
        """Return the state as lines, with what may be played in it."""
        ...


class Agent(Protocol[S_contra]):
    """Predicts an action for each state of a batch.

    Laws: one prediction per state, in order; a state's prediction does not depend on the rest
    of its batch; ``predict`` may be called from several threads.
    """

    @property
    def name(self) -> str:
        """Return the name under which predictions and prices are kept."""
        ...

    @property
    def reads_context(self) -> bool:
        """Return whether ``context`` changes the prediction."""
        ...

    def predict(
        self, states: Sequence[S_contra], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return `[B]` predictions; ``context`` is empty or holds one sequence per state."""
        ...


class MetaController(Protocol):
    """Chooses the next computation. Laws: pure; the agent chosen is one of ``remaining``."""

    def next(self, trail: Sequence[Prediction], remaining: Sequence[str], budget: Budget) -> Step:
        """Return the next step given what was predicted so far; ``agent`` None stops."""
        ...


class AnsweringController(MetaController, Protocol):
    """A meta-controller that also judges whose answer of a trail to show.

    Laws: pure; the prediction is one of the trail's.
    """

    def answer(self, trail: Sequence[Prediction]) -> tuple[Prediction, float]:
        """Return the prediction to show and the probability that it is right.

        Raises ``InputError`` for an empty trail.
        """
        ...


class RoutingRule(Protocol):
    """Decides whether an answer is shown or the expert is asked; never sees the truth."""

    def admit(self, decision_id: str) -> Admission:
        """Draw what must be drawn before the trail is known; stable in ``decision_id``."""
        ...

    def route(self, predictions: Sequence[Prediction]) -> Route:
        """Return whose answer to show; an agent that made no prediction must be asked first."""
        ...


class Embedder(Protocol):
    """Turns texts into unit vectors. Laws: a text's vector does not depend on its batch."""

    @property
    def name(self) -> str:
        """Return a name that changes whenever the vectors do."""
        ...

    @property
    def dim(self) -> int:
        """Return D."""
        ...

    def embed(self, texts: Sequence[str]) -> Array:
        """Return `[N, D]` float32 rows of unit length."""
        ...


class Retriever(Protocol):
    """Finds passages near a query."""

    def retrieve(self, query: str, *, k: int = 8) -> list[Passage]:
        """Return at most k passages, nearest first."""
        ...


class Ledger(Protocol):
    """Append-only store of decisions and outcomes.

    Laws: rows are written in the order of the calls, so an outcome follows its decision; a
    future is done once its row is durable; appending the same decision twice stores it once,
    another decision under a used id is a ``LedgerError``; callable from any thread.
    """

    def append(self, decision: Decision) -> Future[int]:
        """Queue a decision; the future gives its row number."""
        ...

    def resolve(self, outcome: Outcome) -> Future[int]:
        """Queue an outcome; the future fails with ``LedgerError`` for an unknown decision."""
        ...

    def audit(self, decision_id: str, prediction: Prediction) -> Future[int]:
        """Queue the LLM's answer to an audited decision; readers see it as the last prediction.

        The same answer twice is stored once; the future fails with ``LedgerError`` for another
        one, for an unknown decision, and for one that was not drawn for an audit.
        """
        ...

    def flush(self) -> None:
        """Return once all that was queued before is durable; raises what a write raised."""
        ...

    def scan(
        self, *, domain: str | None = None, after: int = 0
    ) -> Iterator[tuple[Decision, Outcome | None]]:
        """Yield decisions past row ``after`` in order, each with its latest outcome."""
        ...

    def get(self, decision_id: str) -> Decision:
        """Return a durable decision; raises ``LedgerError`` where there is none."""
        ...

    def close(self) -> None:
        """Flush and release the file; later calls raise ``LedgerError``."""
        ...


class CompiledGame(Protocol[S]):
    """A two-player, zero-sum game with alternating moves, as functions that kernels compile in.

    A state is a row of W 64-bit words; A is at most 64. The functions are numba's, allocate and
    raise nothing. Laws: they agree with the domain's rules; ``decode(encode(s)) == s``.
    """

    @property
    def name(self) -> str:
        """Return the domain's name."""
        ...

    @property
    def num_actions(self) -> int:
        """Return A."""
        ...

    @property
    def words(self) -> int:
        """Return W."""
        ...

    @property
    def max_plies(self) -> int:
        """Return the number of moves of the longest game."""
        ...

    @property
    def observation_shape(self) -> tuple[int, ...]:
        """Return the shape of what ``observe`` fills."""
        ...

    @property
    def legal_mask(self) -> Callable[[Words], np.uint64]:
        """Return ``legal_mask(state)``: bit a is set if a is legal; 0 in a terminal state."""
        ...

    @property
    def play(self) -> Callable[[Words, int, Words], None]:
        """Return ``play(state, action, out)``, which writes the next state; out may be state."""
        ...

    @property
    def result(self) -> Callable[[Words], float]:
        """Return ``result(state)``: the value in [-1, 1] for the player to move, or ONGOING."""
        ...

    @property
    def observe(self) -> Callable[[Words, Array], None]:
        """Return ``observe(state, out)``, which fills the float32 observation for a net."""
        ...

    def encode(self, state: S) -> Words:
        """Return the domain's state as `[W]` words."""
        ...

    def decode(self, words: Words) -> S:
        """Return the domain's state of `[W]` words."""
        ...


AnyDomain = Domain[Any]
AnyAgent = Agent[Any]
AnyGame = CompiledGame[Any]
