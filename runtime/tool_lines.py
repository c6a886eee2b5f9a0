"""Tools and libraries as one compact line each: ``name(param: type, opt?: type) -> {field: type}``.

A model needs no more than this to call a tool: the grammar knows the rest of the schema. Large catalogues are told
with less detail, so that they fit the prompt: the 39 tools of a real one are about 25,000 tokens as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentic_dsl.constraints import LibrarySpec, ToolSpec

ROOM_CHARS = 4_000
"""A catalogue up to this size, about 1,100 tokens, is told in full."""
ROOM_CHARS_PER_TOOL = 140
"""The room of one tool in larger catalogues: as much as a name, some arguments and a small result take."""

_MAX_DEPTH = 3
"""Objects nested deeper are printed as ``object``."""
_MAX_CHOICES = 24
"""Enums longer than this end in ``…``; the grammar still knows all of them."""
_MAX_DESCRIPTION = 100
_BARE = re.compile(r"[\w.+-]+")


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of a tool is told. Arguments are always told in full: they are what a call is made of.

    Attributes:
        fields: how many fields of the result are named; the rest is ``…``.
        depth: how deep nested objects of the result are printed.
        described: whether the description is there.
    """

    fields: int
    depth: int
    described: bool


FULL = Detail(fields=32, depth=_MAX_DEPTH, described=True)
_DETAILS = (FULL, Detail(8, 1, True), Detail(4, 1, True), Detail(2, 1, True), Detail(2, 1, False), Detail(1, 1, False))
_BRIEFEST = Detail(0, 1, False)


def tool_lines(tools: Sequence[ToolSpec]) -> list[str]:
    """A catalogue, one tool a line, with as much detail as there is room for."""
    room = max(ROOM_CHARS, ROOM_CHARS_PER_TOOL * len(tools))
    for detail in _DETAILS:
        lines = [tool_line(tool, detail) for tool in tools]
        if sum(map(len, lines)) + len(lines) <= room:
            return lines
    return [tool_line(tool, _BRIEFEST) for tool in tools]


def tool_line(tool: ToolSpec, detail: Detail = FULL) -> str:
    """A tool with its arguments, its result and the first sentence of its description."""
    arguments = _fields(tool.parameters, _MAX_DEPTH)
    description = _described(tool.description) if detail.described else ""
    return f"{tool.name}({arguments}){_result(tool.returns, detail)}{description}"


def _result(schema: Mapping[str, Any], detail: Detail) -> str:
    """`` -> type``, or nothing where the result is unknown or not told."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and len(properties) > detail.fields:
        if not detail.fields:
            return ""
        shown = dict(list(properties.items())[: detail.fields])
        told = schema_type({"properties": shown}, detail.depth, marks=False)
        return f" -> {told[:-1]}, …}}"
    told = schema_type(schema, detail.depth, marks=False)
    return "" if told == "any" else f" -> {told}"


def library_line(library: LibrarySpec) -> str:
    """A library entry: the reference that calls it, its signature and what it does."""
    return f"{library.reference}{one_line(library.signature)}{_described(library.description)}"


def schema_type(schema: Any, depth: int = _MAX_DEPTH, *, marks: bool = True) -> str:
    """A JSON Schema as a short type.

    ``string``, ``a|b`` for enums, ``array<T>``, ``{a: T, b?: T}`` for objects with known properties; ``any`` where the
    schema says nothing that fits on a line. Never fails: a schema that cannot be compiled is refused elsewhere.

    Args:
        schema: the schema, as JSON data.
        depth: how deep objects and arrays are printed.
        marks: whether optional properties get a ``?``. Results go without: their schemas rarely say what is required.
    """
    if not isinstance(schema, Mapping):
        return "any"
    if "const" in schema:
        return _choice(schema["const"])
    if isinstance(choices := schema.get("enum"), Sequence) and not isinstance(choices, str) and choices:
        more = ["…"] if len(choices) > _MAX_CHOICES else []
        return "|".join([*map(_choice, choices[:_MAX_CHOICES]), *more])
    for key in ("anyOf", "oneOf"):
        if isinstance(options := schema.get(key), Sequence) and not isinstance(options, str):
            return "|".join(dict.fromkeys(schema_type(option, depth, marks=marks) for option in options)) or "any"
    kind = schema.get("type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        return (
            "|".join(dict.fromkeys(schema_type({**schema, "type": one}, depth, marks=marks) for one in kind)) or "any"
        )
    if kind == "array":
        item = schema_type(schema.get("items"), depth - 1, marks=marks)
        return "array" if item == "any" else f"array<{item}>"
    if kind == "object" or (kind is None and "properties" in schema):
        return f"{{{inner}}}" if depth > 0 and (inner := _fields(schema, depth - 1, marks)) else "object"
    return one_line(str(kind)) if kind else "any"


def one_line(text: str) -> str:
    """Text without line ends and runs of blanks, so that it cannot break the layout of the prompt."""
    return " ".join(text.split())


def _fields(schema: Mapping[str, Any], depth: int, marks: bool = True) -> str:
    """The properties of an object schema, in the order of the schema."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return ""
    required = schema.get("required")
    needed = set(required) if isinstance(required, Sequence) and not isinstance(required, str) else set()
    return ", ".join(
        f"{one_line(str(name))}{'?' if marks and name not in needed else ''}: {schema_type(inner, depth, marks=marks)}"
        for name, inner in properties.items()
    )


def _choice(value: Any) -> str:
    """One allowed value: bare where that is unambiguous."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return one_line(json.dumps(value, ensure_ascii=False))


def _described(description: str) -> str:
    """`` # first sentence``, or nothing."""
    text = one_line(description)
    sentence = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].rstrip(".")
    if len(sentence) > _MAX_DESCRIPTION:
        sentence = sentence[:_MAX_DESCRIPTION].rsplit(" ", 1)[0] + " …"
    return f" # {sentence}" if sentence else ""
