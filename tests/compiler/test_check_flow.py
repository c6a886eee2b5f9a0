from checking import block, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.node_table import Fork
from agentic_dsl.paths import Path


def test_a_circle_is_told_as_who_waits_for_whom() -> None:
    nodes = """
    - {id: a, type: assign, assign: {x: 1}, next: b}
    - {id: b, type: assign, assign: {x: 1}, next: [c]}
    - {id: c, type: assign, assign: {x: 1}, next: [b]}
    """
    found = only(subgraph(nodes))
    assert found == (
        "ADL203",
        "b",
        'node "b" waits for "c", which waits for "b"',
        "drop one of the two references",
        "error",
    )


def test_a_node_that_waits_for_itself() -> None:
    found = only(subgraph("- {id: a, type: assign, assign: {x: 1}, next: a}"))
    assert found.message == 'node "a" waits for itself'


def test_a_longer_circle_names_every_node() -> None:
    nodes = """
    - {id: a, type: assign, assign: {x: 1}, next: b}
    - {id: b, type: assign, assign: {x: 1}, next: c}
    - {id: c, type: assign, assign: {x: 1}, on_error: a, next: /end}
    """
    assert only(subgraph(nodes)).message == 'node "a" waits for "c", which waits for "b", which waits for "a"'


def test_each_circle_is_found() -> None:
    nodes = """
    - {id: s, type: start, next: [a, b]}
    - {id: a, type: assign, assign: {x: 1}, next: a}
    - {id: b, type: assign, assign: {x: 1}, next: b}
    """
    assert codes_of(subgraph(nodes)) == ["ADL203", "ADL203"]


def test_wait_for_makes_circles_too() -> None:
    nodes = """
    - {id: a, type: assign, assign: {x: 1}, wait_for: [b], next: b}
    - {id: b, type: assign, assign: {x: 1}, next: /end}
    """
    assert codes_of(subgraph(nodes)) == ["ADL203"]


def test_a_circle_through_two_blocks_is_found() -> None:
    one = subgraph("- {id: a, type: assign, assign: {x: 1}, next: /main/q}", "/main/p")
    two = subgraph("- {id: b, type: assign, assign: {x: 1}, next: /main/p}", "/main/q")
    assert codes_of(one + two) == ["ADL203"]


def test_nothing_is_said_of_names_behind_a_circle() -> None:
    nodes = """
    - {id: a, type: assign, assign: {x: 1}, next: b}
    - {id: b, type: assign, assign: {y: 1}, next: a}
    - {id: c, type: assign, assign: {z: "{{ y }}"}, wait_for: b, next: /end}
    """
    assert codes_of(subgraph(nodes, keys='signature: "() -> {z: any}"')) == ["ADL203"]


def test_an_unreachable_node_is_named_once_for_all_behind_it() -> None:
    nodes = """
    - {id: s, type: start, next: /end}
    - {id: a, type: assign, assign: {x: 1}, next: b}
    - {id: b, type: assign, assign: {x: 1}, next: c}
    - {id: c, type: end}
    """
    found = only(subgraph(nodes))
    assert found[:3] == ("ADL204", "a", 'no path leads from "s" to node "a" and the 2 after it')


def test_a_dangling_reference_does_not_make_its_target_unreachable_too() -> None:
    nodes = "- {id: s, type: start, next: fecth}\n- {id: fetch, type: end}"
    assert codes_of(subgraph(nodes)) == ["ADL301"]


def test_a_handler_leads_to_its_target() -> None:
    nodes = "- {id: a, type: assign, assign: {x: 1}, on_error: b, next: /end}\n- {id: b, type: end}"
    assert codes_of(subgraph(nodes)) == []


def test_resources_need_no_path_to_them() -> None:
    nodes = "- {id: r, type: resource, resource_type: file, uri: 'file:///x'}\n- {id: e, type: end}"
    assert codes_of(subgraph(nodes)) == []


def test_a_node_leads_somewhere() -> None:
    found = only(subgraph("- {id: a, type: assign, assign: {x: 1}}"))
    assert found[:3] == ("ADL205", "a", 'node "a" leads nowhere')


def test_a_fork_leads_to_its_branches() -> None:
    assert errors_of(subgraph("- {id: f, type: fork, fork: {branches: []}}")) == ["ADL107"]
    fork = Subgraph(path=Path(("main", "p")), nodes=(Fork(id="f"),))
    assert errors_of(Document(blocks=(fork,))) == ["ADL205"]


def test_the_next_of_a_fork_is_no_edge() -> None:
    nodes = """
    - {id: f, type: fork, fork: {branches: [a, b]}, next: j}
    - {id: a, type: assign, assign: {x: 1}, next: j}
    - {id: b, type: assign, assign: {y: 1}, next: j}
    - {id: j, type: join, join: {wait_for: [a, b]}, next: /end}
    """
    assert errors_of(subgraph(nodes)) == []


def test_an_end_leads_nowhere() -> None:
    found = findings(subgraph("- {id: s, type: start, next: e}\n- {id: e, type: end, next: s}"))
    assert "ADL216" in [f.code for f in found]
    assert "ADL203" not in [f.code for f in found]


def test_wait_for_alone_is_a_way_on() -> None:
    nodes = """
    - {id: s, type: start, next: [a, b]}
    - {id: a, type: assign, assign: {x: 1}}
    - {id: b, type: assign, assign: {y: 1}, wait_for: {all_of: [a]}, next: c}
    - {id: c, type: end}
    """
    assert codes_of(subgraph(nodes)) == []


def test_blocks_of_one_node_make_a_graph_together() -> None:
    text = (
        block("/main/f", "type: fork\nfork: {branches: [/main/a, /main/b]}")
        + block("/main/a", "type: assign\nassign: {x: 1}\nnext: /main/j")
        + block("/main/b", "type: assign\nassign: {y: 1}\nnext: /main/j")
        + block("/main/j", "type: join\njoin: {wait_for: [/main/a, /main/b]}\nnext: /main/u")
        + block("/main/u", "type: assign\nassign: {z: '{{ x }} {{ y }}'}\nnext: /main/e")
        + block("/main/e", "type: end\noutput_keys: [z]")
    )
    assert findings(text) == []


def test_a_node_that_another_block_goes_to_is_reachable() -> None:
    one = subgraph("- {id: a, type: assign, assign: {x: 1}, on_error: /main/q/late, next: /end}", "/main/p")
    two = subgraph("- {id: b, type: end}\n- {id: late, type: end}", "/main/q")
    assert codes_of(one + two) == []


def test_a_reference_to_a_node_without_an_id_is_not_dangling_too() -> None:
    nodes = "- {id: s, type: start, next: a}\n- {type: assign, assign: {x: 1}, next: e}\n- {id: e, type: end}"
    assert codes_of(subgraph(nodes)) == ["ADL107"]
    assert codes_of(subgraph(nodes.replace("{type: assign, assign: {x: 1}, next: e}", "text"))) == ["ADL108"]


def test_parse_errors_do_not_cascade() -> None:
    nodes = """
    - {id: s, type: start, next: a}
    - {id: a, type: tool_call, tool: t, output_keys: {no: list}, next: b}
    - {id: b, type: assign, assign: {y: "{{ result }}"}, next: /end}
    """
    found = findings(subgraph(nodes, keys='signature: "() -> {y: any, result: any}"'))
    assert {f.code for f in found} <= {"ADL107", "ADL108"}
