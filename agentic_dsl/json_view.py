"""The AST as JSON data: what ``--format json`` and programs in other languages see of a document.

Values have the shape of the canonical YAML (`agentic_dsl.canonical`), so whoever knows the language knows the view.
`agentic_dsl.compiler.json_schema` has its JSON Schema.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, assert_never

from agentic_dsl.ast import Block, Contract, Document, Meta, Opaque, Resources, Subgraph
from agentic_dsl.canonical import block_data, head_data, node_data
from agentic_dsl.format_values import number
from agentic_dsl.node_table import AnyNode
from agentic_dsl.normalise import normalise
from agentic_dsl.signature import Data

Json = dict[str, Any]
"""A JSON object."""

HEAD_KEYS = ("signature", "version", "stability", "requires", "permissions")
"""Keys of a subgraph or contract before its nodes; None where the block has none."""


def document_view(document: Document) -> Json:
    """A whole document: ``{"blocks": […], "epilogue"}``, normalised, so that references are full paths."""
    document = normalise(document)
    return {"blocks": [_block_view(block) for block in document.blocks], "epilogue": document.epilogue}


def subgraph_view(subgraph: Subgraph) -> Json:
    """One subgraph: ``{"path", "signature", …, "entry", "nodes": [{"id", "type", …}]}``, normalised.

    ``entry`` is always the id of the first node to run. Keys that a block should not have are in ``extra``.
    """
    [block] = normalise(Document(blocks=(subgraph,))).blocks
    assert isinstance(block, Subgraph)
    return _subgraph_view(block)


def node_view(node: AnyNode) -> Json:
    """One node, as it stands in the ``nodes`` of its subgraph."""
    return _object(node_data(node))


def _subgraph_view(subgraph: Subgraph) -> Json:
    head = _object(head_data(subgraph))
    return {
        "path": str(subgraph.path),
        **{key: head.get(key) for key in HEAD_KEYS},
        "entry": subgraph.entry_id,
        "nodes": [node_view(node) for node in subgraph.nodes],
        "extra": _object(subgraph.extra),
    }


def _block_view(block: Block) -> Json:
    common = {
        "kind": type(block).__name__.lower(),
        "path": None if block.path is None else str(block.path),
        "prose": block.prose,
        "heading_note": block.heading_note,
    }
    match block:
        case Subgraph():
            return common | _subgraph_view(block)
        case Opaque():
            return common | {"text": block.body}
        case Meta() | Resources() | Contract():
            return _object(block_data(block)) | common
        case _:
            assert_never(block)


def _object(data: Mapping[str, Data]) -> Json:
    return {str(key): _json(value) for key, value in data.items()}


def _json(value: Data) -> Any:
    """A value with JSON's types only; numbers that JSON lacks are the words that YAML has for them."""
    match value:
        case str():
            return str(value)
        case float() if not math.isfinite(value):
            return number(value)
        case Mapping():
            return _object(value)
        case list() | tuple():
            return [_json(item) for item in value]
        case _:
            return value
