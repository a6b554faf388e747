from __future__ import annotations

import pytest

from trimtab.agents.facts import names, numbers, opposed, overclaims, swapped


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("by 6.7 % and 1,200 items", {6.7, 1200.0}),
        ("fourteen models of 7B at 16K", {14.0, 7e9, 16000.0}),
        ("GPT-4o, Qwen2.5-7B and o3", set()),
        ("scores .57 in 2026.", {0.57, 2026.0}),
        ("5 to 30 times, 5-30", {5.0, 30.0}),
    ],
)
def test_numbers_are_those_of_the_text_and_not_of_its_names(text: str, found: set[float]) -> None:
    assert set(numbers(text)) == found


def test_names_have_one_spelling() -> None:
    assert names("The CP-Router beats GPT-4o. LLMs help.") == {"cprouter", "gpt4o"}
    assert names("We saw cp-router and Mistral.") == {"mistral"}


def test_opposite_directions_and_negations_are_seen() -> None:
    assert opposed("The attack fails.", "The attack succeeds in 30 % of cases.")
    assert opposed("It has to be trained.", "No training is needed.")
    assert not opposed("It gains 3 %.", "They gain 3 % there.")


def test_a_claim_of_all_needs_evidence_of_all() -> None:
    assert overclaims("All of them failed.", "Fourteen were tested.")
    assert not overclaims("All of them failed.", "All fourteen failed.")


def test_two_numbers_that_changed_places_are_seen() -> None:
    evidence = "Small ones gain up to 10 % on average, large ones some 1.3 %."
    assert swapped("Large ones gain 10 %, small ones 1.3 %.", evidence) > 0.4
    assert swapped("Small ones gain 10 % on average.", evidence) == 0.0
