"""Who writes each context name, and at which step of a run, so that a read is judged by what came before it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from agentic_dsl.compiler.checks.catalogue import lacks, result_schema
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.resolution import Place
from agentic_dsl.node_table import ToolCall
from agentic_dsl.signature import Signature
from agentic_dsl.template import Read

Step = tuple[int, int]
"""When something happens: the position of a node in the order of the graph, then 0 for its own texts, 1 for what it
writes, and 2 and more for its references one after the other, calls among them."""

READS, WRITES, REFERENCES = 0, 1, 2
"""The second half of a `Step`."""


class Writer(NamedTuple):
    """One kind of value that a name can have.

    Attributes:
        first: the step at which a node or call first writes one.
        schema: of the value, None where nothing is known.
        tool: whose result it is.
    """

    first: Step
    schema: object
    tool: str


class Writers:
    """What nodes and calls write, by groups of blocks that edges connect; read once for a document."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        graph = context.graph
        last = len(graph.order)
        self._order = [last] * len(graph.places)
        for position, number in enumerate(graph.order):
            self._order[number] = position  # what stands in or behind a cycle comes after all the rest
        self._judged: dict[tuple[int, str, tuple[str | int, ...]], Step | None] = {}

    def step(self, place: Place, part: int) -> Step:
        """The step of a part of a node."""
        return self._order[place.number], part

    @cached_property
    def written(self) -> tuple[set[str], ...]:
        """For each group of blocks the names that nodes or calls in it write."""
        graph = self._context.graph
        written: tuple[set[str], ...] = tuple(set() for _ in self._context.resolver.blocks)
        for place in graph.places:
            written[graph.group[place.block]].update(place.node.writes)
        for group, _, signature in self._calls:
            written[group].update(signature.required_outputs)
        return written

    @cached_property
    def optional(self) -> tuple[dict[str, Step], ...]:
        """The same for outputs of calls that may be left out, with the step at which one may first be there."""
        optional: tuple[dict[str, Step], ...] = tuple({} for _ in self._context.resolver.blocks)
        for group, step, signature in self._calls:
            for parameter in signature.outputs:
                if not parameter.required:
                    first = optional[group].setdefault(parameter.name, step)
                    optional[group][parameter.name] = min(first, step)
        return optional

    @property
    def _calls(self) -> Iterator[tuple[int, Step, Signature]]:
        """The signatures of the libraries called, with the group of blocks that calls them and the step of the call."""
        graph = self._context.graph
        for place, links in zip(graph.places, graph.links_of, strict=True):
            for position, link in enumerate(links):
                call = link.target.call
                if call is not None and call.signature is not None:
                    yield graph.group[place.block], self.step(place, REFERENCES + position), call.signature

    @cached_property
    def inputs(self) -> tuple[set[str], ...]:
        """For each group of blocks their inputs."""
        blocks = self._context.resolver.blocks
        inputs: tuple[set[str], ...] = tuple(set() for _ in blocks)
        for group, block in zip(self._context.graph.group, blocks, strict=True):
            inputs[group].update(p.name for p in (block.signature.inputs if block.signature is not None else ()))
        return inputs

    @cached_property
    def _kinds(self) -> dict[tuple[int, str], list[Writer]]:
        """For each group and name the kinds of values that are written, the earliest writer of each."""
        found: dict[tuple[int, str], dict[int, Writer]] = {}

        def add(group: int, name: str, writer: Writer) -> None:
            # Schemas live as long as the context, so equal identities are one schema; None is one kind.
            kinds = found.setdefault((group, name), {})
            known = kinds.get(id(writer.schema))
            if known is None or writer.first < known.first:
                kinds[id(writer.schema)] = writer

        graph = self._context.graph
        for place in graph.places:
            tool = place.node.tool if isinstance(place.node, ToolCall) else ""
            for name in place.node.writes:
                add(graph.group[place.block], name, Writer(self.step(place, WRITES), self._schema(place, name), tool))
        for group, step, signature in self._calls:
            for parameter in signature.outputs:
                add(group, parameter.name, Writer(step, None, ""))
        return {key: sorted(kinds.values(), key=lambda writer: writer.first) for key, kinds in found.items()}

    def _schema(self, place: Place, name: str) -> object:
        if not isinstance(place.node, ToolCall):
            return None
        tool = self._context.tools.get(place.node.tool)
        return None if tool is None else result_schema(tool, place.node, name)

    def without(self, place: Place, read: Read, step: Step) -> str | None:
        """The tool whose result lacks the fields read, as all do that the name can hold at a step; None elsewhere."""
        context = self._context
        group = context.graph.group[place.block]
        kinds = self._kinds.get((group, read.name), ()) if context.tools else ()
        if not kinds or kinds[0].first >= step or read.name in self.inputs[group]:
            return None
        given = context.constraints.context if context.constraints else None
        if given is not None and read.name in given.available_vars:
            return None
        having = self._first_with(group, read)
        return kinds[0].tool if having is None or having >= step else None

    def _first_with(self, group: int, read: Read) -> Step | None:
        """The step at which a name can first hold a value with the fields read, None if it never can."""
        key = (group, read.name, read.fields)
        if key not in self._judged:
            kinds = self._kinds[(group, read.name)]
            self._judged[key] = next((w.first for w in kinds if not lacks(w.schema, read.fields)), None)
        return self._judged[key]
