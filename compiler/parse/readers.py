"""Which reader a field has: by its kind, so that a new kind breaks the type check here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_never

from agentic_dsl.compiler.parse.contract_values import read_archive, read_signature
from agentic_dsl.compiler.parse.permission_values import read_permissions
from agentic_dsl.compiler.parse.reading import Reading
from agentic_dsl.compiler.parse.reference_values import read_reference, read_references, read_wait_for
from agentic_dsl.compiler.parse.values import (
    read_any,
    read_choice,
    read_id,
    read_integer,
    read_keys,
    read_mapping,
    read_parameters,
    read_text,
)
from agentic_dsl.compiler.parse.yaml_tree import YamlNode
from agentic_dsl.node_table import FieldKind, FieldSpec
from agentic_dsl.span import SpanPath

Reader = Callable[[Reading, FieldSpec, YamlNode, SpanPath], Any]
"""YAML → the value of an attribute, or `ABSENT`."""


def reader_for(kind: FieldKind) -> Reader:
    """The reader of a kind."""
    match kind:
        case FieldKind.ID:
            return read_id
        case FieldKind.NAME | FieldKind.TEXT:
            return read_text
        case FieldKind.INTEGER:
            return read_integer
        case FieldKind.CHOICE:
            return read_choice
        case FieldKind.KEYS:
            return read_keys
        case FieldKind.VALUES:
            return read_mapping
        case FieldKind.PARAMETERS:
            return read_parameters
        case FieldKind.DATA:
            return read_any
        case FieldKind.REFERENCE:
            return read_reference
        case FieldKind.REFERENCES:
            return read_references
        case FieldKind.WAIT:
            return read_wait_for
        case FieldKind.PERMISSIONS:
            return read_permissions
        case FieldKind.SIGNATURE:
            return read_signature
        case FieldKind.ARCHIVE:
            return read_archive
        case _:
            assert_never(kind)
