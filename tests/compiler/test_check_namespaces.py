import pytest
from checking import application, block, codes_of, errors_of, findings, only, subgraph

END = "- {id: e, type: end}"
SIGNED = 'signature: "() -> ()"'


@pytest.mark.parametrize("path", ["/main/p", "/app/p", "/dynamic/p", "/main/a/b/c"])
def test_applications_may_write_here(path: str) -> None:
    assert codes_of(subgraph(END, path)) == []


@pytest.mark.parametrize("path", ["/lib/x", "/lib/workflow/x", "/lib/reasoning/x"])
def test_libraries_need_a_signature(path: str) -> None:
    found = only(subgraph(END, path))
    assert found[:2] == ("ADL403", path)
    assert codes_of(subgraph(END, path, SIGNED)) == []


def test_a_signature_that_cannot_be_read_is_not_missing_too() -> None:
    assert "ADL403" not in codes_of(subgraph(END, "/lib/x", 'signature: "(a: -> x"'))


@pytest.mark.parametrize(
    ("path", "code"), [("/tools/x", "ADL401"), ("/__system__/x", "ADL405"), ("/main/__x", "ADL405")]
)
def test_nobody_may_write_here(path: str, code: str) -> None:
    found = only(subgraph(END, path))
    assert found[:2] == (code, path)


def test_an_unknown_namespace_is_doubtful_in_lenient_mode() -> None:
    assert only(subgraph(END, "/tools/x"), mode="lenient").severity == "warning"


def test_the_app_namespace_can_be_switched_off() -> None:
    text = subgraph(END, "/app/p")
    assert codes_of(text) == []
    assert codes_of(text, disabled_namespaces=frozenset({"app"})) == ["ADL402"]


def test_an_application_that_brings_its_own_library_gets_a_warning() -> None:
    found = only(application(END) + subgraph(END, "/lib/x", SIGNED))
    assert (found.code, found.severity) == ("ADL401", "warning")


def test_ids_with_two_underscores_are_reserved() -> None:
    assert only(subgraph("- {id: __e, type: end}"))[:2] == ("ADL405", "__e")


@pytest.mark.parametrize("root", ["workflow", "knowledge"])
@pytest.mark.parametrize(
    "node",
    [
        "{id: a, type: tool_call, tool: t, output_keys: [x], next: e}",
        "{id: a, type: codelet_call, runtime: python3, code: x, next: e}",
        "{id: a, type: dsl_call, prompt_template: x, llm_tool_name: m, output_keys: [x], next: e}",
        "{id: a, type: generate_subgraph, prompt_template: x, output_keys: [x], next: e}",
    ],
)
def test_the_knowledge_layer_reaches_out_by_contract_only(root: str, node: str) -> None:
    found = only(subgraph(f"- {node}\n{END}", f"/lib/{root}/x", SIGNED))
    assert found[:2] == ("ADL404", node.split("type: ")[1].split(",")[0])
    assert codes_of(subgraph(f"- {node}\n{END}", "/lib/reasoning/x", SIGNED)) == []


def test_the_knowledge_layer_may_hold_control_and_data() -> None:
    nodes = """
    - {id: s, type: start, next: a}
    - {id: a, type: assign, assign: {x: 1}, next: ["/lib/human/approval@v1?request=x", c]}
    - {id: c, type: assert, condition: "{{ x > 0 }}", on_failure: e, next: f}
    - {id: f, type: fork, fork: {branches: [g, h]}}
    - {id: g, type: assign, assign: {y: 1}, next: j}
    - {id: h, type: assign, assign: {z: 1}, next: j}
    - {id: j, type: join, join: {wait_for: [g, h]}, next: e}
    - {id: e, type: end}
    """
    assert codes_of(subgraph(nodes, "/lib/workflow/x", SIGNED)) == []


def test_the_knowledge_layer_refers_to_libraries_only() -> None:
    text = subgraph("- {id: s, type: start, next: /main/p}", "/lib/workflow/x", SIGNED) + subgraph(END)
    assert errors_of(text) == ["ADL404"]


def test_the_old_generate_stays_under_dslgraph() -> None:
    nodes = f"- {{id: g, type: llm_generate_dsl, prompt_template: x, output_keys: [x], next: e}}\n{END}"
    assert errors_of(subgraph(nodes)) == ["ADL404"]
    assert errors_of(subgraph(nodes), mode="lenient") == []
    assert errors_of(subgraph(nodes, "/lib/dslgraph/x", SIGNED)) == []
    assert errors_of(subgraph(nodes, "/lib/reasoning/x", SIGNED)) == ["ADL404"]


@pytest.mark.parametrize(
    ("prefix", "fine"),
    [("/dynamic/x", True), ("/dynamic/{{ x }}", True), ("{{ x }}", True), ("/main/x", False), ("/dynamics/x", False)],
)
def test_generation_writes_dynamic_only(prefix: str, fine: bool) -> None:
    nodes = f"""
    - {{id: s, type: assign, assign: {{x: 1}}, next: g}}
    - {{id: g, type: generate_subgraph, prompt_template: x, namespace_prefix: "{prefix}", output_keys: [y], next: e}}
    - {{id: e, type: end}}
    """
    assert ("ADL401" not in errors_of(subgraph(nodes))) == fine


def test_a_contract_is_a_library_without_nodes() -> None:
    assert findings(block("/lib/x/y", 'signature: "(a: string) -> {b: any}"')) == []
