"""The numpy heads: what they compute, and that files give back the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.agents.text_heads import (
    HASH_BITS,
    HashedWitness,
    Head,
    feature_ids,
    head_inputs,
    softmax,
)
from trimtab.domains.evidence import FEATURES

# A change of these ids breaks every bundle packed before it.
GOLDEN_IDS = [222504, 224971, 23251, 168640, 144542, 182100]
GOLDEN_IDS += [42238, 107001, 47839, 44170, 164532, 97453]
LAYERS = (
    (np.array([[1.0, -1.0], [2.0, 0.0]], np.float32), np.array([0.0, 1.0], np.float32)),
    (np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]], np.float32), np.zeros(3, np.float32)),
)


def test_softmax_sums_to_one_along_the_last_axis() -> None:
    probs = softmax(np.array([[1.0, 2.0, 3.0], [1000.0, 0.0, -1000.0]], np.float32))
    assert probs.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert probs[1, 0] == pytest.approx(1.0)


def test_softmax_leaves_its_logits_alone() -> None:
    logits = np.array([1.0, 2.0], np.float32)
    softmax(logits, temperature=1.0)
    assert logits.tolist() == [1.0, 2.0]


def test_head_has_a_relu_between_its_layers() -> None:
    # hidden: (1*1 + 0, -1 + 1) -> (1, 0); out: (1, 0, 2)
    assert Head(LAYERS).logits(np.array([1.0, 0.0], np.float32)).tolist() == [1.0, 0.0, 2.0]


def test_head_arrays_give_the_same_head() -> None:
    again = Head.from_arrays(Head(LAYERS).arrays("a") | Head(LAYERS[1:]).arrays("b"), "a")
    x = np.array([[0.5, 0.25], [-1.0, 2.0]], np.float32)
    assert np.array_equal(again.logits(x), Head(LAYERS).logits(x))


def test_head_inputs_join_the_vector_and_the_parsers() -> None:
    vectors = np.array([[0.6, 0.8], [1.0, 0.0]], np.float32)
    inputs = head_inputs(vectors, ["summarise 1706.03762", "hello"])
    assert inputs.shape == (2, 2 + len(FEATURES))
    assert inputs[0, 2 + FEATURES.index("arxiv_id")] == 1.0
    assert not inputs[1, 2:].any()


def test_feature_ids_are_the_same_in_every_process() -> None:
    assert feature_ids("a b").tolist() == GOLDEN_IDS


@given(st.text(min_size=0, max_size=60))
def test_every_text_has_features_within_the_table(text: str) -> None:
    ids = feature_ids(text)
    assert ids.size >= 1
    assert ids.max() < 1 << HASH_BITS


def test_witness_counts_seen_features_and_ignores_others() -> None:
    ids = feature_ids("ab")
    keys = np.unique(ids)[:1]
    weights = np.array([[2.0, -2.0]], np.float16)
    witness = HashedWitness(keys, weights, np.array([0.5, 0.0], np.float32))
    count = np.isin(ids, keys).sum()
    expected = [0.5 + 2.0 * count / ids.size**0.5, -2.0 * count / ids.size**0.5]
    assert witness.logits("ab") == pytest.approx(expected)
    assert witness.logits("zzz").tolist() == [0.5, 0.0]
    assert witness.num_features == 1
