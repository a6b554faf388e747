from __future__ import annotations

import math

import pytest

from trimtab.evals.retrieval import ndcg_at, recall_at


def test_recall_is_the_share_found_among_the_first_k() -> None:
    assert recall_at(["a", "b", "c"], {"c", "x"}, 2) == 0.0
    assert recall_at(["a", "b", "c"], {"c", "x"}, 3) == 0.5


def test_ndcg_of_one_document_is_the_discount_of_its_rank() -> None:
    assert ndcg_at(["x", "a"], {"a"}, 10) == pytest.approx(1 / math.log2(3))
    assert ndcg_at(["x", "a"], {"a"}, 1) == 0.0


def test_ndcg_of_the_best_order_is_one() -> None:
    assert ndcg_at(["a", "b", "x"], {"a", "b"}, 3) == pytest.approx(1.0)


def test_a_document_counts_once() -> None:
    assert ndcg_at(["a", "a"], {"a", "b"}, 2) < 1.0
    assert recall_at(["a", "a"], {"a"}, 2) == 1.0


def test_no_relevant_document_has_no_recall() -> None:
    with pytest.raises(ValueError, match="relevant"):
        recall_at(["a"], set(), 1)
