from __future__ import annotations

import json

from trimtab.agents.paper_record import record_of, record_sentence
from trimtab.records import Passage

TITLE = "CP-Router: An Uncertainty-Aware Router"


def _passage(**known: str) -> Passage:
    metadata = {"paper": "2505.19970", "title": TITLE, **known}
    return Passage(text="x", source_id="2505.19970#0", score=1.0, metadata=metadata)


def test_a_record_says_what_it_holds_and_nothing_else() -> None:
    known = _passage(authors=json.dumps(["Ada Bee", "C. Dee"]), date="20250526")
    said = record_sentence(known, ["authors", "published"])
    assert said == f"“{TITLE}” is by Ada Bee, C. Dee and was first submitted on 2025-05-26."
    assert record_sentence(known, ["categories"]) is None


def test_a_record_in_one_text_leaves_out_what_is_not_known() -> None:
    assert record_of(_passage(year="2026")) == "was first submitted in 2026; 2505.19970"
