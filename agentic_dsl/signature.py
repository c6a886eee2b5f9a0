"""Signatures: what a subgraph takes and gives. Two spellings, one tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from agentic_dsl.span import NOWHERE, Span

Data = None | bool | int | float | str | Sequence["Data"] | Mapping[str, "Data"]
"""A value as YAML's core schema gives it. Sequences are tuples; treat mappings as frozen."""

TYPE_NAMES: tuple[str, ...] = ("string", "number", "integer", "boolean", "object", "array", "any")
"""The types of the language."""

TYPE_ALIASES: dict[str, str] = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "str": "string",
}
"""Accepted spellings of type names."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """A type, such as ``string`` or ``array<number>``."""

    name: str
    item: FieldType | None = None

    def __str__(self) -> str:
        return f"{self.name}<{self.item}>" if self.item else self.name

    def json_schema(self) -> dict[str, object]:
        """The JSON Schema of the values of this type; ``any`` is the empty schema."""
        if self.name == "any":
            return {}
        if self.item is not None:
            return {"type": self.name, "items": self.item.json_schema()}
        return {"type": self.name}


ANY = FieldType("any")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input or output.

    Attributes:
        required: an input that must be given; an output that must be written.
        default: the value of an optional input that is not given (None: none stated).
        enum: the only values allowed, empty = all.
        schema: a JSON Schema beyond the type, or None.
    """

    name: str
    type: FieldType = ANY
    required: bool = True
    description: str | None = None
    default: Data = None
    enum: tuple[Data, ...] = ()
    schema: Mapping[str, Data] | None = None
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def is_plain(self) -> bool:
        """Whether the one-line spelling says everything about the parameter."""
        return self.description is None and not self.enum and self.schema is None


class Stability(Enum):
    """What users of a library may rely on."""

    STABLE = "stable"
    EXPERIMENTAL = "experimental"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class Signature:
    """The contract of a subgraph or library entry."""

    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    span: Span = field(default=NOWHERE, compare=False)

    @property
    def required_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that a caller must provide."""
        return tuple(p.name for p in self.inputs if p.required)

    @property
    def required_outputs(self) -> tuple[str, ...]:
        """Names of the outputs that are written on every way to an end."""
        return tuple(p.name for p in self.outputs if p.required)
