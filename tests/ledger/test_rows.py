from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.ledger import make_audit, make_decision
from trimtab.errors import LedgerError
from trimtab.ledger.rows import RandomSalt, audit_entry, decision_entry
from trimtab.records import Prediction


def test_salts_do_not_repeat() -> None:
    salt = RandomSalt()
    drawn = {salt() for _ in range(1500)}
    assert len(drawn) == 1500
    assert {len(one) for one in drawn} == {16}


def test_words_of_a_person_stand_apart_from_the_body() -> None:
    predictions = (Prediction(agent="llm", action="said freely", confidence=None),)
    entry = decision_entry(
        make_decision(
            state="asked freely", action="said freely", answer="said", predictions=predictions
        ),
        RandomSalt(),
    )
    assert "freely" not in entry.body
    assert entry.text is not None
    assert entry.text.count("freely") == 3


def test_words_of_an_audit_stand_apart_from_its_body() -> None:
    entry = audit_entry("a", make_audit(action="said freely"), RandomSalt())
    assert "freely" not in entry.body
    assert entry.text == '{"action":"said freely"}'


def test_audit_without_words_has_no_text() -> None:
    entry = audit_entry("a", make_audit(), RandomSalt())
    assert (entry.text, entry.text_hash, entry.salt) == (None, None, b"")


def test_labels_of_the_domain_stay_in_the_body() -> None:
    entry = decision_entry(make_decision(), RandomSalt())
    assert '"answer":"blue"' in entry.body


def test_same_text_has_another_hash_under_another_salt() -> None:
    salt = RandomSalt()
    one, two = (decision_entry(make_decision(), salt) for _ in range(2))
    assert one.body == two.body
    assert one.text_hash != two.text_hash


def test_signals_that_contain_themselves_are_refused() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    prediction = Prediction(agent="p", action=0, confidence=None, signals=loop)
    with pytest.raises(LedgerError, match="JSON"):
        decision_entry(make_decision(predictions=(prediction,)), RandomSalt())
