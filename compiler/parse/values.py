"""Readers of plain values: names, texts, numbers, choices, keys, mappings.

Every reader takes the value's YAML and the canonical path it stands at, notes spans, reports what is wrong, and
returns the attribute's value or `ABSENT`.
"""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.parse.reading import ABSENT, Absent, Reading, called, is_null, items_of, read_data
from agentic_dsl.compiler.parse.template_pieces import holds_template
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.paths import SEGMENT
from agentic_dsl.signature import Data
from agentic_dsl.span import Span, SpanPath


def read_text(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> str | Absent:
    """A name or text. A number or boolean is an error that quotes would mend; its text is kept."""
    if not isinstance(node, YamlScalar):
        reading.wrong_type(spec, node, "text", "write one text")
        return ABSENT
    value = node.value
    if value is None:
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    if not isinstance(value, str):
        reading.wrong_type(spec, node, "text", f'put it in quotes: "{shown(node.text)}"')
    return node.text


def read_loose_text(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> str | Absent:
    """A text that is often written as a number, such as a version: its text is what counts, so quotes are optional."""
    if isinstance(node, YamlScalar) and node.value is not None:
        reading.values[path] = Span(node.start, node.end)
        return node.text
    return read_text(reading, spec, node, path)


def read_id(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> str | Absent:
    """An id; one with other characters is reported and kept."""
    text = read_text(reading, spec, node, path)
    if text is not ABSENT and not SEGMENT.fullmatch(text):
        reading.report(
            codes.BAD_ID,
            node.span,
            f'"{shown(text)}" is no id: it may hold letters, digits, "_" and "-"',
            "rename it, here and wherever it is referred to",
        )
    return text


def read_integer(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> int | Absent:
    """A whole number."""
    value = node.value if isinstance(node, YamlScalar) else None
    if isinstance(value, int) and not isinstance(value, bool):
        reading.values[path] = node.span
        return value
    if not is_null(node):
        reading.wrong_type(spec, node, "a whole number", "write a whole number without quotes")
    return ABSENT


def read_choice(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> str | Absent:
    """One of the field's words. Another word is reported; it is kept only where the field is required."""
    text = read_text(reading, spec, node, path)
    if text is ABSENT or text in spec.choices:
        return text
    _report_choice(reading, called(spec), text, node.span, spec.choices)
    return text if spec.required else ABSENT


def _report_choice(reading: Reading, name: str, text: str, span: Span, choices: tuple[str, ...]) -> None:
    nearest = reading.nearest(text, choices)
    reading.report(
        codes.WRONG_VALUE,
        span,
        f'"{name}" of {reading.subject} cannot be "{shown(text)}"',
        f'write "{nearest}"' if nearest else f"write one of: {', '.join(choices)}",
    )


def read_keys(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> tuple[str, ...] | Absent:
    """A list of context keys; one key may stand without the list."""
    if isinstance(node, YamlMapping):
        reading.wrong_type(spec, node, "a list of names", 'write the names as a list: ["a", "b"]')
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    keys: list[str] = []
    items = items_of(node)
    for index, item in enumerate(items):
        if not isinstance(item, YamlScalar) or item.value is None:
            message = f'an item of "{called(spec)}" of {reading.subject} is {kind_of(item)}; a name is wanted'
            reading.report(codes.WRONG_TYPE, item.span, message, "write one name an item")
            continue
        reading.values[(*path, index)] = Span(item.start, item.end)
        if not isinstance(item.value, str):
            message = f'an item of "{called(spec)}" of {reading.subject} is {kind_of(item)}; a name is wanted'
            reading.report(codes.WRONG_TYPE, item.span, message, f'put it in quotes: "{shown(item.text)}"')
        keys.append(item.text)
    return tuple(keys) if keys or not items else ABSENT


def read_mapping(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> dict[str, Data] | str | Absent:
    """A mapping of any values.

    The whole may be one template where the field takes templates and its keys need not be known: a field that writes
    the context must say what it writes.
    """
    if isinstance(node, YamlMapping):
        data = read_data(reading, node, path)
        assert isinstance(data, dict)  # what a YamlMapping is read as
        return data
    if is_null(node):
        return ABSENT
    may_be_template = spec.template and not spec.writes
    if may_be_template and isinstance(node, YamlScalar) and isinstance(node.value, str) and holds_template(node.value):
        reading.values[path] = Span(node.start, node.end)
        return node.value
    wanted = "a mapping or one template" if may_be_template else "a mapping"
    reading.wrong_type(spec, node, wanted, 'write "name: value" lines below the key')
    return ABSENT


_PARAMETER_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "number": ((int, float), "a number"),
    "integer": ((int,), "a whole number"),
    "string": ((str,), "text"),
}


def read_parameters(reading: Reading, spec: FieldSpec, node: YamlNode, path: SpanPath) -> dict[str, Data] | Absent:
    """A mapping whose keys and types are known. An unknown key is kept, a value of a wrong type is not."""
    if not isinstance(node, YamlMapping):
        if not is_null(node):
            reading.wrong_type(spec, node, "a mapping", 'write "name: value" lines below the key')
        return ABSENT
    reading.values[path] = Span(node.start, node.end)
    parameters: dict[str, Data] = {}
    for key, value in node.pairs:
        below = (*path, key.text)
        reading.keys[below] = Span(key.start, key.end)
        data = read_data(reading, value, below)
        if key.text not in spec.parameters:
            report_unknown_key(reading, key, f'"{called(spec)}" of {reading.subject}', tuple(spec.parameters))
        elif is_null(value):
            continue
        else:
            types, words = _PARAMETER_TYPES[spec.parameters[key.text]]
            if not isinstance(data, types) or isinstance(data, bool):
                message = f'"{called(spec)}.{key.text}" of {reading.subject} is {kind_of(value)}; {words} is wanted'
                quotes = (
                    f'put it in quotes: "{shown(value.text)}"' if isinstance(value, YamlScalar) else "write one text"
                )
                reading.report(
                    codes.WRONG_TYPE,
                    value.span,
                    message,
                    quotes if words == "text" else f"write {words} without quotes",
                )
                continue
        parameters[key.text] = data
    return parameters


def read_any(reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath) -> Data:
    """Any value, as it is."""
    return read_data(reading, node, path)


def report_unknown_key(reading: Reading, key: YamlScalar, owner: str, known: tuple[str, ...]) -> None:
    """Reports a key that ``owner`` does not have, with the key that was probably meant."""
    if key.text == "<<":
        help = "write the keys out: YAML 1.2 has no merge keys"
    else:
        nearest = reading.nearest(key.text, known)
        help = f'write "{nearest}"' if nearest else "remove it, or check where it belongs"
    reading.report(codes.UNKNOWN_KEY, key.span, f'{owner} has no key "{shown(key.text)}"', help)
