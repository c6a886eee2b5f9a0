"""Permissions: one line by ``permission.lark``, or a mapping (``language.md`` §3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from lark import Token, Transformer, v_args
from lark.exceptions import UnexpectedInput

from agentic_dsl.compiler.parse.lark_parser import END, built, expectation
from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.string_literal import unescaped
from agentic_dsl.permission import PERMISSION_KINDS, Permission
from agentic_dsl.signature import Data
from agentic_dsl.span import NOWHERE, Span

_CACHED = 1024
MAX_DEPTH = 100
"""How deep lists in options may nest."""

_HELP = 'write it as "tool: web_search → scope: read_only"'
_OTHER_NAMES = {"knowledge_graph": "kg", "graph": "kg", "filesystem": "file", "llm": "reasoning", "net": "network"}
"""Words that people take for kinds → the kind."""

_INTEGER = re.compile(r"-?[0-9]{1,300}")
_FLOAT = re.compile(r"-?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")
_BARE: dict[str, Data] = {"true": True, "false": False, "null": None}

_WORDS = {
    "WORD": "a word",
    "STRING": "a quoted text",
    "COLON": '":"',
    "ARROW": '"→"',
    "COMMA": '","',
    "LEFT": '"["',
    "RIGHT": '"]"',
    END: "the end",
}


@dataclass(frozen=True, slots=True)
class MappingProblem(Problem):
    """What is wrong with a permission that is a mapping; ``span`` is an offset into the text of a value.

    Attributes:
        key: the key at fault, None where the whole mapping is.
        in_value: whether its value is at fault, not the key itself.
    """

    key: str | None = None
    in_value: bool = False


class _Value(NamedTuple):
    """A value as read; a wrapper, for a list of values is a tuple too."""

    value: Data


class _Written(NamedTuple):
    """A permission as written."""

    kind: Token
    name: str | None
    options: dict[str, Data]


@v_args(inline=True)
class _Build(Transformer[Token, object]):
    """Makes values of the rules of ``permission.lark``."""

    def start(self, kind: Token, *parts: Token | _Value | tuple[str, Data]) -> _Written:
        name, options = None, {}
        for part in parts:
            match part:
                case _Value():
                    name = str(part.value)
                case Token():
                    pass
                case (key, value):
                    options[key] = value
        return _Written(kind, name, options)

    def name(self, word: Token) -> _Value:
        return _Value(str(word))

    def quoted(self, string: Token) -> _Value:
        return _Value(unescaped(string))

    def bare(self, word: Token) -> _Value:
        return _Value(_typed(str(word)))

    def list_of(self, *parts: Token | _Value) -> _Value:
        return _Value(tuple(part.value for part in parts if isinstance(part, _Value)))

    def option(self, key: _Value, _sign: Token, value: _Value) -> tuple[str, Data]:
        return str(key.value), value.value


BUILD = _Build()


def _typed(word: str) -> Data:
    """What YAML would take an unquoted word for."""
    if word in _BARE:
        return _BARE[word]
    if _INTEGER.fullmatch(word):
        return int(word)
    return float(word) if _FLOAT.fullmatch(word) else word


@remembered(_CACHED)
def parse_permission(text: str) -> Permission | Problem:
    """A permission in one line: ``network``, ``file:read``, ``tool: web_search → scope: read_only``.

    Args:
        text: the decoded string; spans are offsets into it.
    """
    if text.count("[") > MAX_DEPTH:
        return Problem("the permission holds too many lists", _HELP, Span(0, len(text)))
    try:
        written: _Written = built("permission", text, BUILD)
    except UnexpectedInput as error:
        return _problem(error, text)
    start = written.kind.start_pos or 0
    if (unknown := _unknown_kind(str(written.kind), Span(start, start + len(written.kind)))) is not None:
        return unknown
    if written.name == "":
        return Problem(f"the permission {quoted(text)} has an empty name", _HELP, Span(0, len(text)))
    return Permission(str(written.kind), written.name, written.options, Span(0, len(text)))


def permission_of(data: Mapping[str, Data]) -> Permission | MappingProblem:
    """A permission from a mapping; the caller knows where it stands.

    One key is the kind. Its value is the name (``{tool: web_search}``), the options
    (``{generate_subgraph: {max_depth: 2}}``), a name with its options (``{network: {outbound: {domains: […]}}}``), both
    in one line (``{tool: "x → scope: y"}``), or nothing (``{network: true}``); the other keys are options.
    """
    kinds = [key for key in data if key in PERMISSION_KINDS]
    if not kinds:
        unknown = next((key for key in data if _close_kind(key)), next(iter(data), None))
        wrong = _unknown_kind(unknown, NOWHERE) if unknown else None
        if wrong is None:
            return MappingProblem("the permission is empty", _HELP)
        return MappingProblem(wrong.message, wrong.help, key=unknown)
    if len(kinds) > 1:
        message = f'the permission has two kinds, "{kinds[0]}" and "{kinds[1]}"'
        return MappingProblem(message, "make each a list item of its own", key=kinds[1])
    kind = kinds[0]
    options = {key: value for key, value in data.items() if key != kind}
    match data[kind]:
        case None | True:
            return Permission(kind, None, options)
        case False:
            help = "leave it out, nothing is granted unless listed"
            return MappingProblem(f'the permission "{kind}" is false', help, key=kind, in_value=True)
        case str(text):
            return _in_one_line(kind, text, options)
        case Mapping() as inner:
            name, narrower = _named_inside(inner)
            return Permission(kind, name, {**narrower, **options})
        case list() | tuple():
            message = f'the permission "{kind}" has a list for a name'
            help = f"make one list item of each, as in {{{kind}: name}}"
            return MappingProblem(message, help, key=kind, in_value=True)
        case number:
            return Permission(kind, str(number), options)


def _in_one_line(kind: str, text: str, options: dict[str, Data]) -> Permission | MappingProblem:
    if "→" not in text and "->" not in text:
        if not text.strip():
            message = f'the permission "{kind}" has an empty name'
            return MappingProblem(message, "write a name, or the kind alone", key=kind, in_value=True)
        return Permission(kind, text, options)
    before = f"{kind}: "
    parsed = parse_permission(before + text)
    if isinstance(parsed, Problem):
        start, end = max(parsed.span.start - len(before), 0), parsed.span.end - len(before)
        return MappingProblem(parsed.message, parsed.help, Span(start, end), key=kind, in_value=True)
    return Permission(kind, parsed.name, {**parsed.options, **options})


def _named_inside(below: Mapping[str, Data]) -> tuple[str | None, Mapping[str, Data]]:
    """The name and options of ``{outbound: {domains: […]}}``; where nothing is nested, all of it is options."""
    if len(below) == 1:
        [(name, options)] = below.items()
        if isinstance(options, Mapping):
            return name, options
    return None, below


def _close_kind(word: str) -> str | None:
    """The kind that a word is most likely meant for."""
    lower = word.lower().replace("-", "_")
    close = get_close_matches(lower, PERMISSION_KINDS, 1)
    return _OTHER_NAMES.get(lower) or (close[0] if close else None)


def _unknown_kind(word: str, span: Span) -> Problem | None:
    if word in PERMISSION_KINDS or not word:
        return None
    close = _close_kind(word)
    help = f'write "{close}"' if close else f"use one of {', '.join(PERMISSION_KINDS)}"
    return Problem(f"there is no kind of permission {quoted(word)}", help, span)


def _problem(error: UnexpectedInput, text: str) -> Problem:
    """What a person needs to know of a permission that cannot be read."""
    if not text.strip():
        return Problem("the permission is empty", _HELP, Span(0, len(text)))
    offset, expected = expectation(error, _WORDS, length=len(text))
    found = quoted(text[offset]) if offset < len(text) else "its end"
    reason = f"{found} stands where {expected} is expected" if expected else f"{found} means nothing there"
    return Problem(
        f"the permission {quoted(text)} cannot be read: {reason}", _HELP, Span(offset, min(offset + 1, len(text)))
    )
