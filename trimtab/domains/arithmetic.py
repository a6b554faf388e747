"""Exact arithmetic expressions over whole numbers with + - * / and brackets."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from fractions import Fraction

from trimtab.domains.texts import short
from trimtab.errors import InputError

MAX_CHARS = 100
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "[": "(", "]": ")"})
_ALLOWED = re.compile(r"[0-9+\-*/() ]+")
_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """Two expressions joined by one of + - * /."""

    sign: str
    left: Expression
    right: Expression


Expression = int | Operation


def parse(text: str) -> Expression:
    """Return the expression of a text; × ÷ − and square brackets are read as their plain forms.

    Nothing is evaluated: the text's syntax tree may hold whole numbers and the four operations.

    Raises:
        InputError: anything else, or more than ``MAX_CHARS`` characters.
    """
    plain = text.translate(_SIGNS).strip()
    problem = f"expression {short(text)} is none; use whole numbers, + - * / and brackets"
    if len(plain) > MAX_CHARS or _ALLOWED.fullmatch(plain) is None:
        raise InputError(f"{problem}, at most {MAX_CHARS} characters")
    try:
        tree = ast.parse(plain, mode="eval").body
    except SyntaxError as error:
        raise InputError(f"{problem}; {error.msg}") from error
    return _converted(tree, problem)


def value(expression: Expression) -> Fraction | None:
    """Return the exact value, None where something is divided by zero."""
    if isinstance(expression, int):
        return Fraction(expression)
    left, right = value(expression.left), value(expression.right)
    if left is None or right is None:
        return None
    return combined(expression.sign, left, right)


def combined(sign: str, left: Fraction, right: Fraction) -> Fraction | None:
    """Return ``left sign right``, None for a division by zero."""
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    return left / right if right else None


def numbers(expression: Expression) -> list[int]:
    """Return the whole numbers of an expression, ascending."""
    if isinstance(expression, int):
        return [expression]
    return sorted([*numbers(expression.left), *numbers(expression.right)])


def bracketed(expression: Expression) -> str:
    """Return the expression with a pair of brackets around each operation, as it was built."""
    if isinstance(expression, int):
        return str(expression)
    return f"({bracketed(expression.left)}{expression.sign}{bracketed(expression.right)})"


def spelled(expression: Expression) -> str:
    """Return the one spelling of all expressions that differ only in order and brackets.

    Chains of + and - become one sum, chains of * and / one product; what is added or multiplied
    comes first, longest first, then what is subtracted or divided by.

    >>> spelled(parse("4 * (2 - (1 - 5))"))
    '(2+5-1)*4'
    """
    if isinstance(expression, int):
        return str(expression)
    chain = "+-" if expression.sign in "+-" else "*/"
    parts = _parts(expression, chain, True)
    for_text = sorted((not kept, -len(text), text) for kept, text in parts)
    joined = "".join(f"{chain[inverse]}{text}" for inverse, _, text in for_text)
    return joined[1:]


def _parts(expression: Expression, chain: str, kept: bool) -> list[tuple[bool, str]]:
    """Return the members of a chain, each with whether it is added rather than taken away."""
    if isinstance(expression, Operation) and expression.sign in chain:
        same = kept if expression.sign == chain[0] else not kept
        return [
            *_parts(expression.left, chain, kept),
            *_parts(expression.right, chain, same),
        ]
    text = spelled(expression)
    if chain == "*/" and isinstance(expression, Operation):
        text = f"({text})"
    return [(kept, text)]


def _converted(node: ast.expr, problem: str) -> Expression:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
        sign = _OPERATIONS[type(node.op)]
        return Operation(sign, _converted(node.left, problem), _converted(node.right, problem))
    raise InputError(problem)
