import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.domain import DomainContract
from trimtab.domains.choices import Choices, ChoiceState, normalise
from trimtab.domains.evidence import FEATURES
from trimtab.domains.texts import MAX_TEXT_CHARS, text_problem
from trimtab.errors import IllegalAction, InputError, TruthUnknown
from trimtab.protocols import Domain

LABELS = ("refund", "Delivery date", "other")


def desk(**changes: object) -> Choices:
    values: dict[str, object] = {
        "name": "desk",
        "labels": LABELS,
        "descriptions": {"refund": "The customer wants money back."},
        "out_of_scope": "other",
        "references": {
            "I want my money back": "refund",
            "When does it come?": "Delivery date",
            "hello": "other",
        },
    }
    return Choices(**{**values, **changes})  # type: ignore[arg-type]


class TestChoicesKeepTheLaws(DomainContract):
    @pytest.fixture
    def domain(self) -> Choices:
        return desk()


def test_choices_are_a_domain() -> None:
    domain: Domain[ChoiceState] = desk()
    assert domain.num_actions == 3


def test_a_right_answer_returns_one_and_a_wrong_one_minus_one() -> None:
    domain = desk()
    state = domain.from_text("hello")
    assert domain.returns(domain.apply_action(state, 2)) == (1.0,)
    assert domain.returns(domain.apply_action(state, 0)) == (-1.0,)


def test_an_open_state_has_no_returns() -> None:
    with pytest.raises(InputError, match="not answered yet"):
        desk().returns(ChoiceState("hello"))


def test_truth_of_an_unknown_text_is_unknown() -> None:
    domain = desk()
    state = domain.from_text("something new")
    with pytest.raises(TruthUnknown, match="something new"):
        domain.check(state, "refund")
    with pytest.raises(TruthUnknown):
        domain.returns(domain.apply_action(state, 0))


def test_truth_holds_for_other_case_width_and_whitespace() -> None:
    domain = desk()
    assert domain.check(domain.from_text("  I WANT my\tmoney ｂａｃｋ"), "refund") == 1.0


def test_contradicting_references_leave_truth_unknown() -> None:
    domain = desk(references={"Hello": "other", "hello": "refund", "HELLO": "other"})
    with pytest.raises(TruthUnknown, match="contradict"):
        domain.check(domain.from_text("hello"), "other")


def test_an_unknown_answer_is_illegal_before_truth_is_asked() -> None:
    domain = desk()
    with pytest.raises(IllegalAction):
        domain.check(domain.from_text("something new"), "no label")


@pytest.mark.parametrize("answer", ["Delivery date", "delivery DATE", 1, np.int64(1)])
def test_index_and_label_in_any_case_have_one_canonical_form(answer: int | str) -> None:
    assert desk().canonical(answer) == "Delivery date"


@pytest.mark.parametrize("answer", [3, -1, True, 1.0, None, "1", "", "delivery"])
def test_anything_else_is_illegal_and_the_labels_are_listed(answer: object) -> None:
    with pytest.raises(IllegalAction, match=r"legal: 0\.\.2, or one of \['refund', "):
        desk().canonical(answer)  # type: ignore[arg-type]


def test_a_long_list_of_legal_labels_is_cut() -> None:
    domain = Choices(name="many", labels=[f"label {i}" for i in range(150)])
    with pytest.raises(IllegalAction) as caught:
        domain.canonical("x" * 10_000)
    assert "130 more" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_label_cannot_be_applied_in_place_of_an_index() -> None:
    with pytest.raises(IllegalAction, match="no index"):
        desk().apply_action(ChoiceState("hello"), "refund")  # type: ignore[arg-type]


def test_without_references_there_is_no_initial_state() -> None:
    with pytest.raises(InputError, match="give references, or make the state with from_text"):
        desk(references=None).initial_state(0)


def test_seeds_draw_different_texts() -> None:
    domain = desk()
    assert len({domain.initial_state(seed).text for seed in range(20)}) == 3


def test_observation_is_what_the_parsers_find() -> None:
    found = desk().observation(ChoiceState("summarise 1706.03762"))
    assert found.shape == (len(FEATURES),)
    assert found[FEATURES.index("arxiv_id")] == 1.0


def test_instructions_name_every_label_its_description_and_the_way_out() -> None:
    lines = desk().instructions.splitlines()
    assert "- refund: The customer wants money back." in lines
    assert "- Delivery date" in lines
    assert lines[-1] == "Choose other where no other label fits."


def test_json_form_gives_the_domain_back_without_references() -> None:
    domain = Choices.from_json(desk().to_json())
    assert domain.to_json() == desk().to_json()
    assert domain.instructions == desk().instructions
    with pytest.raises(InputError):
        domain.initial_state(0)


def test_incomplete_json_names_what_is_missing() -> None:
    with pytest.raises(InputError, match="labels"):
        Choices.from_json({"name": "desk", "descriptions": {}, "out_of_scope": None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name=''"),
        ({"name": "two\nlines"}, "name="),
        ({"labels": []}, "give at least two"),
        ({"labels": ["one"]}, "give at least two"),
        ({"labels": "refund"}, "is one text; give a list"),
        ({"labels": ["a", "b", "a"]}, "'a' at 2"),
        ({"labels": ["Straße", "STRASSE"]}, "rename or merge"),
        ({"labels": ["a", ""]}, r"labels\[1\] is empty"),
        ({"labels": ["a", " \t"]}, r"labels\[1\] is empty"),
        ({"labels": ["a", " b"]}, r"labels\[1\]=' b'"),
        ({"labels": ["a", "b\nc"]}, r"labels\[1\]="),
        ({"labels": ["a", "b" * 201]}, r"labels\[1\]="),
        ({"labels": ["a", 2]}, r"labels\[1\]=2 is not a str"),
        ({"out_of_scope": "oos"}, "out_of_scope='oos' is not one of the labels"),
        ({"descriptions": {"oos": "Nothing."}}, "descriptions holds 'oos'"),
        ({"descriptions": {"refund": 3}}, r"descriptions\['refund'\]=3"),
        ({"references": {"hello": "Refund"}}, "label 'Refund' of 'hello'"),
        ({"references": {" ": "refund"}}, "references: text is empty"),
        ({"references": {"a\x1fb": "refund"}}, r"U\+001F"),
    ],
)
def test_what_makes_no_domain_is_an_input_error(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        desk(**{"descriptions": None, "out_of_scope": None, "references": None, **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "text is empty"),
        (" \n\u3000", "text is empty"),
        ("a\0b", "NUL character at position 1"),
        ("ab\ud800", "lone surrogate at position 2"),
        (b"bytes", "is a bytes, not a str"),
        (None, "is a NoneType, not a str"),
        ("hello\x1fnot a label", r"U\+001F"),
        ("hello\x1frefund\x1frefund", r"U\+001F"),
        ("\x1frefund", r"U\+001F"),
    ],
)
def test_what_is_no_request_is_an_input_error(text: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        desk().from_text(text)  # type: ignore[arg-type]


def test_a_megabyte_is_refused_by_its_length_and_not_echoed() -> None:
    with pytest.raises(InputError, match="1,000,000 characters") as caught:
        desk().from_text("secret " * 142_857 + "s")
    assert "secret" not in str(caught.value)


def test_the_longest_text_is_taken() -> None:
    longest = "x" * MAX_TEXT_CHARS
    assert desk().from_text(longest).text == longest
    with pytest.raises(InputError):
        desk().from_text(longest + "x")


@given(st.text(max_size=200))
def test_every_usable_text_comes_back_as_it_was(text: str) -> None:
    domain = desk()
    if text_problem(text) is not None or "\x1f" in text:
        return
    state = domain.from_text(text)
    assert domain.to_text(state) == text
    for action in domain.legal_actions(state):
        answered = domain.apply_action(state, action)
        assert domain.from_text(domain.to_text(answered)) == answered


@given(st.text(max_size=100))
def test_normalise_is_idempotent(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=50))
def test_normalise_forgets_case_and_runs_of_whitespace(text: str) -> None:
    assert normalise(text.upper()) == normalise(text)
    assert normalise(f"  {text}\n".replace(" ", " \t ")) == normalise(text)


def test_normalise_of_ascii_is_that_of_unicode() -> None:
    assert normalise("Ａbc  Def") == normalise("abc def") == "abc def"
