from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from tests.boards import samples
from trimtab.datasets.replay_buffer import (
    ReplayBuffer,
    Samples,
    Symmetry,
    canonical,
    merged,
)
from trimtab.errors import InputError

MIRROR = Symmetry.mirror((2, 6, 7), 7)


def assert_same(left: Samples, right: Samples) -> None:
    for field in fields(Samples):
        np.testing.assert_array_equal(getattr(left, field.name), getattr(right, field.name))


def test_image_of_the_image_is_the_original() -> None:
    original = samples(10)
    assert_same(MIRROR.image(MIRROR.image(original)), original)


def test_mirror_exchanges_left_and_right() -> None:
    original = samples(3)
    image = MIRROR.image(original)
    np.testing.assert_array_equal(image.observations, original.observations[..., ::-1])
    np.testing.assert_array_equal(image.policies, original.policies[:, ::-1])
    np.testing.assert_array_equal(image.values, original.values)


def test_half_turn_of_a_square_board_maps_a_cell_to_its_opposite() -> None:
    turn = Symmetry.half_turn((2, 3, 3))
    assert turn.actions.tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert turn.cells[:9].tolist() == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert turn.cells[9] == 17


def test_position_and_its_image_have_one_canonical_form() -> None:
    original = samples(50)
    one, other = canonical(original, MIRROR), canonical(MIRROR.image(original), MIRROR)
    np.testing.assert_array_equal(one.observations, other.observations)
    np.testing.assert_array_equal(one.policies, other.policies)


def test_equal_positions_are_merged_with_the_mean_of_their_targets() -> None:
    original = samples(20)
    again = replace(MIRROR.image(original), values=-original.values, games=original.games + 100)
    whole = canonical(Samples.joined([original, again]), MIRROR)
    found, keys, counts = merged(whole)
    assert counts.tolist() == [2] * 20
    assert len(np.unique(keys, axis=0)) == 20
    np.testing.assert_allclose(found.values, 0.0, atol=1e-6)
    np.testing.assert_allclose(found.policies.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(found.games, original.games)


def test_merging_does_not_depend_on_the_order() -> None:
    whole = canonical(Samples.joined([samples(30), samples(30)]), MIRROR)
    shuffled = whole.take(np.random.default_rng(1).permutation(60))
    one, other = merged(whole), merged(shuffled)
    for index in (0, 17, 29):
        [match] = np.flatnonzero((other[1] == one[1][index]).all(axis=1))
        assert other[0].values[match] == pytest.approx(one[0].values[index])
        assert other[2][match] == one[2][index]


def test_games_are_held_out_whole_and_no_position_is_in_both_parts() -> None:
    buffer = ReplayBuffer(MIRROR, validation_every=5)
    buffer.add(samples(40), keep=3)
    # the same positions again, in games that are not held out
    buffer.add(replace(samples(10), games=np.arange(10) * 5 + 1), keep=3)
    train, counts, held = buffer.split()
    assert (held.games % 5 == 0).all()
    assert (train.games % 5 != 0).all()
    assert len(train) == 32 + 2
    assert held.games.tolist() == [10, 15, 20, 25, 30, 35]
    assert counts.sum() == 42


def test_buffer_forgets_the_oldest_iteration() -> None:
    buffer = ReplayBuffer(MIRROR)
    for iteration in range(4):
        buffer.add(samples(10, seed=iteration), keep=2)
    assert len(buffer) == 2
    assert buffer.samples == 20


def test_restored_buffer_is_the_same() -> None:
    buffer, other = ReplayBuffer(MIRROR), ReplayBuffer(MIRROR)
    buffer.add(samples(7, seed=1), keep=3)
    buffer.add(samples(9, seed=2), keep=3)
    other.restore(buffer.arrays())
    for one, two in zip(buffer.split(), other.split(), strict=True):
        if isinstance(one, Samples):
            assert isinstance(two, Samples)
            assert_same(one, two)
    other.add(samples(3), keep=2)
    assert other.samples == 12
    other.restore({})
    assert other.samples == 0


def test_unequal_lengths_and_nan_are_refused() -> None:
    with pytest.raises(InputError, match="unequal length"):
        replace(samples(3), values=np.zeros(2, np.float32))
    with pytest.raises(InputError, match="not finite"):
        replace(samples(2), values=np.array([0.0, np.nan], np.float32))
    with pytest.raises(InputError, match="validation_every=1"):
        ReplayBuffer(MIRROR, validation_every=1)
