from __future__ import annotations

import pytest

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.parse.yaml_body import read_yaml


def block(body: str) -> Subgraph:
    (subgraph,) = parse(f"# AgenticDSL `/main/x`\n```\n{body}```\n").blocks
    assert isinstance(subgraph, Subgraph)
    return subgraph


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("a: 1 # x\n# y\nb: 2\n", [("x", True), ("y", False)]),
        ('a: \'# no\'\nb: x#no\nc: "\\"# no" #\n', [("", True)]),
        ("a: | # header\n  # no\n   # no\n# yes\n", [("header", True), ("yes", False)]),
        ("a: >-  # header\n\n  no # no\n\n  # no\n", [("header", True)]),
        ("a: [1, # x\n  # y\n  2]\n", [("x", True), ("y", False)]),
        ("#tight\n#  wide  \na: 1", [("tight", False), (" wide", False)]),
        ("a: 1\r# x\r\nb: 2 #y\r", [("x", False), ("y", True)]),
        ("a: plain\n  # cuts\n", [("cuts", False)]),
        ("a: &x 1 # c\nb: *x # d\n", [("c", True), ("d", True)]),
        ("a:b#c: 1\n", []),
    ],
)
def test_comments_are_found_outside_of_scalars(text: str, comments: list[tuple[str, bool]]) -> None:
    found = read_yaml(text, 50)[2]
    assert [(comment.text, comment.trailing) for comment in found] == comments
    assert all(text[comment.start - 50] == "#" for comment in found)


def test_a_comment_is_kept_with_the_key_that_follows() -> None:
    subgraph = block(
        "# kind\ngraph_type: subgraph\n# list\nnodes:\n  # first\n  - id: a\n    # type\n    type: fork\n"
        "    # nested\n    fork:\n      # below\n      branches: [b]\n  # second\n  - id: b\n    type: end\n# last\n"
    )
    first, second = subgraph.nodes
    assert subgraph.comments == {("graph_type",): ("kind",), ("nodes",): ("list",), (): ("last",)}
    assert first.comments == {
        ("id",): ("first",),
        ("type",): ("type",),
        ("fork",): ("nested",),
        ("fork", "branches"): ("below",),
    }
    assert second.comments == {("id",): ("second",)}


def test_a_comment_at_the_end_of_a_line_stays_with_the_node_of_that_line() -> None:
    subgraph = block(
        "nodes:\n  - id: a # one\n    type: end # two\n  - id: b\n    type: end # three\ngraph_type: subgraph\n"
    )
    first, second = subgraph.nodes
    assert first.comments == {("type",): ("one",), (): ("two",)}
    assert second.comments == {(): ("three",)}
    assert subgraph.comments == {}


def test_a_key_in_an_accepted_spelling_has_its_comment_under_the_canonical_path() -> None:
    subgraph = block("graph_type: subgraph\nnodes:\n  - id: a\n    type: fork\n    # why\n    branches: [b, c]\n")
    assert subgraph.nodes[0].comments == {("fork", "branches"): ("why",)}


def test_markers_are_no_comments() -> None:
    subgraph = block("# --- BEGIN AgenticDSL ---\n# real\ntype: end\n# -- END AgenticDSL --\n")
    assert subgraph.nodes[0].comments == {("type",): ("real",)}
    assert subgraph.comments == {}


def test_a_dev_comment_becomes_comments_in_its_place() -> None:
    body = (
        "dev_comment: block\ngraph_type: subgraph\nnodes:\n  - dev_comment: first\n    id: a\n    type: end\n"
        "  - id: b\n    type: end\n    dev_comment: |\n      two\n      lines\n"
    )
    subgraph = block(body)
    first, second = subgraph.nodes
    assert subgraph.comments == {("graph_type",): ("block",)}
    assert first.comments == {("id",): ("first",)}
    assert second.comments == {(): ("two", "lines")}
    assert first.extra == second.extra == subgraph.extra == {}
