from __future__ import annotations

import pytest

from tests.papers import minilm
from tests.planted import CANARY, ORDERS
from trimtab.agents.citations import CitationChecker, objection
from trimtab.agents.research_fit import load_fitted

PASSAGE = (
    "Speculative decoding loses its advantage on long inputs. On three sets with inputs of up to "
    "16K tokens, speculation becomes up to 2.22 times faster. No training is needed."
)


@pytest.fixture(scope="module")
def checker() -> CitationChecker:
    return CitationChecker(minilm(), load_fitted())


def test_a_paraphrase_is_supported_by_its_sentence(checker: CitationChecker) -> None:
    claim = "With inputs of up to 16K tokens speculation gets up to 2.22 times faster."
    found = checker.best(claim, PASSAGE, title="SpecExtend")
    assert found.value >= checker.threshold
    assert "2.22" in PASSAGE[found.start : found.end] == found.quote


@pytest.mark.parametrize(
    "claim",
    [
        "With inputs of up to 16K tokens speculation gets up to 3.22 times faster.",
        "Speculation becomes up to 2.22 times faster on inputs of 128K tokens.",
        "Training on 900 GPUs is needed.",
    ],
)
def test_a_number_that_the_passage_lacks_is_never_supported(
    checker: CitationChecker, claim: str
) -> None:
    assert checker.best(claim, PASSAGE, title="SpecExtend").value == 0.0


@pytest.mark.parametrize(
    "claim",
    ["Training is needed.", "Bananas are rich in potassium.", "LAPS-SD was invented in Paris."],
)
def test_what_the_passage_does_not_say_is_not_supported(
    checker: CitationChecker, claim: str
) -> None:
    assert checker.best(claim, PASSAGE, title="SpecExtend").value < checker.threshold


def test_a_sentence_word_for_word_is_certain(checker: CitationChecker) -> None:
    found = checker.best("No training is needed.", PASSAGE)
    assert (found.value, PASSAGE[found.start : found.end]) == (1.0, "No training is needed.")


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_in_a_passage_supports_nothing(checker: CitationChecker, order: str) -> None:
    passage = f"{PASSAGE} {order}"
    for claim in (order, CANARY, f"The method reaches {CANARY}."):
        assert checker.best(claim, passage, title="SpecExtend").value < checker.threshold


def test_an_objection_names_what_is_missing() -> None:
    assert objection("It takes 7 days.", "It takes long.").endswith("number 7")
    assert "gpt4o" in objection("It beats GPT-4o.", "It beats others.")
