"""Exact expressions: what is read, what they are worth, how they are spelled."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domains.arithmetic import (
    Expression,
    Operation,
    bracketed,
    numbers,
    parse,
    spelled,
    value,
)
from trimtab.errors import InputError

expressions: st.SearchStrategy[Expression] = st.recursive(
    st.integers(0, 13),
    lambda inner: st.builds(Operation, st.sampled_from("+-*/"), inner, inner),
    max_leaves=5,
)


@given(expressions)
def test_brackets_give_the_expression_back(expression: Expression) -> None:
    assert parse(bracketed(expression)) == expression


@given(expressions)
def test_the_spelling_keeps_worth_and_numbers(expression: Expression) -> None:
    again = parse(spelled(expression))
    assert numbers(again) == numbers(expression)
    if value(expression) is not None and value(again) is not None:
        assert value(again) == value(expression)


@given(expressions)
def test_the_spelling_is_its_own_spelling(expression: Expression) -> None:
    assert spelled(parse(spelled(expression))) == spelled(expression)


@given(expressions, expressions, st.sampled_from("+*"))
def test_order_does_not_change_the_spelling(a: Expression, b: Expression, sign: str) -> None:
    assert spelled(Operation(sign, a, b)) == spelled(Operation(sign, b, a))


@pytest.mark.parametrize(
    ("text", "worth", "spelling"),
    [
        ("8 / (3 - 8/3)", Fraction(24), "8/(3-8/3)"),
        ("(8−4) × [10−4]", Fraction(24), "(10-4)*(8-4)"),
        ("9-(3-(2-1))", Fraction(7), "2+9-1-3"),
        ("12÷(6÷2)", Fraction(4), "12*2/6"),
        ("1/(2-2)", None, "1/(2-2)"),
    ],
)
def test_known_expressions(text: str, worth: Fraction | None, spelling: str) -> None:
    assert value(parse(text)) == worth
    assert spelled(parse(text)) == spelling


@pytest.mark.parametrize(
    "text",
    ["", "4+", "2**3", "7//2", "4(5)", "-4+5", "4,5", "1.5*2", "abs(4)", "((", "(" * 60, "1" * 101],
)
def test_anything_else_is_an_input_error(text: str) -> None:
    with pytest.raises(InputError, match="use whole numbers"):
        parse(text)
