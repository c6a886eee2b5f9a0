"""Rule 8: templates parse, and read only what is there by then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from agentic_dsl import codes
from agentic_dsl.compiler.availability import EVERYTHING
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.writers import READS, REFERENCES, Step, Writers
from agentic_dsl.compiler.edges import BRANCHES, NEXT, Call, EdgeKind, Link
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.spellings import condition_shift
from agentic_dsl.compiler.resolution import Place, TargetKind
from agentic_dsl.compiler.templates import (
    MAX_LENGTH,
    TemplateReads,
    reads_of,
    reads_of_condition,
    templates_of,
)
from agentic_dsl.diagnostics import Diagnostic, Severity
from agentic_dsl.node_table import AnyNode, Assert, End
from agentic_dsl.span import Span, SpanPath
from agentic_dsl.template import ALWAYS_THERE, Read

PROVIDED = ALWAYS_THERE | {"ctx_snapshots"}
"""Names that the runtime puts into every context."""

_CONDITION = ("condition",)
"""The field of an assert that is one expression, with or without braces."""

Locate = Callable[[Span], Span]
"""From a place in a template to the place in the document; called for findings only."""


def check_templates(context: CheckContext) -> Iterator[Diagnostic]:
    """Every template parses, and every name that it reads is available. Reading stops at `templates.MAX_LENGTH`."""
    reader = _Reader(context)
    for place in context.graph.places:
        yield from _check_texts(reader, place)
        yield from _check_links(reader, place)
        if reader.left < 0:
            yield codes.TEMPLATE_LIMIT.at(
                context.id_span(place),
                f"the templates of the document have more than {MAX_LENGTH:,} characters; what follows is not read",
                help="split the document",
            )
            return
        if isinstance(place.node, End):
            yield from reader.selected(place, place.node)


def _check_texts(reader: _Reader, place: Place) -> Iterator[Diagnostic]:
    """The templates of a node's own strings."""
    context, node = reader.context, place.node
    at = context.availability.at[place.number] if node.spec.has_edges else EVERYTHING
    for path, text in templates_of(node, references=False):
        is_condition = isinstance(node, Assert) and path == _CONDITION
        if not is_condition and "{" not in text:
            continue
        if reader.left < 0:
            return
        found = reader.read(reads_of_condition(text) if is_condition else reads_of(text))
        if found:
            locate = partial(_place_in_condition if is_condition else _place_in_field, context, node, path, text)
            yield from reader.findings(place, found, Moment(at, reader.writers.step(place, READS)), locate)


def _place_in_field(context: CheckContext, node: AnyNode, path: SpanPath, _text: str, inner: Span) -> Span:
    return context.inside(node.at(*path), inner)


def _place_in_condition(context: CheckContext, node: AnyNode, path: SpanPath, text: str, inner: Span) -> Span:
    """The same for a condition, which was perhaps written without braces."""
    span = node.at(*path)
    written = context.text_at(span)
    return span if written is None else context.inside(span, inner.shift(condition_shift(written, text)))


def _check_links(reader: _Reader, place: Place) -> Iterator[Diagnostic]:
    """The templates of references: they are filled in when the node has run and the calls before them have."""
    links = reader.context.graph.links_of[place.number]
    if not any("{" in link.reference.text for link in links):
        return
    availability = reader.context.availability
    before, after = availability.at[place.number], availability.after(place.number, EdgeKind.FLOW)
    at = {field: after if field in (NEXT, BRANCHES) else before for field in {link.field for link in links}}
    for position, link in enumerate(links):
        if "{" in link.reference.text:
            part = REFERENCES + position if link.field in (NEXT, BRANCHES) else READS
            moment = Moment(at[link.field], reader.writers.step(place, part))
            yield from _check_link(reader, place, link, moment)
        if link.target.kind is TargetKind.CALL and link.field in (NEXT, BRANCHES):
            at[link.field] |= availability.outputs((Call(link.reference, link.target.call),))


def _check_link(reader: _Reader, place: Place, link: Link, moment: Moment) -> Iterator[Diagnostic]:
    text = link.reference.text
    offset = 0
    values = [value for _, value in link.reference.query] if link.target.kind is not TargetKind.TEMPLATE else [text]
    for value in values:
        if "{" not in value:
            continue
        if reader.left < 0:
            return
        offset = max(text.find(value, offset), 0)
        found = reader.read(reads_of(value))
        if found:
            yield from reader.findings(place, found, moment, partial(_place_in_link, reader.context, link, offset))


def _place_in_link(context: CheckContext, link: Link, offset: int, inner: Span) -> Span:
    return context.inside(context.span_of(link), inner.shift(offset))


class Moment(NamedTuple):
    """When a template is filled in.

    Attributes:
        names: those that are there.
        step: of the run.
    """

    names: int
    step: Step


class _Reader:
    """Judges reads; holds what is the same for all nodes of a document."""

    def __init__(self, context: CheckContext) -> None:
        self.context = context
        self.names = context.availability.names
        self.writers = Writers(context)
        self.left = MAX_LENGTH
        """How much more is read; below zero nothing is."""

    def read(self, template: TemplateReads) -> tuple[Read, ...] | Problem:
        """The reads of a string, counted."""
        self.left -= template.length
        return template.found

    def findings(
        self, place: Place, found: tuple[Read, ...] | Problem, moment: Moment, locate: Locate
    ) -> Iterator[Diagnostic]:
        """What is wrong with the reads of one string."""
        if isinstance(found, Problem):
            kind = codes.FORBIDDEN_TEMPLATE if found.forbidden else codes.TEMPLATE_SYNTAX
            yield kind.at(locate(found.span), found.message, help=found.help)
            return
        for read in found:
            if read.guarded or read.name in PROVIDED:
                continue
            if not self.names.has(moment.names, read.name):
                yield self._unavailable(place, locate(read.span), read.name, moment)
            elif read.fields and (tool := self.writers.without(place, read, moment.step)) is not None:
                field = ".".join(map(str, read.fields))
                yield codes.UNKNOWN_RESULT_FIELD.at(
                    locate(read.span),
                    f'node "{place.node.id}" reads "{field}" of "{read.name}": "{tool}" gives no such field',
                    help="read a field that the tool's returns declares",
                )

    def _unavailable(self, place: Place, span: Span, name: str, moment: Moment) -> Diagnostic:
        context, node = self.context, place.node
        group = context.graph.group[place.block]
        first = self.writers.optional[group].get(name)
        if first is not None and first < moment.step:
            return codes.NOT_YET_AVAILABLE.at(
                span,
                f'node "{node.id}" reads "{name}", an optional output that may be absent',
                help=f"read default({name}, …)",
            )
        if first is not None or name in self.writers.written[group]:
            return codes.NOT_YET_AVAILABLE.at(
                span,
                f'node "{node.id}" reads "{name}", which is not written on every way to it',
                help=f'write "{name}" before, or read default({name}, …)',
            )
        available = context.availability.names.of(moment.names)
        return codes.UNKNOWN_NAME.at(
            span,
            f'node "{node.id}" reads "{name}", which nothing writes or declares',
            help=context.suggester.help(name, available, f'write "{name}" before, or declare it as an input'),
            severity=Severity.ERROR if context.declared[place.block] else Severity.WARNING,
        )

    def selected(self, place: Place, node: End) -> Iterator[Diagnostic]:
        """An end that hands back what is not there: it selects, so a run goes on, and it gets a warning."""
        context = self.context
        at = context.availability.at[place.number]
        group = context.graph.group[place.block]
        for position, name in enumerate(node.output_keys):
            if context.availability.names.has(at, name) or name in PROVIDED:
                continue
            written = name in self.writers.written[group] or name in self.writers.optional[group]
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
