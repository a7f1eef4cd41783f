"""Arithmetic with tools: splits an expression in a question into steps, each with an available tool."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from rivya_sandbox.model.text_utils import stems

Number: TypeAlias = "int | float"
OPERATOR_WORDS = (
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
    """Return the steps of the expression in a question: tool, left, right; none if a step has no tool."""
    for form, sign in OPERATOR_WORDS:
        question = form.sub(f" {sign} ", question)
    found = EXPRESSION.search(question)
    tree = parsed(found[0]) if found else None
    made: list[tuple[str, Number, Number]] = []
    return made if tree is not None and walk(tree.body, names, made) is not None else []


def parsed(text: str) -> ast.Expression | None:
    """Parse an expression; `None` if it is not one."""
    try:
        return ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return None


def walk(node: ast.expr, names: Sequence[str], made: list[tuple[str, Number, Number]]) -> Number | None:
    """Return a node's value and record its steps; `None` if a step has no tool or is not arithmetic."""
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = walk(node.operand, names, made)
        return None if inner is None else -inner
    if not isinstance(node, ast.BinOp) or type(node.op) not in OPERATIONS:
        return None
    kind = type(node.op)
    tool = next((name for name in names if stems(name.replace("_", " ")) & NAMES[kind]), None)
    left, right = walk(node.left, names, made), walk(node.right, names, made)
    if tool is None or left is None or right is None or (kind is ast.Div and not right):
        return None
    made.append((tool, left, right))
    return OPERATIONS[kind](left, right)
