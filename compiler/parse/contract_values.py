"""Readers of contracts: signatures, versions, stability, ``archive_to``."""

from __future__ import annotations

from dataclasses import replace

from agentic_dsl import codes
from agentic_dsl.compiler.parse.archive import parse_archive
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.reading import ABSENT, Absent, Reading, is_null, items_of, read_data
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.compiler.parse.signature import UnknownType, parse_type
from agentic_dsl.compiler.parse.signature import read_signature as signature_of
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.paths import Version
from agentic_dsl.signature import ANY, TYPE_ALIASES, TYPE_NAMES, Data, FieldType, Parameter, Signature, Stability
from agentic_dsl.span import Span, SpanPath

_SIGNATURE_KEYS = ("inputs", "outputs", "version", "stability")
_PLAIN_TYPES = frozenset({*TYPE_NAMES, *TYPE_ALIASES})
"""Types that are read by looking them up."""

_PARAMETER_KEYS = ("name", "type", "required", "description", "default", "enum", "schema")


def read_signature(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> Signature | Absent:
    """A signature in either spelling. ``version`` and ``stability`` inside of it are read by the block."""
    if is_null(node):
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    if isinstance(node, YamlMapping):
        return _signature_of_mapping(reading, node, path)
    if not isinstance(node, YamlScalar) or not isinstance(node.value, str):
        reading.wrong_type(spec, node, "a signature", 'write it as "(x: string) -> {y: string}"')
        return ABSENT
    if not reading.admits(node):
        return ABSENT
    signature, problems = signature_of(node.value)
    for problem in problems:
        is_type = isinstance(problem, UnknownType)
        reading.problem(codes.UNKNOWN_FIELD_TYPE if is_type else codes.BAD_SIGNATURE, node, problem)
    if signature is None:
        return ABSENT
    return replace(
        signature,
        inputs=_placed(reading, node, signature.inputs, (*path, "inputs")),
        outputs=_placed(reading, node, signature.outputs, (*path, "outputs")),
        span=node.span,
    )


def _placed(
    reading: Reading, node: YamlScalar, parameters: tuple[Parameter, ...], path: SpanPath
) -> tuple[Parameter, ...]:
    """The parameters of a signature string with their places in the document."""
    placed = []
    for index, parameter in enumerate(parameters):
        span = reading.within(node, parameter.span)
        reading.values[(*path, index)] = span
        placed.append(replace(parameter, span=span))
    return tuple(placed)


def _signature_of_mapping(reading: Reading, node: YamlMapping, path: SpanPath) -> Signature:
    parameters: dict[str, tuple[Parameter, ...]] = {}
    for key, value in node.pairs:
        below = (*path, key.text)
        reading.keys[below] = Span(key.start, key.end)
        if key.text in ("inputs", "outputs"):
            parameters[key.text] = _parameters(reading, value, below)
        elif key.text not in _SIGNATURE_KEYS:
            report_unknown_key(reading, key, f"the signature of {reading.subject}", _SIGNATURE_KEYS)
    return Signature(parameters.get("inputs", ()), parameters.get("outputs", ()), node.span)


def _parameters(reading: Reading, node: YamlNode, path: SpanPath) -> tuple[Parameter, ...]:
    """A list of parameters, or a mapping from names to their types or descriptions."""
    reading.values[path] = Span(node.start, node.end)
    parameters: list[Parameter] = []
    if isinstance(node, YamlMapping) and not any(key.text == "name" for key, _ in node.pairs):
        for key, value in node.pairs:
            below = (*path, len(parameters))
            if isinstance(value, YamlMapping):
                parameters.append(_parameter(reading, value, below, name=key))
            else:
                reading.values[below] = Span(key.start, value.end)
                parameters.append(Parameter(key.text, _type(reading, value), span=Span(key.start, value.end)))
        return tuple(parameters)
    for item in items_of(node):
        if isinstance(item, YamlMapping):
            parameters.append(_parameter(reading, item, (*path, len(parameters)), name=None))
        else:
            message = f"a parameter in the signature of {reading.subject} is {kind_of(item)}; a mapping is wanted"
            reading.report(codes.WRONG_TYPE, item.span, message, "write it as {name: x, type: string}")
    return tuple(parameters)


def _parameter(reading: Reading, node: YamlMapping, path: SpanPath, *, name: YamlScalar | None) -> Parameter:
    reading.values[path] = Span(node.start, node.end)
    fields: dict[str, YamlNode] = {}
    for key, value in node.pairs:
        reading.keys[(*path, key.text)] = Span(key.start, key.end)
        if key.text in _PARAMETER_KEYS:
            fields[key.text] = value
        else:
            report_unknown_key(reading, key, f"a parameter of {reading.subject}", _PARAMETER_KEYS)
    named = fields.get("name", name)
    if not isinstance(named, YamlScalar) or not named.text:
        reading.report(
            codes.MISSING_FIELD, node.span, f"a parameter of {reading.subject} has no name", 'add "name: …" to it'
        )
    default = read_data(reading, fields["default"], (*path, "default")) if "default" in fields else None
    schema = read_data(reading, fields["schema"], (*path, "schema")) if "schema" in fields else None
    if schema is not None and not isinstance(schema, dict):
        _wrong_part(reading, fields["schema"], "schema", "a mapping", "write a JSON Schema as a mapping")
    return Parameter(
        name=named.text if isinstance(named, YamlScalar) else "",
        type=_type(reading, fields["type"]) if "type" in fields else ANY,
        required=_required(reading, fields, has_default="default" in fields),
        description=_description(fields.get("description")),
        default=default,
        enum=_enum(reading, fields, path),
        schema=schema if isinstance(schema, dict) else None,
        span=node.span,
    )


def _wrong_part(reading: Reading, node: YamlNode, key: str, wanted: str, help: str) -> None:
    message = f'"{key}" of a parameter of {reading.subject} is {kind_of(node)}; {wanted} is wanted'
    reading.report(codes.WRONG_TYPE, node.span, message, help)


def _required(reading: Reading, fields: dict[str, YamlNode], *, has_default: bool) -> bool:
    """A parameter is required unless it says otherwise or has a default."""
    node = fields.get("required")
    if node is None or is_null(node):
        return not has_default
    if isinstance(node, YamlScalar) and isinstance(node.value, bool):
        return node.value
    _wrong_part(reading, node, "required", "true or false", "write true or false without quotes")
    return True


def _description(node: YamlNode | None) -> str | None:
    return node.text if isinstance(node, YamlScalar) and node.value is not None else None


def _enum(reading: Reading, fields: dict[str, YamlNode], path: SpanPath) -> tuple[Data, ...]:
    node = fields.get("enum")
    if node is None or is_null(node):
        return ()
    values = read_data(reading, node, (*path, "enum"))
    if isinstance(values, tuple):
        return values
    _wrong_part(reading, node, "enum", "a list", 'write the values as a list: ["a", "b"]')
    return ()


def _type(reading: Reading, node: YamlNode) -> FieldType:
    if isinstance(node, YamlScalar):
        if node.text not in _PLAIN_TYPES and not reading.admits(node):
            return ANY
        field_type = ANY if node.value is None else parse_type(node.text)
        if field_type is not None:
            return field_type
    text = shown(node.text) if isinstance(node, YamlScalar) else kind_of(node)
    nearest = reading.nearest(text, (*TYPE_NAMES, *TYPE_ALIASES))
    reading.report(
        codes.UNKNOWN_FIELD_TYPE,
        node.span,
        f'"{text}" is no type',
        f'write "{nearest}"' if nearest else f"write one of: {', '.join(TYPE_NAMES)}",
    )
    return ANY


def read_version(reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath) -> Version | Absent:
    """A library's version; quotes are not needed, because the text of a number is kept."""
    if is_null(node):
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    version = parse_version(node.text.removeprefix("v")) if isinstance(node, YamlScalar) else None
    if version is None:
        text = shown(node.text) if isinstance(node, YamlScalar) else kind_of(node)
        message = f'"{text}" is no version'
        reading.report(codes.WRONG_VALUE, node.span, message, 'write one to three numbers, such as "1.0"')
        return ABSENT
    return version


def read_stability(reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath) -> Stability | Absent:
    """``stable``, ``experimental`` or ``deprecated``."""
    if is_null(node):
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    text = node.text if isinstance(node, YamlScalar) else kind_of(node)
    words = tuple(stability.value for stability in Stability)
    if text in words:
        return Stability(text)
    nearest = reading.nearest(text, words)
    message = f'"stability" of {reading.subject} cannot be "{shown(text)}"'
    help = f'write "{nearest}"' if nearest else f"write one of: {', '.join(words)}"
    reading.report(codes.WRONG_VALUE, node.span, message, help)
    return ABSENT


def read_archive(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> str | Absent:
    """The path inside of ``archive_to("…")``."""
    if is_null(node):
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    if not isinstance(node, YamlScalar) or not isinstance(node.value, str):
        reading.wrong_type(spec, node, "text", 'write archive_to("/main/archive/x")')
        return ABSENT
    if not reading.admits(node):
        return ABSENT
    archive = parse_archive(node.value)
    if isinstance(archive, Problem):
        reading.problem(codes.BAD_ARCHIVE, node, archive)
        return ABSENT
    return archive
