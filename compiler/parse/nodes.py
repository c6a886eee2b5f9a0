"""Step 1.4: a YAML mapping → a node, driven by the node table.

A reading table is computed once from the cells of a row; reading a node is one loop over its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agentic_dsl import codes
from agentic_dsl.compiler.parse.readers import Reader, reader_for
from agentic_dsl.compiler.parse.reading import ABSENT, Reading, called, is_null, read_data
from agentic_dsl.compiler.parse.reference_values import read_sources
from agentic_dsl.compiler.parse.spellings import DEV_COMMENT, PASSES, READERS, Fields, keep_remark, renamed
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping, YamlNode, YamlScalar
from agentic_dsl.node_table import (
    DEPRECATED_TYPES,
    NODE_TABLE,
    ROWS,
    AnyNode,
    FieldKind,
    FieldSpec,
    Node,
    UnknownNode,
    field_specs,
    row_of,
)
from agentic_dsl.signature import Data
from agentic_dsl.span import Span, SpanTable


class Cell(NamedTuple):
    """How one field is read."""

    name: str
    path: tuple[str, ...]
    spec: FieldSpec
    read: Reader


class ReadingTable(NamedTuple):
    """How the keys of a node or block are read.

    Attributes:
        cells: key → field; nested fields stand here too, because they may be written one level up.
        containers: key → key below it → field.
        known: every key, for suggestions.
        required: the fields that must be there.
    """

    cells: dict[str, Cell]
    containers: dict[str, dict[str, Cell]]
    known: tuple[str, ...]
    required: tuple[FieldSpec, ...]


_WAIT_KEYS = frozenset(spec.path[-1] for spec in field_specs(Node) if spec.kind is FieldKind.WAIT)
_TYPES_BY_KEY: dict[str, tuple[str, ...]] = {
    key: tuple(spec.type for spec in NODE_TABLE.values() if any(key in cell.path for cell in spec.fields))
    for key in {key for spec in NODE_TABLE.values() for cell in spec.fields for key in cell.path}
}
"""Key → the types that have it: says where a misplaced field belongs."""


def reading_table(row: type) -> ReadingTable:
    """The reading table of a row, or of any class declared with `node_table.cell`; compute it once."""
    specs = field_specs(row)
    cells = {spec.path[0]: _cell(row, spec) for spec in specs if len(spec.path) == 1}
    containers: dict[str, dict[str, Cell]] = {}
    for spec in specs:
        if len(spec.path) == 2:
            container, key = spec.path
            containers.setdefault(container, {})[key] = cells[key] = _cell(row, spec)
    known = tuple(dict.fromkeys(("type", *cells, *containers)))
    return ReadingTable(cells, containers, known, tuple(spec for spec in specs if spec.required))


def _cell(row: type, spec: FieldSpec) -> Cell:
    read = READERS.get((row, spec.name)) or reader_for(spec.kind)
    if spec.kind is FieldKind.REFERENCES and spec.path[-1] in _WAIT_KEYS:
        # What a join's nested wait_for holds may be written in every form that a node's own wait_for has.
        read = read_sources
    return Cell(spec.name, spec.path, spec, read)


_TABLES: dict[type[Node], ReadingTable] = {row: reading_table(row) for row in (*ROWS, UnknownNode)}


def read_node(
    reading: Reading, node: YamlMapping, placeholder: Callable[[], str], *, fixed_id: str | None = None
) -> AnyNode:
    """Reads one node.

    Args:
        reading: a fresh one; its tables become the node's.
        node: the YAML.
        placeholder: gives the id of a node that names none.
        fixed_id: the id of a node that is a block by itself; its ``id`` key has no effect.
    """
    id_node, type_node = _named(node, "id"), _named(node, "type")
    if isinstance(id_node, YamlScalar) and id_node.text and fixed_id is None:
        reading.subject = f'node "{shown(id_node.text)}"'
    type_name, implied = _type_of(reading, node, id_node, type_node)
    row = row_of(type_name) or UnknownNode
    fields, extra = _read_fields(reading, node, row)
    for name, value in implied.items():
        fields.setdefault(name, value)
    for normalise in PASSES.get(row, ()):
        normalise(reading, fields)
    if fixed_id is not None:
        _fix_id(reading, fields, fixed_id)
    _check_required(reading, id_node or type_node or node, row, type_name, fields)
    if not fields.get("id"):
        fields["id"] = placeholder()
    if row is UnknownNode:
        fields["type_name"] = type_name
    return row(
        **fields,
        extra=extra,
        spelling=type_node.text if isinstance(type_node, YamlScalar) and type_node.text in DEPRECATED_TYPES else None,
        span=Span(node.start, node.end),
        spans=SpanTable(reading.values, reading.keys),
        comments={},  # filled when the whole block is read: a comment belongs to the key after it
    )


def _named(node: YamlMapping, name: str) -> YamlNode | None:
    for key, value in node.pairs:
        if key.text == name:
            return value
    return None


_NOTHING: dict[str, Data] = {}


def _type_of(
    reading: Reading, node: YamlMapping, id_node: YamlNode | None, type_node: YamlNode | None
) -> tuple[str, dict[str, Data]]:
    """The type's name and what it implies; the name is empty where there is none."""
    if type_node is None or is_null(type_node):
        place = id_node or node
        reading.report(
            codes.MISSING_FIELD, place.span, f"{reading.subject} has no type", 'add "type: …", such as "type: assign"'
        )
        return "", _NOTHING
    if not isinstance(type_node, YamlScalar):
        message = f'"type" of {reading.subject} is {kind_of(type_node)}; a word is wanted'
        reading.report(codes.WRONG_TYPE, type_node.span, message, "write one of the node types")
        return "", _NOTHING
    reading.values[("type",)] = type_node.span
    name = type_node.text
    if name in NODE_TABLE:
        return name, _NOTHING
    name, implied = renamed(reading, type_node)
    if name not in NODE_TABLE:
        nearest = reading.nearest(name, (*NODE_TABLE, *DEPRECATED_TYPES))
        reading.report(
            codes.UNKNOWN_TYPE,
            type_node.span,
            f'{reading.subject} is of the unknown type "{shown(name)}"',
            f'write "{nearest}"' if nearest else f"write one of: {', '.join(NODE_TABLE)}",
        )
    return name, dict(implied)


def _read_fields(reading: Reading, node: YamlMapping, row: type[Node]) -> tuple[Fields, dict[str, Data]]:
    """The fields of a node by attribute, and the keys that its type does not have."""
    table = _TABLES[row]
    fields: Fields = {}
    extra: dict[str, Data] = {}
    for key, value in node.pairs:
        name = key.text
        cell = table.cells.get(name)
        if name in table.containers:
            _read_container(reading, table, key, value, fields, extra)
        elif cell is not None:
            read_cell(reading, cell, key, value, fields)
        elif name == "type":
            reading.keys[("type",)] = Span(key.start, key.end)
        elif name == DEV_COMMENT:
            keep_remark(reading, key, value, is_first=key is node.pairs[0][0])
        else:
            if row is not UnknownNode:
                _report_key(reading, key, row, table)
            reading.keys[(name,)] = Span(key.start, key.end)
            extra[name] = read_data(reading, value, (name,))
    return fields, extra


def read_cell(reading: Reading, cell: Cell, key: YamlScalar, value: YamlNode, fields: Fields) -> None:
    """Reads one field into ``fields``; a field written in two places is an error, the first one counts."""
    if cell.path in reading.keys:
        reading.report(
            codes.DUPLICATE_KEY,
            key.span,
            f'"{called(cell.spec)}" of {reading.subject} is written in two places',
            "remove one of the two",
        )
        return
    reading.keys[cell.path] = Span(key.start, key.end)
    if type(value) is YamlScalar and value.value is None and cell.spec.kind is not FieldKind.DATA:
        return
    result = cell.read(reading, cell.spec, value, cell.path)
    if result is not ABSENT:
        fields[cell.name] = result
    else:
        reading.values.setdefault(cell.path, Span(value.start, value.end))


def _read_container(
    reading: Reading, table: ReadingTable, key: YamlScalar, value: YamlNode, fields: Fields, extra: dict[str, Data]
) -> None:
    """Reads the nested fields below a key such as ``fork``, and what else stands there."""
    nested = table.containers[key.text]
    own = table.cells.get(key.text)
    if is_null(value):
        return
    if not isinstance(value, YamlMapping):
        wanted = " or ".join(f'"{name}"' for name in nested)
        message = f'"{key.text}" of {reading.subject} is {kind_of(value)}; a mapping is wanted'
        reading.report(codes.WRONG_TYPE, value.span, message, f'write {wanted} below "{key.text}"')
        for unread in nested.values():
            reading.values.setdefault(unread.path, Span(value.start, value.end))  # said; not missing as well
        return
    reading.values[(key.text,)] = Span(value.start, value.end)
    others = []
    for below, content in value.pairs:
        cell = nested.get(below.text)
        if cell is not None:
            read_cell(reading, cell, below, content, fields)
        else:
            others.append((below, content))
    if own is not None:
        read_cell(reading, own, key, YamlMapping(tuple(others), value.start, value.end), fields)
        return
    reading.keys[(key.text,)] = Span(key.start, key.end)
    for below, content in others:
        report_unknown_key(reading, below, f'"{key.text}" of {reading.subject}', tuple(nested))
        path = (key.text, below.text)
        reading.keys[path] = Span(below.start, below.end)
        # Under a name that no field can have, so that the key survives and collides with nothing.
        extra[".".join(path)] = read_data(reading, content, path)


def _report_key(reading: Reading, key: YamlScalar, row: type[Node], table: ReadingTable) -> None:
    types = _TYPES_BY_KEY.get(key.text)
    if types is None:
        report_unknown_key(reading, key, reading.subject, table.known)
        return
    reading.report(
        codes.FIELD_NOT_ALLOWED,
        key.span,
        f'{reading.subject} is of type {row.TYPE}, which has no "{key.text}"',
        f"remove it, or make the node one of: {', '.join(types)}",
    )


def _fix_id(reading: Reading, fields: Fields, fixed_id: str) -> None:
    """The block's path names the node of a block that is one."""
    if fields.get("id", fixed_id) != fixed_id:
        message = f'"id" of {reading.subject} has no effect: the block\'s path names the node'
        reading.report(codes.DROPPED_FIELD, reading.keys[("id",)], message, 'remove "id"')
    fields["id"] = fixed_id


def _check_required(reading: Reading, place: YamlNode, row: type[Node], type_name: str, fields: Fields) -> None:
    """Reports required fields that are not there or are empty; what is there but unreadable was reported before."""
    for spec in _TABLES[row].required:
        if fields.get(spec.name) or (spec.alternative and fields.get(spec.alternative)):
            continue
        written = reading.values.get(spec.path)
        if written is not None and spec.name not in fields:
            continue
        if spec.kind is FieldKind.CHOICE:
            fields[spec.name] = ""
        either = f'"{called(spec)}"' + (f' or "{spec.alternative}"' if spec.alternative else "")
        if written is not None:
            message, help = f'"{called(spec)}" of {reading.subject} is empty', f"write {spec.doc}"
        else:
            of_type = f" of type {type_name}" if spec.name != "id" else ""
            message, help = f"{reading.subject}{of_type} has no {either}", f'add "{called(spec)}": {spec.doc}'
        reading.report(codes.MISSING_FIELD, written or place.span, message, help)
