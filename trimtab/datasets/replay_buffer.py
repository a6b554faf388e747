"""What self-play found, kept by iteration; one position counts once, mirrored or not.

N is the number of samples, A the actions. A *symmetry* of a game maps positions to positions and
actions to actions without changing what is good; the positions of one orbit share their targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.errors import InputError
from trimtab.protocols import Array

Bits = NDArray[np.uint8]
Counts = NDArray[np.int64]
Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Positions with what a search and the end of the game said of them.

    Attributes:
        observations: `[N, P, H, W]` of 0 and 1.
        legal: `[N, A]` of 0 and 1.
        policies: `[N, A]` target probabilities over the legal actions.
        values: `[N]` target values in [-1, 1] for the player to move.
        games: `[N]` number of the game that each was found in.
    """

    observations: Bits
    legal: Bits
    policies: Array
    values: Array
    games: Counts

    def __post_init__(self) -> None:
        sizes = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(sizes.values())) != 1:
            raise InputError(f"samples of unequal length: {sizes}; give one row per sample")
        if not np.isfinite(self.policies).all() or not np.isfinite(self.values).all():
            raise InputError("policies or values are not finite; the search gave NaN")

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[Any]) -> Samples:
        """Return the samples at these rows, or where a mask is true."""
        return Samples(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Return the samples of all parts, in order; there must be at least one part."""
        return cls(
            **{
                field.name: np.concatenate([getattr(part, field.name) for part in parts])
                for field in fields(cls)
            }
        )


@dataclass(frozen=True, slots=True)
class Symmetry:
    """A symmetry that is its own inverse, as permutations.

    Attributes:
        cells: `[P * H * W]`: entry i of the image's flat observation is entry ``cells[i]`` here.
        actions: `[A]`: action ``actions[a]`` here is action a in the image.
    """

    cells: Counts
    actions: Counts

    @classmethod
    def mirror(cls, shape: tuple[int, ...], actions: int) -> Symmetry:
        """Return left and right exchanged, where the actions are columns."""
        cells = np.arange(int(np.prod(shape))).reshape(shape)[..., ::-1].reshape(-1)
        return cls(cells.copy(), np.arange(actions)[::-1].copy())

    @classmethod
    def half_turn(cls, shape: tuple[int, ...]) -> Symmetry:
        """Return a turn by 180 degrees, where the actions are the board's cells."""
        cells = np.arange(int(np.prod(shape))).reshape(shape)[..., ::-1, ::-1].reshape(-1)
        return cls(cells.copy(), np.arange(shape[-2] * shape[-1])[::-1].copy())

    def image(self, samples: Samples) -> Samples:
        """Return every sample as the symmetry shows it."""
        shape = samples.observations.shape
        flat = samples.observations.reshape(shape[0], -1)
        return Samples(
            observations=flat[:, self.cells].reshape(shape),
            legal=samples.legal[:, self.actions],
            policies=samples.policies[:, self.actions],
            values=samples.values,
            games=samples.games,
        )


def canonical(samples: Samples, symmetry: Symmetry) -> Samples:
    """Return each sample or its image, whichever key is smaller."""
    image = symmetry.image(samples)
    swap = _is_less(_keys(image.observations), _keys(samples.observations))
    rows = np.where(swap, len(samples), 0) + np.arange(len(samples))
    return Samples.joined([samples, image]).take(rows)


def merged(samples: Samples) -> tuple[Samples, Keys, Counts]:
    """Return every position once with the mean of its targets, its key and how often it was seen.

    Positions are in the order in which they were first seen; ``games`` is the game of that time.
    """
    keys = _keys(samples.observations)
    if not len(samples):
        return samples, keys, np.zeros(0, np.int64)
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    starts = np.flatnonzero(np.r_[True, (ordered[1:] != ordered[:-1]).any(axis=1)])
    counts = np.diff(np.r_[starts, len(samples)])
    # lexsort is stable, so a group's first row is the first that was seen
    first = order[starts]
    policies = np.add.reduceat(samples.policies[order].astype(np.float64), starts, axis=0)
    values = np.add.reduceat(samples.values[order].astype(np.float64), starts)
    kept = samples.take(first)
    averaged = Samples(
        observations=kept.observations,
        legal=kept.legal,
        policies=(policies / counts[:, None]).astype(np.float32),
        values=(values / counts).astype(np.float32),
        games=kept.games,
    )
    seen = np.argsort(first)
    return averaged.take(seen), keys[first][seen], counts[seen].astype(np.int64)


class ReplayBuffer:
    """The last iterations of self-play; every ``validation_every``-th game is held out whole.

    Args:
        symmetry: under which positions count as the same.
        validation_every: a game whose number is a multiple of it is for validation.
    """

    def __init__(self, symmetry: Symmetry, *, validation_every: int = 20) -> None:
        if validation_every < 2:
            raise InputError(f"validation_every={validation_every} leaves no game to train on")
        self.symmetry = symmetry
        self.validation_every = validation_every
        self._iterations: list[Samples] = []

    def __len__(self) -> int:
        return len(self._iterations)

    @property
    def samples(self) -> int:
        """Return how many samples are kept, the same position counted each time."""
        return sum(len(part) for part in self._iterations)

    def add(self, samples: Samples, *, keep: int) -> None:
        """Add an iteration and forget all but the last ``keep``."""
        self._iterations = [*self._iterations, canonical(samples, self.symmetry)][-keep:]

    def split(self) -> tuple[Samples, Counts, Samples]:
        """Return positions to train on, how often each was seen, and positions of held-out games.

        A position that both parts hold stays in the first alone.
        """
        everything = Samples.joined(self._iterations)
        held = everything.games % self.validation_every == 0
        train, train_keys, counts = merged(everything.take(~held))
        validation, keys, _ = merged(everything.take(held))
        known = set(map(bytes, train_keys))
        unseen = np.array([bytes(key) not in known for key in keys], bool)
        return train, counts, validation.take(unseen)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that is kept as named arrays, for :meth:`restore`."""
        if not self._iterations:
            return {}
        everything = Samples.joined(self._iterations)
        plain = {field.name: getattr(everything, field.name) for field in fields(Samples)}
        return plain | {"lengths": np.array([len(part) for part in self._iterations])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what :meth:`arrays` returned."""
        self._iterations = []
        if not arrays:
            return
        everything = Samples(**{field.name: arrays[field.name] for field in fields(Samples)})
        ends = np.cumsum(arrays["lengths"])
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            self._iterations.append(everything.take(np.arange(start, end)))


def _keys(observations: Bits) -> Keys:
    """Return `[N, K]` words that hold the bits of each observation, highest first."""
    bits = observations.reshape(len(observations), -1)
    packed = np.packbits(np.pad(bits, ((0, 0), (0, -bits.shape[1] % 64))), axis=1)
    return np.ascontiguousarray(packed).view(">u8").astype(np.uint64)


def _is_less(left: Keys, right: Keys) -> NDArray[np.bool_]:
    """Return `[N]` whether each left key comes before the right one."""
    less = np.zeros(len(left), bool)
    for word in reversed(range(left.shape[1])):
        a, b = left[:, word], right[:, word]
        less = (a < b) | ((a == b) & less)
    return less
