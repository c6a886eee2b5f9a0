from __future__ import annotations

import pytest

from agentic_dsl.ast import Block, Contract, Document, Meta, Opaque, Resources, Subgraph
from agentic_dsl.compiler.parse import block_kinds
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.node_table import End, ResourceDeclare
from agentic_dsl.paths import Version
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Stability


def document(path: str, body: str) -> Document:
    return parse(f"### AgenticDSL `{path}`\n```yaml\n{body}\n```\n")


def block(path: str, body: str) -> Block:
    parsed = document(path, body)
    assert parsed.diagnostics == ()
    return parsed.blocks[0]


def codes(path: str, body: str) -> list[str]:
    return [finding.code for finding in document(path, body).diagnostics]


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/__meta__", "mode: dev", Meta),
        ("/__meta__/resources", "type: resource_declare\nresources: []", Resources),
        ("/main/x", "graph_type: subgraph\nnodes: []", Subgraph),
        ("/lib/a/b", "graph_type: subgraph\nsignature: () -> results\nnodes: []", Subgraph),
        ("/main/x", "type: end", Subgraph),
        ("/lib/a/b", "signature: '(x: string) -> {y: string}'", Contract),
    ],
)
def test_path_and_keys_decide_the_kind(path: str, body: str, kind: type) -> None:
    assert type(document(path, body).blocks[0]) is kind


@pytest.mark.parametrize(
    ("path", "body"), [("/main/x", "a: 1"), ("/main/x", "signature: () -> results"), ("/lib/a/b", "version: 1.0")]
)
def test_a_block_of_no_kind_is_reported_and_kept(path: str, body: str) -> None:
    parsed = document(path, body)
    assert [finding.code for finding in parsed.diagnostics] == ["ADL008"]
    (kept,) = parsed.blocks
    assert isinstance(kept, Opaque)
    assert kept.body == body + "\n"
    assert str(kept.path) == path


def test_meta_has_defaults_and_takes_numbers_as_versions() -> None:
    meta = block("/__meta__", "version: 3.10\nentry_point: /main/x")
    assert isinstance(meta, Meta)
    assert (meta.version, meta.mode, str(meta.entry_point)) == ("3.10", "prod", "/main/x")
    assert meta.execution_budget.max_nodes == -1


@pytest.mark.parametrize("limit", ["x", "1.5", "true", "-2", "[1]"])
def test_a_budget_holds_whole_numbers_from_minus_one(limit: str) -> None:
    (finding,) = document("/__meta__", f"execution_budget: {{max_nodes: {limit}}}").diagnostics
    assert finding.code in ("ADL108", "ADL109")


def test_a_budget_of_minus_one_is_unlimited() -> None:
    meta = block("/__meta__", "execution_budget: {max_nodes: -1, max_llm_calls: 0}")
    assert isinstance(meta, Meta)
    assert (meta.execution_budget.max_nodes, meta.execution_budget.max_llm_calls) == (-1, 0)


def test_a_single_node_is_named_by_the_path_and_its_contract_is_the_blocks() -> None:
    single = block(
        "/lib/a/b", 'type: end\nsignature: "() -> {x: any}"\nversion: "2.1"\npermissions: [network]\noutput_keys: [x]'
    )
    assert isinstance(single, Subgraph)
    assert single.single
    assert single.nodes == (End(id="b", output_keys=("x",)),)
    assert single.version == Version((2, 1))
    assert single.permissions == (Permission("network"),)
    assert single.signature is not None


def test_a_resource_declaration_elsewhere_is_a_node_for_the_checks_to_judge() -> None:
    (single,) = document("/main/x", "type: resource_declare\nresources: []").subgraphs
    assert isinstance(single.nodes[0], ResourceDeclare)


@pytest.mark.parametrize(
    "body",
    [
        'signature: "(a: string, b?: integer = 2) -> {c: array<string>}"\nversion: "1.2"\nstability: stable',
        "signature:\n  inputs: [{name: a, type: string}, {name: b, type: int, default: 2}]\n"
        "  outputs: [{name: c, type: array<str>}]\n  version: 1.2\n  stability: stable",
        "signature:\n  inputs: {a: str, b: {type: integer, default: 2}}\n  outputs: {c: array<string>}\n"
        "version: 1.2\nstability: stable",
    ],
)
def test_signatures_in_every_spelling_are_one(body: str) -> None:
    contract = block("/lib/a/b", body)
    assert isinstance(contract, Contract)
    assert [str(p.type) for p in contract.signature.inputs] == ["string", "integer"]
    assert contract.signature.required_inputs == ("a",)
    assert contract.signature.inputs[1].default == 2
    assert [(p.name, str(p.type)) for p in contract.signature.outputs] == [("c", "array<string>")]
    assert (contract.version, contract.stability) == (Version((1, 2)), Stability.STABLE)


def test_places_in_a_signature_are_exact() -> None:
    parsed = document("/lib/a/b", 'signature: "(first: string) -> {second: string}"')
    (contract,) = parsed.blocks
    assert isinstance(contract, Contract)
    span = contract.signature.inputs[0].span
    assert parsed.source.text[span.start : span.end].startswith("first")
    assert parsed.source.text[contract.signature.span.start] == '"'


def test_a_version_in_the_heading_is_the_blocks() -> None:
    contract = block("/lib/a/b@v2", "signature: () -> results")
    assert isinstance(contract, Contract)
    assert (str(contract.path), contract.version) == ("/lib/a/b", Version((2,)))
    assert codes("/lib/a/b@v2", "signature: () -> results\nversion: 1.0") == ["ADL109"]


def test_a_version_in_two_places_is_an_error() -> None:
    assert codes("/lib/a/b", "signature: {version: 1.0}\nversion: 1.0") == ["ADL102"]


@pytest.mark.parametrize(
    ("item", "permission"),
    [
        ("network", Permission("network")),
        ("file:read", Permission("file", "read")),
        ("'tool: web_search → scope: read_only'", Permission("tool", "web_search", {"scope": "read_only"})),
        ("{tool: web_search, scope: read_only}", Permission("tool", "web_search", {"scope": "read_only"})),
        ("{generate_subgraph: {max_depth: 2}}", Permission("generate_subgraph", None, {"max_depth": 2})),
        ("{runtime: python3, allow_imports: [json]}", Permission("runtime", "python3", {"allow_imports": ("json",)})),
        ("{network: outbound, domains: [a.b]}", Permission("network", "outbound", {"domains": ("a.b",)})),
        ("{network: {outbound: {domains: [a.b]}}}", Permission("network", "outbound", {"domains": ("a.b",)})),
        ("{memory: }", Permission("memory")),
    ],
)
@pytest.mark.parametrize("form", ["permissions: [{}]", "permissions: {}"])
def test_permissions_in_every_spelling(item: str, permission: Permission, form: str) -> None:
    contract = block("/lib/a/b", "signature: () -> results\n" + form.replace("{}", item))
    assert isinstance(contract, Contract)
    assert contract.permissions == (permission,)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ('{lib: "/lib/a/b@^1.0"}', "/lib/a/b ^1.0"),
        ('"/lib/a/b@~1.2.3"', "/lib/a/b ~1.2.3"),
        ('{lib: "/lib/a/b@v1"}', "/lib/a/b 1"),
        ('{lib: "/lib/a/b"}', "/lib/a/b"),
    ],
)
def test_requirements_name_a_library_and_a_range(item: str, text: str) -> None:
    subgraph = block("/main/x", f"graph_type: subgraph\nrequires: [{item}]\nnodes: []")
    assert isinstance(subgraph, Subgraph)
    (requirement,) = subgraph.requires
    assert " ".join(str(part) for part in (requirement.path, requirement.range) if part) == text


@pytest.mark.parametrize("item", ["/main/x", "{lib: '/lib/a@^x'}", "{library: /lib/a}", "[]", "3", "{lib: [a]}"])
def test_a_requirement_that_names_no_library_is_reported(item: str) -> None:
    assert "ADL111" in codes("/main/x", f"graph_type: subgraph\nrequires: [{item}]\nnodes: []")


@pytest.mark.parametrize(
    ("item", "message", "at"),
    [
        ("/main/x", '"/main/x" is no library', "/main/x"),
        ("{lib: '/lib/a@^x'}", '"x" stands where', "x"),
        ("{lib: [a]}", "is a list", "[a]"),
        ("{library: /lib/a}", "is a mapping", "{library: /lib/a}"),
    ],
)
def test_what_is_wrong_with_a_requirement_is_said_at_its_place(item: str, message: str, at: str) -> None:
    parsed = document("/main/x", f"graph_type: subgraph\nrequires: [{item}]\nnodes: []")
    finding = next(found for found in parsed.diagnostics if found.code == "ADL111")
    assert message in finding.message
    assert parsed.source.text[finding.span.start : finding.span.end] == at


def test_nodes_without_a_graph_type_are_a_subgraph_all_the_same() -> None:
    parsed = document("/main/x", "nodes:\n  - {id: a, type: end}")
    assert [finding.code for finding in parsed.diagnostics] == ["ADL107"]
    assert len(next(parsed.subgraphs).nodes) == 1


@pytest.mark.parametrize("nodes", ["{a: {type: end}}", "text", "3"])
def test_nodes_that_are_no_list_are_reported(nodes: str) -> None:
    assert codes("/main/x", f"graph_type: subgraph\nnodes: {nodes}") == ["ADL108"]


def test_nodes_beyond_the_limit_are_not_read() -> None:
    nodes = "\n".join(f"  - {{id: n{index}, type: end}}" for index in range(block_kinds.MAX_NODES + 1))
    parsed = parse(
        f"# AgenticDSL `/main/a`\n```\ngraph_type: subgraph\nnodes:\n{nodes}\n```\n"
        "# AgenticDSL `/main/b`\n```\ntype: end\n```\n"
    )
    assert [finding.code for finding in parsed.diagnostics] == ["ADL011"]
    assert all(isinstance(kept, Opaque) for kept in parsed.blocks)
