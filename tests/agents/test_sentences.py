from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from trimtab.agents.sentences import sentences, stem, stems


@given(st.text(max_size=200))
def test_a_sentence_is_what_stands_at_its_place(text: str) -> None:
    found = sentences(text)
    assert all(text[one.start : one.end] == one.text for one in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    assert "".join("".join(one.text.split()) for one in found) == "".join(text.split())


def test_abbreviations_and_decimals_end_no_sentence() -> None:
    text = "It beats GPT-4 by 2.5 %, cf. Fig. 3. A. Bee et al. Say so. Done?"
    assert next(one.text for one in sentences(text)) == "It beats GPT-4 by 2.5 %, cf. Fig. 3."


def test_forms_of_a_word_meet() -> None:
    assert stem("succeeds") == stem("succeed")
    assert stems("The routers routed") == {stem("routing")}
