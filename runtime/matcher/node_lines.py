"""The lines of each node type in the generated layout, by the node table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec, Generated, NodeSpec, ToolCall

_OPENS: Mapping[FieldKind, str] = {
    FieldKind.KEYS: ' ["',
    FieldKind.REFERENCES: ' ["',
    FieldKind.REFERENCE: ' "',
    FieldKind.TEXT: ' "',
    FieldKind.CHOICE: " ",
    FieldKind.NAME: " ",
    FieldKind.VALUES: "\n",
    FieldKind.PARAMETERS: "\n",
}
"""What stands between the colon of a field and its value."""

_WITH_ANOTHER = {(ToolCall.TYPE, "arguments")}
"""Fields whose lines come with the field before them."""


@dataclass(frozen=True, eq=False)
class Line:
    """One field of a node, from its indent to where its value begins.

    Attributes:
        field: the cell of the table.
        text: with the header of the mapping that the field opens, where it opens one.
        always: whether every node of the type has it.
        alternative: whether the next line may stand instead of it.
    """

    field: FieldSpec
    text: bytes
    always: bool
    alternative: bool


@cache
def lines_of(type_name: str) -> tuple[Line, ...]:
    """The lines that may follow ``type:``, in order.

    Raises:
        NotImplementedError: the table has a generated field of a shape that no generated node had so far.
    """
    spec = NODE_TABLE[type_name]
    lines: list[Line] = []
    opened: str | None = None
    for field in _fields(spec):
        nested = len(field.path) > 1
        header = f"    {field.path[0]}:\n" if nested and field.path[0] != opened else ""
        if nested and not header and not lines[-1].always:
            raise NotImplementedError(f"{type_name}.{field.name} may or may not open its mapping")
        if field.kind not in _OPENS or len(field.path) > 2:
            raise NotImplementedError(f"no generated field is like {type_name}.{field.name}")
        opened = field.path[0] if nested else None
        text = f"{header}{'  ' * (len(field.path) + 1)}{field.path[-1]}:{_OPENS[field.kind]}"
        always = field.generated is Generated.ALWAYS
        lines.append(Line(field, text.encode(), always, field.alternative is not None))
    return tuple(lines)


def _fields(spec: NodeSpec) -> list[FieldSpec]:
    return [
        field
        for field in spec.fields
        if field.generated is not Generated.NEVER
        and field.kind is not FieldKind.ID
        and (spec.type, field.name) not in _WITH_ANOTHER
    ]
