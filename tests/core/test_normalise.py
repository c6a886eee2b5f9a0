"""The one document that all spellings mean."""

from __future__ import annotations

import pytest

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.format import normalise
from agentic_dsl.node_table import Assign, Fork, Join, Node, WaitFor
from agentic_dsl.paths import Path


def normal(*nodes: str, head: str = "", path: str = "/main/p", more: str = "") -> Subgraph:
    """The first subgraph of a document with these nodes, normalised."""
    body = "".join(f"  - {node}\n" for node in nodes)
    text = f"### AgenticDSL `{path}`\n```yaml\ngraph_type: subgraph\n{head}nodes:\n{body}```\n{more}"
    document = normalise(parse(text))
    assert normalise(document) == document
    return next(document.subgraphs)


def texts(references: object) -> list[str]:
    return [str(reference) for reference in references]  # type: ignore[attr-defined]


def order(subgraph: Subgraph) -> list[str]:
    return [node.id for node in subgraph.nodes]


def node(subgraph: Subgraph, name: str) -> Node:
    return next(node for node in subgraph.nodes if node.id == name)


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("b", "/main/p/b"),
        ("/self/b", "/main/p/b"),
        ("/self/deep/b", "/main/p/deep/b"),
        ("/main/p/b", "/main/p/b"),
        ("/lib/x@v1.2?q={{ a }}", "/lib/x@v1.2?q={{ a }}"),
        ("/end_soft", "/end_soft"),
        ("nowhere", "nowhere"),
        ("{{ where }}", "{{ where }}"),
        ("not a reference", "not a reference"),
    ],
)
def test_a_reference_becomes_a_full_path_where_it_means_one(written: str, full: str) -> None:
    subgraph = normal(
        f"{{id: a, type: assign, assign: {{x: 1}}, on_error: '{written}', next: ['{written}']}}", "{id: b, type: end}"
    )
    first = node(subgraph, "a")
    assert texts(first.next) == [full]
    assert str(first.on_error) == full
    assert first.next == (parse_reference(full),)


def test_a_normal_reference_is_what_the_parser_makes_of_its_text() -> None:
    subgraph = normal("{id: a, type: start, next: /self/b}", "{id: b, type: end}")
    [reference] = subgraph.nodes[0].next
    expected = parse_reference("/main/p/b")
    assert (reference.kind, reference.path, reference.query) == (expected.kind, expected.path, expected.query)


def test_an_order_that_is_topological_is_kept() -> None:
    subgraph = normal("{id: z, type: start, next: [b, a]}", "{id: b, type: end}", "{id: a, type: end}")
    assert order(subgraph) == ["z", "b", "a"]


def test_another_order_becomes_topological_with_as_few_moves_as_source_order_allows() -> None:
    subgraph = normal(
        "{id: d, type: end}",
        "{id: c, type: assert, condition: x, on_failure: e, next: d}",
        "{id: a, type: start, next: c}",
        "{id: e, type: end}",
        "{id: f, type: assign, assign: {x: 1}, wait_for: e, next: d}",
    )
    assert order(subgraph) == ["a", "c", "e", "f", "d"]


def test_a_cyclic_block_keeps_its_order() -> None:
    subgraph = normal(
        "{id: b, type: assign, next: a}", "{id: a, type: assign, next: b}", "{id: s, type: start, next: b}"
    )
    assert order(subgraph) == ["b", "a", "s"]


def test_nodes_with_one_id_keep_their_order() -> None:
    subgraph = normal("{id: a, type: end}", "{id: b, type: start, next: a}", "{id: a, type: end}")
    assert order(subgraph) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("head", "nodes", "entry"),
    [
        ("entry: a\n", ("{id: a, type: assign}",), None),
        ("entry: b\n", ("{id: a, type: assign}", "{id: b, type: assign}"), "b"),
        ("entry: b\n", ("{id: a, type: assign}", "{id: b, type: assign, next: a}"), None),
        ("", ("{id: a, type: assign}", "{id: s, type: start}"), "s"),
        ("", ("{id: a, type: assign}", "{id: s, type: start, next: a}"), None),
        ("entry: a\n", ("{id: a, type: assign}", "{id: s, type: start}"), "a"),
        ("", ("{id: r, type: resource, resource_type: file, uri: x}", "{id: a, type: end}"), "a"),
        ("", (), None),
    ],
)
def test_the_entry_is_stated_where_it_is_not_the_first_node(
    head: str, nodes: tuple[str, ...], entry: str | None
) -> None:
    subgraph = normal(*nodes, head=head)
    assert subgraph.entry == entry
    assert subgraph.entry_id == (entry or (subgraph.nodes[0].id if nodes else None))


# --- joins -----------------------------------------------------------------------------------------------------------

FORK = "{id: f, type: fork, branches: [a, b]}"


END = "{id: e, type: end}"


def branch(name: str, target: str | None = None) -> str:
    return f"{{id: {name}, type: assign, assign: {{{name}: 1}}" + (f", next: {target}}}" if target else "}")


@pytest.mark.parametrize("waiting", ["wait_for: ['@all']", "wait_for: []", "dev: 1", "join: {wait_for: '@all'}"])
def test_a_join_without_named_sources_waits_for_what_leads_to_it(waiting: str) -> None:
    subgraph = normal(FORK, branch("a", "j"), branch("b", "j"), f"{{id: j, type: join, {waiting}, next: e}}", END)
    join = node(subgraph, "j")
    assert isinstance(join, Join)
    assert texts(join.sources) == ["/main/p/a", "/main/p/b"]


def test_what_a_join_waits_for_as_any_node_may_is_its_sources() -> None:
    waiting = WaitFor((parse_reference("a"), parse_reference("b")))
    join = Join(id="j", sources=(parse_reference("a"),), wait_for=waiting)
    block = Subgraph(path=Path(("main", "p")), nodes=(Assign(id="a"), Assign(id="b"), join))
    [result] = normalise(Document(blocks=(block,))).subgraphs
    changed = node(result, "j")
    assert isinstance(changed, Join)
    assert texts(changed.sources) == ["/main/p/a", "/main/p/b"]
    assert changed.wait_for is None


def test_sources_that_only_the_join_names_are_led_to_it() -> None:
    subgraph = normal(FORK, branch("a"), branch("b"), "{id: j, type: join, wait_for: [a, b], next: e}", END)
    assert texts(node(subgraph, "a").next) == texts(node(subgraph, "b").next) == ["/main/p/j"]


def test_a_source_without_a_successor_is_led_to_the_join_that_names_it() -> None:
    subgraph = normal(FORK, branch("a", "j"), branch("b"), "{id: j, type: join, wait_for: [a, b], next: e}", END)
    assert texts(node(subgraph, "b").next) == ["/main/p/j"]


def test_a_source_that_leads_elsewhere_stays_a_mistake() -> None:
    subgraph = normal(FORK, branch("a", "j"), branch("b", "e"), "{id: j, type: join, wait_for: [a, b], next: e}", END)
    assert texts(node(subgraph, "b").next) == ["/main/p/e"]


def test_a_join_that_stands_first_is_moved_behind_its_sources() -> None:
    subgraph = normal("{id: j, type: join, wait_for: [a], next: e}", END, branch("a"))
    assert order(subgraph) == ["a", "j", "e"]


def test_nodes_of_a_library_are_linked_like_any_others() -> None:
    nodes = (FORK, branch("a"), branch("b", "j"), "{id: j, type: join, wait_for: ['@all', a], next: e}", END)
    subgraph = normal(*nodes, path="/lib/math/add")
    join = node(subgraph, "j")
    assert isinstance(join, Join)
    assert texts(join.sources) == ["/lib/math/add/a", "/lib/math/add/b"]
    assert texts(node(subgraph, "a").next) == ["/lib/math/add/j"]


def test_sources_in_other_blocks_are_found() -> None:
    nodes = "[{id: x, type: start, next: /main/p/j}]"
    more = f"\n### AgenticDSL `/main/q`\n```yaml\ngraph_type: subgraph\nnodes: {nodes}\n```\n"
    subgraph = normal("{id: j, type: join, wait_for: '@all', next: e}", END, more=more)
    join = node(subgraph, "j")
    assert isinstance(join, Join)
    assert texts(join.sources) == ["/main/q/x"]


def test_the_next_of_a_fork_is_dropped_where_it_names_a_join() -> None:
    document = parse(
        "### AgenticDSL `/main/p`\n```yaml\ngraph_type: subgraph\n"
        "nodes: [{id: j, type: join}, {id: e, type: end}]\n```\n"
    )
    [block] = document.blocks
    assert isinstance(block, Subgraph)
    for target, left in (("j", []), ("e", ["/main/p/e"])):
        fork = Fork(id="f", branches=(parse_reference("e"),), next=(parse_reference(target),))
        changed = type(document)(blocks=(type(block)(path=block.path, nodes=(fork, *block.nodes)),))
        [result] = normalise(changed).subgraphs
        assert texts(node(result, "f").next) == left


def test_spellings_that_mean_the_same_are_equal_when_normalised() -> None:
    one = normal(
        "{id: f, type: fork, branches: [{path: a}, b], next: j}",
        branch("a"),
        "{id: b, type: llm_call, prompt_template: Hi, output_keys: b}",
        "{id: j, type: join, wait_for: [a, b], merge_strategy: deep_merge, next: e}",
        "{id: e, type: end, termination_mode: soft}",
    )
    two = normal(
        "{id: f, type: fork, fork: {branches: [/main/p/a, /self/b]}}",
        branch("a", "[j]"),
        "{id: b, type: dsl_call, prompt_template: Hi, llm_tool_name: llama-default, output_keys: [b],"
        " next: [/main/p/j]}",
        "{id: j, type: join, join: {wait_for: ['@all'], merge_strategy: deep_merge}, next: [e]}",
        "{id: e, type: end, metadata: {termination_mode: soft}}",
    )
    assert one == two
    assert isinstance(node(one, "a"), Assign)


def test_prose_loses_its_blank_edges_and_foreign_line_ends() -> None:
    text = "\r\n\r\nOne\r\ntwo\r\r\n### AgenticDSL `/main/p`\r\n```yaml\r\ntype: start\r\n```\r\n\r\nEnd  \r\n"
    document = normalise(parse(text))
    assert document.blocks[0].prose == "One\ntwo"
    assert document.epilogue == "End"
