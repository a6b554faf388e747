"""The peer mctx: Connect Four and our net, written for jax, searched by ``muzero_policy``.

The whole search is one compiled function. What was chosen for speed, each tried against the other
way: an array of cells instead of bit masks, jax's default random numbers, convolutions with the
channels last, and weights compiled in as constants. Values are mapped by :func:`zero_to_one`, which
is both the cheapest way and the one that makes the choices of our PUCT.

B is the batch of trees. A board is `[B, 42]` int8, the mover's stones 1 and the other's -1, row by
row from the top row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.domains.connect_four import ConnectFour
from trimtab.models.policy_value import PolicyValueConfig, board_lines
from trimtab.protocols import Array, Words

ROWS, COLUMNS, CELLS = 6, 7, 42
Jax = Any  # jax's arrays have no types here
Evaluate = Callable[[Jax, Jax], tuple[Jax, Jax]]
"""Boards and legal moves `[B, 7]` to logits `[B, 7]` and values `[B]`."""


def boards_of(rows: Words) -> NDArray[np.int8]:
    """Return `[B, 42]` boards of positions as words."""
    domain = ConnectFour()
    planes = np.stack([domain.observation(domain.compiled.decode(row)) for row in rows])
    return (planes[:, 0] - planes[:, 1]).astype(np.int8).reshape(-1, CELLS)


def legal_moves(boards: Jax) -> Jax:
    """Return `[B, 7]` whether a column is not full."""
    return boards[:, :COLUMNS] == 0


def drop(boards: Jax, columns: Jax) -> tuple[Jax, Jax, Jax]:
    """Return the boards after a move, whether it won, and whether the game is over."""
    import jax.numpy as jnp

    batch = jnp.arange(boards.shape[0])
    free = (boards.reshape(-1, ROWS, COLUMNS) == 0).sum(axis=1)
    row = free[batch, columns] - 1
    boards = boards.at[batch, row * COLUMNS + columns].set(1)
    lines = np.array(board_lines(ROWS, COLUMNS, 4))
    won = (boards[:, lines] == 1).all(axis=2).any(axis=1)
    return -boards, won, won | (boards != 0).all(axis=1)


def uniform(boards: Jax, legal: Jax) -> tuple[Jax, Jax]:
    """Return equal logits and values of 0."""
    import jax.numpy as jnp

    return jnp.zeros(legal.shape, jnp.float32), jnp.zeros(legal.shape[0], jnp.float32)


def zero_to_one(tree: Jax, node: Jax) -> Jax:
    """Return `[7]` values of a node's actions from 0 to 1; an unvisited one has the middle."""
    return 0.5 * (tree.qvalues(node) + 1.0)


def mctx_search(
    evaluate: Evaluate, *, simulations: int, c_puct: float, seed: int
) -> Callable[[NDArray[np.int8]], NDArray[np.int32]]:
    """Return a function that searches `[B, 42]` boards and returns the visits `[B, 7]`.

    Args:
        evaluate: the leaf function.
        simulations: per tree.
        c_puct: weight of exploration for values in [-1, 1]; mctx maps them to [0, 1].
        seed: of the noise by which mctx breaks ties.
    """
    import jax
    import jax.numpy as jnp
    import mctx

    lowest = jnp.finfo(jnp.float32).min

    def leaf(boards: Jax) -> tuple[Jax, Jax]:
        legal = legal_moves(boards)
        logits, values = evaluate(boards, legal)
        return jnp.where(legal, logits, lowest), values

    def step(_: Jax, key: Jax, columns: Jax, boards: Jax) -> tuple[Any, Jax]:
        boards, won, over = drop(boards, columns)
        logits, values = leaf(boards)
        output = mctx.RecurrentFnOutput(
            reward=won.astype(jnp.float32),
            # the value below is the other player's, and nothing comes after the end
            discount=jnp.where(over, 0.0, -1.0).astype(jnp.float32),
            prior_logits=logits,
            value=values,
        )
        return output, boards

    def search(key: Jax, boards: Jax) -> Jax:
        logits, values = leaf(boards)
        policy = mctx.muzero_policy(
            params=None,
            rng_key=key,
            root=mctx.RootFnOutput(prior_logits=logits, value=values, embedding=boards),
            recurrent_fn=step,
            num_simulations=simulations,
            invalid_actions=~legal_moves(boards),
            qtransform=zero_to_one,
            dirichlet_fraction=0.0,
            temperature=0.0,
            pb_c_init=0.5 * c_puct,
        )
        return policy.search_tree.summary().visit_counts

    compiled = jax.jit(search)
    key = jax.random.PRNGKey(seed)

    def run(boards: NDArray[np.int8]) -> NDArray[np.int32]:
        return np.asarray(compiled(key, boards))

    return run


def jax_net(config: PolicyValueConfig, weights: Mapping[str, Array]) -> Evaluate:
    """Return our net for jax (``trimtab.models.policy_value``), with the weights given.

    Args:
        config: with planes of open lines.
        weights: by the names of the torch module's parameters.
    """
    import jax
    import jax.numpy as jnp

    w = {name: jnp.asarray(array) for name, array in weights.items()}
    members = np.zeros((CELLS, len(board_lines(ROWS, COLUMNS, config.line_length))), np.float32)
    for line, cells in enumerate(board_lines(ROWS, COLUMNS, config.line_length)):
        members[cells, line] = 1.0

    def convolve(x: Jax, name: str) -> Jax:
        kernel = w[f"{name}.weight"].transpose(2, 3, 1, 0)
        layout = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
        return y + w[f"{name}.bias"]

    def linear(x: Jax, name: str) -> Jax:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def block(x: Jax, name: str) -> Jax:
        y = convolve(jax.nn.relu(convolve(x, f"{name}.first")), f"{name}.second")
        means = jax.nn.relu(linear(y.mean(axis=(1, 2)), f"{name}.gate.squeeze"))
        gates = jax.nn.sigmoid(linear(means, f"{name}.gate.excite"))
        return jax.nn.relu(x + y * gates[:, None, None, :])

    def read(x: Jax, name: str) -> Jax:
        y = x @ w[f"{name}.weight"][:, :, 0, 0].T + w[f"{name}.bias"]
        return jax.nn.relu(y).transpose(0, 3, 1, 2).reshape(x.shape[0], -1)

    def evaluate(boards: Jax, legal: Jax) -> tuple[Jax, Jax]:
        stones = jnp.stack([boards == 1, boards == -1], axis=1).astype(jnp.float32)
        planes = jnp.concatenate([stones, open_lines(stones, members, config.line_length)], axis=1)
        x = planes.reshape(-1, planes.shape[1], ROWS, COLUMNS).transpose(0, 2, 3, 1)
        x = jax.nn.relu(convolve(x, "stem") + w["place"].transpose(0, 2, 3, 1))
        for number in range(config.blocks):
            x = block(x, f"tower.{number}")
        hidden = jax.nn.relu(linear(read(x, "value_read"), "value_hidden"))
        values = jnp.tanh(0.5 * linear(hidden, "value_out")[:, 0])
        return linear(read(x, "policy_read"), "policy_out"), values

    return evaluate


def open_lines(stones: Jax, members: Array, length: int) -> Jax:
    """Return `[B, 2 (length - 1), 42]` counts of open lines of `[B, 2, 42]` stones."""
    import jax.numpy as jnp

    counts = stones @ members
    free = counts - length * counts[:, ::-1]
    held = jnp.stack([jnp.clip(free - k, 0.0, 1.0) for k in range(length - 1)], axis=2)
    empty = 1.0 - stones.sum(axis=1, keepdims=True)
    through = held.reshape(stones.shape[0], -1, members.shape[1]) @ members.T
    return 0.5 * through * empty
