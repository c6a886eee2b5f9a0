"""What every check is handed: the document, what it is checked against, and its graph."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from agentic_dsl.ast import Document, Meta
from agentic_dsl.compiler.availability import Availability, compute_availability
from agentic_dsl.compiler.checks.catalogue import KnownTool, known_tools
from agentic_dsl.compiler.edges import Link
from agentic_dsl.compiler.graph import Graph, build_graph
from agentic_dsl.compiler.guards import Guards, compute_guards
from agentic_dsl.compiler.library import Library, LibraryEntry, entries_of
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.compiler.parse.scalar_span import span_in_scalar, text_of_scalar
from agentic_dsl.compiler.parse.signature import parse_signature
from agentic_dsl.compiler.resolution import Callee, Place, Resolver, stated_callee
from agentic_dsl.compiler.suggestions import Suggester
from agentic_dsl.compiler.versions import Clashes, find_clashes
from agentic_dsl.constraints import Constraints, LibrarySpec
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import UnknownNode
from agentic_dsl.paths import Path
from agentic_dsl.signature import Signature
from agentic_dsl.span import NOWHERE, Span

CheckMode = Literal["strict", "lenient"]
"""``strict`` judges what a runtime could refuse as an error, ``lenient`` what it can skip or find out as a warning."""


@dataclass(frozen=True)
class CheckContext:
    """The input of every check. Everything derived is computed on first use and kept.

    Attributes:
        library: the entries that may be called beside the document's own and the standard contracts.
        constraints: what the document was generated under, None for a document that people wrote.
        disabled_namespaces: first segments that must not be used, such as ``app``.
    """

    document: Document
    library: Library | None = None
    constraints: Constraints | None = None
    mode: CheckMode = "strict"
    disabled_namespaces: frozenset[str] = frozenset()
    suggester: Suggester = field(default_factory=Suggester, compare=False)

    @property
    def strict(self) -> bool:
        """Whether doubtful things are errors."""
        return self.mode == "strict"

    @property
    def doubtful(self) -> Severity:
        """The severity of what a runtime can live with."""
        return Severity.ERROR if self.strict else Severity.WARNING

    @cached_property
    def application(self) -> Meta | None:
        """The ``/__meta__`` block, None in a library file; looked up once, for a document may have many blocks."""
        return self.document.meta

    @cached_property
    def in_production(self) -> bool:
        """Whether the document says ``prod``, or nothing."""
        return self.application is None or self.application.mode == "prod"

    @cached_property
    def entries(self) -> Mapping[Path, tuple[LibraryEntry, ...]]:
        """The library's entries by path, without those of the document itself when it is one of the library's files."""
        if self.library is None:
            return {}
        own = [document for document in self.library.named(self.document.source.path) if self.is_same(document)]
        if not own:
            return self.library.by_path
        entries = dict(self.library.by_path)
        for path in {entry.path for document in own for entry in entries_of(document)}:
            entries[path] = tuple(entry for entry in entries[path] if not self.is_same(entry.document))
        return entries

    def is_same(self, document: Document) -> bool:
        """Whether a library's document is the one being checked."""
        if document is self.document:
            return True
        source, own = document.source, self.document.source
        return source.path is not None and source.path == own.path and source.text == own.text

    @cached_property
    def resolver(self) -> Resolver:
        """What references can point at."""
        stated: tuple[Callee, ...] = ()
        outside: frozenset[str] = frozenset()
        if self.constraints is not None:
            stated = tuple(_stated(spec) for spec in self.constraints.libraries)
            outside = frozenset(self.constraints.targets)
        return Resolver(self.document, self.entries, stated, outside)

    @cached_property
    def graph(self) -> Graph:
        """The edges of the document."""
        return build_graph(self.resolver)

    @cached_property
    def broken(self) -> frozenset[int]:
        """Nodes that were not read completely: an error of the parser stands in them, or their type is unknown."""
        found = {place.number for place in self.graph.places if isinstance(place.node, UnknownNode)}
        if self.document.has_errors:
            found |= self._nodes_with_errors
        return frozenset(found)

    @cached_property
    def _nodes_with_errors(self) -> set[int]:
        return {place.number for error in self._parse_errors if (place := self._node_at(error.start)) is not None}

    @cached_property
    def _places_by_start(self) -> tuple[list[int], list[Place]]:
        places = sorted(self.graph.places, key=lambda place: place.node.span.start)
        return [place.node.span.start for place in places], places

    def _node_at(self, offset: int) -> Place | None:
        """The node in whose text an offset lies."""
        starts, places = self._places_by_start
        at = bisect_right(starts, offset) - 1
        return places[at] if at >= 0 and offset < places[at].node.span.end else None

    @property
    def _parse_errors(self) -> Iterator[Span]:
        return (d.span for d in self.document.diagnostics if d.is_error)

    @cached_property
    def incomplete(self) -> frozenset[int]:
        """Blocks of which a node is not known by its id: it has none, or could not be read at all.

        In the second case an error of the parser stands among the nodes and in none of them.
        """
        if not self.document.has_errors:
            return frozenset()
        found = {
            place.block
            for place in self.graph.places
            if place.number in self._nodes_with_errors
            and not place.subgraph.single
            and ("id",) not in place.node.spans.values
        }
        errors = sorted(error.start for error in self._parse_errors if not self._node_at(error.start))
        for number, block in enumerate(self.resolver.blocks) if errors else ():
            listed = block.spans.values.get(("nodes",), block.span)
            if holds_one(listed, errors):
                found.add(number)
        return frozenset(found)

    @cached_property
    def incomplete_paths(self) -> frozenset[tuple[str, ...]]:
        """The segments of the paths of `incomplete` blocks."""
        return frozenset(self.resolver.blocks[number].path.segments for number in self.incomplete)

    @cached_property
    def guards(self) -> Guards:
        """When each node runs."""
        return compute_guards(self.graph, broken=self.broken)

    @cached_property
    def availability(self) -> Availability:
        """What each node may read."""
        context = self.constraints.context if self.constraints else None
        return compute_availability(self.graph, context=context.available_vars if context else (), broken=self.broken)

    @cached_property
    def clashes(self) -> Clashes:
        """The names of which different values meet at joins."""
        return find_clashes(self.graph, self.availability)

    @cached_property
    def tools(self) -> Mapping[str, KnownTool]:
        """What is declared of the tools that the document calls."""
        return known_tools(self.document, self.constraints)

    @cached_property
    def declared(self) -> tuple[bool, ...]:
        """For each block whether a context or signature says what there is to read when it is entered."""
        if self.constraints is not None and self.constraints.context is not None:
            return tuple(True for _ in self.resolver.blocks)
        groups = {
            self.graph.group[number] for number, block in enumerate(self.resolver.blocks) if block.signature is not None
        }
        return tuple(group in groups for group in self.graph.group)

    @cached_property
    def required_by_caller(self) -> tuple[str, ...]:
        """The names that the caller wants at every end."""
        context = self.constraints.context if self.constraints else None
        return context.required_outputs if context else ()

    def inside(self, scalar: Span, inner: Span) -> Span:
        """The place of a part of a string, given the place of the string in the document."""
        return span_in_scalar(self.document.source, scalar, inner) if self._is_written(scalar) else scalar

    def text_at(self, scalar: Span) -> str | None:
        """The string that was written at a place, None where nothing was: a program made the node."""
        return text_of_scalar(self.document.source, scalar) if self._is_written(scalar) else None

    def _is_written(self, scalar: Span) -> bool:
        return scalar != NOWHERE and scalar.end <= len(self.document.source.text)

    def span_of(self, link: Link) -> Span:
        """The place of a reference."""
        if link.reference.span != NOWHERE:
            return link.reference.span
        return self.graph.places[link.source].node.at(*link.path)

    def id_span(self, place: Place) -> Span:
        """The place of a node's id; of the block's path where the block is the node."""
        if place.subgraph.single:
            return place.subgraph.path_span
        return place.node.at("id")


Check = Callable[[CheckContext], Iterator[Diagnostic]]
"""One family of rules."""


def holds_one(span: Span, offsets: Sequence[int]) -> bool:
    """Whether one of some offsets, lowest first, lies in a span; an empty span holds its start."""
    at = bisect_left(offsets, span.start)
    return at < len(offsets) and offsets[at] < max(span.end, span.start + 1)


def read_signature(text: str) -> Signature | None:
    """The signature in a text, None where there is none."""
    signature = parse_signature(text)
    return signature if isinstance(signature, Signature) else None


def _stated(spec: LibrarySpec) -> Callee:
    version = parse_version(spec.version) if spec.version else None
    return stated_callee(spec.path, read_signature(spec.signature), version)
