from __future__ import annotations

import pytest

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.nodes import reading_table
from agentic_dsl.node_table import (
    NODE_TABLE,
    AnyNode,
    End,
    FieldKind,
    FieldSpec,
    Join,
    NodeSpec,
    Resource,
    ToolCall,
    UnknownNode,
)


def document(*nodes: str) -> Document:
    body = "".join("  - " + node.strip("\n").replace("\n", "\n    ") + "\n" for node in nodes)
    return parse(f"# AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}```\n")


def node(text: str) -> AnyNode:
    parsed = document(text)
    assert parsed.diagnostics == ()
    return next(parsed.subgraphs).nodes[0]


def findings(text: str) -> list[tuple[str, str]]:
    """Code and source text of each finding."""
    parsed = document(text)
    return [(d.code, parsed.source.text[d.span.start : d.span.end]) for d in parsed.diagnostics]


SAMPLES = {
    FieldKind.ID: "a",
    FieldKind.NAME: "name",
    FieldKind.TEXT: '"{{ x }}"',
    FieldKind.INTEGER: "3",
    FieldKind.KEYS: "[k]",
    FieldKind.VALUES: "{k: v}",
    FieldKind.PARAMETERS: "{seed: 7}",
    FieldKind.DATA: "{any: [1]}",
    FieldKind.REFERENCE: "/main/x/b",
    FieldKind.REFERENCES: "[/main/x/b, c]",
    FieldKind.WAIT: "{any_of: [b, c]}",
    FieldKind.PERMISSIONS: "[network]",
    FieldKind.SIGNATURE: '"(a: string) -> {b: string}"',
    FieldKind.ARCHIVE: 'archive_to("/main/y")',
}


def overlaid(spec: NodeSpec, cell: FieldSpec) -> bool:
    """Whether a nested field of the type is written under, or instead of, a common field's key."""
    return len(cell.path) == 1 and any(cell.path[0] in other.path for other in spec.fields if len(other.path) > 1)


def sample(spec: NodeSpec) -> str:
    """A node of a type with every field that the table gives it."""
    lines = [f"type: {spec.type}"]
    containers: dict[str, list[str]] = {}
    for cell in spec.fields:
        value = cell.choices[-1] if cell.kind is FieldKind.CHOICE else SAMPLES[cell.kind]
        if len(cell.path) == 1 and not overlaid(spec, cell):
            lines.append(f"{cell.path[0]}: {value}")
        elif len(cell.path) == 2:
            containers.setdefault(cell.path[0], []).append(f"{cell.path[1]}: {value}")
    lines += [f"{name}: {{{', '.join(pairs)}}}" for name, pairs in containers.items()]
    return "\n".join(lines)


@pytest.mark.parametrize("spec", NODE_TABLE.values(), ids=lambda spec: spec.type)
def test_every_field_of_the_table_is_read(spec: NodeSpec) -> None:
    parsed = document(sample(spec))
    read = next(parsed.subgraphs).nodes[0]
    assert [d.code for d in parsed.diagnostics] == (["ADL122"] if spec.type == "fork" else [])
    assert type(read) is spec.row
    assert read.extra == {}
    for cell in spec.fields:
        dropped = spec.type == "fork" and cell.name == "next"
        if not dropped and not overlaid(spec, cell):
            assert getattr(read, cell.name), cell.name
            assert cell.path in read.spans.values
            assert cell.path in read.spans.keys


@pytest.mark.parametrize("spec", NODE_TABLE.values(), ids=lambda spec: spec.type)
def test_every_required_field_is_missed_at_the_id(spec: NodeSpec) -> None:
    required = [cell for cell in reading_table(spec.row).required if cell.name != "id"]
    assert findings(f"id: me\ntype: {spec.type}") == [("ADL107", "me")] * len(required)


def test_a_field_may_stand_in_for_a_required_one() -> None:
    read = node("id: a\ntype: tool_call\ntool: t\noutput_mapping: {x: y}")
    assert isinstance(read, ToolCall)
    assert read.writes == ("x",)


@pytest.mark.parametrize("empty", ["", "~", "[]"])
def test_a_required_field_that_is_empty_is_missing(empty: str) -> None:
    text = f"id: a\ntype: tool_call\ntool: t\noutput_keys: {empty}"
    assert [code for code, _ in findings(text)] == ["ADL107"]


def test_null_is_the_same_as_nothing_for_an_optional_field() -> None:
    read = node("id: a\ntype: end\noutput_keys:\nmetadata: null\nsignature: ~")
    assert read == End(id="a")


def test_spans_lead_to_keys_and_values_by_canonical_path() -> None:
    parsed = document("id: a\ntype: join\nwait_for: [b, c]\nnext: d")
    (read,) = next(parsed.subgraphs).nodes
    text = parsed.source.text

    def at(*path: str | int) -> str:
        return text[read.at(*path).start : read.at(*path).end]

    assert at("id") == "a"
    assert at("type") == "join"
    assert at("join", "wait_for") == "[b, c]"
    assert at("join", "wait_for", 1) == "c"
    assert at("next", 0) == "d"
    key = read.key_at("join", "wait_for")
    assert text[key.start : key.end] == "wait_for"
    assert text[read.span.start : read.span.end].startswith("id: a")


def test_a_node_without_an_id_gets_one_that_nothing_collides_with() -> None:
    parsed = document("type: end", 'id: "(node 1)"\ntype: end', "type: end")
    ids = [read.id for read in next(parsed.subgraphs).nodes]
    assert len(set(ids)) == 3
    assert [d.code for d in parsed.diagnostics] == ["ADL107", "ADL110", "ADL107"]


def test_an_unknown_type_is_kept_with_all_its_keys() -> None:
    parsed = document("id: a\ntype: tool_cal\ntool: t\nnext: b")
    (read,) = next(parsed.subgraphs).nodes
    assert isinstance(read, UnknownNode)
    assert (read.type, read.extra) == ("tool_cal", {"tool": "t"})
    assert [str(target) for target in read.next] == ["b"]
    (finding,) = parsed.diagnostics
    assert (finding.code, finding.help) == ("ADL406", 'write "tool_call"')


def test_an_unknown_key_is_kept_and_the_nearest_one_named() -> None:
    parsed = document("id: a\ntype: end\noutput_kyes: [x]")
    (read,) = next(parsed.subgraphs).nodes
    assert read.extra == {"output_kyes": ("x",)}
    (finding,) = parsed.diagnostics
    assert (finding.code, finding.is_error, finding.help) == ("ADL106", False, 'write "output_keys"')


def test_a_field_of_another_type_is_an_error_that_says_where_it_belongs() -> None:
    parsed = document("id: a\ntype: end\ntool: x")
    (finding,) = parsed.diagnostics
    assert finding.code == "ADL121"
    assert "tool_call" in (finding.help or "")
    assert next(parsed.subgraphs).nodes[0].extra == {"tool": "x"}


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("tool: 3", "3"),
        ("tool: true", "true"),
        ("tool: [x]", "[x]"),
        ("output_keys: [1]", "1"),
        ("output_keys: [[x]]", "[x]"),
        ("arguments: [x]", "[x]"),
        ("arguments: plain", "plain"),
        ('output_mapping: "{{ x }}"', '"{{ x }}"'),
        ("on_error: [x, y]", "[x, y]"),
        ("next: [1]", "1"),
        ("next: {to: x}", "{to: x}"),
        ("next: [[x]]", "[x]"),
        ("signature: 3", "3"),
        ("on_success: 3", "3"),
        ("metadata: x", "x"),
        ("permissions: [3]", "3"),
    ],
)
def test_a_value_of_a_wrong_type_is_reported_at_the_value(line: str, at: str) -> None:
    fields = {"tool": "tool: t", "output_keys": "output_keys: [k]"} | {line.split(":")[0]: line}
    found = findings("\n".join(["id: a", "type: tool_call", *fields.values()]))
    assert found == [("ADL108", at)]


@pytest.mark.parametrize(
    ("line", "code", "at"),
    [
        ("next: [b c]", "ADL112", "b c"),
        ("on_success: store", "ADL115", None),
        ("permissions: [teleport]", "ADL114", "teleport"),
        ("permissions: [{tol: x}]", "ADL114", "tol"),
        ("permissions: [{tool: x, network: y}]", "ADL114", "network"),
        ("permissions: [{network: false}]", "ADL114", "false"),
        ("permissions: [{tool: [a, b]}]", "ADL114", "[a, b]"),
        ("permissions: [{tool: 'x → scope, y'}]", "ADL114", ","),
        ("permissions: [{}]", "ADL114", "{}"),
        ("next: [/main/x y]", "ADL112", " "),
        ("next: [/main/a@v1]", "ADL112", "@v1"),
        ("on_success: archive(x)", "ADL115", "archive(x)"),
        ('on_success: archive_to("/main/x@v1")', "ADL115", "@v1"),
        ('signature: "(a: strng)"', "ADL310", "strng"),
        ('signature: "() -> string"', "ADL113", "string"),
        ('signature: "(a"', "ADL113", None),
    ],
)
def test_a_text_that_cannot_be_read_is_reported(line: str, code: str, at: str | None) -> None:
    ((found, place),) = findings(f"id: a\ntype: end\n{line}")
    assert found == code
    assert at is None or place == at


def test_every_finding_of_a_signature_is_reported_at_its_place_and_the_rest_is_read() -> None:
    line = "(a: strng, b: integer = 'x', c: nmber) -> {d: any}"
    text = f'id: a\ntype: end\nsignature: "{line}"'
    assert findings(text) == [("ADL310", "strng"), ("ADL113", "'x'"), ("ADL310", "nmber")]
    signature = next(document(text).subgraphs).nodes[0].signature
    assert signature is not None
    assert [str(parameter.type) for parameter in signature.inputs] == ["any", "integer", "any"]


def test_a_permission_with_its_options_in_one_line_is_read_in_a_mapping_too() -> None:
    (read,) = next(document("id: a\ntype: end\npermissions: [{tool: 'x → scope: y', note: z}]").subgraphs).nodes
    assert [(p.kind, p.name, dict(p.options)) for p in read.permissions] == [("tool", "x", {"scope": "y", "note": "z"})]


def test_a_wrong_choice_is_answered_with_the_nearest_word() -> None:
    parsed = document("id: a\ntype: end\nmetadata: {termination_mode: sofft}")
    (finding,) = parsed.diagnostics
    assert (finding.code, finding.help) == ("ADL109", 'write "soft"')
    assert next(parsed.subgraphs).nodes[0] == End(id="a")


def test_a_wrong_word_in_a_required_field_is_kept() -> None:
    (read,) = next(document("id: a\ntype: resource\nresource_type: tape\nuri: x").subgraphs).nodes
    assert isinstance(read, Resource)
    assert read.resource_type == "tape"


def test_a_key_below_a_container_that_it_does_not_have_is_kept() -> None:
    parsed = document("id: a\ntype: join\njoin: {wait_for: [b], strategy: x}")
    (read,) = next(parsed.subgraphs).nodes
    assert [d.code for d in parsed.diagnostics] == ["ADL106"]
    assert read.extra == {"join.strategy": "x"}


def test_metadata_of_an_end_loses_only_its_termination_mode() -> None:
    read = node("id: a\ntype: end\nmetadata: {note: x, termination_mode: soft}")
    assert isinstance(read, End)
    assert (read.termination_mode, read.metadata) == ("soft", {"note": "x"})


@pytest.mark.parametrize("item", ["text", "[a]", "3"])
def test_an_item_that_is_no_mapping_is_reported_and_left_out(item: str) -> None:
    parsed = document("id: a\ntype: end", item)
    assert [d.code for d in parsed.diagnostics] == ["ADL108"]
    assert len(next(parsed.subgraphs).nodes) == 1


def test_a_join_may_wait_for_everything() -> None:
    read = node('id: a\ntype: join\njoin: {wait_for: ["@all"]}')
    assert isinstance(read, Join)
    assert [str(source) for source in read.sources] == ["@all"]


def test_subgraphs_keep_the_order_of_their_nodes() -> None:
    parsed = document(*(f"id: n{index}\ntype: end" for index in range(50)))
    subgraph = next(parsed.subgraphs)
    assert isinstance(subgraph, Subgraph)
    assert [read.id for read in subgraph.nodes] == [f"n{index}" for index in range(50)]
