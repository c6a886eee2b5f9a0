import pytest
from checking import codes_of, errors_of, only, subgraph

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.parse.document import parse

END = "- {id: e, type: end}"
LIBRARY = Library.of(
    [
        parse(
            subgraph(
                "- {id: a, type: assign, assign: {sum: 1}, next: e}\n" + END,
                "/lib/math/add",
                """
                signature:
                  inputs:
                    - {name: a, type: number}
                    - {name: b, type: number, required: false}
                    - {name: mode, type: string, required: false, enum: [fast, exact]}
                    - {name: whole, type: integer, required: false}
                    - {name: sure, type: boolean, required: false, enum: [true]}
                  outputs: [{name: sum, type: number}]
                """,
            )
        )
    ]
)


def calling(query: str, before: str = "x: 1", rest: str = "") -> str:
    return subgraph(f"- {{id: s, type: assign, assign: {{{before}}}, next: ['/lib/math/add{query}'{rest}]}}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (calling("?a=1"), []),
        (calling("?a=1&b=-2.5&mode=fast"), []),
        (calling("?a={{ x }}"), []),
        (calling("", "a: 1"), []),
        (calling(""), ["ADL305"]),
        (calling("?b=2"), ["ADL305"]),
        (calling("?a=1&c=2"), ["ADL306"]),
        (calling("?a=one"), ["ADL311"]),
        (calling("?a=1&mode=slow"), ["ADL311"]),
        (calling("?a=nan"), ["ADL311"]),
        (calling("?a=1_0"), ["ADL311"]),
        (calling("?a=--1"), ["ADL311"]),
        (calling("?a=²"), ["ADL311"]),
        (calling("?a=1e3&whole=-12&sure=true"), []),
        (calling("?a=1&whole=²"), ["ADL311"]),
        (calling("?a=1&whole=--1"), ["ADL311"]),
        (calling("?a=1&sure=True"), ["ADL311"]),
    ],
)
def test_a_call_gets_its_inputs(text: str, expected: list[str]) -> None:
    assert codes_of(text, library=LIBRARY) == expected


def test_a_missing_input_is_named() -> None:
    found = only(calling(""), library=LIBRARY)
    assert found[:3] == ("ADL305", "'/lib/math/add'", 'the call of "/lib/math/add" lacks its input "a"')


def test_an_unknown_input_is_underlined() -> None:
    assert only(calling("?a=1&c=2"), library=LIBRARY).text == "c"


def test_inputs_come_from_the_calls_before() -> None:
    text = subgraph("- {id: s, type: start, next: ['/lib/human/approval@v1?request=x', /lib/x/y]}")
    needing = parse(subgraph(END, "/lib/x/y", 'signature: "(approved: boolean) -> ()"'))
    assert codes_of(text, library=Library.of([needing])) == []
    assert codes_of(text.replace("['/lib/human/approval@v1?request=x', ", "["), library=Library.of([needing])) == [
        "ADL305"
    ]


def test_only_libraries_take_inputs() -> None:
    found = only(subgraph("- {id: s, type: start, next: '/main/p/e?x=1'}\n" + END))
    assert found.code == "ADL306"


def test_a_signature_names_each_parameter_once() -> None:
    assert "ADL309" in errors_of(subgraph(END, keys='signature: "(a: string, a: string) -> ()"'))


def outputs(nodes: str) -> list[str]:
    return codes_of(subgraph(nodes, keys='signature: "() -> {r: any}"'))


def test_an_output_is_written_on_every_way_to_an_end() -> None:
    assert outputs("- {id: a, type: assign, assign: {r: 1}, next: e}\n" + END) == []
    assert outputs("- {id: a, type: assign, assign: {r: 1}, next: /end}") == []
    assert outputs("- {id: a, type: assign, assign: {r: 1}, on_error: x, next: e}\n- {id: x, type: end}\n" + END) == [
        "ADL308"
    ]
    assert outputs("- {id: a, type: assign, assign: {r: 1}, on_error: /end, next: e}\n" + END) == ["ADL308"]


def test_the_end_that_lacks_it_is_named() -> None:
    nodes = "- {id: a, type: tool_call, tool: t, output_keys: [r], on_error: x, next: e}\n- {id: x, type: end}\n" + END
    found = only(subgraph(nodes, keys='signature: "() -> {r: any}"'))
    assert found[:3] == ("ADL308", "x", 'end "x" is reached without "r"')


def test_the_way_out_that_lacks_it_is_named() -> None:
    found = only(
        subgraph(
            "- {id: a, type: assign, assign: {r: 1}, on_error: /end, next: e}\n" + END,
            keys='signature: "() -> {r: any}"',
        )
    )
    assert found[:3] == ("ADL308", "/end", 'node "a" ends at "/end" without "r"')


def test_an_output_that_nothing_writes_is_told_once_at_the_signature() -> None:
    nodes = "- {id: s, type: start, next: [a, b]}\n- {id: a, type: end}\n- {id: b, type: end}"
    found = only(subgraph(nodes, keys='signature: "() -> {r: any}"'))
    assert found.message == 'output "r" of "/main/p" is written by no node'
    assert "r" in found.text


def test_calls_write_outputs_too() -> None:
    nodes = "- {id: s, type: start, next: ['/lib/human/approval@v1?request=x']}"
    assert codes_of(subgraph(nodes, keys='signature: "() -> {approved: boolean}"')) == []
    assert codes_of(subgraph(nodes, keys='signature: "() -> {comment: string}"')) == ["ADL308"]


def test_an_input_is_an_output_already() -> None:
    assert codes_of(subgraph(END, keys='signature: "(r: any) -> {r: any}"')) == []


def test_optional_outputs_may_stay_unwritten() -> None:
    assert codes_of(subgraph(END, keys='signature: "() -> {r?: any}"')) == []


def test_blocks_that_a_contract_goes_on_to_owe_its_outputs() -> None:
    one = subgraph("- {id: a, type: start, next: /main/q}", keys='signature: "() -> {r: any}"')
    lacking = subgraph(END, "/main/q")
    writing = subgraph("- {id: w, type: assign, assign: {r: 1}, next: e}\n" + END, "/main/q")
    assert errors_of(one + lacking) == ["ADL308"]
    assert errors_of(one + writing) == []
    signed = subgraph(
        "- {id: w, type: assign, assign: {r: 1}, next: e}\n" + END, "/main/q", 'signature: "() -> {r: any}"'
    )
    assert errors_of(one + signed) == []
