import pytest
from checking import application, codes_of, errors_of, findings, only, subgraph

from agentic_dsl.constraints import Constraints, ToolSpec

FLIGHTS = """
- type: tool
  name: flights
  parameters:
    type: object
    properties:
      city: {type: string}
      limit: {type: integer, minimum: 1}
      kind: {enum: [one_way, return]}
      price: {type: number}
      direct: {type: boolean}
      stops: {type: array, items: {type: string}, maxItems: 2}
      code: {type: string, pattern: "^[A-Z]{3}$"}
    required: [city]
  returns:
    type: object
    properties:
      price: {type: number}
      legs: {type: array, items: {type: object, properties: {from: {type: string}}}}
"""


def calling(arguments: str, keys: str = "output_keys: [r]", more: str = "") -> str:
    nodes = f"""
- {{id: a, type: tool_call, tool: flights, arguments: {arguments}, {keys}, next: b}}
- {{id: b, type: assign, assign: {{done: "{more}"}}, next: e}}
- {{id: e, type: end}}
"""
    return application(nodes, resources=FLIGHTS)


@pytest.mark.parametrize(
    "arguments",
    [
        "{city: Rome}",
        "{city: Rome, limit: 5, kind: return, price: 2.5, direct: true, stops: [a, b], code: ROM}",
        "{city: Rome, price: 2}",
        "{city: Rome, limit: 5.0}",
        '{city: "{{ x }}", limit: "{{ x }}", kind: "{{ x }}", stops: "{{ x }}", code: "{{ x }}"}',
        '{city: Rome, stops: ["{{ x }}", b]}',
        '"{{ x }}"',
    ],
)
def test_these_arguments_fit(arguments: str) -> None:
    assert errors_of(calling(arguments)) == []


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("{limit: 5}", "ADL508", "arguments"),
        ("{city: Rome, citty: Rome}", "ADL509", "citty"),
        ("{city: 5}", "ADL507", "5"),
        ("{city: Rome, limit: five}", "ADL507", "five"),
        ("{city: Rome, limit: 2.5}", "ADL507", "2.5"),
        ("{city: Rome, limit: 0}", "ADL507", "0"),
        ("{city: Rome, limit: true}", "ADL507", "true"),
        ("{city: Rome, kind: both}", "ADL507", "both"),
        ("{city: Rome, direct: 1}", "ADL507", "1"),
        ("{city: Rome, stops: a}", "ADL507", "a"),
        ("{city: Rome, stops: [1]}", "ADL507", "1"),
        ("{city: Rome, stops: [a, b, c]}", "ADL507", "[a, b, c]"),
        ('{city: Rome, stops: [a, b, "{{ x }}"]}', "ADL507", '[a, b, "{{ x }}"]'),
        ("{city: Rome, code: rom}", "ADL507", "rom"),
        ("{city: null}", "ADL507", "null"),
    ],
)
def test_these_arguments_do_not_fit(arguments: str, code: str, text: str) -> None:
    found = [f for f in findings(calling(arguments)) if f.severity == "error"]
    assert [f[:2] for f in found] == [(code, text)]


def test_findings_about_values_are_words() -> None:
    (found,) = (f for f in findings(calling("{city: Rome, kind: both}")) if f.severity == "error")
    assert found.message == 'argument "kind" of "flights": "both" is not one of "one_way", "return"'


def test_a_missing_argument_is_named() -> None:
    (found,) = (f for f in findings(calling("{}")) if f.severity == "error")
    assert found.message == 'node "a" calls "flights" without the argument "city"'


def test_a_tool_without_declared_parameters_takes_anything() -> None:
    nodes = "- {id: a, type: tool_call, tool: t, arguments: {x: 1}, output_keys: [r], next: /end}"
    assert codes_of(application(nodes, resources="- {type: tool, name: t}")) == []


@pytest.mark.parametrize(
    ("schema", "arguments", "expected"),
    [
        ("{properties: {a: {}}, additionalProperties: true}", "{b: 1}", []),
        ("{properties: {a: {}}, additionalProperties: {type: string}}", "{b: 1}", ["ADL507"]),
        ("{properties: {a: {}}, additionalProperties: false}", "{b: 1}", ["ADL509"]),
        ("{properties: {a: {}, b: {}}, dependentRequired: {a: [b]}}", "{a: 1}", ["ADL507"]),
        ("{properties: {a: {}, b: {}}, dependentRequired: {a: [b]}}", "{a: 1, b: 2}", []),
        ("{properties: {a: {$ref: '#/$defs/n'}}, $defs: {n: {type: integer}}}", "{a: x}", ["ADL507"]),
        ("{properties: {a: {$ref: '#/$defs/n'}}, $defs: {n: {type: integer}}}", "{a: 1}", []),
        ("{properties: {a: {type: object, required: [k], properties: {k: {}}}}}", "{a: {j: '{{ x }}'}}", ["ADL507"]),
        ("{properties: {a: {anyOf: [{type: string}, {type: 'null'}]}}}", "{a: null}", []),
        ("{properties: {a: {type: [string, 'null']}}}", "{a: 1}", ["ADL507"]),
    ],
)
def test_schemas_of_any_shape_are_followed(schema: str, arguments: str, expected: list[str]) -> None:
    nodes = f"- {{id: a, type: tool_call, tool: t, arguments: {arguments}, output_keys: [r], next: /end}}"
    assert errors_of(application(nodes, resources=f"- {{type: tool, name: t, parameters: {schema}}}")) == expected


@pytest.mark.parametrize(
    "schema",
    [
        "{type: objekt}",
        "{properties: [a]}",
        "{properties: {a: {type: strange}}}",
        "{required: a}",
        "{properties: {a: {$ref: 'https://example.org/schema'}}}",
        "{properties: {a: {$ref: '#/$defs/missing'}}}",
        "{properties: {a: {pattern: '('}}}",
        "text",
    ],
)
def test_a_broken_schema_is_found_once_and_where_it_stands(schema: str) -> None:
    nodes = "- {id: a, type: tool_call, tool: t, arguments: {a: 1}, output_keys: [r], next: /end}"
    text = application(nodes, resources=f"- {{type: tool, name: t, parameters: {schema}}}")
    assert errors_of(text) == ["ADL512"]


def test_a_schema_that_refers_to_itself_is_no_trap() -> None:
    nodes = "- {id: a, type: tool_call, tool: t, arguments: {a: {a: {a: 1}}}, output_keys: [r], next: /end}"
    tree = "{properties: {a: {$ref: '#'}}}"
    assert errors_of(application(nodes, resources=f"- {{type: tool, name: t, parameters: {tree}}}")) == ["ADL507"]
    endless = "{properties: {a: {$ref: '#/properties/a'}}}"
    assert errors_of(application(nodes, resources=f"- {{type: tool, name: t, parameters: {endless}}}")) in (
        [],
        ["ADL512"],
    )


@pytest.mark.timeout(20)
def test_a_pattern_that_explodes_is_not_applied() -> None:
    text = "a" * 60 + "!"
    nodes = f"- {{id: a, type: tool_call, tool: t, arguments: {{a: '{text}'}}, output_keys: [r], next: /end}}"
    for pattern in ("^(a+)+$", "^(a|aa)*$", "^(a*)*b", "^a*a*a*a*a*a*a*b$"):
        schema = f"{{properties: {{a: {{pattern: '{pattern}'}}}}}}"
        assert errors_of(application(nodes, resources=f"- {{type: tool, name: t, parameters: {schema}}}")) == []


def test_several_output_keys_are_fields_of_the_result() -> None:
    assert errors_of(calling("{city: x}", "output_keys: [price, legs]")) == []
    (found,) = (f for f in findings(calling("{city: x}", "output_keys: [price, leg]")) if f.severity == "error")
    assert found[:2] == ("ADL511", "leg")
    assert found.help == 'write "legs" if that is meant'


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("price", []),
        ("$.price", []),
        ("legs[0].from", []),
        ("legs[0].to", ["ADL511"]),
        ("prize", ["ADL511"]),
        ("{{ x }}", None),
    ],
)
def test_an_output_mapping_takes_what_is_there(path: str, expected: list[str] | None) -> None:
    found = [c for c in errors_of(calling("{city: x}", f'output_mapping: {{p: "{path}"}}')) if c == "ADL511"]
    assert found == (expected or [])


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        ("{{ $.r.price }}", []),
        ("{{ r.legs[0].from }}", []),
        ("{{ r.prize }}", ["ADL511"]),
        ("{{ r.legs[0].to }}", ["ADL511"]),
        ("{{ default(r.prize, 1) }}", []),
    ],
)
def test_templates_read_fields_that_the_result_has(read: str, expected: list[str]) -> None:
    assert errors_of(calling("{city: x}", more=read)) == expected


def test_tools_of_the_constraints_come_first() -> None:
    tool = ToolSpec(name="flights", parameters={"properties": {"to": {"type": "string"}}, "required": ["to"]})
    text = subgraph(
        "- {id: a, type: tool_call, tool: flights, arguments: {city: x}, output_keys: [r], next: /__system__/end_soft}",
        "/dynamic/plan",
    )
    assert errors_of(text, constraints=Constraints(tools=(tool,))) == ["ADL508", "ADL509"]


def test_a_broken_schema_of_the_constraints_is_found_at_the_call() -> None:
    tool = ToolSpec(name="flights", parameters={"properties": {"to": {"type": "strange"}}})
    text = subgraph(
        "- {id: a, type: tool_call, tool: flights, arguments: {city: x}, output_keys: [r], next: /__system__/end_soft}",
        "/dynamic/plan",
    )
    assert only(text, constraints=Constraints(tools=(tool,)))[:2] == ("ADL512", "flights")
