"""The entries of ``/__meta__/resources``."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.ast import RESOURCE_FIELDS, ResourceEntry
from agentic_dsl.compiler.parse.reading import Absent, Reading, is_null, items_of, read_data
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.span import Span, SpanPath


def read_entries(
    reading: Reading, _spec: FieldSpec, node: YamlNode, path: SpanPath
) -> tuple[ResourceEntry, ...] | Absent:
    """The entries, by the table `RESOURCE_FIELDS`; an entry of an unknown type is reported and left out."""
    reading.values[path] = Span(node.start, node.end)
    entries = []
    for index, item in enumerate(items_of(node)):
        if isinstance(item, YamlMapping):
            entry = _read_entry(reading, item, (*path, index))
            if entry is not None:
                entries.append(entry)
        else:
            message = f"a resource of {reading.subject} is {kind_of(item)}; a mapping is wanted"
            reading.report(codes.WRONG_TYPE, item.span, message, "write it as {type: tool, name: web_search}")
    return tuple(entries)


def _read_entry(reading: Reading, node: YamlMapping, path: SpanPath) -> ResourceEntry | None:
    data = read_data(reading, node, path)
    assert isinstance(data, dict)  # what a YamlMapping is read as
    kind = data.pop("type", None)
    type_span = reading.values.get((*path, "type"), node.span)
    if not isinstance(kind, str):
        reading.report(codes.MISSING_FIELD, type_span, "a resource has no type", f"add one of: {_TYPES}")
        return None
    known = RESOURCE_FIELDS.get(kind)
    if known is None:
        nearest = reading.nearest(kind, tuple(RESOURCE_FIELDS))
        help = f'write "{nearest}"' if nearest else f"write one of: {_TYPES}"
        reading.report(codes.WRONG_VALUE, type_span, f'"{shown(kind)}" is no type of resource', help)
        return None
    for key, _ in node.pairs:
        if key.text != "type" and key.text not in known:
            report_unknown_key(reading, key, f"a {kind} resource", ("type", *known))
    name = None
    if "name" in known:
        name = _name_of(reading, node, kind, type_span)
        data.pop("name", None)
    return ResourceEntry(kind, name, data, node.span)


_TYPES = ", ".join(RESOURCE_FIELDS)


def _name_of(reading: Reading, node: YamlMapping, kind: str, type_span: Span) -> str | None:
    named: YamlNode | None = next((value for key, value in node.pairs if key.text == "name"), None)
    if named is None or is_null(named):
        reading.report(codes.MISSING_FIELD, type_span, f"a {kind} resource has no name", 'add "name: …"')
        return None
    if not isinstance(named, YamlScalar) or not isinstance(named.value, str):
        help = f'put it in quotes: "{shown(named.text)}"' if isinstance(named, YamlScalar) else "write one name"
        message = f"the name of a {kind} resource is {kind_of(named)}; text is wanted"
        reading.report(codes.WRONG_TYPE, named.span, message, help)
        return named.text if isinstance(named, YamlScalar) else None
    return named.text
