"""Which fields of a node type the rules of generated text look at, sorted out once for each type."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec, Generated, Node, NodeSpec

_WITH_TEXTS = frozenset({FieldKind.TEXT, FieldKind.NAME, FieldKind.VALUES, FieldKind.PARAMETERS})

Fields = tuple[FieldSpec, ...]


@dataclass(frozen=True, slots=True)
class GeneratedFields:
    """The fields of one node type; a field may be in several groups.

    Attributes:
        never: those that generated text lacks.
        parameters: mappings with known keys.
        keys: lists of context keys.
        written: mappings whose keys are context keys.
        lines: single texts that generated text may have.
        values: mappings of values that it may have.
        texts: whatever holds free texts.
        references: lists of references.
    """

    never: Fields
    parameters: Fields
    keys: Fields
    written: Fields
    lines: Fields
    values: Fields
    texts: Fields
    references: Fields


def generated_fields(node: Node) -> GeneratedFields:
    """The groups of a node's type."""
    return _GROUPS.get(node.TYPE) or _groups(node.spec)


def _groups(row: NodeSpec) -> GeneratedFields:
    fields = row.fields
    allowed = [spec for spec in fields if spec.generated is not Generated.NEVER]
    return GeneratedFields(
        never=tuple(spec for spec in fields if spec.generated is Generated.NEVER),
        parameters=tuple(spec for spec in fields if spec.kind is FieldKind.PARAMETERS),
        keys=tuple(spec for spec in fields if spec.kind is FieldKind.KEYS),
        written=tuple(spec for spec in fields if spec.writes and spec.kind is FieldKind.VALUES),
        lines=tuple(spec for spec in allowed if spec.kind is FieldKind.TEXT),
        values=tuple(spec for spec in allowed if spec.kind is FieldKind.VALUES),
        texts=tuple(spec for spec in fields if spec.kind in _WITH_TEXTS),
        references=tuple(spec for spec in fields if spec.kind is FieldKind.REFERENCES),
    )


_GROUPS = {name: _groups(row) for name, row in NODE_TABLE.items()}
"""By the word after ``type:``; nodes of no known type are sorted out each time."""
