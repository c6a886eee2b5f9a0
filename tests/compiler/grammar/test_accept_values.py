"""What the emitted grammar accepts and what it refuses within a line: text, templates, numbers, names."""

from __future__ import annotations

import pytest

from agentic_dsl.compiler.pipeline import compile
from agentic_dsl.constraints import Constraints, ToolSpec
from tests.compiler.grammar.acceptors import accepts
from tests.compiler.grammar.judging import block, call, check, no, node, yes

pytestmark = pytest.mark.masks


def value(line: str) -> str:
    return block(node("assign", f"assign:\n  k: {line}\n"))


ACCEPTED_VALUES = (
    *(
        '""',
        '"a"',
        '"é漢😀\u2028\ufeff"',
        '"it\'s #1: - [x] & *y"',
        '"\\" \\\\ \\n \\r \\t"',
        '"\\u0000\\u001f\\u007f\\u0085"',
    ),
    *('"{"', '"{}"', '"{a}"', '"{ {"', '"{\\"k\\": 1}"', '"{\\n"', '"}}"', '"%} #}"', '"a {"'),
    *('"{{ x }}"', '"{{ $.x }}"', '"{{ $.in }}"', '"{{ inner }}"', '"{{ a.b[0].c[9999] }}"', '"{{ Name_1 }}"'),
    *(
        '"{{ length(x.y) }}"',
        '"{{ default(x, y.z) }}"',
        '"{{ default($.x, \\"none\\") }}"',
        '"{{ default(x, -1.50) }}"',
    ),
    *('"{{ default(x, true) }}"', '"{{ x }}{{ y }}"', '"a {{ x }} b {{ y }} c"', '"{{ x }}}"', '"{{ x }}{"'),
    *("0", "-1", "123456789012345", "1.5", "-0.5", "0.000001", "123456789.123456", "123456789012345.0", "0.0", "2.0"),
    *("true", "false", "null", "[]", '[1, "a", true, null]', '["{{ x }}", "b {"]', "[-1.5]"),
)
REFUSED_VALUES = (
    *(
        "",
        "a",
        "'a'",
        '"a',
        '"a" ',
        '"\t"',
        '"\x7f"',
        '"\x85"',
        '"\\u000a"',
        '"\\u000A"',
        '"\\u0041"',
        '"\\x41"',
        '"\\/"',
    ),
    *(
        '"{{"',
        '"{{{ x }}"',
        '"{% if x %}"',
        '"{# x #}"',
        '"{{x}}"',
        '"{{ x }"',
        '"{{  x }}"',
        '"{{ x | upper }}"',
        '"{{{"',
    ),
    *('"{{ in }}"', '"{{ not.x }}"', '"{{ $.1 }}"', '"{{ $ }}"', '"{{ x[01] }}"', '"{{ x[99999] }}"', '"{{ x[a] }}"'),
    *('"{{ x > 1 }}"', '"{{ upper(x) }}"', '"{{ default(x) }}"', '"{{ length(x, y) }}"', '"{{ default(x,y) }}"'),
    *('"{{ default(x, \\"{\\") }}"', '"{{ length(length(x)) }}"', '"\ufffe"'),
    *(
        "-0",
        "-0.0",
        "01",
        "+1",
        ".5",
        "1.",
        "1e5",
        "1.50",
        "1234567890123456",
        "0.1234567",
        "1234567890.5",
        "0x1f",
        "1_0",
    ),
    *(
        "True",
        "~",
        "Null",
        "yes",
        "[1,2]",
        "[1, 2,]",
        "[[1]]",
        "{a: 1}",
        "[a]",
        "1 # one",
        "&a 1",
        "!!str 1",
        "- 1",
        "|",
    ),
)


@pytest.mark.parametrize("line", ACCEPTED_VALUES)
def test_values_that_generated_text_holds(line: str) -> None:
    check(yes(value(line)))


@pytest.mark.parametrize("line", REFUSED_VALUES)
def test_values_that_it_does_not_hold(line: str) -> None:
    check(no(value(line)))


CONDITIONS = {
    **dict.fromkeys(('"{{ x }}"', '"{{ x.ok }}"', '"{{ length(x) > 0 }}"', '"{{ $.a == \\"b c\\" }}"'), True),
    **dict.fromkeys(('"{{ a <= b }}"', '"{{ default(a, 0) != length(b) }}"', '"{{ a == false }}"'), True),
    **dict.fromkeys(
        ('"x > 1"', '"{{ 1 == x }}"', '"{{ a == b == c }}"', '"{{ a and b }}"', '"{{ a = b }}"', '""'), False
    ),
    **dict.fromkeys(('"yes {{ x }}"', '"{{ a==b }}"', '"{{ not a }}"', "true"), False),
}


@pytest.mark.parametrize(("line", "accepted"), CONDITIONS.items())
def test_conditions(line: str, accepted: bool) -> None:
    check((yes if accepted else no)(block(node("assert", f"condition: {line}\n"))))


@pytest.mark.parametrize(
    "raw", [b"\xed\xa0\x80", b"\xc0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\xe6\xbc", b"\xef\xbf\xbf"]
)
def test_bytes_that_are_no_text_are_refused(raw: bytes) -> None:
    grammar = compile(Constraints()).grammar
    before, after = value('"@"').encode().split(b"@")
    assert accepts(grammar, before + "漢".encode() + after)
    assert not accepts(grammar, before + raw + after)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a: b", "# a", "- a", "größe", "null", "1e3", "`x`", "{x"])
def test_tools_and_arguments_of_any_name_stand_in_quotes(name: str) -> None:
    tool = ToolSpec(name=name, parameters={"type": "object", "properties": {name: {"const": name}}})
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    text = call(f"tool: {quoted}\narguments:\n  {quoted}: {quoted}\n")
    check(yes(text, tools=(tool,)))
    check(no(text.replace(f"tool: {quoted}", f"tool: {name}"), tools=(tool,)))
