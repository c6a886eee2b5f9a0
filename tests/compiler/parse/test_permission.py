"""Permissions in one line and as mappings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_dsl.compiler.parse.permission import parse_permission, permission_of
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.permission import PERMISSION_KINDS, Permission


@pytest.mark.parametrize(
    ("text", "permission"),
    [
        ("network", Permission("network")),
        ("file:read", Permission("file", "read")),
        ("file: read", Permission("file", "read")),
        ("tool: web_search", Permission("tool", "web_search")),
        ("tool: web_search → scope: read_only", Permission("tool", "web_search", {"scope": "read_only"})),
        ("tool: web_search -> scope: read_only", Permission("tool", "web_search", {"scope": "read_only"})),
        ("tool:web_search->scope:read_only", Permission("tool", "web_search", {"scope": "read_only"})),
        ("tool: a-b.c/d → x: 1, y: true, z: 0.5", Permission("tool", "a-b.c/d", {"x": 1, "y": True, "z": 0.5})),
        ("tool: get weather now", Permission("tool", "get weather now")),
        ("tool: 'a: b → c'", Permission("tool", "a: b → c")),
        ("tool: 搜索", Permission("tool", "搜索")),
        (
            "runtime: python3 → allow_imports: [json, re]",
            Permission("runtime", "python3", {"allow_imports": ("json", "re")}),
        ),
        (
            'network: outbound → domains: ["api.x.org", *.y.org]',
            Permission("network", "outbound", {"domains": ("api.x.org", "*.y.org")}),
        ),
        ("network: outbound → domains: []", Permission("network", "outbound", {"domains": ()})),
        ("generate_subgraph → max_depth: 2", Permission("generate_subgraph", None, {"max_depth": 2})),
        ("generate_subgraph → max_depth = 2", Permission("generate_subgraph", None, {"max_depth": 2})),
        ("reasoning: llm_generate", Permission("reasoning", "llm_generate")),
        ("memory: kg", Permission("memory", "kg")),
        ("  network  ", Permission("network")),
        ("tool: 42", Permission("tool", "42")),
        ("tool: x → note: null", Permission("tool", "x", {"note": None})),
    ],
)
def test_a_line_gives_kind_name_and_options(text, permission):
    assert parse_permission(text) == permission


@pytest.mark.parametrize("kind", PERMISSION_KINDS)
def test_every_kind_may_stand_alone_or_with_a_name(kind):
    assert parse_permission(kind) == Permission(kind)
    assert parse_permission(f"{kind}: x") == Permission(kind, "x")
    assert permission_of({kind: "x", "scope": "y"}) == Permission(kind, "x", {"scope": "y"})


@pytest.mark.parametrize(
    ("text", "message", "help", "part"),
    [
        ("", "empty", "tool: web_search", ""),
        ("netwrk", 'no kind of permission "netwrk"', '"network"', "netwrk"),
        ("Tool: x", 'no kind of permission "Tool"', '"tool"', "Tool"),
        ("  tol: x", 'no kind of permission "tol"', '"tool"', "tol"),
        ("knowledge_graph: read", 'no kind of permission "knowledge_graph"', '"kg"', "knowledge_graph"),
        ("everything", 'no kind of permission "everything"', "use one of tool", "everything"),
        ("tool:", "its end stands where", "write it as", ""),
        ("tool: ''", "empty name", "write it as", "tool: ''"),
        ("tool: x →", "its end stands where", "write it as", ""),
        ("tool: x → scope", 'where ":"', "write it as", ""),
        ("tool: x → a: [1", 'where "," or "]"', "write it as", ""),
        ("tool: x, scope: y", '"," stands where "→"', "write it as", ","),
        ("tool:: x", '":" stands', "write it as", ":"),
        ("→", '"→" stands', "write it as", "→"),
        ("tool: x → a: {b: 1}", '"{"', "write it as", "{"),
        ("tool: x → a: " + "[" * 200, "too many lists", "write it as", "tool: x → a: " + "[" * 200),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_remedy(text, message, help, part):
    problem = parse_permission(text)
    assert isinstance(problem, Problem), problem
    assert message in problem.message
    assert help in problem.help
    assert text[problem.span.start : problem.span.end] == part
    assert not {"WORD", "COLON", "ARROW", "$END", "LEFT"} & set(problem.message.replace('"', " ").split())


@pytest.mark.parametrize(
    ("data", "permission"),
    [
        ({"tool": "web_search", "scope": "read_only"}, Permission("tool", "web_search", {"scope": "read_only"})),
        ({"scope": "read_only", "tool": "web_search"}, Permission("tool", "web_search", {"scope": "read_only"})),
        ({"generate_subgraph": {"max_depth": 2}}, Permission("generate_subgraph", None, {"max_depth": 2})),
        (
            {"runtime": "python3", "allow_imports": ("json",)},
            Permission("runtime", "python3", {"allow_imports": ("json",)}),
        ),
        ({"network": "outbound", "domains": ("a.org",)}, Permission("network", "outbound", {"domains": ("a.org",)})),
        (
            {"network": {"outbound": {"domains": ("a.org",)}}},
            Permission("network", "outbound", {"domains": ("a.org",)}),
        ),
        ({"network": None}, Permission("network")),
        ({"network": True}, Permission("network")),
        ({"tool": "x → scope: y", "note": 1}, Permission("tool", "x", {"scope": "y", "note": 1})),
        ({"tool": 42}, Permission("tool", "42")),
        ({"tool": "a: b"}, Permission("tool", "a: b")),
    ],
)
def test_a_mapping_gives_the_same(data, permission):
    assert permission_of(data) == permission


@pytest.mark.parametrize(
    ("data", "message", "help"),
    [
        ({}, "empty", "write it as"),
        ({"tol": "x"}, 'no kind of permission "tol"', '"tool"'),
        ({"scope": "x", "tol": "y"}, 'no kind of permission "tol"', '"tool"'),
        ({"scope": "x"}, 'no kind of permission "scope"', "use one of"),
        ({"tool": "x", "network": "y"}, 'two kinds, "tool" and "network"', "list item of its own"),
        ({"network": False}, "is false", "leave it out"),
        ({"tool": ("a", "b")}, "list for a name", "one list item of each"),
        ({"tool": ""}, "empty name", "write a name"),
        ({"tool": "x → "}, "its end stands where", "write it as"),
    ],
)
def test_other_mappings_are_problems(data, message, help):
    problem = permission_of(data)
    assert isinstance(problem, Problem), problem
    assert message in problem.message
    assert help in problem.help


_PIECES = st.sampled_from(
    ["tool", "network", ":", " ", "→", "->", "-", "x", "scope", ",", "[", "]", "'", '"', "=", "1", "{", "é"]
)


@given(st.one_of(st.lists(_PIECES, max_size=12).map("".join), st.text(max_size=30)))
def test_any_text_is_a_permission_or_a_problem(text):
    found = parse_permission(text)
    if isinstance(found, Problem):
        assert found.message
        assert found.help
        assert 0 <= found.span.start <= found.span.end <= len(text)
    else:
        assert found.kind in PERMISSION_KINDS
        assert isinstance(permission_of({found.kind: found.name, **found.options}), Permission | Problem)
