"""What every rule is handed: one document with everything that `check` knows of it, computed once for all rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agentic_dsl.ast import Contract, Document, Subgraph
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.lint.facts import GroupFacts, PlacedText, collect
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.template import parse_condition, parse_template
from agentic_dsl.compiler.resolution import Callee, Place, TargetKind
from agentic_dsl.compiler.templates import reads_of, reads_of_condition, templates_of
from agentic_dsl.node_table import Assert, ToolCall
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Parameter
from agentic_dsl.span import NOWHERE, Span
from agentic_dsl.template import Template


@dataclass(frozen=True)
class LintContext:
    """The input of every rule. Everything derived is computed on first use and kept.

    Attributes:
        check: the document, its library and its graph, shared with the passes of `validate`.
    """

    check: CheckContext
    _trees: dict[str, Template | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def document(self) -> Document:
        """The document."""
        return self.check.document

    @property
    def text(self) -> str:
        """The whole text of the document."""
        return self.check.document.source.text

    @property
    def places(self) -> tuple[Place, ...]:
        """The nodes of the document, as the graph numbers them."""
        return self.check.graph.places

    @property
    def blocks(self) -> tuple[Subgraph, ...]:
        """The subgraphs of the document; `Place.block` counts them."""
        return self.check.resolver.blocks

    @cached_property
    def library_blocks(self) -> tuple[Subgraph | Contract, ...]:
        """The blocks of the document that others can call."""
        return tuple(b for b in self.document.blocks if isinstance(b, Subgraph | Contract) and b.path.is_library)

    @cached_property
    def texts(self) -> tuple[PlacedText, ...]:
        """Every string of every node in which a template may stand; references among them."""
        found = []
        for place in self.places:
            for path, text in templates_of(place.node):
                condition = isinstance(place.node, Assert) and path == ("condition",)
                reads = (reads_of_condition if condition else reads_of)(text).found if condition or "{" in text else ()
                found.append(PlacedText(place, path, text, () if isinstance(reads, Problem) else reads))
        return tuple(found)

    def tree(self, text: PlacedText) -> Template | None:
        """The template in a string, None where there is none that can be read."""
        if text.text not in self._trees:
            condition = isinstance(text.place.node, Assert) and text.path == ("condition",)
            parsed = parse_condition(text.text) if condition else parse_template(text.text)
            self._trees[text.text] = parsed if isinstance(parsed, Template) else None
        return self._trees[text.text]

    def inside(self, text: PlacedText, inner: Span) -> Span:
        """The place of a part of a string in the document."""
        return self.check.inside(text.span, inner)

    @cached_property
    def callees(self) -> tuple[tuple[Place, Span, Callee], ...]:
        """Every library call: the node, the place of the reference, and what is called."""
        return tuple(
            (self.places[link.source], self.check.span_of(link), link.target.call)
            for link in self.check.graph.links
            if link.target.kind is TargetKind.CALL and link.target.call is not None
        )

    @cached_property
    def groups(self) -> Mapping[int, GroupFacts]:
        """What is known of each group of blocks that edges connect, by the number of its first block."""
        graph = self.check.graph
        called = ((place, callee) for place, _, callee in self.callees)
        return collect(graph.group, self.blocks, self.places, self.texts, called, graph.loose)

    def facts(self, place: Place) -> GroupFacts:
        """What is known of the blocks around a node."""
        return self.groups[self.check.graph.group[place.block]]

    @cached_property
    def permissions(self) -> tuple[tuple[str, Span, Permission], ...]:
        """Every permission of blocks and nodes: who has it, where it stands at least, itself."""
        found: list[tuple[str, Span, Permission]] = []
        for block in self.document.blocks:
            if isinstance(block, Subgraph | Contract):
                found += ((f'"{block.path}"', block.at("permissions", n), p) for n, p in enumerate(block.permissions))
        for place in self.places:
            node = place.node
            found += ((f'node "{node.id}"', node.at("permissions", n), p) for n, p in enumerate(node.permissions))
        return tuple(found)

    def span_of_parameter(self, block: Subgraph | Contract, parameter: Parameter) -> Span:
        """Where an input or output of a block is stated."""
        return parameter.span if parameter.span != NOWHERE else block.at("signature")

    def span_of_written(self, place: Place, name: str) -> Span:
        """Where a node says that it writes a name."""
        node = place.node
        for owner in ("assign", "output_mapping"):
            if (span := node.spans.keys.get((owner, name))) is not None:
                return span
        keys: tuple[str, ...] = getattr(node, "output_keys", ())
        return node.at("output_keys", keys.index(name)) if name in keys else node.span

    @cached_property
    def texts_by_group(self) -> Mapping[int, list[PlacedText]]:
        """The strings of each group of blocks."""
        grouped: dict[int, list[PlacedText]] = {}
        for text in self.texts:
            grouped.setdefault(self.check.graph.group[text.place.block], []).append(text)
        return grouped

    @cached_property
    def any_tool(self) -> frozenset[int]:
        """Blocks in which a template chooses the tool, so that it is not known which tools they call."""
        return frozenset(
            place.block for place in self.places if isinstance(place.node, ToolCall) and is_template(place.node.tool)
        )


def block_places(context: LintContext) -> Iterator[tuple[Subgraph, list[Place]]]:
    """Each subgraph with its nodes."""
    grouped: list[list[Place]] = [[] for _ in context.blocks]
    for place in context.places:
        grouped[place.block].append(place)
    yield from zip(context.blocks, grouped, strict=True)
