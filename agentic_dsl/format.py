"""`format_document`: the canonical layout of a document (``language.md`` §6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import assert_never

from agentic_dsl.ast import Block, Contract, Document, Meta, Opaque, Resources, Subgraph
from agentic_dsl.canonical import block_data, head_data, node_data
from agentic_dsl.format_contracts import format_permission, format_signature
from agentic_dsl.format_values import INDENT, Comments, comment_lines, item_lines, mapping_lines, paths
from agentic_dsl.node_table import AnyNode
from agentic_dsl.normalise import normalise
from agentic_dsl.signature import Data
from agentic_dsl.span import SpanPath

BEGIN_MARKER = "# --- BEGIN AgenticDSL ---"
END_MARKER = "# --- END AgenticDSL ---"

__all__ = [
    "BEGIN_MARKER",
    "END_MARKER",
    "format_document",
    "format_permission",
    "format_signature",
    "format_subgraph",
    "normalise",
]


def format_document(document: Document) -> str:
    """The document in the canonical layout: prose and blocks, one blank line between them, one newline at the end.

    Nothing is lost: prose, comments, unknown keys and nodes are printed, a block that could not be read is printed as
    it was. Formatting the result again gives the same text. An empty document is the empty text.
    """
    document = normalise(document)
    parts: list[str] = []
    for block in document.blocks:
        parts += (block.prose, _block_text(block, document.source.text))
    parts.append(document.epilogue)
    shown = [part for part in parts if part]
    return "\n\n".join(shown) + "\n" if shown else ""


def format_subgraph(subgraph: Subgraph) -> str:
    """One block in the canonical layout, from its heading to the newline after its fence, without its prose."""
    [block] = normalise(Document(blocks=(subgraph,))).blocks
    return f"{_block_text(block)}\n"


def _block_text(block: Block, source: str = "") -> str:
    """A block from its heading to its closing fence."""
    if isinstance(block, Opaque):
        return _opaque_text(block, source)
    return "\n".join((_heading(block), "```yaml", BEGIN_MARKER, *_body_lines(block), END_MARKER, "```"))


def _heading(block: Block) -> str:
    words = ("### AgenticDSL", f"`{block.path}`" if block.path else "", block.heading_note)
    return " ".join(word for word in words if word)


def _opaque_text(block: Opaque, source: str) -> str:
    """A block that could not be read, as it was written; its source text where there is one."""
    written = source[block.span.start : block.span.end]
    if written and block.body in written:
        return written.rstrip("\r\n")
    longest = max((len(run) for run in re.findall("`{3,}", block.body)), default=2)
    fence = "`" * (longest + 1)
    return "\n".join((_heading(block), f"{fence}yaml", *block.body.splitlines(), fence))


def _body_lines(block: Meta | Resources | Contract | Subgraph) -> list[str]:
    match block:
        case Subgraph(single=True, nodes=(node,)):
            return _flat_lines(block_data(block), _merged(node.comments, block.comments))
        case Subgraph():
            return _flat_lines(head_data(block), block.comments, _nodes_lines(block.nodes))
        case Meta() | Resources() | Contract():
            return _flat_lines(block_data(block), block.comments)
        case _:
            assert_never(block)


def _flat_lines(data: Mapping[str, Data], comments: Comments, nodes: Sequence[str] = ()) -> list[str]:
    """The lines of a body: its keys, the lines of its nodes, and the comments after the last key."""
    placed = _placed(comments, (*paths(data), _NODES), fallback=())
    lines = mapping_lines(data, 0, placed)
    lines += comment_lines(placed.get(_NODES, ()), 0)
    lines += nodes
    lines += comment_lines(placed.get((), ()), 0)
    return lines


_NODES: SpanPath = ("nodes",)


def _nodes_lines(nodes: tuple[AnyNode, ...]) -> list[str]:
    if not nodes:
        return ["nodes: []"]
    return ["nodes:", *(line for node in nodes for line in _node_lines(node))]


def _node_lines(node: AnyNode) -> list[str]:
    data = node_data(node)
    if not data:  # an item without any key
        comments = comment_lines(tuple(chain.from_iterable(node.comments.values())), INDENT)
        return [*comments, f"{' ' * INDENT}- {{}}"]
    placed = _placed(node.comments, paths(data), fallback=(next(iter(data)),))
    return item_lines(mapping_lines(data, 2 * INDENT, placed), INDENT)


def _merged(*comments: Comments) -> Comments:
    merged: dict[SpanPath, tuple[str, ...]] = {}
    for source in comments:
        for path, lines in source.items():
            merged[path] = merged.get(path, ()) + lines
    return merged


def _placed(comments: Comments, shown: Iterable[SpanPath], *, fallback: SpanPath) -> Comments:
    """Comments by the path above whose line they are printed.

    A comment on what has no line of its own (a default that is left out, an item of a flow list) moves up to the
    nearest key around it that has one, else to ``fallback``.
    """
    if not comments:
        return comments
    lines = set(shown)
    placed: dict[SpanPath, tuple[str, ...]] = {}
    for path, text in comments.items():
        at = path
        while at and at not in lines:
            at = at[:-1]
        at = at or fallback
        placed[at] = placed.get(at, ()) + text
    return placed
