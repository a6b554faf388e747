"""A search tree of Python objects for leaf functions that are slow, with virtual losses.

Selection is PUCT with proven results, by the formulas of ``trimtab.search.selection``. Values are
from the player to move; a value changes its sign only where the player changes, so that puzzles of
one player are searched by the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from trimtab.protocols import Domain
from trimtab.search.selection import may_widen, puct, virtual_loss_mean

S = TypeVar("S")
WIN, LOSS = 1.0, -1.0


class TreeNode(Generic[S]):
    """A state and its edges, in the order of ``actions``.

    Attributes:
        state: of the domain.
        player: who moves.
        actions: the legal ones, ascending.
        exact: exact value under best play, or None.
        on_its_way: whether a worker has the state.
        value: what the leaf function said; 0 until then.
        priors: of the actions; empty until the leaf function has answered.
        children: below each action, None where nobody went yet.
        visits: values in.
        sums: their sum.
        pending: leaves below that are on their way.
        proven: exact value of each action, or None.
    """

    __slots__ = (
        "actions",
        "children",
        "exact",
        "on_its_way",
        "pending",
        "player",
        "priors",
        "proven",
        "state",
        "sums",
        "value",
        "visits",
    )

    def __init__(
        self, state: S, *, player: int, actions: Sequence[int], exact: float | None
    ) -> None:
        count = len(actions)
        self.state = state
        self.player = player
        self.actions = tuple(actions)
        self.exact = exact
        self.on_its_way = False
        self.value = 0.0
        self.priors: list[float] = []
        self.children: list[TreeNode[S] | None] = [None] * count
        self.visits = [0] * count
        self.sums = [0.0] * count
        self.pending = [0] * count
        self.proven: list[float | None] = [None] * count

    def q(self, index: int) -> float:
        """Return the value of an edge: exact where proven, else its mean under virtual loss."""
        proven = self.proven[index]
        if proven is not None:
            return proven
        visits, pending = self.visits[index], self.pending[index]
        return virtual_loss_mean(self.sums[index], visits, pending) if visits + pending else 0.0

    def mean(self) -> float:
        """Return the mean of the node's own value and of those below it."""
        return (self.value + sum(self.sums)) / (1 + sum(self.visits))


Path = list[tuple[TreeNode[S], int]]


class Tree(Generic[S]):
    """A tree of one domain; ``done`` counts the values backed up from below the root.

    Args:
        domain: the rules.
        state: of the root.
        player: index of the player who moves in a state.
        c_puct: weight of exploration.
        widening: k and α of progressive widening, None for none: an action joins those tried
            before, best prior first, only while they are fewer than k N^α.
    """

    def __init__(
        self,
        domain: Domain[S],
        state: S,
        *,
        player: Callable[[S], int],
        c_puct: float,
        widening: tuple[float, float] | None = None,
    ) -> None:
        self._domain, self._player, self._c_puct = domain, player, c_puct
        self._widening = widening
        self.num_actions = domain.num_actions
        self.root = self._node(state)
        self.done = 0

    def descend(self) -> tuple[Path[S], TreeNode[S]]:
        """Return a way down and where it ends, with a virtual loss on each of its edges."""
        path: Path[S] = []
        node = self.root
        while node.exact is None and node.priors:
            index = self._choose(node)
            node.pending[index] += 1
            path.append((node, index))
            child = node.children[index]
            if child is None:
                child = self._node(self._domain.apply_action(node.state, node.actions[index]))
                node.children[index] = child
                if child.exact is not None:
                    self._settle(path, child)
            node = child
        return path, node

    def expand(self, path: Path[S], node: TreeNode[S], priors: list[float], value: float) -> None:
        """Take the leaf function's answer in: priors of the legal actions, and a value."""
        node.on_its_way = False
        node.priors = priors
        node.value = value
        if path:
            self.back_up(path, node, value)

    def back_up(self, path: Path[S], node: TreeNode[S], value: float) -> None:
        """Add the value of the way's end to every edge and take the virtual losses back."""
        for above, index in reversed(path):
            above.pending[index] -= 1
            above.visits[index] += 1
            above.sums[index] += value if above.player == node.player else -value
        self.done += 1

    def give_up(self, path: Path[S], node: TreeNode[S] | None = None) -> None:
        """Take the virtual losses back, as if nobody had gone there.

        Args:
            path: the way.
            node: its end, if that was on its way to a worker.
        """
        for above, index in path:
            above.pending[index] -= 1
        if node is not None:
            node.on_its_way = False

    def visit_counts(self) -> tuple[int, ...]:
        """Return `[A]` values in per root action."""
        counts = dict(zip(self.root.actions, self.root.visits, strict=True))
        return tuple(counts.get(action, 0) for action in range(self.num_actions))

    def action_values(self) -> tuple[float, ...]:
        """Return `[A]` values per root action, 0 where nobody went."""
        values = {a: self.root.q(index) for index, a in enumerate(self.root.actions)}
        return tuple(values.get(action, 0.0) for action in range(self.num_actions))

    def best_action(self) -> int:
        """Return a root action that keeps the exact value, else the most visited not lost one.

        Ties go to the higher value, then the higher prior, then the lower action.
        """
        root = self.root

        def rank(index: int) -> tuple[float, ...]:
            proven = root.proven[index]
            kept = proven != LOSS if root.exact is None else proven == root.exact
            return (kept, root.visits[index], root.q(index), root.priors[index], -index)

        return root.actions[max(range(len(root.actions)), key=rank)]

    def _node(self, state: S) -> TreeNode[S]:
        player = self._player(state)
        if self._domain.is_terminal(state):
            exact = self._domain.returns(state)[player]
            return TreeNode(state, player=player, actions=(), exact=exact)
        actions = self._domain.legal_actions(state)
        return TreeNode(state, player=player, actions=actions, exact=None)

    def _choose(self, node: TreeNode[S]) -> int:
        parent_visits = 1 + sum(node.visits) + sum(node.pending)
        best, best_score = -1, float("-inf")
        for index in self._candidates(node, parent_visits):
            if node.proven[index] != LOSS:
                visits = node.visits[index] + node.pending[index]
                prior = node.priors[index]
                score = puct(node.q(index), prior, visits, parent_visits, self._c_puct)
                if score > best_score:
                    best, best_score = index, score
        return best

    def _candidates(self, node: TreeNode[S], parent_visits: int) -> Sequence[int]:
        if self._widening is None:
            return range(len(node.priors))
        tried = [i for i in range(len(node.priors)) if node.visits[i] + node.pending[i]]
        open_tried = any(node.proven[index] != LOSS for index in tried)
        if open_tried and not may_widen(len(tried), parent_visits, *self._widening):
            return tried
        fresh = [i for i in range(len(node.priors)) if i not in tried]
        best = sorted(fresh, key=lambda index: (-node.priors[index], index))[:1]
        # the newcomer is visited at once: that is what the node has widened for
        return best or tried

    def _settle(self, path: Path[S], node: TreeNode[S]) -> None:
        """Carry an exact value up as far as it decides the nodes above."""
        for above, index in reversed(path):
            if node.exact is None or above.exact is not None:
                return
            above.proven[index] = node.exact if above.player == node.player else -node.exact
            known = [value for value in above.proven if value is not None]
            if max(known) >= WIN or len(known) == len(above.proven):
                above.exact = max(known)
            node = above
