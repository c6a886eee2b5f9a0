import pytest
from checking import application, block, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse

END = "- {id: e, type: end}"
ASK = "/lib/human/approval@v1?request"


def going(next_: str, more: str = "") -> str:
    """A subgraph whose first node goes on as given."""
    return f"- {{id: s, type: assign, assign: {{k: 1}}, next: {next_}}}\n{more or END}"


@pytest.mark.parametrize(
    "reference",
    ["e", "/main/p/e", "/self/e", "/end", "/end_soft", "/__system__/noop", "/main/q", "/main/q/x", "/app/q"],
)
def test_these_references_resolve(reference: str) -> None:
    more = "- {id: t, type: assign, assign: {k: 1}, on_error: e, next: /end}\n" + END
    text = subgraph(going(f"[{reference}]").replace("s, type", "s, on_error: t, type") + "\n" + more.split("\n")[0])
    other = subgraph("- {id: x, type: end}", "/main/q")
    assert errors_of(text + other) == []


def test_a_dangling_reference_names_the_closest_target() -> None:
    found = only(subgraph(going("/main/p/ee")))
    assert found == (
        "ADL301",
        "/main/p/ee",
        'node "s" refers to "/main/p/ee", which does not exist',
        'write "/main/p/e" if that is meant',
        "error",
    )


def test_the_right_name_in_the_wrong_folder_is_suggested() -> None:
    assert only(subgraph(going("/main/e"))).help == 'write "/main/p/e" if that is meant'


def test_an_id_means_a_node_of_the_same_subgraph_only() -> None:
    text = subgraph(going("x")) + subgraph("- {id: x, type: end}", "/main/q")
    assert errors_of(text) == ["ADL301"]


def test_an_unreadable_block_still_exists() -> None:
    assert "ADL301" not in codes_of(
        subgraph(going("[e]").replace("next", "on_error: /main/q, next")) + block("/main/q", "a: [")
    )


def test_a_template_reference_is_an_error_in_production_only() -> None:
    nodes = '- {id: s, type: start, next: "{{ $.where }}"}'
    assert [f.code for f in findings(application(nodes, "mode: prod")) if f.severity == "error"] == ["ADL302"]
    assert errors_of(application(nodes, "mode: dev")) == []
    assert "ADL302" in codes_of(application(nodes, "mode: dev"))
    assert errors_of(application(nodes, "mode: prod"), mode="lenient") == []


@pytest.mark.parametrize(
    ("next_", "expected"),
    [
        (f"[{ASK}=x, e]", []),
        (f"[{ASK}=x, {ASK}=y]", []),
        (f"[{ASK}=x, {ASK}=x]", []),
        (f"[{ASK}=x, /end]", []),
        (f"[e, {ASK}=x]", ["ADL208"]),
        (f"[/end, {ASK}=x]", ["ADL208"]),
        ("[e, /end]", ["ADL208"]),
        ("[/end, /end_soft]", ["ADL208"]),
        ("[e, e]", ["ADL215"]),
        ("[e, /main/p/e]", ["ADL215"]),
        ("[/end, /end]", ["ADL215"]),
    ],
)
def test_a_next_list_is_calls_then_an_end_or_nodes(next_: str, expected: list[str]) -> None:
    nodes = f"- {{id: s, type: assign, assign: {{k: 1}}, on_error: e, next: {next_}}}\n{END}"
    assert codes_of(subgraph(nodes)) == expected


@pytest.mark.parametrize("target", ["/end", "/__system__/end_soft"])
def test_branches_are_nodes(target: str) -> None:
    nodes = f"- {{id: f, type: fork, fork: {{branches: [e, {target}]}}}}\n{END}"
    assert errors_of(subgraph(nodes)) == ["ADL208"]


@pytest.mark.parametrize("field", ["on_error: /lib/human/approval@v1", "wait_for: [/lib/human/approval@v1]"])
def test_libraries_are_called_in_next_only(field: str) -> None:
    nodes = f"- {{id: s, type: assign, assign: {{k: 1}}, {field}, next: e}}\n{END}"
    assert errors_of(subgraph(nodes)) == ["ADL307"]


def test_a_resource_is_no_target() -> None:
    nodes = "- {id: s, type: start, next: [e, r]}\n- {id: r, type: resource, resource_type: file, uri: x}\n" + END
    assert errors_of(subgraph(nodes)) == ["ADL208"]


def test_nobody_waits_for_an_end() -> None:
    nodes = (
        "- {id: s, type: start, next: [a, e]}\n- {id: a, type: assign, assign: {k: 1}, wait_for: e, next: /end}\n" + END
    )
    assert errors_of(subgraph(nodes)) == ["ADL208"]


def test_all_stands_for_the_sources_of_a_join_only() -> None:
    nodes = "- {id: s, type: start, next: '@all'}"
    assert "ADL112" in errors_of(subgraph(nodes))


LIBRARY = Library.of(
    [
        parse(
            "".join(
                subgraph(END, "/lib/x/y", f'signature: "() -> ()"\nversion: "{version}"\nstability: {stability}')
                for version, stability in (("1.2.0", "stable"), ("2.0.1", "stable"), ("3.0.0", "experimental"))
            )
        )
    ]
)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/lib/x/y", []),
        ("/lib/x/y@v1", []),
        ("/lib/x/y@v2.0", []),
        ("/lib/x/y@v3", []),
        ("/lib/x/y@v1.1", ["ADL304"]),
        ("/lib/x/y@v4", ["ADL304"]),
        ("/lib/x/z", ["ADL301"]),
    ],
)
def test_library_calls_resolve_by_version(reference: str, expected: list[str]) -> None:
    assert codes_of(subgraph(f"- {{id: s, type: start, next: [{reference}]}}"), library=LIBRARY) == expected


def test_a_missing_version_says_which_there_are() -> None:
    found = only(subgraph("- {id: s, type: start, next: [/lib/x/y@v4]}"), library=LIBRARY)
    assert found.message == 'node "s" calls version 4 of "/lib/x/y", which exists in 1.2.0, 2.0.1, 3.0.0'


@pytest.mark.parametrize(
    ("wanted", "reference", "expected"),
    [
        ("^1.0", "/lib/x/y", []),
        ("^1.0", "/lib/x/y@v2", ["ADL304"]),
        ("~2.0.0", "/lib/x/y", []),
        ("^1.3", "/lib/x/y@v1", ["ADL303", "ADL304"]),
        ("^5", "/lib/x/y@v1", ["ADL303", "ADL304"]),
    ],
)
def test_requires_narrows_the_versions(wanted: str, reference: str, expected: list[str]) -> None:
    text = subgraph(f"- {{id: s, type: start, next: [{reference}]}}", keys=f'requires: [{{lib: "/lib/x/y@{wanted}"}}]')
    assert codes_of(text, library=LIBRARY) == expected


def test_a_required_library_exists() -> None:
    found = only(subgraph(END, keys='requires: [{lib: "/lib/x/yy@^1.0"}]'), library=LIBRARY)
    assert found.message == '"/main/p" requires "/lib/x/yy" ^1.0, which no library defines'


def test_a_document_may_call_its_own_library_block() -> None:
    library = subgraph(END, "/lib/x/own", 'signature: "() -> ()"')
    assert (
        codes_of(
            library + subgraph("- {id: s, type: start, next: [/lib/x/own]}", "/lib/x/user", 'signature: "() -> ()"')
        )
        == []
    )


def test_standard_contracts_need_no_library() -> None:
    assert codes_of(subgraph("- {id: s, type: start, next: ['/lib/human/approval@v1?request=ok']}")) == []


def test_a_reference_below_a_block_that_cannot_be_read_is_not_judged() -> None:
    mended = BROKEN_BLOCK.replace("     next: [", '    next: ["/main/two/a"]')
    assert codes_of(BROKEN_BLOCK + CALLS_IT) == ["ADL101"]
    assert codes_of(BROKEN_BLOCK + CALLS_IT.replace("/go", "/gone")) == ["ADL101"]
    assert "ADL301" not in codes_of(mended + CALLS_IT)
    assert "ADL301" in codes_of(mended + CALLS_IT.replace("/go", "/gone"))


BROKEN_BLOCK = """### AgenticDSL `/main`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: go
    type: start
     next: [
# --- END AgenticDSL ---
```
"""

CALLS_IT = """
### AgenticDSL `/main/two`
```yaml
# --- BEGIN AgenticDSL ---
graph_type: subgraph
nodes:
  - id: a
    type: assign
    assign: {x: 1}
    next: ["/main/go"]
# --- END AgenticDSL ---
```
"""
