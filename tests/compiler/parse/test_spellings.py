"""Every accepted spelling of ``language.md`` §4, beside what it means."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.node_table import AnyNode

EQUAL = [
    (
        "type: llm_call\nprompt_template: p\noutput_keys: [k]",
        "type: dsl_call\nprompt_template: p\nllm_tool_name: llama-default\noutput_keys: [k]",
        ["ADL120"],
    ),
    (
        "type: llm_call\nprompt_template: p\nllm_tool_name: other\noutput_keys: [k]",
        "type: dsl_call\nprompt_template: p\nllm_tool_name: other\noutput_keys: [k]",
        ["ADL120"],
    ),
    (
        "type: llm_generate_dsl\nprompt_template: p\noutput_keys: [k]",
        "type: generate_subgraph\nprompt_template: p\noutput_keys: [k]",
        ["ADL120"],
    ),
    ("type: fork\nbranches: [b, c]", "type: fork\nfork: {branches: [b, c]}", []),
    ("type: fork\nfork: {branches: [{path: b}, {path: /x/c}]}", "type: fork\nfork: {branches: [b, /x/c]}", []),
    ("type: fork\nbranches: [b, c]\nnext: d", "type: fork\nfork: {branches: [b, c]}", ["ADL122"]),
    ("type: join\nwait_for: [b]", "type: join\njoin: {wait_for: [b]}", []),
    ("type: join\nwait_for: b", "type: join\njoin: {wait_for: [b]}", []),
    ("type: join\nwait_for: {all_of: [b, c]}", "type: join\njoin: {wait_for: [b, c]}", []),
    ("type: join\njoin: {wait_for: {all_of: b}}", "type: join\njoin: {wait_for: [b]}", []),
    ("type: join\njoin: {wait_for: '@all'}", "type: join\njoin: {wait_for: ['@all']}", []),
    (
        "type: join\nwait_for: [b]\nmerge_strategy: deep_merge",
        "type: join\njoin: {wait_for: [b], merge_strategy: deep_merge}",
        [],
    ),
    ("type: end\ntermination_mode: soft", "type: end\nmetadata: {termination_mode: soft}", []),
    ("type: end\noutput_keys: x", "type: end\noutput_keys: [x]", []),
    ("type: start\nnext: b", "type: start\nnext: [b]", []),
    ("type: start\nnext: {path: b}", "type: start\nnext: [b]", []),
    ("type: start\nnext: b\nwait_for: c", "type: start\nnext: [b]\nwait_for: {all_of: [c]}", []),
    ("type: assert\ncondition: x > 1\nnext: b", 'type: assert\ncondition: "{{ x > 1 }}"\nnext: b', []),
    ("type: assert\ncondition: '{{ x }} > 1'", "type: assert\ncondition: '{{ x }} > 1'", []),
    ("type: assign\nassign: {x: 1}\non_error: [b]", "type: assign\nassign: {x: 1}\non_error: b", []),
]


def read(text: str) -> tuple[AnyNode, list[str]]:
    body = ("id: a\n" + text).replace("\n", "\n    ")
    parsed = parse(f"# AgenticDSL `/main/x`\n```\nnodes:\n  - {body}\ngraph_type: subgraph\n```\n")
    (node,) = next(parsed.subgraphs).nodes
    return node, [finding.code for finding in parsed.diagnostics]


@pytest.mark.parametrize(("loose", "canonical", "codes"), EQUAL, ids=[loose for loose, _, _ in EQUAL])
def test_a_loose_spelling_means_the_canonical_one(loose: str, canonical: str, codes: list[str]) -> None:
    node, found = read(loose)
    assert node == read(canonical)[0]
    assert found == codes
    assert read(canonical)[1] == []


def test_the_old_type_name_is_remembered() -> None:
    assert read(EQUAL[0][0])[0].spelling == "llm_call"
    assert read(EQUAL[0][1])[0].spelling is None


def test_arguments_may_be_one_template() -> None:
    node, found = read('type: tool_call\ntool: "{{ t }}"\narguments: "{{ all }}"\noutput_keys: k')
    assert found == []
    assert getattr(node, "arguments") == "{{ all }}"  # noqa: B009  a node of any type
    assert getattr(node, "tool") == "{{ t }}"  # noqa: B009


def test_a_field_in_two_places_is_an_error() -> None:
    assert read("type: fork\nbranches: [b, c]\nfork: {branches: [d]}")[1] == ["ADL102"]
    assert read("type: end\ntermination_mode: soft\nmetadata: {termination_mode: hard}")[1] == ["ADL102"]


def test_a_join_cannot_wait_for_any() -> None:
    assert read("type: join\nwait_for: {any_of: [b]}")[1] == ["ADL109"]


def test_assign_takes_expr_and_path_as_ordinary_keys() -> None:
    node, found = read('type: assign\nassign: {expr: "{{ x }}", path: y}')
    assert found == []
    assert node.writes == ("expr", "path")


def test_a_boolean_condition_is_a_bare_expression() -> None:
    node, found = read("type: assert\ncondition: true")
    assert found == []
    assert getattr(node, "condition") == "{{ true }}"  # noqa: B009
