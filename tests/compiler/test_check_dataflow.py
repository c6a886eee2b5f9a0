import pytest
from checking import application, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.compiler.checks import dataflow
from agentic_dsl.compiler.parse import template as template_module
from agentic_dsl.compiler.parse.template_tree import read_expression
from agentic_dsl.compiler.templates import SHORTEST

END = "- {id: e, type: end}"


def reading(template: str, before: str = "x: 1") -> str:
    return f"""
- {{id: s, type: assign, assign: {{{before}}}, next: a}}
- {{id: a, type: assign, assign: {{y: '{template}'}}, next: e}}
{END}
"""


@pytest.mark.parametrize(
    "template",
    [
        "{{ x }}",
        "{{ $.x }}",
        "{{ x.y[0].z }}",
        "{{ default(nope, 1) }}",
        '{{ exists("nope") }}',
        "{% for i in x %}{{ i }} {{ loop.index }}{% endfor %}",
        "{% set z = x %}{{ z }}",
        "{{ $.now }}",
        "{# {{ nope }} #}",
        "no template",
    ],
)
def test_these_reads_are_fine(template: str) -> None:
    assert codes_of(subgraph(reading(template), keys='signature: "() -> {y: any}"')) == []


def test_a_name_that_nothing_writes_is_an_error_where_a_signature_declares_what_there_is() -> None:
    found = only(subgraph(reading("{{ $.xx }}"), keys='signature: "() -> {y: any}"'))
    assert found[:3] == ("ADL603", "$.xx", 'node "a" reads "xx", which nothing writes or declares')
    assert found.severity == "error"


def test_else_it_is_a_warning() -> None:
    assert only(subgraph(reading("{{ nope }}"))).severity == "warning"


def test_a_close_name_is_suggested() -> None:
    assert only(subgraph(reading("{{ answr }}", "answer: 1"))).help == 'write "answer" if that is meant'


def test_inputs_can_be_read_in_three_ways() -> None:
    nodes = reading("{{ inputs.q }} {{ $.q }} {{ q }}")
    assert codes_of(subgraph(nodes, keys='signature: "(q: string) -> {y: any}"')) == []


def test_a_node_does_not_see_its_own_writes() -> None:
    found = only(subgraph("- {id: a, type: assign, assign: {x: 1, y: '{{ x }}'}, next: e}\n" + END))
    assert found[:3] == ("ADL604", "x", 'node "a" reads "x", which is not written on every way to it')


def test_a_branch_does_not_see_its_siblings() -> None:
    nodes = """
    - {id: f, type: fork, fork: {branches: [a, b]}}
    - {id: a, type: assign, assign: {x: 1}, next: j}
    - {id: b, type: assign, assign: {y: "{{ x }}"}, next: j}
    - {id: j, type: join, join: {wait_for: [a, b]}, next: c}
    - {id: c, type: assign, assign: {z: "{{ x }} {{ y }}"}, next: e}
    - {id: e, type: end}
    """
    found = only(subgraph(nodes))
    assert (found.code, found.text) == ("ADL604", "x")


def test_a_failure_brings_nothing_that_the_node_would_have_written() -> None:
    nodes = """
    - {id: a, type: tool_call, tool: t, output_keys: [r], on_error: h, next: e}
    - {id: h, type: assign, assign: {x: "{{ r }}"}, next: e}
    - {id: e, type: end}
    """
    assert errors_of(subgraph(nodes)) == ["ADL604"]


def test_the_place_of_a_read_is_exact_in_any_scalar() -> None:
    nodes = """
    - id: a
      type: assign
      assign:
        double: "\\u0041 {{ one }}"
        single: 'it''s {{ two }}'
        plain: x {{ three }}
        folded: >-
          some
          {{ four }} text
      next: e
    - {id: e, type: end}
    """
    assert [f.text for f in findings(subgraph(nodes))] == ["one", "two", "three", "four"]


@pytest.mark.parametrize(
    "condition",
    [
        "nope > 3",
        '"{{ nope > 3 }}"',
        '"nope > 3"',
        '"  nope > 3 "',
        r'"\tnope > 3"',
        "' nope == 1'",
        '"{{nope}}"',
        r'"\u007b{ nope }}"',
    ],
)
def test_conditions_are_read_with_and_without_braces(condition: str) -> None:
    found = only(subgraph(f"- {{id: a, type: assert, condition: {condition}, next: e}}\n{END}"))
    assert (found.code, found.text) == ("ADL603", "nope")


@pytest.mark.parametrize(
    ("template", "code"),
    [("{{ x + }}", "ADL601"), ("{% if x %}", "ADL601"), ('{% include "f" %}', "ADL602")],
)
def test_templates_parse(template: str, code: str) -> None:
    assert errors_of(subgraph(reading(template))) == [code]


def test_code_is_no_template() -> None:
    assert (
        codes_of(subgraph("- {id: a, type: codelet_call, runtime: p, code: 'f\"{{ nope }\"', next: e}\n" + END)) == []
    )


def test_the_query_of_a_call_is_read_when_the_node_has_run() -> None:
    nodes = """
    - id: a
      type: assign
      assign: {topic: x}
      next: ["/lib/human/approval@v1?request={{ $.topic }}", "/lib/human/approval@v1?request={{ $.approved }}", e]
    - {id: e, type: end}
    """
    assert codes_of(subgraph(nodes)) == []


def test_the_query_of_a_call_reads_no_later_call() -> None:
    nodes = '- {id: a, type: start, next: ["/lib/human/approval@v1?request={{ $.approved }}"]}'
    found = only(subgraph(nodes))
    assert (found.code, found.text) == ("ADL604", "$.approved")


def test_a_templated_target_is_read_too() -> None:
    nodes = '- {id: a, type: assign, assign: {there: x}, next: "{{ $.there }}"}'
    assert errors_of(application(nodes, "mode: dev")) == []
    other = nodes.replace("{{ $.there }}", "{{ $.somewhere }}")
    assert [f.text for f in findings(application(other, "mode: dev")) if f.code == "ADL603"] == ["$.somewhere"]


def test_an_optional_output_may_be_absent() -> None:
    nodes = """
    - {id: a, type: start, next: ["/lib/memory/state/get_latest@v1?key=k", b]}
    - {id: b, type: assign, assign: {x: "{{ value }}"}, next: e}
    - {id: e, type: end}
    """
    found = only(subgraph(nodes))
    assert (found.code, found.text, found.severity) == ("ADL604", "value", "error")
    assert found.message == 'node "b" reads "value", an optional output that may be absent'
    assert codes_of(subgraph(nodes.replace("{{ value }}", "{{ default(value, 1) }}"))) == []


def test_an_optional_output_is_not_there_before_the_call() -> None:
    nodes = """
    - {id: a, type: assign, assign: {x: "{{ value }}"}, next: ["/lib/memory/state/get_latest@v1?key=k", e]}
    - {id: e, type: end}
    """
    found = only(subgraph(nodes))
    assert (found.code, found.severity) == ("ADL604", "error")
    assert found.message == 'node "a" reads "value", which is not written on every way to it'


def test_what_an_unstated_contract_gives_is_not_guessed() -> None:
    nodes = """
    - {id: a, type: start, next: ["/lib/memory/profile/get@v1", b]}
    - {id: b, type: assign, assign: {x: "{{ profile }}"}, next: e}
    - {id: e, type: end}
    """
    assert codes_of(subgraph(nodes, keys='signature: "() -> {x: any}"')) == []


def test_an_end_that_hands_back_what_is_not_there_gets_a_warning() -> None:
    nodes = "- {id: s, type: start, next: e}\n- {id: e, type: end, output_keys: [x]}"
    found = only(subgraph(nodes, keys='signature: "(y: any) -> ()"'))
    assert (found.code, found.text, found.severity) == ("ADL603", "x", "warning")


def test_blocks_that_nothing_connects_share_no_names() -> None:
    one = subgraph("- {id: a, type: assign, assign: {x: 1}, next: e}\n" + END, "/main/p")
    two = subgraph("- {id: a, type: assign, assign: {y: '{{ x }}'}, next: e}\n" + END, "/main/q")
    assert [f.severity for f in findings(one + two)] == ["warning"]


def _read_by_grammar(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Records every expression that the grammar reads: the unit of the work that templates cost."""
    read: list[str] = []

    def recorded(text: str, start: int, end: int) -> object:
        read.append(text[start:end])
        return read_expression(text, start, end)

    monkeypatch.setattr(template_module, "read_expression", recorded)
    return read


def _sums(name: str, count: int) -> str:
    return "".join(f"{{{{{name}{i}+1}}}}" for i in range(count))


@pytest.mark.parametrize("nodes", [1, 50])
def test_templates_beyond_the_limit_of_a_document_are_not_read(nodes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataflow, "MAX_LENGTH", 100 * SHORTEST)
    read = _read_by_grammar(monkeypatch)
    keys, letter = 500 // nodes, "a" if nodes == 1 else "b"  # names of their own: what was read before is remembered
    body = "".join(
        f"- id: n{n}\n  type: assign\n  assign:\n"
        + "".join(f'    k{k}: "{_sums(f"{letter}{n}_{k}_", 10)}"\n' for k in range(keys))
        + f"  next: {f'n{n + 1}' if n + 1 < nodes else 'e'}\n"
        for n in range(nodes)
    )
    found = findings(subgraph(body + END))
    assert [f.code for f in found if f.severity == "error"] == ["ADL606"]
    assert len(read) == 110  # ten more than fit: the string that passes the limit is read to its end


def test_the_constructs_of_one_template_are_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_module, "MAX_LENGTH", 1_000)
    read = _read_by_grammar(monkeypatch)
    found = findings(subgraph(reading("x" * 5_000 + _sums("one_", 1_000))))
    assert [(f.code, f.text) for f in found if f.severity == "error"] == [("ADL601", "{{")]
    assert sum(len(expression) + 4 for expression in read) <= 1_000


def test_the_templates_of_an_aliased_text_count_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataflow, "MAX_LENGTH", 100 * SHORTEST)
    aliases = ", ".join(f"k{i}: *text" for i in range(20))
    node = f'- {{id: a, type: assign, assign: {{first: &text "{_sums("c", 10)}", {aliases}}}, next: e}}'
    assert "ADL606" in errors_of(subgraph(f"{node}\n{END}"))
