"""Sequential searches in plain Python, over any domain: what the compiled ones are held to.

``ReferenceSearch`` is PUCT with proven results over a leaf function, an LLM's included; its tree is
that of ``trimtab.search.shared_tree``. ``reference_uct`` is UCT with random playouts, written out
once more from the papers. Under one seed and the same leaves both make the visits of the compiled
searches, node for node (``tests/search/test_reference.py``).

Games of two players and puzzles of one are searched alike: a value changes its sign only where the
player to move changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trimtab.errors import InputError, LeafFailed, LeafInvalid, SearchError
from trimtab.protocols import Domain
from trimtab.search.checks import whole
from trimtab.search.selection import ucb1, ucb1_widths
from trimtab.search.shared_tree import Tree
from trimtab.search.workers import LeafFn, legal_priors

S = TypeVar("S")
WIN, LOSS = 1.0, -1.0
_WORD = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceResult:
    """A search's move; `[A]` visits and values per root action; the root's value, exact or None."""

    action: int
    visit_counts: tuple[int, ...]
    q: tuple[float, ...]
    value: float
    proven: float | None


class ReferenceSearch(Generic[S]):
    """PUCT from one state; after an error ``result`` gives what is there and ``run`` goes on.

    Args:
        domain: the rules.
        state: not terminal.
        player: index of the player who moves in a state, terminal ones too; constant for puzzles.
        c_puct: weight of exploration.
        widening: k and α of progressive widening (``selection.may_widen``), None for none.

    Raises:
        InputError: the state is terminal.
    """

    def __init__(
        self,
        domain: Domain[S],
        state: S,
        *,
        player: Callable[[S], int],
        c_puct: float = 1.25,
        widening: tuple[float, float] | None = None,
    ) -> None:
        _refuse_terminal(domain, state)
        self.tree = Tree(domain, state, player=player, c_puct=c_puct, widening=widening)

    def run(self, leaf: LeafFn[S], *, simulations: int) -> ReferenceResult:
        """Search until ``simulations`` are done in all, or the root is settled.

        Raises:
            LeafFailed: the leaf function raised.
            LeafInvalid: it returned what cannot be used. Both hold the search so far.
        """
        whole("simulations", simulations)
        tree = self.tree
        while tree.done < simulations and tree.root.exact is None:
            path, node = tree.descend()
            if node.exact is not None:
                tree.back_up(path, node, node.exact)
                continue
            try:
                answer = leaf(node.state)
                priors = legal_priors(answer, node.actions, tree.num_actions)
            except BaseException as error:
                tree.give_up(path)
                partial = self.result() if tree.done else None
                if isinstance(error, LeafInvalid):
                    error.partial = partial
                if isinstance(error, LeafInvalid) or not isinstance(error, Exception):
                    raise
                raise LeafFailed(
                    f"the leaf function raised {type(error).__name__}: {error}", partial=partial
                ) from error
            tree.expand(path, node, priors, answer.value)
        return self.result()

    def result(self) -> ReferenceResult:
        """Return the search so far.

        Raises:
            SearchError: not one simulation is done.
        """
        tree = self.tree
        if not tree.done:
            raise SearchError("no simulation is finished yet; run the search first")
        return ReferenceResult(
            action=tree.best_action(),
            visit_counts=tree.visit_counts(),
            q=tree.action_values(),
            value=tree.root.mean() if tree.root.exact is None else tree.root.exact,
            proven=tree.root.exact,
        )


class SplitMix64:
    """The generator of compiled playouts (Steele, Lea & Flood 2014), in Python's integers."""

    def __init__(self, seed: int) -> None:
        self._counter = self._mixed(seed + _GOLDEN)

    def below(self, n: int) -> int:
        """Return a whole number from 0 to n - 1."""
        self._counter = (self._counter + _GOLDEN) & _WORD
        return (self._mixed(self._counter) >> 32) * n >> 32

    @staticmethod
    def _mixed(counter: int) -> int:
        z = counter & _WORD
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _WORD
        return z ^ z >> 31


class _Node(Generic[S]):
    """A state; ``means`` and ``visits`` of the actions tried, from the mover's side."""

    def __init__(self, domain: Domain[S], state: S, player: Callable[[S], int]) -> None:
        self.state, self.player = state, player(state)
        self.untried = list(domain.legal_actions(state))
        self.children: dict[int, _Node[S]] = {}
        self.means: dict[int, float] = {}
        self.visits: dict[int, int] = {}
        terminal = domain.is_terminal(state)
        self.exact = domain.returns(state)[self.player] if terminal else None

    def seen_from(self, other: _Node[S], value: float) -> float:
        """Return a value of ``other`` from this node's side."""
        return value if self.player == other.player else -value


def reference_uct(
    domain: Domain[S],
    state: S,
    *,
    player: Callable[[S], int],
    simulations: int,
    c: float,
    seed: int,
) -> ReferenceResult:
    """Search with one random playout per leaf (``trimtab.search.uct`` compiles the same).

    Raises:
        InputError: the state is terminal.
    """
    _refuse_terminal(domain, state)
    whole("simulations", simulations)
    generator, widths = SplitMix64(seed), ucb1_widths(simulations, c).tolist()
    root = _Node(domain, state, player)
    for _ in range(simulations):
        if root.exact is not None:
            break
        path, node = [], root
        while node.exact is None and not node.untried:
            action = _best(node, widths[sum(node.visits.values())])
            path.append((node, action))
            node = node.children[action]
        if node.exact is None:
            action = node.untried.pop(generator.below(len(node.untried)))
            path.append((node, action))
            child = _Node(domain, domain.apply_action(node.state, action), player)
            node.children[action] = child
            node = child
        value = _playout(domain, node, player, generator) if node.exact is None else node.exact
        _back_up(path, node, value)
    return _result(root, domain.num_actions)


def _best(node: _Node[S], width: float) -> int:
    scores = {a: ucb1(node.means[a], n, width) for a, n in sorted(node.visits.items())}
    return max(scores, key=scores.__getitem__)


def _playout(
    domain: Domain[S], leaf: _Node[S], player: Callable[[S], int], generator: SplitMix64
) -> float:
    state = leaf.state
    while not domain.is_terminal(state):
        legal = domain.legal_actions(state)
        state = domain.apply_action(state, legal[generator.below(len(legal))])
    return domain.returns(state)[leaf.player]


def _back_up(path: list[tuple[_Node[S], int]], leaf: _Node[S], value: float) -> None:
    below = leaf
    for node, action in reversed(path):
        seen = node.seen_from(leaf, value)
        node.visits[action] = node.visits.get(action, 0) + 1
        mean = node.means.get(action, 0.0)
        node.means[action] = mean + (seen - mean) / node.visits[action]
    for node, action in reversed(path):
        if below.exact is None:
            return
        exact = node.seen_from(below, below.exact)
        node.means[action] = exact if exact > LOSS else -math.inf
        known = [node.seen_from(c, c.exact) for c in node.children.values() if c.exact is not None]
        whole_node = not node.untried and len(known) == len(node.children)
        if node.exact is None and (max(known) >= WIN or whole_node):
            node.exact = max(known)
        below = node


def _result(root: _Node[S], actions: int) -> ReferenceResult:
    def rank(action: int) -> tuple[bool, int, int]:
        child = root.children[action]
        exact = None if child.exact is None else root.seen_from(child, child.exact)
        kept = exact != LOSS if root.exact is None else exact == root.exact
        return kept, root.visits[action], -action

    q = tuple(max(root.means.get(a, 0.0), LOSS) for a in range(actions))
    visits = tuple(root.visits.get(a, 0) for a in range(actions))
    mean = sum(n * v for n, v in zip(visits, q, strict=True)) / sum(visits)
    return ReferenceResult(
        action=max(root.visits, key=rank),
        visit_counts=visits,
        q=q,
        value=mean if root.exact is None else root.exact,
        proven=root.exact,
    )


def _refuse_terminal(domain: Domain[S], state: S) -> None:
    if domain.is_terminal(state):
        raise InputError(
            f"{domain.to_text(state)!r} is finished; search only states with a legal action"
        )
