"""Policy-value nets on ONNX Runtime: rows of a compiled game in, priors and values out.

B is the batch, W the words of a state, A the actions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from trimtab.errors import BundleError, ConfigError
from trimtab.inference import open_session
from trimtab.protocols import AnyGame, Array, Words
from trimtab.release.bundle import LoadedBundle
from trimtab.search.compiled import cached

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

KIND = "board-net/1"
GRAPH = "net.onnx"
INPUTS = ("observation", "legal")
OUTPUTS = ("priors", "values")
MOST_BOUND = 64
"""The most rows whose inputs and outputs stay bound; beyond, binding costs next to nothing."""


class BoardNet:
    """A net of one board, on the calling thread; may be shared between threads.

    Args:
        graph: the ONNX graph, with inputs ``observation`` and ``legal``.
        game: the rules whose states it reads.

    Raises:
        ConfigError: the graph cannot be opened, or was made for another board.
    """

    def __init__(self, graph: bytes, game: AnyGame) -> None:
        self.game = game
        self._session = open_session(graph)
        self._slots = _Slots()
        found = {spec.name: list(spec.shape[1:]) for spec in self._session.get_inputs()}
        needed = dict(zip(INPUTS, (list(game.observation_shape), [game.num_actions]), strict=True))
        outputs = tuple(spec.name for spec in self._session.get_outputs())
        if found != needed or outputs != OUTPUTS:
            raise ConfigError(
                f"the net reads {found} and gives {list(outputs)}, {game.name} needs {needed} and "
                f"{list(OUTPUTS)}; load a net that was trained for {game.name}"
            )

    @classmethod
    def from_bundle(cls, bundle: LoadedBundle, game: AnyGame) -> BoardNet:
        """Return the net of a bundle.

        Raises:
            BundleError: the bundle holds no such net, one of another board, or was altered.
        """
        found = bundle.spec.get("kind")
        if found != KIND:
            raise BundleError(
                f"{bundle.folder}: kind={found!r}, not {KIND!r}; load a bundle that "
                f"`trimtab train {game.name.replace('_', '-')}` wrote"
            )
        if bundle.bundle.domain != game.name:
            raise BundleError(
                f"{bundle.folder}: domain={bundle.bundle.domain!r}, not {game.name!r}; load a net "
                f"that was trained for {game.name!r}"
            )
        try:
            return cls(bundle.read(GRAPH), game)
        except ConfigError as error:
            raise BundleError(f"{bundle.folder}: {error}") from error

    def evaluate(self, rows: Words) -> tuple[Array, Array]:
        """Return priors `[B, A]` and values `[B]` in [-1, 1] for the player to move.

        Priors sum to 1 over the legal actions and are 0 elsewhere; where there is no legal action
        they are all 0.

        Args:
            rows: `[B, W]` states of the game.
        """
        count = len(rows)
        if not count:
            return np.empty((0, self.game.num_actions), np.float32), np.empty(0, np.float32)
        if count > MOST_BOUND:
            inputs = dict(zip(INPUTS, observe_rows(self.game, rows), strict=True))
            priors, values = self._session.run(OUTPUTS, inputs)
            return priors, values
        slots = self._slots.by_count
        slot = slots[count]
        if slot is None:
            slot = slots[count] = _Slot(self._session, self.game, count)
        slot.fill(rows, slot.observation, slot.legal)
        self._session.run_with_iobinding(slot.binding)
        # the slot's own are overwritten by the next call
        return slot.priors.copy(), slot.values.copy()


class _Slots(threading.local):
    """What each thread has bound to a session, by the number of rows."""

    def __init__(self) -> None:
        self.by_count: list[_Slot | None] = [None] * (MOST_BOUND + 1)


class _Slot:
    """Inputs and outputs of a number of rows, bound to a session once instead of at each call."""

    def __init__(self, session: InferenceSession, game: AnyGame, count: int) -> None:
        self.observation = np.zeros((count, *game.observation_shape), np.float32)
        self.legal = np.zeros((count, game.num_actions), np.float32)
        self.priors = np.zeros((count, game.num_actions), np.float32)
        self.values = np.zeros(count, np.float32)
        self.fill = _filler(game.observe, game.legal_mask)
        self.binding = session.io_binding()
        for name, array in zip(INPUTS, (self.observation, self.legal), strict=True):
            self.binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for name, array in zip(OUTPUTS, (self.priors, self.values), strict=True):
            self.binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)


def observe_rows(game: AnyGame, rows: Words) -> tuple[Array, Array]:
    """Return observations `[B, …]` and legal actions `[B, A]` as 0 and 1 of `[B, W]` states."""
    observation = np.empty((len(rows), *game.observation_shape), np.float32)
    legal = np.empty((len(rows), game.num_actions), np.float32)
    _filler(game.observe, game.legal_mask)(rows, observation, legal)
    return observation, legal


@lru_cache(maxsize=16)
def _filler(observe: Callable[..., Any], legal_mask: Callable[..., Any]) -> Callable[..., None]:
    """Return a kernel that observes every state of a batch."""

    @cached
    def fill(rows: Words, observation: Array, legal: Array) -> None:
        for b in range(len(rows)):
            observe(rows[b], observation[b])
            mask = legal_mask(rows[b])
            for action in range(legal.shape[1]):
                legal[b, action] = np.float32((mask >> np.uint64(action)) & np.uint64(1))

    return fill
