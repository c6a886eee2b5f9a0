from checking import block, subgraph

from agentic_dsl.compiler.edges import EdgeKind
from agentic_dsl.compiler.graph import Graph, build_graph
from agentic_dsl.compiler.parse.document import parse


def graph(nodes: str) -> Graph:
    return build_graph(parse(subgraph(nodes)))


def edges(built: Graph) -> list[tuple[str, str, str]]:
    name = {place.number: place.node.id for place in built.places}
    return [(name[e.source], name[e.target], e.kind.value) for e in built.edges]


def test_flow_and_jump_edges() -> None:
    built = graph("""
    - {id: a, type: assert, condition: "{{ 1 > 0 }}", on_failure: c, on_error: b, next: [b, c]}
    - {id: b, type: fork, fork: {branches: [c, d]}}
    - {id: c, type: generate_subgraph, prompt_template: x, output_keys: [x], on_signature_violation: d, next: /end}
    - {id: d, type: end}
    """)
    assert edges(built) == [
        ("a", "b", "jump"),
        ("a", "c", "jump"),
        ("a", "b", "flow"),
        ("a", "c", "flow"),
        ("b", "c", "flow"),
        ("b", "d", "flow"),
        ("c", "d", "jump"),
    ]
    assert [exit_.reference.text for exit_ in built.exits] == ["/end"]


def test_wait_for_is_an_edge_and_restates_one() -> None:
    built = graph("""
    - {id: a, type: assign, assign: {x: 1}, next: b}
    - {id: b, type: assign, assign: {x: 1}, wait_for: [a], next: c}
    - {id: c, type: assign, assign: {x: 1}, wait_for: {any_of: [a]}, next: /end}
    """)
    assert edges(built) == [("a", "b", "flow"), ("b", "c", "flow"), ("a", "c", "flow")]
    assert [edge.restated for edge in built.edges] == [False, False, True]


def test_a_join_adds_an_edge_only_where_the_source_says_nothing() -> None:
    nodes = """
    - {{id: f, type: fork, fork: {{branches: [a, b]}}}}
    - {{id: a, type: assign, assign: {{x: 1}}, {a}}}
    - {{id: b, type: assign, assign: {{y: 1}}, {b}}}
    - {{id: j, type: join, join: {{wait_for: [a, b, f]}}, next: /end}}
    """
    into_j = [("a", "j", "flow"), ("b", "j", "flow")]
    both = edges(graph(nodes.format(a="next: j", b="next: j")))
    assert both[2:] == into_j
    assert edges(graph(nodes.format(a="next: j", b="metadata: {}")))[2:] == into_j
    nobody = edges(graph(nodes.format(a="metadata: {}", b="metadata: {}")))
    assert nobody[2:] == [*into_j, ("f", "j", "flow")]


def test_calls_stand_on_the_edges_of_their_list() -> None:
    built = graph("""
    - {id: a, type: start, next: ["/lib/human/approval?request=x", /lib/nope, b, c]}
    - {id: b, type: start, next: ["/lib/human/approval?request=x"]}
    - {id: c, type: end}
    """)
    assert [[call.reference.path.name for call in edge.calls] for edge in built.edges] == [["approval"]] * 2  # type: ignore[union-attr]
    assert [len(exit_.calls) for exit_ in built.exits] == [1]
    assert built.loose == {0}


def test_the_order_is_topological_and_leaves_circles_out() -> None:
    built = graph("""
    - {id: e, type: end}
    - {id: s, type: start, next: [a, x]}
    - {id: a, type: assign, assign: {x: 1}, next: e}
    - {id: x, type: assign, assign: {x: 1}, next: y}
    - {id: y, type: assign, assign: {x: 1}, next: x}
    """)
    assert [built.places[number].node.id for number in built.order] == ["s", "a", "e"]
    assert [[edge.source for edge in circle] for circle in built.cycles] == [[3, 4]]


def test_blocks_of_a_document_share_one_graph() -> None:
    text = (
        block("/main/a", "type: start\nnext: /main/b") + block("/main/b", "type: end") + block("/main/c", "type: end")
    )
    built = build_graph(parse(text))
    assert edges(built) == [("a", "b", "flow")]
    assert built.roots == {0, 2}
    assert built.group == (0, 0, 2)
    assert built.edges[0].kind is EdgeKind.FLOW


def test_a_subgraph_alone_has_a_graph() -> None:
    document = parse(subgraph("- {id: a, type: start, next: b}\n- {id: b, type: end}"))
    assert edges(build_graph(next(document.subgraphs))) == [("a", "b", "flow")]
