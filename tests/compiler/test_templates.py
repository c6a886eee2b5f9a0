"""Which strings of a node may hold templates, by the node table."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.compiler.templates import SHORTEST, reads_of, templates_of
from agentic_dsl.node_table import (
    ROWS,
    Assert,
    Assign,
    CodeletCall,
    DslCall,
    End,
    FieldKind,
    Fork,
    GenerateSubgraph,
    Join,
    Resource,
    ToolCall,
    UnknownNode,
    WaitFor,
    field_specs,
)


def refs(*texts):
    return tuple(parse_reference(text) for text in texts)


def test_values_are_walked_to_their_leaves():
    node = Assign(id="x", assign={"a": "{{ y }}", "b": {"c": ("{{ z }}", 1, None)}, "n": 3, "d": ("t", {"e": ("u",)})})
    assert dict(templates_of(node)) == {
        ("assign", "a"): "{{ y }}",
        ("assign", "b", "c", 0): "{{ z }}",
        ("assign", "d", 0): "t",
        ("assign", "d", 1, "e", 0): "u",
    }


def test_keys_and_fields_without_templates_are_left_out():
    node = CodeletCall(
        id="{{ x }}",
        runtime="py",
        code="{{ a }}",
        metadata={"m": "{{ b }}"},
        output_keys=("{{ k }}",),
        expected_output="{{ c }}",
    )
    assert list(templates_of(node)) == []
    assert list(templates_of(Assign(id="x", assign={"{{ key }}": 1}))) == []


def test_every_template_field_of_a_call_is_found_in_the_order_of_the_table():
    node = ToolCall(
        id="x",
        tool="{{ tool }}",
        arguments={"q": "{{ a }}"},
        output_mapping={"k": "{{ result.b }}"},
        output_keys=("k",),
        on_error=parse_reference("{{ handler }}"),
        wait_for=WaitFor(refs("/p/a", "{{ w }}"), "any_of"),
        next=refs("/lib/x?a={{ c }}", "/p/b"),
    )
    assert list(templates_of(node)) == [
        (("tool",), "{{ tool }}"),
        (("arguments", "q"), "{{ a }}"),
        (("wait_for", 0), "/p/a"),
        (("wait_for", 1), "{{ w }}"),
        (("output_mapping", "k"), "{{ result.b }}"),
        (("on_error",), "{{ handler }}"),
        (("next", 0), "/lib/x?a={{ c }}"),
        (("next", 1), "/p/b"),
    ]


def test_arguments_may_be_one_template():
    node = ToolCall(id="x", tool="t", arguments="{{ all }}", output_keys=("k",))
    assert list(templates_of(node)) == [(("tool",), "t"), (("arguments",), "{{ all }}")]


@pytest.mark.parametrize(
    ("node", "paths"),
    [
        (End(id="x"), []),
        (
            DslCall(id="x", prompt_template="p", llm_tool_name="m", llm_params={"model": "{{ a }}"}),
            [("prompt_template",)],
        ),
        (Assert(id="x", condition="{{ a }}", on_failure=parse_reference("y")), [("condition",), ("on_failure",)]),
        (Fork(id="x", branches=refs("a", "b")), [("fork", "branches", 0), ("fork", "branches", 1)]),
        (Join(id="x", sources=refs("a", "@all")), [("join", "wait_for", 0), ("join", "wait_for", 1)]),
        (
            GenerateSubgraph(id="x", prompt_template="p", namespace_prefix="/dynamic/{{ a }}"),
            [("prompt_template",), ("namespace_prefix",)],
        ),
        (Resource(id="x", resource_type="file", uri="{{ a }}"), [("uri",)]),
        (UnknownNode(id="x", type_name="y", next=refs("a")), [("next", 0)]),
    ],
)
def test_templates_stand_at_canonical_paths(node, paths):
    assert [path for path, _ in templates_of(node)] == paths


@pytest.mark.parametrize("row", ROWS)
def test_exactly_the_fields_that_the_table_marks_are_found(row):
    text = "{{ here }}"
    filled = {
        FieldKind.TEXT: text,
        FieldKind.NAME: text,
        FieldKind.VALUES: {"k": text},
        FieldKind.DATA: text,
        FieldKind.REFERENCE: parse_reference(text),
        FieldKind.REFERENCES: refs(text),
        FieldKind.WAIT: WaitFor(refs(text)),
        FieldKind.CHOICE: text,
        FieldKind.KEYS: (text,),
        FieldKind.PARAMETERS: {"model": text},
        FieldKind.ID: text,
        FieldKind.ARCHIVE: text,
    }
    specs = field_specs(row)
    node = row(**{spec.name: filled[spec.kind] for spec in specs if spec.kind in filled})
    found = [path[: len(spec.path)] for spec in specs if spec.template for path in [spec.path]]
    assert [path[: len(wanted)] for (path, _), wanted in zip(templates_of(node), found, strict=True)] == found


def test_the_reads_of_a_string_are_those_of_its_template():
    found = reads_of("a {{ x.y }} {{ default(z, 1) }}").found
    assert not isinstance(found, Problem)
    assert [read.name for read in found] == ["x", "z"]
    assert reads_of("plain").found == ()
    assert isinstance(reads_of("{{ broken").found, Problem)


def test_a_template_counts_the_length_of_its_constructs_and_a_broken_one_all_of_it():
    assert reads_of("plain").length == 0
    assert reads_of("some text {{ x }} and more").length == SHORTEST
    assert reads_of("{{ a }}{% set b = 1 %}{# note #}").length == 3 * SHORTEST
    assert reads_of("{{ " + "a + " * 30 + "a }} text").length == len("{{ " + "a + " * 30 + "a }}")
    assert reads_of("text {{ broken").length == len("text {{ broken")
