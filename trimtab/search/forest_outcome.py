"""Reads the result of a search off its forest."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from trimtab.protocols import ONGOING
from trimtab.search.config import MCTSConfig
from trimtab.search.forest import Forest, Ints
from trimtab.search.forest_kernels import hash_trees, improved_policies
from trimtab.search.outcome import Edges, SearchResult, chosen, line
from trimtab.search.selection import tempered


def summarise(forest: Forest, config: MCTSConfig, seeds: list[int]) -> SearchResult:
    """Return the result of trees that have done at least one simulation each."""
    roots = forest.nodes[:, 0]
    edges = _edges(roots)
    visits, proven = edges.kept_visits(), edges.proven.copy()
    means = (roots["value"] + roots["edge_sums"].sum(axis=1)) / (1.0 + roots["visits"])
    policy = visits / visits.sum(axis=1, keepdims=True)
    tie_break = roots["priors"]
    if config.root == "gumbel":
        improved = np.empty((2, *policy.shape), np.float64)
        improved_policies(forest.nodes, float(config.c_visit), float(config.c_scale), improved)
        policy = np.where((proven == ONGOING)[:, None], improved[1], policy)
        tie_break = improved[0] + forest.heads["gumbel"]
    if config.temperature > 0.0:
        action = _drawn(visits, config.temperature, seeds)
    else:
        action = chosen(visits, edges.values, tie_break, config.final_move)
    hashes = np.empty(len(seeds), np.uint64)
    hash_trees(forest.nodes, forest.heads, hashes)
    lines = zip(forest.nodes, action.tolist(), strict=True)
    return SearchResult(
        action=action,
        visit_counts=edges.visits.copy(),
        q=edges.values,
        value=np.where(proven == ONGOING, means, proven),
        proven=proven,
        proven_actions=edges.exact.copy(),
        policy=policy,
        priors=roots["priors"].copy(),
        simulations=forest.heads["done"].copy(),
        tree_hash=hashes,
        _lines=tuple(partial(line, partial(_node_edges, nodes), move) for nodes, move in lines),
    )


def _edges(nodes: NDArray[np.void]) -> Edges:
    exact = nodes["edge_proven"]
    means = nodes["edge_sums"] / np.maximum(nodes["edge_visits"], 1)
    return Edges(
        visits=nodes["edge_visits"],
        values=np.where(exact == ONGOING, means, exact),
        exact=exact,
        children=nodes["children"],
        proven=nodes["proven"],
    )


def _node_edges(nodes: NDArray[np.void], index: int) -> Edges:
    return _edges(nodes[index])


def _drawn(visits: Ints, temperature: float, seeds: list[int]) -> NDArray[np.int64]:
    draws = [
        np.random.default_rng((seed, 1)).choice(len(row), p=tempered(row, temperature))
        for row, seed in zip(visits, seeds, strict=True)
    ]
    return np.array(draws, np.int64)
