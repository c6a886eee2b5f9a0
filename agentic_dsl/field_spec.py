"""The cells of the node table: what a field holds, where it stands, and how a row declares it with `cell`.

Kinds and slots are the vocabulary in which `agentic_dsl.node_table` describes the language; the keys of blocks are
declared with the same cells (`agentic_dsl.compiler.parse.block_keys`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum, IntEnum
from typing import Any


class FieldKind(Enum):
    """What a field holds; every reader, printer and grammar rule is chosen by it."""

    ID = "id"
    """An identifier of the subgraph."""
    NAME = "name"
    """The name of a tool, model or runtime: plain text, printed bare where that is safe."""
    TEXT = "text"
    """Any string, printed in double quotes."""
    INTEGER = "integer"
    """A whole number."""
    CHOICE = "choice"
    """One of `FieldSpec.choices`."""
    KEYS = "keys"
    """A list of context keys; one key may be written without the list."""
    VALUES = "values"
    """A mapping from names to values, each a literal or a template; the whole may be one template."""
    PARAMETERS = "parameters"
    """A mapping whose keys and types are `FieldSpec.parameters`."""
    DATA = "data"
    """Any YAML value, kept as it is."""
    REFERENCE = "reference"
    """One reference."""
    REFERENCES = "references"
    """A list of references; one may be written without the list."""
    WAIT = "wait"
    """References to wait for, with ``all_of`` or ``any_of``."""
    PERMISSIONS = "permissions"
    """A list of permissions."""
    SIGNATURE = "signature"
    """A signature in either spelling."""
    ARCHIVE = "archive"
    """``archive_to("<path>")``."""


class Generated(Enum):
    """Whether generated text holds a field."""

    ALWAYS = "always"
    OPTIONAL = "optional"
    NEVER = "never"


class Slot(IntEnum):
    """The place of a field in the canonical layout; fields of one slot keep the order of the row."""

    ID = 0
    OWN = 10
    SIGNATURE = 20
    PERMISSIONS = 30
    NOTES = 40
    METADATA = 50
    WAIT_FOR = 60
    OUTPUT_KEYS = 70
    OUTPUT_MAPPING = 80
    HANDLER = 90
    NEXT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One cell of the table.

    Attributes:
        name: the attribute of the row's class.
        path: where the field stands in YAML, usually ``(name,)``; ``("fork", "branches")`` is nested.
        kind: what it holds.
        doc: one sentence for people and models.
        required: whether a node without it is an error.
        generated: whether generated text holds it.
        template: whether its strings are templates.
        choices: the words of a `CHOICE`.
        parameters: name → type name, for `PARAMETERS`.
        default: the value that absence means; a field equal to it is not printed.
        slot: its place in the canonical layout.
        writes: whether its keys are written to the context when the node succeeds.
        jump: whether its reference is a jump edge (taken on failure).
        alternative: another field that may stand instead of a required one.
    """

    name: str
    path: tuple[str, ...]
    kind: FieldKind
    doc: str
    required: bool
    generated: Generated
    template: bool
    choices: tuple[str, ...]
    parameters: Mapping[str, str]
    default: Any
    slot: Slot
    writes: bool
    jump: bool
    alternative: str | None


_CELL = "cell"
_NO_PARAMETERS: Mapping[str, str] = {}


def cell(
    kind: FieldKind,
    doc: str,
    *,
    at: tuple[str, ...] | None = None,
    required: bool = False,
    generated: Generated = Generated.NEVER,
    template: bool = False,
    choices: tuple[str, ...] = (),
    parameters: Mapping[str, str] = _NO_PARAMETERS,
    default: Any = None,
    slot: Slot = Slot.OWN,
    writes: bool = False,
    jump: bool = False,
    alternative: str | None = None,
) -> Any:
    """Declares an attribute of a row; see `FieldSpec` for the arguments.

    The attribute's default is ``default``, or the empty value of the kind.
    """
    description = {
        "path": at,
        "kind": kind,
        "doc": doc,
        "required": required,
        "generated": generated,
        "template": template,
        "choices": choices,
        "parameters": parameters,
        "slot": slot,
        "writes": writes,
        "jump": jump,
        "alternative": alternative,
    }
    metadata = {_CELL: description}
    match kind:
        case FieldKind.KEYS | FieldKind.REFERENCES | FieldKind.PERMISSIONS:
            return field(default=(), metadata=metadata)
        case FieldKind.VALUES | FieldKind.PARAMETERS:
            return field(default_factory=dict, metadata=metadata)
        case FieldKind.ID:
            return field(metadata=metadata)
        case FieldKind.NAME | FieldKind.TEXT if required:
            return field(default="", metadata=metadata)
        case _:
            return field(default=default, metadata=metadata)


def field_specs(row: type) -> tuple[FieldSpec, ...]:
    """The cells of a row (or of any dataclass declared with `cell`), in canonical order."""
    specs = [
        FieldSpec(
            name=f.name,
            default=None if f.default is MISSING else f.default,
            **(f.metadata[_CELL] | {"path": f.metadata[_CELL]["path"] or (f.name,)}),
        )
        for f in fields(row)
        if _CELL in f.metadata
    ]
    return tuple(sorted(specs, key=lambda spec: spec.slot))
