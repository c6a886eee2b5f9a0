"""Words, names and numbers: the small regular expressions that lines are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agentic_dsl import format_values
from agentic_dsl.compiler.grammar.ir import CharClass, Expr, Literal, Ref, alt, chars, many, repeat, seq, some, spread

YAML_WORDS = tuple(sorted(format_values.YAML_WORDS))
"""Words that a YAML 1.1 or 1.2 reader takes for a boolean or null, in lower case."""

TEMPLATE_WORDS = ("and", "or", "not", "in")
"""Operators of templates: no read of the context begins with one. (``true`` and its like are read as constants.)"""

LOWER = chars("a-z")
WORD_REST = chars("a-z0-9_")
NAME_FIRST = chars("A-Za-z_")
NAME_REST = chars("A-Za-z0-9_")
PLAIN_REST = chars("A-Za-z0-9_./-")

WORD = seq(LOWER, many(WORD_REST))
"""An id or context key inside quotes. Its length is bounded by the matcher: counting characters here is slow."""

NAME = seq(NAME_FIRST, many(NAME_REST))
"""A name that a template or signature can hold."""


@dataclass(slots=True)
class _Branch:
    """A node of the prefix tree of excluded words."""

    children: dict[str, _Branch] = field(default_factory=dict)
    ends: bool = False


def words_except(
    name: str, first: CharClass, rest: CharClass, excluded: Iterable[str], *, any_case: bool = False
) -> dict[str, Expr]:
    """Rules for ``first rest*`` without the excluded words.

    The exclusion is a prefix tree, written as one flat choice; all its branches share the rule ``<name>_tail``.

    Args:
        name: the rule's name.
        first: the class of the first character.
        rest: the class of the others.
        excluded: the words, in lower case.
        any_case: whether to exclude the words in every mixture of cases.
    """
    tree = _Branch()
    for word in excluded:
        at = tree
        for char in word:
            at = at.children.setdefault(char, _Branch())
        at.ends = True
    tail = f"{name}_tail"
    ways: list[Expr] = []
    _add_ways(ways, (), tree, first, rest, Ref(tail), any_case)
    return {name: alt(*ways), tail: many(rest)}


def _add_ways(
    ways: list[Expr],
    prefix: tuple[Expr, ...],
    branch: _Branch,
    here: CharClass,
    rest: CharClass,
    tail: Ref,
    any_case: bool,
) -> None:
    """Adds what may follow ``prefix``: nothing, a character that leaves the tree, or one that stays in it."""
    if prefix and not branch.ends:
        ways.append(seq(*prefix))
    taken = ""
    for char in sorted(branch.children):
        cases = "".join(sorted({char, char.upper()})) if any_case else char
        taken += cases
        step = CharClass(tuple((c, c) for c in cases)) if any_case else Literal(char)
        _add_ways(ways, (*prefix, step), branch.children[char], rest, rest, tail, any_case)
    ways.append(seq(*prefix, _without(here, taken), tail))


def _without(cls: CharClass, removed: str) -> CharClass:
    """A class less some characters."""
    gone = sorted(set(map(ord, removed)))
    ranges: list[tuple[str, str]] = []
    for low, high in cls.ranges:
        start = ord(low)
        for code in gone:
            if start <= code <= ord(high):
                if start < code:
                    ranges.append((chr(start), chr(code - 1)))
                start = code + 1
        if start <= ord(high):
            ranges.append((chr(start), high))
    return CharClass(tuple(ranges))


WORD_RULES: Mapping[str, Expr] = {
    **words_except("word", LOWER, WORD_REST, YAML_WORDS),
    **words_except("id", LOWER, WORD_REST, (*YAML_WORDS, "end")),
    "id_line": seq("  - id: ", Ref("id"), "\n"),
    **words_except("name", NAME_FIRST, PLAIN_REST, YAML_WORDS, any_case=True),
}
"""Words that stand without quotes."""

ID_LINE = Ref("id_line")
KEY = seq(Ref("word"), ": ")
NAME_LINE = seq(Ref("name"), "\n")
ARGUMENT_KEY = seq(Ref("name"), ": ")

DIGIT = chars("0-9")
NONZERO = chars("1-9")

INDEX = alt(DIGIT, *(seq(NONZERO, *[DIGIT] * more) for more in (1, 2, 3)))
"""A list index in a template."""

INTEGER = alt("0", spread(alt("-", ""), seq(NONZERO, repeat(DIGIT, 0, 14))))
"""At most 15 digits, so that every reader holds it exactly."""

# At most 15 significant digits come back from a double exactly: 9 before the point and 6 after it, or 15 and a zero.
_SHORT_INTEGER = alt("0", seq(NONZERO, repeat(DIGIT, 0, 8)))
FLOAT = alt(
    spread(alt("-", ""), _SHORT_INTEGER, seq(".", repeat(DIGIT, 0, 5), NONZERO)),
    spread(INTEGER, ".0"),
)
NUMBER = alt(INTEGER, FLOAT)

NUMBER_RULES: Mapping[str, Expr] = {"number_line": spread(NUMBER, "\n"), "integer_line": spread(INTEGER, "\n")}
NUMBER_LINE = Ref("number_line")
INTEGER_LINE = Ref("integer_line")

TEMPLATE_NUMBER = spread(alt("-", ""), alt("0", seq(NONZERO, many(DIGIT))), alt("", seq(".", some(DIGIT))))
"""A number inside a template, which nobody prints again."""

SEGMENT = seq(chars("A-Za-z0-9"), many(chars("A-Za-z0-9_-")))
"""A path segment; the leading ``__`` that is reserved cannot come up."""

URL_TEXT = some(alt(chars("A-Za-z0-9_.~-"), seq("%", chars("0-9A-F"), chars("0-9A-F"))))
"""A URL-encoded value, not empty."""
