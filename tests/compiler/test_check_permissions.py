import pytest
from checking import application, codes_of, errors_of, only, subgraph

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse

CALL = "- {{id: a, type: tool_call, tool: {tool}, output_keys: [x], {more}next: e}}\n- {{id: e, type: end}}"
CODE = "- {id: a, type: codelet_call, runtime: python3, code: x, next: e}\n- {id: e, type: end}"


def calling(tool: str = "search", more: str = "") -> str:
    return CALL.format(tool=tool, more=more)


@pytest.mark.parametrize(
    ("block", "node", "fine"),
    [
        ('["tool: search"]', '["tool: search"]', True),
        ('["network", "tool: search"]', '["tool: search"]', True),
        ("[network]", "[network, file]", False),
        ('[{tool: search, scope: read_only}, "tool: other"]', "[{tool: search, scope: read_only}]", True),
        ("[{tool: search, scope: read_only}]", "[{tool: search, scope: write}]", False),
        ("[{tool: search, scope: read_only}]", '["tool: search"]', False),
        ("[{generate_subgraph: {max_depth: 2}}]", "[{generate_subgraph: {max_depth: 1}}]", True),
        ("[{generate_subgraph: {max_depth: 1}}]", "[{generate_subgraph: {max_depth: 2}}]", False),
    ],
)
def test_a_node_has_no_more_than_its_block(block: str, node: str, fine: bool) -> None:
    found = errors_of(subgraph(calling(more=f"permissions: {node}, "), keys=f"permissions: {block}"))
    assert found == ([] if fine else ["ADL503"])


def test_a_block_without_permissions_limits_nothing() -> None:
    assert codes_of(subgraph(calling(more="permissions: [network], "))) == []


def test_the_finding_names_what_is_asked_for() -> None:
    found = only(subgraph(calling(more='permissions: ["file:read"], '), keys="permissions: [network]"))
    assert found.message == 'node "a" asks for the permission "file: read", which "/main/p" does not have'


def test_a_tool_that_is_not_granted_is_not_used() -> None:
    found = only(subgraph(calling(), keys='permissions: ["tool: other"]'))
    assert found[:2] == ("ADL503", "search")
    assert codes_of(subgraph(calling(), keys="permissions: [network]")) == []


def test_tools_are_declared_where_anything_is() -> None:
    found = only(application(calling("serch"), resources="- {type: tool, name: search}"))
    assert found[:2] == ("ADL501", "serch")
    assert found.help == 'write "search" if that is meant'
    assert codes_of(application(calling(), resources="- {type: tool, name: search}")) == []


def test_a_templated_tool_is_known_at_run_time() -> None:
    nodes = "- {id: s, type: assign, assign: {t: search}, next: a}\n" + calling('"{{ t }}"')
    assert codes_of(application(nodes, resources="- {type: tool, name: search}")) == []


def test_runtimes_are_declared_too() -> None:
    assert errors_of(application(CODE, resources="- {type: tool, name: search}")) == ["ADL501"]
    assert codes_of(application(CODE, resources="- {type: runtime, name: python3}")) == []


def test_a_production_application_should_declare_its_tools() -> None:
    found = only(application(calling()))
    assert (found.code, found.severity) == ("ADL502", "warning")
    assert codes_of(application(calling(), "mode: dev")) == []


def test_a_library_file_needs_no_resources() -> None:
    assert codes_of(subgraph(calling(), "/lib/x/y", 'signature: "() -> ()"')) == []


@pytest.mark.parametrize(
    ("needs", "resources", "fine"),
    [
        ('"tool: search"', "- {type: tool, name: search}", True),
        ('"tool: search"', "- {type: tool, name: other}", False),
        ("network", "- {type: network, outbound: {domains: [x]}}", True),
        ("network", "- {type: tool, name: search}", False),
        ("{generate_subgraph: {max_depth: 2}}", "- {type: generate_subgraph, max_depth: 1}", False),
        ("{generate_subgraph: {max_depth: 2}}", "- {type: generate_subgraph, max_depth: 2}", True),
        ("{generate_subgraph: {max_depth: -1}}", "- {type: generate_subgraph, max_depth: 2}", False),
        ("{generate_subgraph: {max_depth: 9}}", "- {type: generate_subgraph, max_depth: -1}", True),
        ('"reasoning: text_generation"', "- {type: reasoning, capabilities: [stream_output]}", False),
        ("profile", "- {type: tool, name: search}", True),
    ],
)
def test_what_a_called_library_needs_is_declared(needs: str, resources: str, fine: bool) -> None:
    text = subgraph("- {id: e, type: end}", "/lib/x/y", f'signature: "() -> ()"\npermissions: [{needs}]')
    library = Library.of([parse(text)])
    nodes = "- {id: s, type: start, next: [/lib/x/y]}"
    assert errors_of(application(nodes, resources=resources), library=library) == ([] if fine else ["ADL501"])
