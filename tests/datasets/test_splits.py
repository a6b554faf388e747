from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.datasets.splits import content_hash, leaked, split_by_content, stratified_folds
from trimtab.datasets.tables import LabelledText
from trimtab.errors import InputError

labels = st.sampled_from("abc")
texts = st.sampled_from(["hello", "Hello", " HELLO ", "hello there", "x", "Ｘ", "y", "z", "z z"])
tables = st.lists(st.builds(LabelledText, texts, labels), max_size=40)


def numbered(n: int, label: str) -> list[LabelledText]:
    return [LabelledText(f"{label} {i}", label) for i in range(n)]


def test_content_hash_is_stable_over_processes() -> None:
    assert content_hash("Hello  World") == content_hash("hello world")
    assert content_hash("hello world") == (
        "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
    )


@given(tables, st.floats(0.05, 0.95), st.integers(0, 10))
def test_equal_content_is_never_on_both_sides(
    rows: list[LabelledText], fraction: float, seed: int
) -> None:
    kept, held_out = split_by_content(rows, fraction, seed)
    assert not leaked(kept, held_out)
    assert Counter(kept) + Counter(held_out) == Counter(rows)


@given(tables, st.integers(0, 10), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    rows: list[LabelledText], seed: int, random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for left, right in zip(
        split_by_content(rows, 0.3, seed), split_by_content(shuffled, 0.3, seed), strict=True
    ):
        assert Counter(left) == Counter(right)


def test_every_label_gives_its_part() -> None:
    rows = [*numbered(100, "a"), *numbered(50, "b"), *numbered(10, "c")]
    _, held_out = split_by_content(rows, 0.2, 0)
    assert Counter(row.label for row in held_out) == {"a": 20, "b": 10, "c": 2}


def test_many_small_labels_still_give_the_fraction() -> None:
    rows = [row for i in range(100) for row in numbered(2, f"label {i}")]
    _, held_out = split_by_content(rows, 0.2, 0)
    assert len(held_out) == 40


def test_another_seed_is_another_split() -> None:
    rows = numbered(100, "a")
    assert split_by_content(rows, 0.2, 0) == split_by_content(rows, 0.2, 0)
    assert split_by_content(rows, 0.2, 0) != split_by_content(rows, 0.2, 1)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_a_fraction_outside_is_an_input_error(fraction: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        split_by_content(numbered(4, "a"), fraction, 0)


@given(st.lists(labels, min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 10))
def test_folds_are_even_overall_and_within_a_label(names: list[str], k: int, seed: int) -> None:
    if k > len(names):
        return
    folds = stratified_folds(names, k, np.random.default_rng(seed))
    sizes = np.bincount(folds, minlength=k)
    assert sizes.max() - sizes.min() <= 1
    for name in set(names):
        counts = np.bincount(folds[np.asarray(names) == name], minlength=k)
        assert counts.max() - counts.min() <= 1


def test_folds_follow_the_generator() -> None:
    names = ["a", "b"] * 20
    first = stratified_folds(names, 5, np.random.default_rng(3))
    assert (first == stratified_folds(names, 5, np.random.default_rng(3))).all()
    assert (first != stratified_folds(names, 5, np.random.default_rng(4))).any()


@pytest.mark.parametrize("k", [1, 5])
def test_a_number_of_folds_that_does_not_fit_is_an_input_error(k: int) -> None:
    with pytest.raises(InputError, match=f"k={k} folds of 4 rows"):
        stratified_folds(["a", "b", "a", "b"], k, np.random.default_rng(0))
