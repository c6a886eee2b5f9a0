"""Signatures, permissions and requirements as YAML: one string wherever that loses nothing, else a mapping."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from agentic_dsl.ast import Requirement
from agentic_dsl.format_values import Bare, number
from agentic_dsl.permission import PERMISSION_KINDS, Permission
from agentic_dsl.signature import ANY, TYPE_ALIASES, TYPE_NAMES, Data, FieldType, Parameter, Signature

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""A parameter name that stands in a signature string."""

_NAME_IN_LINE = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
"""A name that stands in a permission string without quotes."""

_WORD_IN_LINE = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
"""A text as an option's value that stands there without quotes; what begins with a digit would be a number."""

_TYPED_WORDS = frozenset({"true", "false", "null"})

# --- signatures ------------------------------------------------------------------------------------------------------


def format_signature(signature: Signature) -> str:
    """The one-line spelling, such as ``(a: number, mode?: strict|warn = "warn") -> {sum: number}``.

    Types are always written, outputs always stand in braces. Descriptions, schemas and what else has no place on the
    line are left out: see `signature_data` for the spelling that keeps them.
    """
    inputs = ", ".join(map(_parameter, signature.inputs))
    outputs = ", ".join(map(_parameter, signature.outputs))
    return f"({inputs}) -> {{{outputs}}}" if outputs else f"({inputs}) -> ()"


def _parameter(parameter: Parameter) -> str:
    text = f"{parameter.name}{'' if parameter.required else '?'}: {_choices(parameter) or parameter.type}"
    return text if parameter.default is None else f"{text} = {_constant(parameter.default)}"


_TYPE_WORDS = frozenset({*TYPE_NAMES, *TYPE_ALIASES, "null", "true", "false"})


def _choices(parameter: Parameter) -> str | None:
    """The only values allowed, as ``a|b``; None where there are none, or none that stand on a line."""
    values = parameter.enum
    if not values:
        return None
    if parameter.type.name == "integer" and all(isinstance(v, int) and not isinstance(v, bool) for v in values):
        return "|".join(map(str, values))
    words = [value for value in values if isinstance(value, str)]
    if parameter.type.name != "string" or len(words) < len(values):
        return None
    # One word would be read as a type, and so would a type's name.
    if len(words) > 1 and all(_NAME.fullmatch(word) and word not in _TYPE_WORDS for word in words):
        return "|".join(words)
    return "|".join(map(_constant, words))


def _constant(value: Data) -> str:
    """A default, as JSON has it."""
    match value:
        case int() | float() if not isinstance(value, bool):
            return number(value)
        case Mapping():
            return f"{{{', '.join(f'{json.dumps(key)}: {_constant(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_constant, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def signature_data(signature: Signature) -> Data:
    """A signature as it is printed: `format_signature` where that loses nothing, else the mapping."""
    if all(map(_fits_on_a_line, signature.inputs)) and all(
        _fits_on_a_line(output) and output.default is None for output in signature.outputs
    ):
        return format_signature(signature)
    data: dict[str, Data] = {}
    if signature.inputs:
        data["inputs"] = [_parameter_data(parameter) for parameter in signature.inputs]
    if signature.outputs:
        data["outputs"] = [_parameter_data(parameter) for parameter in signature.outputs]
    return data


def _fits_on_a_line(parameter: Parameter) -> bool:
    """Whether the one-line spelling says everything about a parameter, and reads back as the same."""
    if parameter.description is not None or parameter.schema is not None or not _NAME.fullmatch(parameter.name):
        return False
    if parameter.enum and _choices(parameter) is None:
        return False
    if parameter.default is None:
        return True
    if parameter.required or (parameter.enum and parameter.default not in parameter.enum):
        return False
    return _is_of(parameter.default, parameter.type)


def _is_of(value: Data, type_: FieldType) -> bool:
    """Whether a default is a value of a type; one that is not can only stand in the mapping."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    match value:
        case bool():
            return type_.name in ("boolean", "any")
        case int():
            return type_.name in ("integer", "number", "any")
        case float():
            return type_.name in ("number", "any")
        case str():
            return type_.name in ("string", "any")
        case list() | tuple():
            return type_.name in ("array", "any") and all(_is_of(item, type_.item or ANY) for item in value)
        case Mapping():
            return type_.name in ("object", "any") and all(_is_of(item, ANY) for item in value.values())
        case _:
            return type_.name == "any"


def _parameter_data(parameter: Parameter) -> dict[str, Data]:
    data: dict[str, Data] = {"name": Bare(parameter.name)}
    if parameter.type != ANY:
        data["type"] = Bare(str(parameter.type))
    if not parameter.required or parameter.default is not None:
        data["required"] = parameter.required
    if parameter.description is not None:
        data["description"] = parameter.description
    if parameter.default is not None:
        data["default"] = parameter.default
    if parameter.enum:
        data["enum"] = parameter.enum
    if parameter.schema is not None:
        data["schema"] = parameter.schema
    return data


# --- permissions and requirements ------------------------------------------------------------------------------------


def format_permission(permission: Permission) -> str:
    """The one-line spelling, such as ``tool: web_search → scope: read_only``.

    Options that are mappings have no place in it: see `permission_data` for the spelling that keeps them.
    """
    name = "" if permission.name is None else f": {_word(permission.name, _NAME_IN_LINE)}"
    options = ", ".join(f"{_word(key, _NAME_IN_LINE)}: {_option(value)}" for key, value in permission.options.items())
    return f"{permission.kind}{name}{' → ' if options else ''}{options}"


def _word(text: str, pattern: re.Pattern[str]) -> str:
    return text if pattern.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _option(value: Data) -> str:
    match value:
        case str():
            return json.dumps(value) if value in _TYPED_WORDS else _word(value, _WORD_IN_LINE)
        case list() | tuple():
            return f"[{', '.join(map(_option, value))}]"
        case _:
            return _constant(value)


def permission_data(permission: Permission) -> Data:
    """A permission as it is printed: `format_permission` where that needs no quotes inside, else the mapping."""
    line = format_permission(permission)
    if '"' not in line and not any(map(_has_mapping, permission.options.values())):
        return line
    if permission.name is None:
        options = dict(permission.options)
        if len(options) == 1 and any(isinstance(value, Mapping) for value in options.values()):
            return {permission.kind: True, **options}  # else the option would be read as the name, with options
        return {permission.kind: options}
    # These would be read otherwise in a mapping: a name with an arrow, an option that is called as a kind is.
    if "→" in permission.name or "->" in permission.name or not permission.name.strip():
        return line
    if any(key in PERMISSION_KINDS for key in permission.options):
        return line
    return {permission.kind: Bare(permission.name), **permission.options}


def _has_mapping(value: Data) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_mapping, value))
    return isinstance(value, Mapping) or (isinstance(value, float) and not math.isfinite(value))


def requirement_data(requirement: Requirement) -> Mapping[str, Data]:
    """An entry of ``requires``."""
    return {"lib": f"{requirement.path}@{requirement.range}" if requirement.range else str(requirement.path)}
