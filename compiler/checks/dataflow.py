"""Rule 8: templates parse, and read only what is there by then."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from agentic_dsl import codes
from agentic_dsl.compiler.availability import outputs_of
from agentic_dsl.compiler.checks.catalogue import lacks, result_schema
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.edges import BRANCHES, NEXT, Call, EdgeKind, Link
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.spellings import CONDITION_OPEN
from agentic_dsl.compiler.parse.template import parse_condition, parse_template
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.compiler.templates import templates_of
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import Assert, End, ToolCall
from agentic_dsl.span import Span
from agentic_dsl.template import ALWAYS_THERE, Read, reads

PROVIDED = ALWAYS_THERE | {"ctx_snapshots"}
"""Names that the runtime puts into every context."""

_CACHED = 16_384


@lru_cache(maxsize=_CACHED)
def reads_of(text: str, is_condition: bool = False) -> tuple[Read, ...] | Problem:
    """What a string reads of the context; a string without a template reads nothing."""
    template = parse_condition(text) if is_condition else parse_template(text)
    if template is None:
        return ()
    return template if isinstance(template, Problem) else tuple(reads(template))


def check_templates(context: CheckContext) -> Iterator[Diagnostic]:
    """Every template parses, and every name that it reads is available."""
    reader = _Reader(context)
    for place in context.graph.places:
        node = place.node
        listed = {link.path: link for link in context.graph.links_of[place.number]}
        roots = {path[0] for path in listed}
        at = context.availability.at[place.number] if node.spec.has_edges else -1
        for path, text in templates_of(node):
            if path[0] in roots and path in listed:
                continue  # read when the reference is followed, see `_check_link`
            is_condition = isinstance(node, Assert) and path == ("condition",)
            if "{" not in text and not is_condition:
                continue
            found = reads_of(text, is_condition)
            if found:
                span = node.at(*path)
                # The parser puts braces around a bare condition, so its places lie that much further left.
                bare = is_condition and text.startswith(CONDITION_OPEN) and not context.holds(span, "{{")
                yield from reader.findings(place, span, found, at, -len(CONDITION_OPEN) if bare else 0)
        for link in listed.values():
            if "{" in link.reference.text:
                yield from _check_link(reader, place, link)
        if isinstance(node, End):
            yield from reader.selected(place, node)


def _check_link(reader: _Reader, place: Place, link: Link) -> Iterator[Diagnostic]:
    """The templates of a reference: they are filled in when the node has run and the calls before it have."""
    context = reader.context
    text, span = link.reference.text, context.span_of(link)
    at = context.availability.at[place.number]
    if link.field in (NEXT, BRANCHES):
        before = _calls_before(context, link)
        at = context.availability.after(place.number, EdgeKind.FLOW) | outputs_of(context.availability.names, before)
    offset = 0
    values = [value for _, value in link.reference.query] if link.target.kind is not TargetKind.TEMPLATE else [text]
    for value in values:
        if "{" not in value:
            continue
        offset = max(text.find(value, offset), 0)
        found = reads_of(value)
        if found:
            yield from reader.findings(place, span, found, at, offset)


def _calls_before(context: CheckContext, link: Link) -> list[Call]:
    before = []
    for other in context.graph.links_of[link.source]:
        if other is link:
            break
        if other.field == link.field and other.target.kind is TargetKind.CALL:
            before.append(Call(other.reference, other.target.call))
    return before


class _Reader:
    """Judges reads; holds what is the same for all nodes of a document."""

    def __init__(self, context: CheckContext) -> None:
        self.context = context
        graph = context.graph
        groups = len(context.resolver.blocks)
        self.written: list[set[str]] = [set() for _ in range(groups)]
        """For each group of blocks the names that nodes or calls in it write."""
        self.optional: list[set[str]] = [set() for _ in range(groups)]
        """The same for outputs of calls that may be left out."""
        self.callers: dict[str, list[tuple[Place, object]]] = {}
        """For each name the nodes that write it, with the schema of what a tool writes."""
        for place in graph.places:
            self.written[graph.group[place.block]].update(place.node.writes)
            for name in place.node.writes:
                self.callers.setdefault(name, []).append((place, self._schema(place, name)))
        for link in graph.links:
            call = link.target.call
            if call is not None and call.signature is not None:
                group = graph.group[graph.places[link.source].block]
                self.written[group].update(call.signature.required_outputs)
                self.optional[group].update(p.name for p in call.signature.outputs if not p.required)
                for parameter in call.signature.outputs:
                    self.callers.setdefault(parameter.name, []).append((graph.places[link.source], None))
        self.inputs = frozenset(
            parameter.name
            for block in context.resolver.blocks
            if block.signature is not None
            for parameter in block.signature.inputs
        )

    def _schema(self, place: Place, name: str) -> object:
        if not isinstance(place.node, ToolCall):
            return None
        tool = self.context.tools.get(place.node.tool)
        return None if tool is None else result_schema(tool, place.node, name)

    def findings(
        self, place: Place, span: Span, found: tuple[Read, ...] | Problem, at: int, offset: int = 0
    ) -> Iterator[Diagnostic]:
        """What is wrong with the reads of one string at ``span``, whose text begins ``offset`` into it."""
        context = self.context
        if isinstance(found, Problem):
            kind = codes.FORBIDDEN_TEMPLATE if found.forbidden else codes.TEMPLATE_SYNTAX
            yield kind.at(context.inside(span, found.span.shift(offset)), found.message, help=found.help)
            return
        for read in found:
            if read.guarded or read.name in PROVIDED:
                continue
            if not context.availability.names.has(at, read.name):
                yield self._unavailable(place, context.inside(span, read.span.shift(offset)), read.name, at)
            elif read.fields and (wrong := self._unknown_field(place, read)) is not None:
                field, tool = wrong
                yield codes.UNKNOWN_RESULT_FIELD.at(
                    context.inside(span, read.span.shift(offset)),
                    f'node "{place.node.id}" reads "{field}" of "{read.name}": "{tool}" gives no such field',
                    help="read a field that the tool's returns declares",
                )

    def _unavailable(self, place: Place, span: Span, name: str, at: int) -> Diagnostic:
        context, node = self.context, place.node
        group = context.graph.group[place.block]
        if name in self.written[group]:
            return codes.NOT_YET_AVAILABLE.at(
                span,
                f'node "{node.id}" reads "{name}", which is not written on every way to it',
                help=f'write "{name}" before, or read default({name}, …)',
            )
        if name in self.optional[group]:
            return codes.NOT_YET_AVAILABLE.at(
                span,
                f'node "{node.id}" reads "{name}", an optional output that may be absent',
                help=f"read default({name}, …)",
                severity=Severity.WARNING,
            )
        available = context.availability.names.of(at)
        return codes.UNKNOWN_NAME.at(
            span,
            f'node "{node.id}" reads "{name}", which nothing writes or declares',
            help=context.suggester.help(name, available, f'write "{name}" before, or declare it as an input'),
            severity=Severity.ERROR if context.declared[place.block] else Severity.WARNING,
        )

    def _unknown_field(self, place: Place, read: Read) -> tuple[str, str] | None:
        """The field that is in no result that the name can hold, and the tool; None where one may have it."""
        writers = self.callers.get(read.name, ())
        if not writers or read.name in self.inputs:
            return None
        context = self.context.constraints.context if self.context.constraints else None
        if context is not None and read.name in context.available_vars:
            return None
        group = self.context.graph.group
        ours = [(p, schema) for p, schema in writers if group[p.block] == group[place.block]]
        if not ours or not all(lacks(schema, read.fields) for _, schema in ours):
            return None
        first = ours[0][0].node
        return ".".join(map(str, read.fields)), first.tool if isinstance(first, ToolCall) else ""

    def selected(self, place: Place, node: End) -> Iterator[Diagnostic]:
        """An end that hands back what is not there: it selects, so a run goes on, and it gets a warning."""
        context = self.context
        at = context.availability.at[place.number]
        group = context.graph.group[place.block]
        for position, name in enumerate(node.output_keys):
            if context.availability.names.has(at, name) or name in PROVIDED:
                continue
            written = name in self.written[group] or name in self.optional[group]
            if not written and not context.declared[place.block]:
                continue  # the context may hold it
            kind = codes.NOT_YET_AVAILABLE if written else codes.UNKNOWN_NAME
            reason = "is not written on every way to it" if written else "nothing writes or declares"
            yield kind.at(
                node.at("output_keys", position),
                f'end "{node.id}" hands back "{name}", which {reason}',
                help=f'write "{name}" before, or drop it',
                severity=Severity.WARNING,
            )
