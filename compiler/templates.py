"""The strings of a node that may hold templates, by the node table, and what they read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.remembered import remembered
from agentic_dsl.compiler.parse.template import parse_condition, parse_template
from agentic_dsl.node_references import KINDS
from agentic_dsl.node_table import ROWS, AnyNode, FieldSpec, UnknownNode, WaitFor, field_specs
from agentic_dsl.paths import Reference
from agentic_dsl.span import SpanPath
from agentic_dsl.template import Read, reads

_FIELDS: Mapping[type, tuple[FieldSpec, ...]] = {
    row: tuple(spec for spec in field_specs(row) if spec.template) for row in (*ROWS, UnknownNode)
}
_TEXT_FIELDS: Mapping[type, tuple[FieldSpec, ...]] = {
    row: tuple(spec for spec in specs if spec.kind not in KINDS) for row, specs in _FIELDS.items()
}

_CACHED = 16_384

_Value = None | bool | int | float | str | Reference | WaitFor | tuple["_Value", ...] | Mapping[str, "_Value"]
"""What a template field may hold: data, and references among it."""


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
            yield from _strings(spec.path, value)


def _strings(path: SpanPath, value: _Value) -> Iterator[tuple[SpanPath, str]]:
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
            yield from _strings(path, value.references)
        case tuple():
            for index, item in enumerate(value):
                yield from _strings((*path, index), item)
        case Mapping():
            for key, item in value.items():
                yield from _strings((*path, key), item)
        case _:
            assert_never(value)


@remembered(_CACHED)
def reads_of(text: str) -> tuple[Read, ...] | Problem:
    """What a string reads of the context; nothing where it holds no template."""
    template = parse_template(text)
    if template is None:
        return ()
    return template if isinstance(template, Problem) else tuple(reads(template))


@remembered(_CACHED)
def reads_of_condition(text: str) -> tuple[Read, ...] | Problem:
    """What the condition of an assert reads; in one that a program made, the braces may be missing."""
    template = parse_condition(text)
    return template if isinstance(template, Problem) else tuple(reads(template))
