"""What the YAML reader found wrong, in words of ours: the one table for this vendor."""

from __future__ import annotations

import re
from typing import NamedTuple

from yaml.error import MarkedYAMLError, YAMLError

from agentic_dsl import codes
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span


class _Words(NamedTuple):
    """One row: a part of the vendor's sentence, and ours.

    Attributes:
        problem: what to look for in the vendor's problem, lower case.
        message: our finding.
        help: our remedy.
        at_context: whether the place is where the broken construct opens, not where the reader gave up.
    """

    problem: str
    message: str
    help: str
    at_context: bool = False


_FLOW_LIST = _Words(
    "',' or ']'",
    'a list that opens with "[" is not closed, or lacks a comma',
    'separate the items by commas and close the list with "]"',
)
_FLOW_MAPPING = _Words(
    "',' or '}'",
    'a mapping that opens with "{" is not closed, or lacks a comma',
    'separate the pairs by commas and close the mapping with "}"; put a template in quotes: "{{ x }}"',
)
_LOST_LINE = _Words(
    "did not find expected key",
    'this does not continue the lines above it and is no "key: value" either',
    "indent it like the keys beside it, and put text that holds quotes or colons in quotes",
)
_NO_NAME = _Words(
    "alphabetic or numeric character",
    'a value begins with "&" or "*", which YAML takes for an anchor or alias without a name',
    "put the value in quotes",
)
_BAD_TAG = _Words(
    "tag",
    "a YAML tag cannot be read, and AgenticDSL has none",
    'remove it, or put the value in quotes if "!" is part of it',
)

_TABLE: tuple[_Words, ...] = (
    _Words("unexpected end of stream", "a quoted text is never closed", "close it with the quote that opens it", True),
    _Words("unexpected document", 'a quoted text runs into "---" or "..."', "close the quotes before that line", True),
    _Words(
        "mapping values are not allowed",
        'a ":" stands where no key can be',
        'put the value in quotes if the ":" belongs to it, else check the indentation',
    ),
    _Words("unexpected ':'", 'a ":" stands inside of an unquoted value', "put the value in quotes"),
    _Words("expected ':'", 'a key is not followed by ":"', 'write "key: value" on one line', True),
    _Words(
        "sequence entries are not allowed",
        'a list item "-" cannot stand here',
        "put the items on lines of their own below the key",
    ),
    _Words("mapping keys are not allowed", "a key cannot begin here", "put the key on a line of its own"),
    _Words("unknown escape", "an escape in double quotes is unknown", r'write "\\" for a backslash'),
    _Words("decimal", "an escape lacks its hexadecimal digits", r'write as many digits as it needs, as in "\u00e9"'),
    _Words("unicode character escape", "an escape names no character", "write a code point up to 10ffff"),
    _Words("indentation indicator", 'the digit after "|" or ">" is not 1 to 9', "remove the digit"),
    _Words(
        "expected comment or",
        'text follows "|", ">" or a directive on the same line',
        "begin the text on the next line, indented",
    ),
    _Words("tab character", "a tab is used where spaces indent", "indent with spaces"),
    _FLOW_LIST,
    _FLOW_MAPPING,
    _LOST_LINE,
    _LOST_LINE._replace(problem="expected <block end>"),
    _Words(
        "'-' indicator",
        "this line is no item of the list above it",
        'begin it with "- ", or indent it as the items are',
    ),
    _Words(
        "node content", "a value is missing here", 'write the value; put it in quotes if it begins with , ] } or "|"'
    ),
    _Words("<document start>", "this stands after the end of the block's YAML", "remove it, or indent it as the rest"),
    _Words("document start", "this stands after the end of the block's YAML", "remove it, or indent it as the rest"),
    _NO_NAME,
    _NO_NAME._replace(problem="alphabetic or numeric"),
    _BAD_TAG,
    _BAD_TAG._replace(problem="uri"),
    _BAD_TAG._replace(problem="'!'"),
    _BAD_TAG._replace(problem="'>'"),
    _Words("directive", "a YAML directive cannot be read", 'remove the line that begins with "%"'),
    _Words("yaml document", "a YAML directive asks for another version", 'remove the line that begins with "%"'),
    _Words("version number", "a YAML directive cannot be read", 'remove the line that begins with "%"'),
)
"""First row that fits wins."""

_OTHER = _Words("", "the YAML cannot be read here", "check the indentation, the quotes and the colons around it")

_TEMPLATE = _Words(
    "", "a template stands without quotes, so YAML takes it for a mapping", 'put the whole value in quotes: "{{ x }}"'
)
_BARE_TEMPLATE = re.compile(r"[ \t]*(?:- +)*(?:[^\s:'\"#]+:[ \t]+)?(?P<template>\{[{%#][^\r\n]*)")
"""A line whose value begins with a template and no quote: the most frequent cause of all these errors."""

_BAD_START = "cannot start any token"


def syntax_diagnostic(error: YAMLError, text: str, shift: int) -> Diagnostic:
    """The finding for what the YAML reader raised.

    Args:
        error: what was raised.
        text: the body that was read.
        shift: offset of the body in the document.
    """
    if not isinstance(error, MarkedYAMLError):
        return codes.YAML_SYNTAX.at(Span(shift, shift + len(text)), _OTHER.message, help=_OTHER.help)
    problem = (error.problem or "").lower()
    at = _index(error.problem_mark, len(text))
    template = _BARE_TEMPLATE.match(text, _line_start(text, at))
    if template:
        span = Span(template.start("template"), template.end("template"))
        return codes.YAML_SYNTAX.at(span.shift(shift), _TEMPLATE.message, help=_TEMPLATE.help)
    words = _bad_start(text[at : at + 1]) if _BAD_START in problem else _find(problem)
    opened = _index(error.context_mark, at)
    # At the end of the text there is nothing to see: show what was opened instead.
    if words.at_context or not text[at:].strip():
        at = opened
    return codes.YAML_SYNTAX.at(Span(at, min(at + 1, len(text))).shift(shift), words.message, help=words.help)


def _line_start(text: str, at: int) -> int:
    """Where the line of an offset begins; at the end of the text, the last line that says something."""
    end = at if text[at:].strip() else len(text[:at].rstrip())
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _find(problem: str) -> _Words:
    return next((row for row in _TABLE if row.problem in problem), _OTHER)


def _bad_start(character: str) -> _Words:
    if character == "\t":
        return _Words("", "a tab is used where spaces indent", "indent with spaces")
    return _Words("", f'a value cannot begin with "{character}"', "put the value in quotes")


def _index(mark: object, default: int) -> int:
    return min(int(getattr(mark, "index", default)), default) if mark is not None else default
