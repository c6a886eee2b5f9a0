"""Texts of answers, and cases that the emitted grammar must accept or refuse."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from agentic_dsl.compiler.grammar.lower import lower
from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints
from tests.compiler.grammar.acceptors import accepts, automaton
from tests.compiler.grammar.requests import TOOLS

END = "  - id: done\n    type: end\n"


def block(nodes: str = END, path: str = "/dynamic/plan", keys: str = "") -> str:
    return (
        f"### AgenticDSL `{path}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n{keys}nodes:\n{nodes}"
        "# --- END AgenticDSL ---\n```\n"
    )


def node(type_: str, body: str, id_: str = "a", next_: str | None = '["/dynamic/plan/done"]') -> str:
    """A node; ``body`` is indented by its level within the node."""
    lines = f"  - id: {id_}\n    type: {type_}\n{indent(body, '    ')}"
    return lines + (f"    next: {next_}\n" if next_ else "")


def judged(constraints: Constraints, text: str) -> bool:
    """Whether the grammar accepts a text; both readers must say the same."""
    by_xgrammar = accepts(compile(constraints).grammar, text)
    assert automaton(lower(constraints)).accepts(text) is by_xgrammar
    return by_xgrammar


@dataclass(frozen=True)
class Case:
    accepted: bool
    text: str
    constraints: Constraints


def yes(text: str, **constraints: object) -> Case:
    return Case(True, text, Constraints(**({"tools": TOOLS} | constraints)))  # type: ignore[arg-type]


def no(text: str, **constraints: object) -> Case:
    return Case(False, text, Constraints(**({"tools": TOOLS} | constraints)))  # type: ignore[arg-type]


def check(case: Case) -> None:
    assert judged(case.constraints, case.text) is case.accepted


def call(body: str, rest: str = 'output_keys: ["r"]\n') -> str:
    return block(node("tool_call", body + rest))
