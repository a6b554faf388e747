"""One tree, many threads: search with a leaf function that is slow, such as an LLM or a service.

The calling thread alone touches the tree. It descends, leaves a virtual loss on its way, hands the
leaf to a worker thread, and goes on with the next descent while workers wait for their answers.
Answers are taken in by the order of the descents, so that the tree does not depend on who answers
first; ``ordered=False`` takes them as they come, which wastes less time where their delays differ.

Source: Chaslot, Winands & van den Herik 2008, "Parallel Monte-Carlo tree search", section 3.4.

Example:
    >>> from trimtab.search.parallel import Leaf
    >>> Leaf(priors=(0.5, 0.5), value=0.1, tokens=120).tokens
    120
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from trimtab.errors import InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.protocols import Domain
from trimtab.search.shared_tree import Path, Tree, TreeNode
from trimtab.search.workers import (
    Leaf,
    LeafFn,
    Stopped,
    WorkerConfig,
    WorkerResult,
    Workers,
    legal_priors,
)

__all__ = ["Leaf", "LeafFn", "WorkerConfig", "WorkerResult", "WorkerSearch"]

S = TypeVar("S")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call(Generic[S]):
    path: Path[S]
    node: TreeNode[S]
    answer: Future[Leaf]
    begun: float


class WorkerSearch(Generic[S]):
    """A search of one state; after an error ``result`` gives what is there and ``run`` goes on.

    Args:
        domain: the rules.
        state: not terminal.
        player: index of the player who moves in a state, terminal ones too; constant for puzzles.
        config: settings.
        clock: seconds, for the time limits.

    Raises:
        InputError: the state is terminal.
    """

    def __init__(
        self,
        domain: Domain[S],
        state: S,
        *,
        player: Callable[[S], int],
        config: WorkerConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if domain.is_terminal(state):
            raise InputError(
                f"{domain.to_text(state)!r} is finished; search only states with a legal action"
            )
        self._config, self._clock = config, clock
        self._tree = Tree(domain, state, player=player, c_puct=config.c_puct)
        self._flying: deque[_Call[S]] = deque()
        self._calls = 0
        self._tokens = 0
        self._stopped: Stopped | None = None

    @property
    def tree(self) -> Tree[S]:
        """Return the tree itself, for tests and drawings; not to be written to."""
        return self._tree

    def run(self, leaf: LeafFn[S]) -> WorkerResult:
        """Search to the end of a budget.

        Args:
            leaf: called from several threads at once.

        Raises:
            LeafFailed: the leaf function raised, or a call took too long.
            LeafInvalid: it returned something that cannot be used. Both hold the search so far
                as ``partial``, None where not one simulation was done.
        """
        self._stopped = None
        timeout_s = self._config.timeout_s
        end = None if timeout_s is None else self._clock() + timeout_s
        workers = Workers(leaf, self._config.workers)
        try:
            while self._stopped is None:
                self._send(workers)
                if self._flying:
                    self._take(end)
                else:
                    self._stopped = self._limit()
        except SearchError as error:
            self._stopped = "failed"
            self._abandon()
            error.partial = self.result() if self._tree.done else None
            raise
        finally:
            workers.close()
            self._abandon()
        return self.result()

    def result(self) -> WorkerResult:
        """Return the search so far.

        Raises:
            SearchError: not one simulation is done.
        """
        tree = self._tree
        if not tree.done:
            raise SearchError(
                f"no simulation is finished: {self._calls} calls of the leaf function were "
                f"made; give more calls, tokens or time"
            )
        return WorkerResult(
            action=tree.best_action(),
            visit_counts=tree.visit_counts(),
            q=tree.action_values(),
            value=tree.root.mean() if tree.root.exact is None else tree.root.exact,
            proven=tree.root.exact,
            simulations=tree.done,
            calls=self._calls,
            tokens=self._tokens,
            stopped=self._stopped or "failed",
        )

    def _limit(self) -> Stopped | None:
        """Return which budget forbids another call once all are answered, if one does."""
        config, begun = self._config, self._calls + len(self._flying)
        if self._tree.root.exact is not None:
            return "proven"
        if self._tree.done + len(self._flying) >= config.simulations:
            return "simulations"
        if config.calls is not None and begun >= config.calls:
            return "calls"
        if config.tokens is not None and config.tokens_per_call is not None:
            reserved = (len(self._flying) + 1) * config.tokens_per_call
            if self._tokens + reserved > config.tokens:
                return "tokens"
        return None

    def _send(self, workers: Workers[S]) -> None:
        """Descend and call until all workers are busy, a budget is used up, or paths collide."""
        while len(self._flying) < self._config.workers and self._limit() is None:
            path, node = self._tree.descend()
            if node.exact is not None:
                self._tree.back_up(path, node, node.exact)
            elif node.on_its_way:
                # the next answer changes the tree, and with it the way down
                self._tree.give_up(path)
                return
            else:
                node.on_its_way = True
                answer = workers.submit(node.state)
                self._flying.append(_Call(path=path, node=node, answer=answer, begun=self._clock()))

    def _take(self, end: float | None) -> None:
        """Wait for an answer and take it in; stop the search where its time is up."""
        calls = [self._flying[0]] if self._config.ordered else list(self._flying)
        allowed = self._config.call_timeout_s
        limits = [] if allowed is None else [self._flying[0].begun + allowed]
        limits += [] if end is None else [end]
        timeout = max(0.0, min(limits) - self._clock()) if limits else None
        done, _ = wait([call.answer for call in calls], timeout, FIRST_COMPLETED)
        if not done and end is not None and self._clock() >= end:
            self._stopped = "time"
        elif not done and allowed is not None and self._clock() >= limits[0]:
            raise LeafFailed(
                f"a call of the leaf function was not answered within call_timeout_s={allowed}"
            )
        for call in calls:
            if call.answer in done:
                self._flying.remove(call)
                self._take_in(call)

    def _take_in(self, call: _Call[S]) -> None:
        try:
            leaf = call.answer.result()
            priors = self._checked(leaf, call.node)
        except BaseException as error:
            self._flying.append(call)
            if isinstance(error, LeafInvalid) or not isinstance(error, Exception):
                raise
            raise LeafFailed(f"the leaf function raised {type(error).__name__}: {error}") from error
        self._calls += 1
        self._tokens += leaf.tokens
        self._tree.expand(call.path, call.node, priors, leaf.value)

    def _abandon(self) -> None:
        """Forget the calls whose answers will not come in; what they use is spent all the same."""
        for call in self._flying:
            self._tree.give_up(call.path, call.node)
            self._calls += 1
            self._tokens += self._config.tokens_per_call or 0
        self._flying.clear()

    def _checked(self, leaf: Leaf, node: TreeNode[S]) -> list[float]:
        """Return the priors of the legal actions, in their order."""
        priors = legal_priors(leaf, node.actions, self._tree.num_actions)
        most = self._config.tokens_per_call
        if most is not None and leaf.tokens > most:
            raise LeafInvalid(
                f"a call used {leaf.tokens} tokens, more than tokens_per_call={most}; limit the "
                f"length of the LLM's replies, or reserve more"
            )
        return priors
