"""Texts and values of generated documents are held to the grammar's own lines."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec

TOOL = ToolSpec(
    name="pay",
    parameters={
        "type": "object",
        "properties": {
            "amount": {"type": "number"},
            "note": {"type": "string"},
            "mode": {"type": "string", "enum": ["fast", "slow"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "options": {"type": "object"},
        },
    },
)

CONSTRAINTS = Constraints(tools=[TOOL], context=ContextSignature(available_vars=["x"]))


def findings(line: str) -> list[tuple[str, str]]:
    text = (
        "### AgenticDSL `/dynamic/plan`\n```yaml\ngraph_type: subgraph\nnodes:\n  - id: a\n    type: tool_call\n"
        f"    tool: pay\n    arguments:\n      {line}\n"
        '    output_keys: ["paid"]\n    next: ["/__system__/end_soft"]\n```\n'
    )
    document = parse(text)
    return [
        (d.code, text[d.span.start : d.span.end])
        for d in check(document, constraints=CONSTRAINTS)
        if d.code == "ADL710"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "amount: 4.5",
        'amount: "{{ x.total }}"',
        'note: "from {{ x.name[0] }} with {braces}"',
        'mode: "{{ default(x, \\"fast\\") }}"',
        'tags: ["a", "{{ x }}"]',
        'options: "{{ x }}"',
    ],
)
def test_what_the_grammar_can_write_is_fine(line: str) -> None:
    assert findings(line) == []


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ('amount: "{{ x }} + {{ x }}"', '"{{ x }} + {{ x }}"'),
        ('note: "{{ x | upper }}"', '"{{ x | upper }}"'),
        ('note: "{% if x %}a{% endif %}"', '"{% if x %}a{% endif %}"'),
        ('mode: "f{{ x }}"', '"f{{ x }}"'),
        ('tags: ["a", ["b"]]', '["a", ["b"]]'),
        ("options: {deep: 1}", "{deep: 1}"),
    ],
)
def test_what_no_line_can_hold_is_named_at_its_value(line: str, marked: str) -> None:
    assert findings(line) == [("ADL710", marked)]
