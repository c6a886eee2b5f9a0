"""Quoted text and templates.

Inside the quotes stand raw characters, the escapes that the canonical layout knows, and templates. ``{{`` always
opens a template; ``{%`` and ``{#`` cannot come up: an escape yields only control characters, quotes and
backslashes, and a lone brace is followed by none of ``{ % #``. So ``{{{`` is refused: every reader takes its first two
braces for an opening.

The rules are written for engines that build one automaton per rule: a run of characters is one flat loop, whatever
follows it is a reference in tail position, and the closing quote and the newline belong to the rule.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentic_dsl.compiler.grammar.ir import CharClass, Expr, Ref, alt, chars, many, seq, some, spread
from agentic_dsl.compiler.grammar.words import (
    INDEX,
    NAME,
    NAME_FIRST,
    NAME_REST,
    SEGMENT,
    TEMPLATE_NUMBER,
    TEMPLATE_WORDS,
    words_except,
)

_CONTROLS = (("\x00", "\x1f"), ("\x7f", "\x9f"))
_NEVER_RAW = (("\ud800", "\udfff"), ("\ufffe", "\uffff"))
"""Code points that YAML forbids: neither raw nor escaped in generated text."""


def _raw_except(excluded: str) -> CharClass:
    return CharClass(tuple(sorted((*_CONTROLS, *_NEVER_RAW, *((c, c) for c in excluded)))), negated=True)


ESCAPE = alt(
    seq("\\", chars('"\\nrt')),
    seq("\\u000", chars("0-8bcef")),
    seq("\\u001", chars("0-9a-f")),
    "\\u007f",
    seq("\\u00", chars("89"), chars("0-9a-f")),
)
"""The escapes of the canonical layout, each character in its only spelling."""

CHARACTER = alt(_raw_except('"\\{'), ESCAPE, spread("{", alt(_raw_except('"\\{%#'), ESCAPE)))
"""One character of text, or a lone brace and the character after it."""

PLAIN_CHARACTER = alt(_raw_except('"\\'), ESCAPE)
"""One character of text in which braces mean nothing."""

# --- templates -------------------------------------------------------------------------------------------------------


def _read_rules() -> dict[str, Expr]:
    """``[$.]name(.field|[n])*``. A context name that is a word of templates needs the ``$.``."""
    rules = words_except("read_name", NAME_FIRST, NAME_REST, TEMPLATE_WORDS)
    rules["read_name"] = alt(rules["read_name"], seq("$.", NAME_FIRST, Ref("read_name_tail")))
    return {**rules, "read": seq(Ref("read_name"), many(alt(seq(".", NAME), spread("[", INDEX, "]"))))}


LITERAL = alt(seq('\\"', many(_raw_except('"\\{}')), '\\"'), TEMPLATE_NUMBER, "true", "false")
"""A constant inside a template; its quotes are escaped, for it stands inside quotes."""

READ = Ref("read")
TEMPLATE = Ref("template")

QUERY_TEMPLATE = seq("{{ ", READ, " }}")
"""A template as a value in a library call's query: a text inside could hold the ``&`` that ends the value."""

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")

# The blank before a read stands at the start of one rule, not at the end of many: after a blank most tokens go on, so
# every state before one costs an engine a walk through its vocabulary.
_TEMPLATE_RULES: Mapping[str, Expr] = {
    **_read_rules(),
    "literal": LITERAL,
    "template": seq("{{", Ref("operand"), " }}"),
    "operand": alt(seq(" ", READ), seq(" ", Ref("function"))),
    "function": alt(seq("length(", READ, ")"), seq("default(", READ, ",", Ref("fallback"), ")")),
    "fallback": alt(seq(" ", READ), seq(" ", Ref("literal"))),
    "condition_line": seq('"{{', Ref("operand"), Ref("comparison")),
    "comparison": alt(' }}"\n', *(seq(f" {sign}", Ref("other")) for sign in _COMPARISONS)),
    "other": spread(" ", alt(READ, Ref("function"), Ref("literal")), ' }}"\n'),
}

# --- text ------------------------------------------------------------------------------------------------------------


def text_rules(name: str, end: Expr | str) -> dict[str, Expr]:
    """Rules for text with templates after its opening quote: ``<name>`` may be empty, ``<name>_some`` may not.

    ``end`` begins with the closing quote.
    """
    after = Ref(f"{name}_after")
    return {
        name: seq(many(CHARACTER), after),
        f"{name}_some": alt(seq(some(CHARACTER), after), spread("{", end), seq(TEMPLATE, Ref(name))),
        f"{name}_after": alt(spread(alt("{", ""), end), seq(TEMPLATE, Ref(name))),
    }


TEXT_RULES: Mapping[str, Expr] = {
    **_TEMPLATE_RULES,
    **text_rules("text", '"\n'),
    "text_line": seq('"', Ref("text_some")),
    "plain_text_line": seq('"', some(PLAIN_CHARACTER), '"\n'),
    "template_line": seq('"', TEMPLATE, '"\n'),
    "dynamic_path_line": seq('"/dynamic', some("/", SEGMENT), '"\n'),
}
"""The rest of a line after ``key: ``."""

TEXT_LINE = Ref("text_line")
PLAIN_TEXT_LINE = Ref("plain_text_line")
TEMPLATE_LINE = Ref("template_line")
CONDITION_LINE = Ref("condition_line")
DYNAMIC_PATH_LINE = Ref("dynamic_path_line")
