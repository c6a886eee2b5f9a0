"""JSON Schemas of what the toolkit prints and reads, derived from the node table and from `Constraints`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec, NodeSpec
from agentic_dsl.permission import PERMISSION_KINDS
from agentic_dsl.signature import FieldType, Stability

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_STRING: Schema = {"type": "string"}
_STRINGS: Schema = {"type": "array", "items": _STRING}


def constraints_schema() -> Schema:
    """The JSON Schema of a constraints file."""
    return {"$schema": DIALECT, **Constraints.model_json_schema()}


def subgraph_schema() -> Schema:
    """The JSON Schema of `agentic_dsl.json_view.subgraph_view` for a subgraph without errors."""
    nodes = [{"$ref": f"#/$defs/{name}"} for name in NODE_TABLE]
    permissions = {"$ref": "#/$defs/permissions"}
    head = {
        "path": _STRING | {"description": "full path of the block"},
        "signature": _or_null({"$ref": "#/$defs/signature"}),
        "version": _or_null(_STRING),
        "stability": _or_null({"enum": [stability.value for stability in Stability]}),
        "requires": _or_null({"type": "array", "items": _object({"lib": _STRING}, ["lib"])}),
        "permissions": _or_null(permissions),
        "entry": _or_null(_STRING) | {"description": "id of the node that runs first"},
        "nodes": {"type": "array", "items": {"anyOf": nodes}},
        "extra": {"type": "object", "description": "keys that a block should not have"},
    }
    return {
        "$schema": DIALECT,
        "title": "Subgraph",
        **_object(head, head),
        "additionalProperties": False,
        "$defs": {
            **{name: _node_schema(spec) for name, spec in NODE_TABLE.items()},
            "permissions": {"type": "array", "items": {"anyOf": [_STRING, _permission_object()]}},
            "signature": {"anyOf": [_STRING, _signature_object()]},
        },
    }


# --- nodes -----------------------------------------------------------------------------------------------------------


def _node_schema(spec: NodeSpec) -> Schema:
    """The schema of one node type. Keys that the type does not have are allowed, for the view keeps them."""
    schema = _object({}, ["type"]) | {"description": spec.doc}
    schema["properties"]["type"] = {"const": spec.type}
    for field in spec.fields:
        _add_field(schema, field)
    return schema


def _add_field(schema: Schema, field: FieldSpec) -> None:
    """Puts a field at its path; the mappings around a required field are required too."""
    at = schema
    *around, key = field.path
    for name in around:
        _require(at, name, field)
        at = at["properties"].setdefault(name, _object({}))
        at.setdefault("properties", {})
    held = at["properties"].get(key, {})
    at["properties"][key] = {**_field_schema(field), "description": field.doc, **held}
    _require(at, key, field)


def _require(schema: Schema, name: str, field: FieldSpec) -> None:
    if not field.required:
        return
    if field.alternative is not None:
        schema["anyOf"] = [{"required": [name]}, {"required": [field.alternative]}]
    elif name not in (required := schema.setdefault("required", [])):
        required.append(name)


def _field_schema(field: FieldSpec) -> Schema:
    match field.kind:
        case FieldKind.ID | FieldKind.NAME | FieldKind.TEXT | FieldKind.REFERENCE:
            return dict(_STRING)
        case FieldKind.INTEGER:
            return {"type": "integer"}
        case FieldKind.CHOICE:
            return {"enum": list(field.choices)}
        case FieldKind.KEYS:
            return dict(_STRINGS)
        case FieldKind.VALUES:
            return {"type": ["object", "string"]} if field.template else {"type": "object"}
        case FieldKind.PARAMETERS:
            return _object({name: FieldType(kind).json_schema() for name, kind in field.parameters.items()})
        case FieldKind.DATA:
            return {}
        case FieldKind.REFERENCES:
            return _STRINGS | {"minItems": 1}
        case FieldKind.WAIT:
            return {"anyOf": [_STRINGS, _object({"any_of": _STRINGS}, ["any_of"])]}
        case FieldKind.PERMISSIONS:
            return {"$ref": "#/$defs/permissions"}
        case FieldKind.SIGNATURE:
            return {"$ref": "#/$defs/signature"}
        case FieldKind.ARCHIVE:
            return _STRING | {"pattern": r'^archive_to\(".*"\)$'}
        case _:
            assert_never(field.kind)


# --- contracts -------------------------------------------------------------------------------------------------------


def _signature_object() -> Schema:
    parameter = _object(
        {
            "name": _STRING,
            "type": _STRING,
            "required": {"type": "boolean", "default": True},
            "description": _STRING,
            "default": {},
            "enum": {"type": "array"},
            "schema": {"type": "object"},
        },
        ["name"],
    )
    parameters = {"type": "array", "items": parameter}
    return _object({"inputs": parameters, "outputs": parameters})


def _permission_object() -> Schema:
    return {"type": "object", "anyOf": [{"required": [kind]} for kind in PERMISSION_KINDS]}


def _object(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties)}
    if required := list(required):
        schema["required"] = required
    return schema


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
