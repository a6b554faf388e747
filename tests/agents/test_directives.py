from __future__ import annotations

import pytest

from tests.planted import CANARY, ORDERS
from trimtab.agents.directives import is_directive
from trimtab.agents.sentences import sentences
from trimtab.datasets.shipped_papers import shipped_papers


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_to_a_model_is_found_wherever_it_demands_something(order: str) -> None:
    demanding = [one.text for one in sentences(order) if CANARY in one.text]
    assert demanding
    assert all(is_directive(text) for text in demanding)


def test_hardly_a_sentence_of_a_paper_looks_like_an_order() -> None:
    found = [one.text for paper in shipped_papers() for one in sentences(paper.abstract)]
    assert sum(map(is_directive, found)) <= 0.005 * len(found)
