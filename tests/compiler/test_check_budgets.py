import pytest
from checking import application, block, codes_of, errors_of, only, subgraph

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.node_table import End
from agentic_dsl.paths import Path

THREE = "- {id: s, type: start, next: a}\n- {id: a, type: assign, assign: {x: 1}, next: e}\n- {id: e, type: end}"
GENERATE = "- {{id: g, type: generate_subgraph, prompt_template: x, {prefix}output_keys: [x], next: [{next}]}}"
SIGNED = 'signature: "() -> ()"'


@pytest.mark.parametrize(("limit", "expected"), [(2, ["ADL504"]), (3, []), (-1, [])])
def test_start_and_end_count(limit: int, expected: list[str]) -> None:
    assert errors_of(application(THREE, f"execution_budget: {{max_nodes: {limit}}}")) == expected


def test_the_first_node_beyond_the_budget_is_named() -> None:
    found = only(application(THREE, "execution_budget: {max_nodes: 2}"))
    assert found[:3] == ("ADL504", "e", "there are 3 nodes; the budget in /__meta__ is 2")


def test_every_block_counts() -> None:
    text = application(THREE, "execution_budget: {max_nodes: 3}") + block("/main/q", "type: end")
    assert errors_of(text) == ["ADL504"]


def test_no_document_has_more_than_ten_thousand_nodes() -> None:
    block = Subgraph(path=Path(("main", "p")), nodes=tuple(End(id=f"n{i}") for i in range(10_001)))
    assert errors_of(Document(blocks=(block,))) == ["ADL504"]


def test_generation_needs_depth() -> None:
    nodes = GENERATE.format(prefix="", next="/end")
    assert errors_of(application(nodes, "execution_budget: {max_subgraph_depth: 1}")) == []
    found = only(application(nodes, "execution_budget: {max_subgraph_depth: 0}"))
    assert found[:2] == ("ADL505", "generate_subgraph")
    assert errors_of(application(nodes, resources="- {type: generate_subgraph, max_depth: 0}")) == ["ADL505"]


def test_a_block_must_not_generate_itself() -> None:
    nodes = GENERATE.format(prefix="namespace_prefix: /dynamic/p, ", next="/end")
    found = only(subgraph(nodes, "/dynamic/p"))
    assert found[:3] == ("ADL506", "/dynamic/p", '"/dynamic/p" reaches itself again')
    assert codes_of(subgraph(nodes, "/dynamic/q")) == []
    assert codes_of(subgraph(nodes, "/dynamic/p/inner")) == ["ADL506"]


def test_libraries_must_not_call_each_other_around_a_generation() -> None:
    one = subgraph(GENERATE.format(prefix="", next="/lib/x/b"), "/lib/x/a", SIGNED)
    two = subgraph("- {id: s, type: start, next: [/lib/x/a]}", "/lib/x/b", SIGNED)
    found = only(one + two)
    assert found[:2] == ("ADL506", "/lib/x/b")
    assert found.message == '"/lib/x/a" reaches itself again: "/lib/x/a" → "/lib/x/b" → "/lib/x/a"'


def test_the_circle_is_found_through_files_of_the_library() -> None:
    one = subgraph(GENERATE.format(prefix="", next="/lib/x/b"), "/lib/x/a", SIGNED)
    two = parse(subgraph("- {id: s, type: start, next: [/lib/x/a]}", "/lib/x/b", SIGNED), path="b.md")
    first = parse(one, path="a.md")
    library = Library.of([first, two])
    assert errors_of(first, library=library) == ["ADL506"]
    assert errors_of(two, library=library) == ["ADL506"]


def test_a_library_that_calls_itself_gets_a_warning() -> None:
    found = only(subgraph("- {id: s, type: start, next: [/lib/x/a]}", "/lib/x/a", SIGNED))
    assert (found.code, found.severity) == ("ADL506", "warning")
