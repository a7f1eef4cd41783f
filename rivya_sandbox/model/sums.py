"""Arithmetic with tools: an expression in a question, step by step, each step a function that is offered."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rivya_sandbox.model.words import stems

Number: TypeAlias = "int | float"
WORDS = (
    (re.compile(r"(?i)\bplus\b"), "+"),
    (re.compile(r"(?i)\bminus\b"), "-"),
    (re.compile(r"(?i)\b(?:times|multiplied by)\b|(?<=\d)\s*[x\u00d7](?=\s*\d)"), "*"),
    (re.compile(r"(?i)\bdivided by\b|÷"), "/"),
)
EXPRESSION = re.compile(r"(?<![\w.])-?[\d(][\d\s.+*/()-]*[+*/-][\d\s.+*/()-]*[\d)]")
NAMES: Mapping[type, frozenset[str]] = {
    ast.Add: frozenset(stems("add adder addition sum plus")),
    ast.Sub: frozenset(stems("subtract subtraction minus difference")),
    ast.Mult: frozenset(stems("multiply multiplication times product")),
    ast.Div: frozenset(stems("divide division quotient")),
}
OPERATIONS: Mapping[type, Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def steps(question: str, names: Sequence[str]) -> list[tuple[str, Number, Number]]:
    """The steps of the expression in a question: function, left, right; none if a function for one is not offered."""
    for form, sign in WORDS:
        question = form.sub(f" {sign} ", question)
    found = EXPRESSION.search(question)
    tree = parsed(found[0]) if found else None
    made: list[tuple[str, Number, Number]] = []
    return made if tree is not None and walk(tree.body, names, made) is not None else []


def parsed(text: str) -> ast.Expression | None:
    """The expression, if it is one."""
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return None


def walk(node: ast.expr, names: Sequence[str], made: list[tuple[str, Number, Number]]) -> Number | None:
    """The value of a node, with its steps noted; None where something is not offered or not arithmetic."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = walk(node.operand, names, made)
        return None if inner is None else -inner
    if not isinstance(node, ast.BinOp) or type(node.op) not in OPERATIONS:
        return None
    kind = type(node.op)
    function = next((name for name in names if stems(name.replace("_", " ")) & NAMES[kind]), None)
    left, right = walk(node.left, names, made), walk(node.right, names, made)
    if function is None or left is None or right is None or (kind is ast.Div and not right):
        return None
    made.append((function, left, right))
    return OPERATIONS[kind](left, right)
