from typing import Any

import pytest
from checking import block, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec

SOFT = "/__system__/end_soft"
GOOD = """
- {id: a, type: assign, assign: {x: "1"}, next: e}
- {id: e, type: end}
"""
ENDS = "- {id: a, type: end}\n- {id: b, type: end}"
TOOL = ToolSpec(name="search", parameters={"properties": {"q": {"type": "string"}}})


def generated(nodes: str = GOOD, path: str = "/dynamic/plan", keys: str = "") -> str:
    return subgraph(nodes, path, keys)


def found(text: str, **fields: Any) -> list[str]:
    return errors_of(text, constraints=Constraints(**fields))


def test_what_was_asked_for_is_valid() -> None:
    assert codes_of(generated(), constraints=Constraints()) == []


@pytest.mark.parametrize("path", ["/dynamic/other", "/main/plan", "/lib/x/y"])
def test_another_path_was_asked_for(path: str) -> None:
    keys = 'signature: "() -> ()"' if path.startswith("/lib") else ""
    assert found(generated(path=path, keys=keys)) == ["ADL701"]


def test_further_blocks_stand_below_the_path() -> None:
    further = generated("- {id: e, type: end}", "/dynamic/plan/sub")
    assert found(generated() + further, max_subgraphs=2) == []
    assert found(generated() + further) == ["ADL706"]
    assert found(generated() + generated(path="/dynamic/plan/Sub"), max_subgraphs=2) == ["ADL701"]


def test_an_answer_without_a_subgraph_is_incomplete() -> None:
    assert "ADL711" in found("nothing")


def test_only_subgraphs_are_generated() -> None:
    assert "ADL710" in found(generated() + block("/__meta__", "entry_point: /dynamic/plan"))
    assert "ADL710" in found(block("/dynamic/plan", "type: end"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_nodes": 2}, []),
        ({"max_nodes": 1}, ["ADL504"]),
        ({"min_nodes": 2}, []),
        ({"min_nodes": 3}, ["ADL705"]),
        ({"allowed_node_types": ("assign", "end")}, []),
        ({"allowed_node_types": ("assign",)}, ["ADL702"]),
    ],
)
def test_counts_and_types_are_held(fields: dict[str, Any], expected: list[str]) -> None:
    assert found(generated(), **fields) == expected


def test_some_types_are_never_generated() -> None:
    nodes = "- {id: r, type: resource, resource_type: file, uri: x}\n" + GOOD.strip()
    assert "ADL702" in found(generated(nodes))


@pytest.mark.parametrize(
    ("tools", "expected"), [(None, []), ((TOOL,), []), ((ToolSpec(name="serch"),), ["ADL703"]), ((), ["ADL703"])]
)
def test_tools_are_the_ones_given(tools: Any, expected: list[str]) -> None:
    nodes = f"- {{id: a, type: tool_call, tool: search, arguments: {{q: x}}, output_keys: [r], next: {SOFT}}}"
    assert found(generated(nodes), tools=tools) == expected


@pytest.mark.parametrize(
    ("target", "fields", "expected"),
    [
        (SOFT, {}, []),
        ("/end", {}, ["ADL704"]),
        ("/end", {"targets": ("/end",)}, []),
        ("/main/later", {}, ["ADL301"]),
        ("/main/later", {"targets": ("/main/later",)}, []),
        ("/lib/human/approval@v1?request=x", {}, ["ADL704"]),
        ("/lib/x/y", {"libraries": (LibrarySpec(path="/lib/x/y"),)}, []),
        ("/lib/x/y@v2", {"libraries": (LibrarySpec(path="/lib/x/y", version="2"),)}, []),
        ("/lib/x/y@v1", {"libraries": (LibrarySpec(path="/lib/x/y", version="2"),)}, ["ADL304"]),
        ("/lib/x/y", {"libraries": (LibrarySpec(path="/lib/x/y", signature="(q: string) -> ()"),)}, ["ADL305"]),
        ("/lib/x/y?q=1", {"libraries": (LibrarySpec(path="/lib/x/y", signature="(q: string) -> ()"),)}, []),
    ],
)
def test_targets_and_libraries_are_the_ones_given(target: str, fields: dict[str, Any], expected: list[str]) -> None:
    assert found(generated(f"- {{id: a, type: assign, assign: {{x: '1'}}, next: ['{target}']}}"), **fields) == expected


def test_a_library_may_be_given_beside_its_spec() -> None:
    entry = subgraph("- {id: e, type: end}", "/lib/x/y", 'signature: "() -> ()"\nversion: "2.1"')
    library = Library.of([parse(entry)])
    text = generated("- {id: a, type: assign, assign: {x: '1'}, next: [/lib/x/y]}")
    for version, expected in ((None, []), ("2", []), ("2.1", []), ("1", ["ADL704"])):
        constraints = Constraints(libraries=(LibrarySpec(path="/lib/x/y", version=version),))
        assert errors_of(text, constraints=constraints, library=library) == expected


def test_a_templated_target_is_not_generated() -> None:
    nodes = "- {id: a, type: assign, assign: {x: '1'}, next: '{{ x }}'}"
    assert "ADL704" in found(generated(nodes))


def test_required_outputs_are_at_every_end() -> None:
    context = ContextSignature(required_outputs=("x",))
    assert found(generated(), context=context) == []
    assert found(generated("- {id: e, type: end}"), context=context) == ["ADL308"]
    branching = f"- {{id: a, type: assign, assign: {{x: '1'}}, on_error: {SOFT}, next: {SOFT}}}"
    assert found(generated(branching), context=context) == ["ADL308"]


def test_only_the_context_and_what_is_written_can_be_read() -> None:
    nodes = f"- {{id: a, type: assign, assign: {{x: '{{{{ $.q }}}}'}}, next: {SOFT}}}"
    assert found(generated(nodes), context=ContextSignature(available_vars={"q": "string"})) == []
    assert found(generated(nodes), context=ContextSignature(available_vars={"p": "string"})) == ["ADL603"]
    assert found(generated(nodes)) == []


@pytest.mark.parametrize(
    ("wanted", "written", "expected"),
    [
        (None, "", []),
        ("(a: string) -> {x: string}", 'signature: "(a: string) -> {x: string}"', []),
        ("(a: str) -> x: str", 'signature: "(a: string) -> {x: string}"', []),
        ("(a: string) -> {x: string}", 'signature: "(b: string) -> {x: string}"', ["ADL707"]),
        ("(a: string) -> {x: string}", "", ["ADL707"]),
        (None, 'signature: "() -> {x: string}"', ["ADL707"]),
    ],
)
def test_the_signature_is_the_one_asked_for(wanted: str | None, written: str, expected: list[str]) -> None:
    assert found(generated(keys=written), signature=wanted) == expected


def test_a_library_may_bring_its_own_signature() -> None:
    text = generated(path="/lib/x/y", keys='signature: "() -> {x: string}"')
    assert found(text, path="/lib/x/y") == []
    assert found(generated(path="/lib/x/y"), path="/lib/x/y") == ["ADL403"]


@pytest.mark.parametrize(
    ("granted", "asked", "expected"),
    [
        (("network",), "[network]", []),
        (("tool: search",), '["tool: search"]', []),
        (("network",), '["tool: search"]', ["ADL708"]),
        ((), "[network]", ["ADL708"]),
    ],
)
def test_permissions_are_granted(granted: tuple[str, ...], asked: str, expected: list[str]) -> None:
    assert found(generated(keys=f"permissions: {asked}"), permissions=granted) == expected


@pytest.mark.parametrize(
    "field",
    [
        "metadata: {note: x}",
        "context_merge_policy: {x: deep_merge}",
        'on_success: archive_to("/lib/x")',
        "expected_output: 1",
        "curriculum_level: 1",
        "permissions: [network]",
        "wait_for: [s]",
        "colour: red",
    ],
)
def test_some_fields_are_never_generated(field: str) -> None:
    nodes = f"- {{id: s, type: start, next: a}}\n- {{id: a, type: assign, assign: {{x: '1'}}, {field}, next: {SOFT}}}"
    assert "ADL710" in found(generated(nodes), permissions=("network",))


@pytest.mark.parametrize("word", ["A", "a-b", "1a", "_a", "yes", "n", "null", "true", "off"])
def test_words_are_plain(word: str) -> None:
    assert "ADL710" in found(generated(GOOD.replace("id: a", f"id: '{word}'")))
    assert found(generated(GOOD.replace("{x:", f"{{'{word}':"))) == ["ADL710"]


def test_the_id_end_is_kept_for_ends() -> None:
    assert found(generated("- {id: end, type: end}")) == []
    assert found(generated(GOOD.replace("id: a", "id: end"))) == ["ADL710"]


def test_words_and_texts_are_bounded() -> None:
    long = GOOD.replace("id: a", f"id: {'a' * 33}")
    assert found(generated(long)) == ["ADL709"]
    assert found(generated(long), max_identifier_chars=33) == []
    text = GOOD.replace('"1"', f'"{"t" * 21}"')
    assert found(generated(text), max_text_chars=20) == ["ADL709"]
    assert found(generated(text), max_text_chars=21) == []


def test_generation_in_generation_needs_depth() -> None:
    nodes = f"- {{id: g, type: generate_subgraph, prompt_template: x, output_keys: [x], next: {SOFT}}}"
    assert found(generated(nodes)) == []
    assert found(generated(nodes), max_subgraph_depth=0) == ["ADL505"]


def test_layers_hold_for_generated_libraries() -> None:
    nodes = f"- {{id: a, type: tool_call, tool: search, arguments: {{q: x}}, output_keys: [r], next: {SOFT}}}"
    text = generated(nodes, "/lib/workflow/x", 'signature: "() -> {r: any}"')
    assert found(text, path="/lib/workflow/x", tools=(TOOL,)) == ["ADL404"]


def test_the_finding_names_the_offender() -> None:
    text = generated(GOOD.replace("next: e", "next: /end").replace("- {id: e, type: end}\n", ""))
    assert only(text, constraints=Constraints())[:3] == (
        "ADL704",
        "/end",
        'node "a" refers to "/end", an end that is not allowed here',
    )


MISSPELT = '- {{id: a, type: dsl_call, prompt_template: x, llm_tool_name: m, {}, output_keys: [x], next: "{}"}}'


@pytest.mark.parametrize("extra", ["llm_params: {temprature: 1}", "temperature: 1"])
def test_unknown_keys_of_nodes_are_not_generated(extra: str) -> None:
    text = generated(MISSPELT.format(extra, SOFT))
    assert codes_of(text) == ["ADL106"]
    assert found(text) == ["ADL710"]


@pytest.mark.parametrize("keys", ["permiss-ons: [network]", 'version: "1.0"', "stability: stable", "requires: []"])
def test_blocks_have_the_keys_of_generated_text_only(keys: str) -> None:
    assert found(generated(keys=keys)) == ([] if keys == "requires: []" else ["ADL710"])


def test_an_unknown_key_is_found_where_it_stands() -> None:
    text = generated("- {id: f, type: fork, fork: {branches: [a, b], bogus: 1}}\n" + ENDS)
    assert [f.text for f in findings(text, constraints=Constraints()) if f.code == "ADL710"] == ["bogus"]
