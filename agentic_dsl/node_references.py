"""The references that nodes hold: which fields hold them, and how to change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from agentic_dsl.node_table import ROWS, AnyNode, FieldKind, FieldSpec, UnknownNode, WaitFor, field_specs
from agentic_dsl.paths import Path, Reference, ReferenceKind

KINDS = frozenset({FieldKind.REFERENCE, FieldKind.REFERENCES, FieldKind.WAIT})
"""The kinds of field that hold references."""

_FIELDS: Mapping[type, tuple[FieldSpec, ...]] = {
    row: tuple(spec for spec in field_specs(row) if spec.kind in KINDS) for row in (*ROWS, UnknownNode)
}


def reference_fields(node: AnyNode) -> tuple[FieldSpec, ...]:
    """The cells of a node that hold references."""
    return _FIELDS[type(node)]


def is_backward(spec: FieldSpec) -> bool:
    """Whether the references of a field name the nodes that come before."""
    return spec.path[-1] == "wait_for"


def is_flow(spec: FieldSpec) -> bool:
    """Whether the references of a field name the nodes that come after when all goes well."""
    return spec.kind is FieldKind.REFERENCES and not is_backward(spec)


def references_in(node: AnyNode, spec: FieldSpec) -> tuple[Reference, ...]:
    """The references of one field, whatever its kind."""
    match getattr(node, spec.name):
        case None:
            return ()
        case Reference() as reference:
            return (reference,)
        case WaitFor(references):
            return references
        case references:
            return tuple(references)


def with_references(node: AnyNode, change: Callable[[Reference], Reference]) -> AnyNode:
    """The node with each of its references changed; the same object where nothing is."""
    changes: dict[str, Any] = {}
    for spec in reference_fields(node):
        old = getattr(node, spec.name)
        match old:
            case None | ():
                continue
            case Reference():
                new: Any = change(old)
            case WaitFor():
                new = replace(old, references=tuple(map(change, old.references)))
            case _:
                new = tuple(map(change, old))
        if new != old:
            changes[spec.name] = new
    return replace(node, **changes) if changes else node


def path_reference(text: str, old: Reference | None = None) -> Reference:
    """The reference by full path that ``text`` is, in the place of ``old``, whose version and query it keeps."""
    segments = text.partition("?")[0].partition("@")[0].strip("/").split("/")
    path = Path(tuple(segments))
    if old is None:
        return Reference(text, ReferenceKind.PATH, path)
    return replace(old, text=text, kind=ReferenceKind.PATH, path=path)
