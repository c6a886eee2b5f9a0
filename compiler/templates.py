"""The strings of a node that may hold templates, by the node table, and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, assert_never

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.template import parse_condition, parse_template
from agentic_dsl.node_references import KINDS
from agentic_dsl.node_table import ROWS, AnyNode, FieldSpec, UnknownNode, WaitFor, field_specs
from agentic_dsl.paths import Reference
from agentic_dsl.span import SpanPath
from agentic_dsl.template import Literal, Read, Template, reads

_FIELDS: Mapping[type, tuple[FieldSpec, ...]] = {
    row: tuple(spec for spec in field_specs(row) if spec.template) for row in (*ROWS, UnknownNode)
}
_TEXT_FIELDS: Mapping[type, tuple[FieldSpec, ...]] = {
    row: tuple(spec for spec in specs if spec.kind not in KINDS) for row, specs in _FIELDS.items()
}

_CACHED = 16_384

Value = None | bool | int | float | str | Reference | WaitFor | tuple["Value", ...] | Mapping[str, "Value"]
"""What a field with strings in it may hold: data, and references among it."""


def templates_of(node: AnyNode, *, references: bool = True) -> Iterator[tuple[SpanPath, str]]:
    """Every string of a node where a template may stand, in the order of the table, references as their text.

    Keys are no templates; what stands below a key or in a list is found at its path, such as
    ``("arguments", "filter", 0)``. Most of the strings hold no template: `parse_template` says which do.

    Args:
        node: any node.
        references: whether those of references are wanted too.
    """
    for spec in (_FIELDS if references else _TEXT_FIELDS)[type(node)]:
        value = getattr(node, spec.name)
        if type(value) is str:
            if value:
                yield spec.path, value
        elif value:
            yield from strings_in(spec.path, value)


def strings_in(path: SpanPath, value: Value) -> Iterator[tuple[SpanPath, str]]:
    """Every string inside a value that is not empty, with its place; references as their text."""
    # Nested as deep as YAML bodies may be (100), so recursion is fine.
    match value:
        case str():
            if value:
                yield path, value
        case None | bool() | int() | float():
            pass
        case Reference():
            yield path, value.text
        case WaitFor():
            yield from strings_in(path, value.references)
        case tuple():
            for index, item in enumerate(value):
                yield from strings_in((*path, index), item)
        case Mapping():
            for key, item in value.items():
                yield from strings_in((*path, key), item)
        case _:
            assert_never(value)


MAX_LENGTH = 1024 * 1024
"""Characters that the template constructs of a document may have together, short ones counted as `SHORTEST`.

A document of 10,000 nodes may have six short templates a node; to read as much as this takes about ten seconds.
"""

SHORTEST = 16
"""A construct takes at least as long to read as this many characters of a long one."""


class TemplateReads(NamedTuple):
    """What a string reads of the context.

    Attributes:
        found: its reads, or why the string cannot be read.
        length: what it counts towards `MAX_LENGTH`.
    """

    found: tuple[Read, ...] | Problem
    length: int


@remembered(_CACHED)
def reads_of(text: str) -> TemplateReads:
    """What a string reads; nothing where it holds no template."""
    return _reads(text, parse_template(text))


@remembered(_CACHED)
def reads_of_condition(text: str) -> TemplateReads:
    """What the condition of an assert reads; in one that a program made, the braces may be missing."""
    return _reads(text, parse_condition(text))


def _reads(text: str, template: Template | Problem | None) -> TemplateReads:
    if template is None:
        return TemplateReads((), 0)
    if isinstance(template, Problem):
        return TemplateReads(template, len(text))
    lengths = (
        max(part.span.end - part.span.start, SHORTEST)
        for part in template.parts
        if not isinstance(part, Literal) or part.comment
    )
    return TemplateReads(tuple(reads(template)), sum(lengths))
