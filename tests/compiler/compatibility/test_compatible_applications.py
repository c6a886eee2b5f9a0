"""Applications: what those who run them must have, and what is said about how they are run."""

from __future__ import annotations

import pytest
from comparing import block, compared, found

from agentic_dsl.ast import RESOURCE_FIELDS
from agentic_dsl.compiler.compatibility.applications import LIMITS, REMARKS, REQUESTS, SCHEMAS


def _application(resources: str, version: str = "1.0", meta: str = "mode: dev") -> str:
    parts = [block(f'version: "{version}"', meta, 'entry_point: "/main/p"', path="/__meta__")]
    if resources:
        parts.append(block("type: resource_declare", f"resources: [{resources}]", path="/__meta__/resources"))
    parts.append(block("graph_type: subgraph", "nodes: [{id: a, type: end}]", path="/main/p"))
    return "\n".join(parts)


def test_every_key_of_a_resource_is_looked_at() -> None:
    assert {key for keys in RESOURCE_FIELDS.values() for key in keys} == {*LIMITS, *REQUESTS, *SCHEMAS, *REMARKS}


TOOL = "{type: tool, name: x"
STRING, ANY = "{properties: {q: {type: string}}}", "{properties: {q: {}}}"

RESOURCES = [
    ("", f"{TOOL}}}", ["resource-needed"]),
    (f"{TOOL}}}", "", ["resource-dropped"]),
    (f"{TOOL}, description: one}}", f"{TOOL}, description: two}}", ["meta-changed"]),
    (f"{TOOL}, scope: read_only}}", f"{TOOL}}}", ["resource-needed"]),
    (f"{TOOL}}}", f"{TOOL}, scope: read_only}}", ["resource-dropped"]),
    (f"{TOOL}, capabilities: [a]}}", f"{TOOL}, capabilities: [a, b]}}", ["resource-needed"]),
    (f"{TOOL}, capabilities: [a, b]}}", f"{TOOL}, capabilities: [b]}}", ["resource-dropped"]),
    (f"{TOOL}, parameters: {STRING}}}", f"{TOOL}, parameters: {ANY}}}", ["resource-needed"]),
    (f"{TOOL}, parameters: {ANY}}}", f"{TOOL}, parameters: {STRING}}}", ["resource-dropped"]),
    (f"{TOOL}, returns: {STRING}}}", f"{TOOL}, returns: {ANY}}}", ["resource-dropped"]),
    (f"{TOOL}, returns: {ANY}}}", f"{TOOL}, returns: {STRING}}}", ["resource-needed"]),
    ("{type: network, outbound: {domains: [a]}}", "{type: network, outbound: {domains: [a, b]}}", ["resource-needed"]),
    ("{type: runtime, name: py, allow_imports: [a, b]}", "{type: runtime, name: py, allow_imports: [a]}",
     ["resource-dropped"]),
    ("{type: generate_subgraph, max_depth: 1}", "{type: generate_subgraph, max_depth: 3}", ["resource-needed"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), RESOURCES)
def test_an_application_that_needs_more_breaks_those_who_run_it(old: str, new: str, expected: list[str]) -> None:
    assert found(_application(old), _application(new)) == expected


def test_how_an_application_is_run_is_a_patch() -> None:
    assert found(_application(""), _application("", meta="mode: prod")) == ["meta-changed"]
    assert found(_application(""), _application("", meta="execution_budget: {max_nodes: 5}")) == ["meta-changed"] * 2


def test_the_version_of_an_application_declares_its_changes() -> None:
    assert not compared(_application(""), _application(f"{TOOL}}}")).covered
    assert compared(_application(""), _application(f"{TOOL}}}", version="2.0")).covered


def test_the_version_of_an_application_speaks_for_its_inner_blocks() -> None:
    old = _application("")
    new = _application("", version="2.0").replace("id: a", "id: b")
    [_, inner] = compared(old, new).verdicts
    assert (inner.name, inner.covered) == ("/main/p", True)
    assert not compared(old, old.replace("id: a", "id: b")).covered
