"""Where a cursor stands: in which block, node and field, even where the text is half written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from agentic_dsl.ast import Subgraph
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.outline import Outline, Slot, read_outline
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.parse.block_keys import ContractKeys, MetaKeys, ResourcesKeys, SingleKeys, SubgraphKeys
from agentic_dsl.compiler.resolution import Place
from agentic_dsl.node_table import (
    DEPRECATED_TYPES,
    NODE_TABLE,
    FieldKind,
    FieldSpec,
    NodeSpec,
    UnknownNode,
    field_specs,
)
from agentic_dsl.span import Span, SpanPath

_META, _RESOURCES = "/__meta__", "/__meta__/resources"
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Cursor:
    """A place inside the body of a block.

    Attributes:
        block: number of the block in the document.
        path: of the block, as its heading has it.
        outline: of the block's body.
        slot: what the cursor stands in.
    """

    analysis: Analysis
    offset: int
    block: int
    path: str
    outline: Outline
    slot: Slot

    @cached_property
    def node_path(self) -> SpanPath:
        """Where the node stands in the body; empty for the block itself, which may be its only node."""
        path = self.slot.path
        return path[:2] if path[:1] == ("nodes",) and len(path) > 1 else ()

    @property
    def inner(self) -> SpanPath:
        """Where the cursor stands in the node or block; of a key, the mapping that it belongs to."""
        return self.slot.path[len(self.node_path) :]

    @property
    def keys(self) -> tuple[str, ...]:
        """`inner` without the positions in lists; of a key with itself."""
        keys = tuple(step for step in self.inner if isinstance(step, str))
        return (*keys, self.slot.text) if self.slot.is_key else keys

    @cached_property
    def is_node(self) -> bool:
        """Whether the fields here are those of a node."""
        if self.node_path:
            return True
        return self.outline.text(("type",)) is not None and self.path != _RESOURCES and not self._has_nodes

    @property
    def _has_nodes(self) -> bool:
        keys = self.outline.keys(())
        return "nodes" in keys or "graph_type" in keys

    def written(self, key: str) -> str | None:
        """The text of a field of the node or block."""
        return self.outline.text((*self.node_path, key))

    @property
    def spec(self) -> NodeSpec | None:
        """The row of the node's type; None where it has none that is known."""
        name = self.written("type") or ""
        return NODE_TABLE.get(DEPRECATED_TYPES[name][0] if name in DEPRECATED_TYPES else name)

    @cached_property
    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields that can stand in the node or block."""
        if self.is_node:
            own = self.spec.fields if self.spec is not None else field_specs(UnknownNode)
            block = () if self.node_path else field_specs(SingleKeys)
            names = {spec.path[0] for spec in own}
            return (*own, *(spec for spec in block if spec.path[0] not in names))
        if self.node_path or self.path == _META or self.path == _RESOURCES:
            return field_specs(MetaKeys if self.path == _META else ResourcesKeys)
        is_contract = self.path.startswith("/lib/") and "signature" in self.outline.keys(()) and not self._has_nodes
        return field_specs(ContractKeys) if is_contract and not self.slot.is_key else field_specs(SubgraphKeys)

    @cached_property
    def field(self) -> FieldSpec | None:
        """The field that the cursor stands in, by its own path or by one of the accepted short ones."""
        keys = self.keys
        for spec in self.fields:
            if keys[: len(spec.path)] == spec.path:
                return spec
        return next((spec for spec in self.fields if len(spec.path) > 1 and keys[:1] == spec.path[-1:]), None)

    @property
    def is_value(self) -> bool:
        """Whether a value is written here: an item of a list looks like a key until its colon is there."""
        if not self.slot.is_key:
            return True
        kind = self.field.kind if self.field is not None else None
        listed = (FieldKind.REFERENCES, FieldKind.WAIT, FieldKind.KEYS)
        return kind in listed and len(self.inner) > 0 and isinstance(self.inner[-1], int)

    @cached_property
    def edit(self) -> Span:
        """What a completion replaces: the text that stands here, without its quotes."""
        token = self.slot.token
        text = self.analysis.text[token.start : token.end]
        if not token.start <= self.offset <= token.end:
            return Span(self.offset, self.offset)
        if text[:1] not in ("'", '"'):
            return token
        is_closed = len(text) > 1 and text[-1] == text[0] and self.offset < token.end
        return Span(min(token.start + 1, self.offset), token.end - 1 if is_closed else self.offset)

    @property
    def is_quoted(self) -> bool:
        """Whether the text stands in quotes."""
        return self.edit.start > self.slot.token.start

    @property
    def prefix(self) -> str:
        """What is written before the cursor."""
        return self.analysis.text[self.edit.start : self.offset]

    @cached_property
    def template(self) -> Span | None:
        """The name in ``{{ … }}`` or ``{% … %}`` around the cursor, or the place for one; None outside of templates."""
        text, token = self.analysis.text, self.slot.token
        before = text[token.start : self.offset]
        opened = max(before.rfind("{{") - before.rfind("}}"), before.rfind("{%") - before.rfind("%}"))
        if opened <= 0:
            return None
        start = end = self.offset
        while start > token.start and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        while end < token.end and (text[end].isalnum() or text[end] == "_"):
            end += 1
        return Span(start, end)

    def place(self, check: CheckContext) -> Place | None:
        """The node here in a graph that may be that of an older or mended text: by its id, else by its number."""
        blocks = check.document.blocks
        block = blocks[self.block] if self.block < len(blocks) else None
        if not isinstance(block, Subgraph):
            return None
        number = next(n for n, subgraph in enumerate(check.resolver.blocks) if subgraph is block)
        places = [place for place in check.graph.places if place.block == number]
        if not self.node_path:
            return places[0] if block.single and places else None
        name, index = self.written("id"), self.node_path[1]
        named = next((place for place in places if place.node.id == name), None)
        if named is not None:
            return named
        return places[index] if isinstance(index, int) and index < len(places) else None


def cursor_at(analysis: Analysis, offset: int) -> Cursor | None:
    """The cursor at an offset; None outside of blocks, and where nothing can stand."""
    for number, raw in enumerate(analysis.structure.blocks):
        if raw.body.start <= offset <= raw.body.end:
            outline = read_outline(analysis.text, raw.body, offset)
            slot = outline.at(offset)
            return None if slot is None else Cursor(analysis, offset, number, raw.path or "", outline, slot)
    return None
