"""Diagrams: calls on the way, ends, findings at their nodes, the longest way."""

from __future__ import annotations

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.critical_path import ranks
from agentic_dsl.compiler.diagram import Diagram, ItemKind, WayKind
from agentic_dsl.compiler.diagram_builder import build_diagram
from agentic_dsl.compiler.parse.document import parse


def diagram_of(*nodes: str, path: str | None = None, blocks: tuple[str, ...] = ()) -> Diagram:
    body = "\n".join(f"  - {node}" for node in nodes)
    text = f"### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n{body}\n```\n" + "\n".join(blocks)
    document = parse(text, path="x.md")
    return build_diagram(CheckContext(document).graph, check(document), path=path)


def arrows(diagram: Diagram) -> list[str]:
    """``a -flow> b`` for each way."""
    name = {item.key: item.name.partition("?")[0].rsplit("/", 1)[-1] for item in diagram.items}
    return [f"{name[way.source]} -{way.kind.value}> {name[way.target]}" for way in diagram.ways]


def critical(diagram: Diagram) -> list[str]:
    return [item.name for item in diagram.items if item.critical]


def test_calls_stand_between_a_node_and_what_follows_in_their_order() -> None:
    diagram = diagram_of(
        "{id: a, type: start, next: ['/lib/tool/list_available@v1?x=1', '/lib/no/such', b, c]}",
        "{id: b, type: end}",
        "{id: c, type: end}",
    )
    assert arrows(diagram) == [
        "a -call> list_available@v1", "list_available@v1 -call> such", "such -flow> b", "such -flow> c",
    ]  # fmt: skip
    known, unknown = (item for item in diagram.items if item.kind is ItemKind.CALL)
    assert known.fields is not None
    assert known.fields["version"]
    assert unknown.fields == {"reference": "/lib/no/such"}


def test_nothing_after_the_calls_is_an_end() -> None:
    for reference in ("/lib/tool/list_available@v1", "/lib/no/such"):
        diagram = diagram_of(f"{{id: a, type: start, next: ['{reference}']}}")
        assert arrows(diagram)[-1].endswith("-flow> end")
        assert diagram.items[-1].kind is ItemKind.END


def test_a_failure_leaves_the_node_and_not_its_calls() -> None:
    diagram = diagram_of(
        "{id: a, type: assign, assign: {k: x}, on_error: b, next: ['/lib/tool/list_available@v1', b]}",
        "{id: b, type: end}",
    )
    assert "a -jump> b" in arrows(diagram)
    [jump] = [way for way in diagram.ways if way.kind is WayKind.JUMP]
    assert jump.label == "on_error"


def test_a_reference_that_is_known_at_run_time_only_is_open() -> None:
    diagram = diagram_of(
        "{id: a, type: assign, assign: {k: x}, on_error: '{{ x }}', next: nowhere}",
    )
    assert [(item.kind, item.name) for item in diagram.items[1:]] == [
        (ItemKind.OPEN, "nowhere"), (ItemKind.OPEN, "{{ x }}"),
    ]  # fmt: skip


def test_an_end_that_many_ways_lead_to_is_drawn_at_each_of_them() -> None:
    def ends(count: int) -> int:
        ids = [f"n{i}" for i in range(count)]
        nodes = [f"{{id: {name}, type: assign, assign: {{k: x}}, next: /__system__/end_soft}}" for name in ids]
        diagram = diagram_of(f"{{id: f, type: fork, fork: {{branches: [{', '.join(ids)}]}}}}", *nodes)
        return sum(item.kind is ItemKind.END for item in diagram.items)

    assert ends(4) == 1
    assert ends(5) == 5


def test_findings_stand_at_their_node_block_or_document() -> None:
    diagram = diagram_of(
        "{id: a, type: start, next: b}",
        "{id: b, type: assign, assign: {k: '{{ nope }}'}, next: c}",
        "{id: c, type: end}",
        "{id: lost, type: end}",
        blocks=("### AgenticDSL `/main/y`\n```yaml\ngraph_type: subgraph\nnodes: []\n```\n",),
    )
    found = {item.name: {finding["code"] for finding in item.findings} for item in diagram.items}
    assert found["b"]
    assert found["lost"]
    assert not found["a"]
    assert not found["c"]
    assert not diagram.blocks[0].findings
    assert "ADL212" in {finding["code"] for finding in diagram.blocks[1].findings}
    whole = {(f["code"], f["line"], f["message"]) for f in diagram.all_findings}
    assert len(whole) == len(diagram.all_findings)


def test_every_finding_of_check_is_shown_exactly_once() -> None:
    text = "# x\n### AgenticDSL `/__meta__`\n```yaml\nentry_point: /main/gone\n```\n### AgenticDSL `/main/x`\n```yaml\n"
    text += "graph_type: subgraph\nentry: no\nnodes:\n  - {id: a, type: nonsense, next: a}\n```\n"
    document = parse(text)
    findings = check(document)
    diagram = build_diagram(CheckContext(document).graph, findings)
    assert sorted(f["message"] for f in diagram.all_findings) == sorted(f.message for f in findings)


def test_the_critical_path_is_the_longest_way_without_failures() -> None:
    diagram = diagram_of(
        "{id: a, type: fork, fork: {branches: [short, long]}}",
        "{id: short, type: assign, assign: {k: x}, on_error: sorry, next: both}",
        "{id: sorry, type: assign, assign: {k: x}, next: sorry2}",
        "{id: sorry2, type: assign, assign: {k: x}, next: /end}",
        "{id: long, type: assign, assign: {m: x}, next: ['/lib/tool/list_available@v1', both]}",
        "{id: both, type: join, join: {wait_for: [short, long]}, next: z}",
        "{id: z, type: end}",
    )
    assert critical(diagram) == ["a", "long", "/lib/tool/list_available@v1", "both", "z"]
    taken = [way for way in diagram.ways if way.critical]
    assert [(way.source, way.target) for way in taken] == [("n0", "n4"), ("n4", "c4_1"), ("c4_1", "n5"), ("n5", "n6")]


def test_what_no_run_reaches_is_not_critical() -> None:
    diagram = diagram_of(
        "{id: a, type: start, next: b}",
        "{id: b, type: end}",
        *[f"{{id: x{i}, type: assign, assign: {{k: x}}, next: x{i + 1}}}" for i in range(5)],
        "{id: x5, type: end}",
    )
    assert critical(diagram) == ["a", "b"]


def test_a_circle_is_drawn_and_one_way_of_it_closes() -> None:
    diagram = diagram_of(
        "{id: a, type: assign, assign: {k: x}, next: b}",
        "{id: b, type: assign, assign: {k: x}, next: [c, a]}",
        "{id: c, type: assign, assign: {k: x}, next: [c]}",
    )
    closing = [(way.source, way.target) for way in diagram.ways if way.closing]
    assert closing == [("n1", "n0"), ("n2", "n2")]


def test_a_document_built_by_a_program_has_no_lines() -> None:
    document = parse("### AgenticDSL `/main/x`\n```yaml\ngraph_type: subgraph\nnodes:\n  - {id: a, type: end}\n```\n")
    [subgraph] = document.subgraphs
    from agentic_dsl.compiler.graph import build_graph

    diagram = build_diagram(build_graph(subgraph))
    assert diagram.items[0].line is None
    assert diagram.title == "document"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=30))
def test_ranks_grow_along_every_way_outside_circles(pairs: list[tuple[int, int]]) -> None:
    keys = [f"n{i}" for i in range(9)]
    ways = [(f"n{a}", f"n{b}") for a, b in pairs]
    rank = ranks(keys, ways)
    assert sorted(rank.values()) == list(range(9))
    graph = nx.DiGraph(ways)
    part = {key: number for number, keys in enumerate(nx.strongly_connected_components(graph)) for key in keys}
    for source, target in ways:
        if part[source] != part[target]:
            assert rank[source] < rank[target]
    forward = [(a, b) for a, b in ways if rank[a] < rank[b]]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(forward))
