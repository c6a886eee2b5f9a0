"""A raw block and its YAML → `Meta`, `Resources`, `Subgraph`, `Contract` or `Opaque` (``language.md`` §1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from agentic_dsl import codes
from agentic_dsl.ast import BUDGET_KEYS, Block, Contract, ExecutionBudget, Meta, Opaque, Resources, Subgraph
from agentic_dsl.compiler.parse.block_keys import CONTRACT, META, RESOURCES, SINGLE, SUBGRAPH
from agentic_dsl.compiler.parse.comments import CommentTable, attach
from agentic_dsl.compiler.parse.nodes import ReadingTable, read_cell, read_node
from agentic_dsl.compiler.parse.reading import Reading, is_null, read_data
from agentic_dsl.compiler.parse.spellings import DEV_COMMENT, Fields, keep_remark
from agentic_dsl.compiler.parse.text_limits import TextBudget
from agentic_dsl.compiler.parse.values import report_unknown_key
from agentic_dsl.compiler.parse.wording import kind_of
from agentic_dsl.compiler.parse.yaml_limits import YamlBudget
from agentic_dsl.compiler.parse.yaml_tree import YamlComment, YamlMapping, YamlNode, YamlScalar, YamlSequence
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import AnyNode
from agentic_dsl.paths import Path, Version
from agentic_dsl.signature import Data
from agentic_dsl.span import Source, Span, SpanTable

MAX_NODES = 10_000
"""Nodes that a document may hold."""

META_PATH = Path(("__meta__",))
RESOURCES_PATH = Path(("__meta__", "resources"))


@dataclass(slots=True)
class DocumentReading:
    """What the blocks of one document share while it is read; owned by `parse`, thrown away after it."""

    source: Source
    diagnostics: list[Diagnostic] = field(default_factory=list)
    yaml: YamlBudget = field(default_factory=YamlBudget)
    texts: TextBudget = field(default_factory=TextBudget)
    nodes_left: int = MAX_NODES


class Body(NamedTuple):
    """A block whose YAML is read and whose kind is not known yet.

    Attributes:
        path: absolute.
        version: the ``@v`` of the heading.
        root: the YAML.
        comments: of the YAML.
        base: the attributes that every block has and that are known by now.
        text: the body as written, for a block that is none of the kinds.
    """

    path: Path
    version: Version | None
    root: YamlMapping
    comments: list[YamlComment]
    base: dict[str, Any]
    text: str


def read_block(document: DocumentReading, body: Body) -> Block:
    """Reads a block by its kind; one that is of none is reported and kept as it is."""
    keys = {key.text: value for key, value in body.root.pairs}
    if body.path == META_PATH:
        return _read_meta(document, body)
    if body.path == RESOURCES_PATH and ("resources" in keys or "type" in keys):
        return _read_resources(document, body)
    if "graph_type" in keys or "nodes" in keys:
        return _read_subgraph(document, body)
    if "type" in keys:
        return _read_single(document, body)
    if body.path.is_library and "signature" in keys:
        return _read_contract(document, body)
    document.diagnostics.append(
        codes.UNKNOWN_BLOCK_KIND.at(
            body.base["path_span"],
            f"the block {body.path} is of no kind that the language has",
            help='add "graph_type: subgraph" and "nodes:", or the "type:" of a single node',
        )
    )
    return Opaque(body=body.text, **body.base)


class _Keys(NamedTuple):
    """The keys of a block, read."""

    reading: Reading
    fields: Fields
    extra: dict[str, Data]
    rest: dict[str, YamlNode]

    @property
    def spans(self) -> SpanTable:
        return SpanTable(self.reading.values, self.reading.keys)


def _read_keys(
    document: DocumentReading, body: Body, table: ReadingTable, pairs: tuple[tuple[YamlScalar, YamlNode], ...]
) -> _Keys:
    """Reads the keys of a block; ``nodes`` is left to the caller."""
    reading = Reading(document.source, document.diagnostics, [], f"block {body.path}", document.texts)
    read = _Keys(reading, {}, {}, {})
    for key, value in pairs:
        name = key.text
        if name == "nodes" and name in table.cells:
            reading.keys[("nodes",)] = Span(key.start, key.end)
            reading.values[("nodes",)] = Span(value.start, value.end)
            read.rest[name] = value
        elif (found := table.cells.get(name)) is not None:
            read_cell(reading, found, key, value, read.fields)
            if name == "signature" and isinstance(value, YamlMapping):
                _read_inside_signature(reading, table, value, read.fields)
        elif name == DEV_COMMENT:
            keep_remark(reading, key, value, is_first=key is pairs[0][0])
        else:
            report_unknown_key(reading, key, reading.subject, table.known)
            reading.keys[(name,)] = Span(key.start, key.end)
            read.extra[name] = read_data(reading, value, (name,))
    return read


def _read_inside_signature(reading: Reading, table: ReadingTable, signature: YamlMapping, fields: Fields) -> None:
    """``version`` and ``stability`` may stand inside the signature; they belong to the block all the same."""
    for key, value in signature.pairs:
        if key.text in ("version", "stability"):
            read_cell(reading, table.cells[key.text], key, value, fields)


def _finish(block_keys: _Keys, body: Body, nodes: tuple[AnyNode, ...] = ()) -> dict[str, Any]:
    """The attributes that every block has, once its comments are put where they belong."""
    comments: CommentTable = {}
    spans = block_keys.spans
    remarks = [*body.comments, *block_keys.reading.remarks]
    if remarks:
        # A node's comment table is filled here, before anyone else has seen the node.
        attach(remarks, [(spans, comments), *((node.spans, node.comments) for node in nodes)])  # type: ignore[list-item]
    return {**body.base, "extra": block_keys.extra, "spans": spans, "comments": comments}


def _read_meta(document: DocumentReading, body: Body) -> Meta:
    read = _read_keys(document, body, META, body.root.pairs)
    budget = read.fields.pop("execution_budget", {})
    for name in [name for name in budget if name not in BUDGET_KEYS]:
        read.extra[f"execution_budget.{name}"] = budget.pop(name)
    for name, limit in list(budget.items()):
        if limit < -1:
            read.reading.report(
                codes.WRONG_VALUE,
                read.reading.values[("execution_budget", name)],
                f'"execution_budget.{name}" cannot be {limit}',
                "write -1 for no limit, or a number from 0",
            )
            del budget[name]
    return Meta(**read.fields, execution_budget=ExecutionBudget(**budget), **_finish(read, body))


def _read_resources(document: DocumentReading, body: Body) -> Resources:
    read = _read_keys(document, body, RESOURCES, body.root.pairs)
    if "type" not in read.fields:
        read.reading.report(
            codes.MISSING_FIELD,
            read.reading.values.get(("type",)) or body.base["path_span"],
            f"{read.reading.subject} lacks its type",
            'add "type: resource_declare"',
        )
    entries = read.fields.get("resources", ())
    return Resources(entries=entries, **_finish(read, body))


def _read_contract(document: DocumentReading, body: Body) -> Block:
    read = _read_keys(document, body, CONTRACT, body.root.pairs)
    _settle_version(read, body)
    if "signature" not in read.fields:
        return Opaque(body=body.text, **body.base)
    return Contract(**read.fields, **_finish(read, body))


def _read_single(document: DocumentReading, body: Body) -> Block:
    """A block that is a node: its contract stays with the block, the rest is the node's."""
    of_block = tuple(pair for pair in body.root.pairs if pair[0].text in SINGLE.cells)
    of_node = tuple(pair for pair in body.root.pairs if pair[0].text not in SINGLE.cells)
    if not _count_nodes(document, body, 1):
        return Opaque(body=body.text, **body.base)
    read = _read_keys(document, body, SINGLE, of_block)
    _settle_version(read, body)
    reading = Reading(document.source, document.diagnostics, read.reading.remarks, f"node {body.path}", document.texts)
    root = YamlMapping(of_node, body.root.start, body.root.end)
    node = read_node(reading, root, lambda: body.path.name, fixed_id=body.path.name)
    return Subgraph(nodes=(node,), single=True, **read.fields, **_finish(read, body, (node,)))


def _read_subgraph(document: DocumentReading, body: Body) -> Block:
    read = _read_keys(document, body, SUBGRAPH, body.root.pairs)
    _settle_version(read, body)
    if "graph_type" not in read.fields and ("graph_type",) not in read.reading.values:
        read.reading.report(
            codes.MISSING_FIELD,
            read.reading.keys[("nodes",)] if ("nodes",) in read.reading.keys else body.base["path_span"],
            f"{read.reading.subject} has nodes and no graph_type",
            'add "graph_type: subgraph"',
        )
    read.fields.pop("graph_type", None)
    items = _node_items(read)
    if not _count_nodes(document, body, len(items)):
        return Opaque(body=body.text, **body.base)
    nodes = tuple(_read_nodes(document, read, items))
    return Subgraph(nodes=nodes, **read.fields, **_finish(read, body, nodes))


def _node_items(read: _Keys) -> tuple[YamlNode, ...]:
    nodes = read.rest.get("nodes")
    if nodes is None or is_null(nodes):
        return ()
    if isinstance(nodes, YamlSequence):
        return nodes.items
    message = f'"nodes" of {read.reading.subject} is {kind_of(nodes)}; a list is wanted'
    read.reading.report(codes.WRONG_TYPE, nodes.span, message, 'begin each node with "- id: …"')
    return ()


def _read_nodes(document: DocumentReading, read: _Keys, items: tuple[YamlNode, ...]) -> list[AnyNode]:
    nodes: list[AnyNode] = []
    placeholder = _placeholders(items)
    for index, item in enumerate(items):
        read.reading.values[("nodes", index)] = Span(item.start, item.end)
        if not isinstance(item, YamlMapping):
            message = f"node {index + 1} of {read.reading.subject} is {kind_of(item)}; a mapping is wanted"
            read.reading.report(codes.WRONG_TYPE, item.span, message, 'begin it with "- id: …" and "type: …"')
            continue
        subject = f"node {index + 1}"
        reading = Reading(document.source, document.diagnostics, read.reading.remarks, subject, document.texts)
        nodes.append(read_node(reading, item, partial(placeholder, index)))
    return nodes


def _placeholders(items: tuple[YamlNode, ...]) -> Callable[[int], str]:
    """Ids for nodes without one, made of characters that no id has; nothing written collides with them."""
    written: set[str] | None = None

    def placeholder(index: int) -> str:
        nonlocal written
        if written is None:
            written = {
                value.text
                for item in items
                if isinstance(item, YamlMapping)
                for key, value in item.pairs
                if key.text == "id" and isinstance(value, YamlScalar)
            }
        name = f"(node {index + 1})"
        while name in written:
            name = f"({name})"
        return name

    return placeholder


def _count_nodes(document: DocumentReading, body: Body, count: int) -> bool:
    """Whether the nodes of a block are within the document's limit; reported once, where it is passed."""
    if count <= document.nodes_left:
        document.nodes_left -= count
        return True
    if document.nodes_left >= 0:
        message = f"the document holds more than {MAX_NODES:,} nodes; {body.path} and what follows is not read"
        document.diagnostics.append(
            codes.DOCUMENT_NODE_LIMIT.at(body.base["path_span"], message, help="split the document")
        )
    document.nodes_left = -1
    return False


def _settle_version(read: _Keys, body: Body) -> None:
    """A version in the heading is the block's, unless the block states one; then they must agree."""
    if body.version is None:
        return
    stated = read.fields.setdefault("version", body.version)
    if not body.version.matches(stated):
        read.reading.report(
            codes.WRONG_VALUE,
            read.reading.values[("version",)],
            f'"version" of {read.reading.subject} is {stated}, but its heading says @v{body.version}',
            "make the two agree",
        )
