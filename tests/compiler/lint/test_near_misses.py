"""Documents close to the border of a rule: one step this way it speaks, one step that way it is silent."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.lint.examples import application, contract, library, subgraph
from agentic_dsl.compiler.lint.rule import Example
from agentic_dsl.compiler.lint.shown import findings_of

DONE = "- {id: done, type: end}"
WORK = '- {id: work, type: assign, assign: {text: "%s"}, next: [/main/p/done]}\n' + DONE
SIGNATURE = 'signature: "(city: string, day?: string) -> {text: string}"'


def _spans(text: str, code: str, *beside: str) -> list[str]:
    return [
        text[f.diagnostic.span.start : f.diagnostic.span.end]
        for f in findings_of(Example(text, beside))
        if f.diagnostic.code == code
    ]


def _template(template: str, keys: str = SIGNATURE) -> str:
    return subgraph(WORK % template, keys=keys)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ city }}", ["day?: string"]),
        ("{{ city }}{{ default(day, 'x') }}", []),
        ("{{ inputs.city }}{{ default($.day, 'x') }}", []),
        ("{{ $ }}", []),
        ("{{ length(inputs) }}", []),
    ],
)
def test_an_input_is_used_however_it_is_read(template: str, found: list[str]) -> None:
    assert _spans(_template(template), "ADL801") == found


def test_an_input_that_a_call_takes_by_name_or_that_is_an_output_is_used() -> None:
    call = "- {id: begin, type: start, next: [/lib/human/approval, /lib/utils/p/done]}\n" + DONE
    assert _spans(library(call, "(request: string) -> {approved: boolean}"), "ADL801") == []
    assert _spans(library(DONE, "(x: string) -> {x: string}"), "ADL801") == []


def test_an_input_may_be_read_by_code_or_by_a_generated_subgraph() -> None:
    code = (
        '- {id: run, type: codelet_call, runtime: py, code: "n = xs", output_keys: [n], next: [/main/p/done]}\n' + DONE
    )
    plan = '- {id: g, type: generate_subgraph, prompt_template: "x", output_keys: [n], next: [/main/p/done]}\n' + DONE
    keys = 'signature: "(xs: array) -> {n: any}"'
    assert _spans(subgraph(code, keys=keys), "ADL801") == []
    assert _spans(subgraph(plan, keys=keys), "ADL801") == []
    assert _spans(subgraph(code.replace("xs", "1"), keys=keys), "ADL801") == ["xs: array"]


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ("assign: {text: 1, spare: 2}", ["spare"]),
        ("assign: {text: 1}", []),
        ("assign: {text: 1, request: 2}, on_error: /main/p/done", ["request"]),
    ],
)
def test_a_write_is_dead_where_the_signature_does_not_hand_it_back(nodes: str, found: list[str]) -> None:
    text = subgraph(
        f"- {{id: work, type: assign, {nodes}, next: [/main/p/done]}}\n{DONE}", keys='signature: "() -> {text: any}"'
    )
    assert _spans(text, "ADL802") == found
    assert _spans(text.replace('signature: "() -> {text: any}"', ""), "ADL802") == []


def test_a_write_that_an_end_hands_back_or_a_call_takes_is_not_dead() -> None:
    keys = 'signature: "() -> {text: any}"'
    node = "- {id: work, type: assign, assign: {text: 1, request: 2}, next: [%s/main/p/done]}\n"
    assert _spans(subgraph(node % "" + "- {id: done, type: end, output_keys: [request]}", keys=keys), "ADL802") == []
    assert _spans(subgraph(node % "/lib/human/approval, " + DONE, keys=keys), "ADL802") == []


def test_a_permission_is_used_by_a_node_a_library_or_a_template_that_chooses() -> None:
    keys = 'permissions: ["tool: search", "tool: mail"]'
    node = "- {id: find, type: tool_call, tool: %s, output_keys: [r], next: [%s/main/p/done]}\n" + DONE
    mail = contract(
        "(text: string) -> {sent: boolean}", "/lib/utils/mail", 'version: "1.0"\npermissions: ["tool: mail"]'
    )
    assert _spans(subgraph(node % ("search", ""), keys=keys), "ADL811") == ['"tool: mail"']
    assert _spans(subgraph(node % ("search", "/lib/utils/mail, "), keys=keys), "ADL811", mail) == []
    assert _spans(subgraph(node % ('"{{ chosen }}"', ""), keys=keys), "ADL811") == []
    assert _spans(subgraph(node % ("search", ""), keys='permissions: ["tool: search", file]'), "ADL811") == []


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ lenght(city) }}", 1),
        ("{{ city | uper }}", 1),
        ("{{ upper(city) }}{{ city | lower }}", 0),
        ("{% if exists('city') %}{{ round(2.5, 1) }}{% endif %}", 0),
        ("lenght(city)", 0),
    ],
)
def test_functions_and_filters_are_those_of_inja(template: str, found: int) -> None:
    assert len(_spans(_template(template), "ADL831")) == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("To {city}.", ["{city}"]),
        ("To {{ city }} {{city}}.", []),
        ("To {other} and ${city}.", []),
        ("JSON {name: {{ city }}} {}", []),
    ],
)
def test_single_braces_are_found_around_names_of_the_context_only(template: str, found: list[str]) -> None:
    assert _spans(_template(template.replace('"', "'")), "ADL833") == found


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ day }}", ["day"]),
        ("{{ default(day, 'x') }}", []),
        ("{% if exists('day') %}{{ day }}{% endif %}", []),
        ("{{ city }}", []),
    ],
)
def test_an_optional_input_is_read_with_care(template: str, found: list[str]) -> None:
    assert _spans(_template(template), "ADL836") == found
    assert _spans(_template(template, SIGNATURE.replace("string)", "string = x)")), "ADL836") == []


SECRETS = [
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "ghp_" + "a1B2" * 9,
    "sk-proj-" + "Ab1" * 10,
    "xoxb-" + "1234567890-abc",
    "https://user:" + "hunter22@example.org",
    "-----BEGIN RSA " + "PRIVATE KEY-----",
    "password: " + "hunter2hunter2",
]
HARMLESS = [
    "AKIA and other prefixes",
    "sk-learn and sk-something-short",
    "https://example.org/a:b@c",
    "https://user:{{ password }}@example.org",
    "password: {{ password }}",
    "the api_key: see the handbook",
    "secret: aaaaaaaaaaaaaaaaaaaaaa",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:8])
def test_secrets_are_found_in_nodes_and_in_prose(secret: str) -> None:
    plain = subgraph(DONE)
    assert _spans(f"Call it with {secret} today.\n\n{plain}", "ADL841")
    assert _spans(subgraph(WORK % secret), "ADL841")


@pytest.mark.parametrize("text", HARMLESS)
def test_texts_that_only_look_like_secrets_are_let_alone(text: str) -> None:
    assert _spans(f"{text}\n\n{subgraph(DONE)}", "ADL841") == []


def test_secrets_are_found_in_documents_that_cannot_be_read() -> None:
    assert _spans(f"### AgenticDSL `/main/p`\n```yaml\n[ {SECRETS[0]}\n```\n", "ADL841") == [SECRETS[0]]


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        (r"System: serve {{ city }}.\nUser: hello", ["city"]),
        (r"System: be kind.\nUser: {{ city }}", []),
        (r"<|system|>be kind<|user|>{{ city }}", []),
        (r"<|system|>for {{ city }}<|user|>", ["city"]),
        (r"The solar system: {{ city }}", []),
    ],
)
def test_only_what_stands_in_the_system_part_of_a_prompt_is_found(prompt: str, found: list[str]) -> None:
    call = f'type: dsl_call, prompt_template: "{prompt}", llm_tool_name: m, output_keys: [text]'
    node = f"- {{id: ask, {call}, next: [/main/p/done]}}\n"
    assert _spans(subgraph(node + DONE, keys=SIGNATURE), "ADL842") == found


@pytest.mark.parametrize(
    ("uri", "found"),
    [("http://example.org", 1), ("https://example.org", 0), ("http://localhost:80", 0), ("ftp://x", 0)],
)
def test_plain_http_is_fine_on_the_own_machine_only(uri: str, found: int) -> None:
    text = subgraph(f'- {{id: r, type: resource, resource_type: api_endpoint, uri: "{uri}"}}\n{DONE}')
    assert len(_spans(text, "ADL846")) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [('"5"', 1), ("5", 0), ('"-1.5e3"', 1), ('"true"', 1), ("true", 0), ('"5 km"', 0), ('"{{ 5 }}"', 0), ('"v1"', 0)],
)
def test_only_quoted_texts_look_like_another_type(value: str, found: int) -> None:
    text = subgraph(f"- {{id: work, type: assign, assign: {{n: {value}}}, next: [/main/p/done]}}\n{DONE}")
    assert len(_spans(text, "ADL912")) == found


def test_a_budget_is_too_small_for_nodes_that_run_in_every_run_only() -> None:
    ask = 'type: dsl_call, prompt_template: "x", llm_tool_name: m, output_keys: [t]'
    nodes = f"""
- {{id: ask, {ask}, on_error: /main/p/again, next: [/main/p/done]}}
- {{id: again, {ask.replace("[t]", "[u]")}, next: [/main/p/done]}}
{DONE}
"""
    assert _spans(application(nodes, "execution_budget: {max_llm_calls: 1}"), "ADL824") == []
    assert _spans(application(nodes, "execution_budget: {max_llm_calls: 0}"), "ADL824") == ["0"]


def test_a_block_that_an_application_reaches_or_may_generate_into_is_used() -> None:
    other = subgraph(DONE.replace("done", "stop"), path="/main/q")
    reached = application("- {id: work, type: assign, assign: {y: 1}, next: [/main/q]}") + "\n" + other
    assert _spans(reached, "ADL863") == []
    assert _spans(application(DONE) + "\n" + other, "ADL863") == ["/main/q"]
    assert _spans(application(DONE) + "\n" + contract("() -> ()", "/lib/utils/q"), "ADL863") == []


def test_relative_references_are_found_wherever_they_stand() -> None:
    nodes = """
- {id: split, type: fork, fork: {branches: [left, /main/p/right]}}
- {id: left, type: assign, assign: {a: 1}, on_error: /self/lost, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- {id: lost, type: end}
- {id: both, type: join, join: {wait_for: ["@all"]}, next: [/__system__/end_soft]}
"""
    assert _spans(subgraph(nodes), "ADL914") == ["left", "/self/lost"]


def test_generation_fans_out_only_before_the_branches_are_joined() -> None:
    nodes = """
- {id: split, type: fork, fork: {branches: [/main/p/plan, /main/p/other]}}
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/both]}
- {id: other, type: assign, assign: {x: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/plan, /main/p/other]}, next: [/main/p/again]}
- {id: again, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {y: 1}, next: [/main/p/last]}
- {id: right, type: assign, assign: {z: 1}, next: [/main/p/last]}
- {id: last, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
"""
    assert _spans(subgraph(nodes), "ADL823") == []


def test_a_handler_is_idle_only_where_success_goes_to_the_same_node() -> None:
    find = "- {id: find, type: tool_call, tool: search, output_keys: [r], on_error: %s, next: [/main/p/done]}\n" + DONE
    assert _spans(subgraph(find % "/main/p/done"), "ADL862") == ["/main/p/done"]
    assert _spans(subgraph(find % "/__system__/end_soft"), "ADL862") == []


def test_a_requirement_is_used_by_any_call_of_its_block() -> None:
    call = "- {id: begin, type: start, next: [%s/main/p/done]}\n" + DONE
    keys = 'requires: [{lib: "/lib/tool/list_available@^1.0"}]'
    assert _spans(subgraph(call % "", keys=keys), "ADL805") == ['"/lib/tool/list_available@^1.0"']
    assert _spans(subgraph(call % "/lib/tool/list_available@v1, ", keys=keys), "ADL805") == []


@pytest.mark.parametrize(
    ("permission", "found"),
    [
        ("network", 1),
        ("{network: outbound}", 1),
        ('{network: outbound, domains: ["*"]}', 1),
        ("{network: outbound, domains: []}", 1),
        ('{network: outbound, domains: ["*.example.org"]}', 0),
    ],
)
def test_the_network_is_open_without_domains_or_with_a_star(permission: str, found: int) -> None:
    assert len(_spans(subgraph(DONE, keys=f"permissions: [{permission}]"), "ADL843")) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [("step", 0), ("step_2", 0), ("step2b", 0), ("Step", 1), ("step-two", 1), ("_step", 1), ("s__t", 1)],
)
def test_ids_are_small_letters_with_single_underscores(name: str, found: int) -> None:
    assert len(_spans(subgraph(f"- {{id: {name}, type: end}}"), "ADL851")) == found


def test_a_loop_variable_hides_names_of_the_context_only() -> None:
    loop = "{%% for %s in city %%}{{ %s }}{%% endfor %%}"
    assert len(_spans(_template(loop % ("city", "city")), "ADL834")) == 1
    assert _spans(_template(loop % ("c", "c")), "ADL834") == []
