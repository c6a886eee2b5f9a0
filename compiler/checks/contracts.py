"""Rules 8 and 9 for contracts: library calls get their inputs, and every end has the outputs."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator

from agentic_dsl import codes
from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.availability import NOTHING, outputs_of
from agentic_dsl.compiler.checks.context import CheckContext
from agentic_dsl.compiler.checks.joins import edge_span
from agentic_dsl.compiler.checks.schemas import is_template
from agentic_dsl.compiler.edges import NEXT, Call, EdgeKind, Link
from agentic_dsl.compiler.resolution import Callee, TargetKind
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.signature import Data, Parameter
from agentic_dsl.span import NOWHERE, Span

_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

_SHOWN = 100
"""Unknown inputs of one call that are reported: to find the place of each takes as long as the call."""


def check_calls(context: CheckContext) -> Iterator[Diagnostic]:
    """Library calls get the inputs that they require, and none that they do not have."""
    availability = context.availability
    for links in context.graph.links_of:
        there: int | None = None
        for link in links:
            if link.reference.query and link.target.is_known and link.target.kind is not TargetKind.CALL:
                yield codes.UNKNOWN_INPUT.at(
                    context.span_of(link),
                    f'"{link.reference}" passes inputs, but is no library',
                    help='drop the part from "?" on',
                )
            if link.target.kind is not TargetKind.CALL or link.field != NEXT:
                continue
            if there is None:
                there = availability.after(link.source, EdgeKind.FLOW)
            if (callee := link.target.call) is not None and callee.signature is not None:
                yield from _check_call(context, link, callee, there)
            there |= availability.outputs((Call(link.reference, callee),))


def _check_call(context: CheckContext, link: Link, callee: Callee, there: int) -> Iterator[Diagnostic]:
    assert callee.signature is not None  # the caller has looked; narrows the type
    given = dict(link.reference.query)
    inputs = {parameter.name: parameter for parameter in callee.signature.inputs}
    wrong_names = [name for name in given if name not in inputs]
    for name in wrong_names[_SHOWN:]:
        del given[name]
    for name, value in given.items():
        if name not in inputs:
            known = ", ".join(inputs)
            yield codes.UNKNOWN_INPUT.at(
                _query_span(context, link, name),
                f'library "{callee.path}" has no input "{name}"',
                help=context.suggester.help(name, inputs, f"use one of: {known}" if known else "drop it"),
            )
        elif (wrong := _misfit(value, inputs[name])) is not None:
            yield codes.BAD_INPUT.at(
                _query_span(context, link, name),
                f'input "{name}" of "{callee.path}" is "{value}", which is {wrong}',
                help="give a value of its type, or one template",
            )
    for name in callee.signature.required_inputs:
        if name not in given and not context.availability.names.has(there, name):
            yield codes.MISSING_INPUT.at(
                context.span_of(link),
                f'the call of "{callee.path}" lacks its input "{name}"',
                help=f'pass it as "?{name}=…", or write "{name}" before',
            )


def _query_span(context: CheckContext, link: Link, name: str) -> Span:
    """The place of one input's name in a reference."""
    text = link.reference.text
    start = max(text.find(f"?{name}="), text.find(f"&{name}=")) + 1
    span = context.span_of(link)
    return context.inside(span, Span(start, start + len(name))) if start else span


def _misfit(value: str, parameter: Parameter) -> str | None:
    """Why a literal of a query cannot be the value of an input, None where it can."""
    if is_template(value):
        return None
    if parameter.enum and value not in (allowed := [_spelled(one) for one in parameter.enum]):
        return f"not one of {', '.join(allowed)}"
    match parameter.type.name:
        case "integer" if not _INTEGER.fullmatch(value):
            return "no integer"
        case "number" if not _NUMBER.fullmatch(value):
            return "no number"
        case "boolean" if value not in ("true", "false"):
            return "neither true nor false"
        case _:
            return None


def _spelled(value: Data) -> str:
    """A value as a query has it: texts as they are, others as JSON has them."""
    return value if isinstance(value, str) else json.dumps(value)


def check_signatures(context: CheckContext) -> Iterator[Diagnostic]:
    """No signature names a parameter twice."""
    for block in context.document.blocks:
        signature = getattr(block, "signature", None)
        if signature is None:
            continue
        for parameters, what in ((signature.inputs, "input"), (signature.outputs, "output")):
            seen: set[str] = set()
            for parameter in parameters:
                if parameter.name in seen:
                    yield codes.DUPLICATE_PARAMETER.at(
                        parameter.span if parameter.span != NOWHERE else block.at("signature"),
                        f'the signature of "{block.path}" names the {what} "{parameter.name}" twice',
                        help="drop one of the two",
                    )
                seen.add(parameter.name)


def check_outputs(context: CheckContext) -> Iterator[Diagnostic]:
    """What the signature and the caller ask for is available at every end."""
    graph, availability = context.graph, context.availability
    if not context.required_by_caller and not any(_outputs(block) for block in context.resolver.blocks):
        return
    names = availability.names
    required = _required(context)
    unwritten = yield from _check_unwritten(context, required)
    for place in graph.places:
        wanted = required[place.number] & ~unwritten
        if place.node.spec.is_end and (missing := wanted & ~availability.at[place.number]):
            yield _not_available(context.id_span(place), f'end "{place.node.id}" is reached', names.of(missing))
    for exit_ in graph.exits:
        wanted = required[exit_.source] & ~unwritten
        if missing := wanted & ~availability.delivered(exit_):
            source = graph.places[exit_.source].node
            span = exit_.reference.span if exit_.reference.span != NOWHERE else source.at(*exit_.path)
            verb = "ends after" if exit_.target.kind is TargetKind.CALL else "ends at"
            yield _not_available(span, f'node "{source.id}" {verb} "{exit_.reference}"', names.of(missing))
    for edge in graph.crossing:
        block = graph.places[edge.target].subgraph
        if block.signature is None:
            continue  # what is asked of the source is asked of the target too
        wanted = required[edge.source] & ~unwritten
        brought = availability.delivered(edge) | names.bits(block.signature.required_outputs)
        if missing := wanted & ~brought:
            source = graph.places[edge.source].node
            yield _not_available(
                edge_span(context, edge), f'node "{source.id}" goes on to "{block.path}"', names.of(missing)
            )


def _outputs(block: Subgraph) -> tuple[str, ...]:
    return block.signature.required_outputs if block.signature is not None else ()


def _not_available(span: Span, what: str, missing: Iterable[str]) -> Diagnostic:
    listed = ", ".join(f'"{name}"' for name in sorted(missing))
    return codes.OUTPUT_NOT_WRITTEN.at(span, f"{what} without {listed}", help=f"write {listed} on every way there")


def _required(context: CheckContext) -> list[int]:
    """For each node what must be available at the ends that it reaches.

    That is what its block's signature and the caller ask for, and for a block without a signature also what is asked
    of the blocks that go on to it.
    """
    graph, names = context.graph, context.availability.names
    caller = names.bits(context.required_by_caller)
    own = [
        NOTHING if number in context.incomplete else caller | names.bits(_outputs(block))
        for number, block in enumerate(context.resolver.blocks)
    ]
    required = [own[place.block] for place in graph.places]
    if not graph.crossing:
        return required
    for index in graph.order:
        for edge in graph.outgoing[index]:
            if graph.places[edge.target].subgraph.signature is None:
                required[edge.target] |= required[index]
    return required


def _check_unwritten(context: CheckContext, required: list[int]) -> Generator[Diagnostic, None, int]:
    """Outputs that nothing in the whole document writes: said once, where they are asked for; returns their set."""
    graph, availability = context.graph, context.availability
    names = availability.names
    written = NOTHING
    for place in graph.places:
        written |= availability.writes[place.number] | availability.begin[place.block]
    for way in graph.ways:
        written |= outputs_of(names, way.calls)
    unwritten = NOTHING
    for bits in set(required):
        unwritten |= bits & ~written
    if not unwritten:
        return NOTHING
    for block in context.resolver.blocks:
        if block.signature is None or not block.nodes:
            continue
        for parameter in block.signature.outputs:
            if parameter.required and names.has(unwritten, parameter.name):
                span = parameter.span if parameter.span != NOWHERE else block.at("signature")
                yield codes.OUTPUT_NOT_WRITTEN.at(
                    span,
                    f'output "{parameter.name}" of "{block.path}" is written by no node',
                    help=f'write "{parameter.name}" on every way to an end',
                )
    for name in context.required_by_caller:
        if names.has(unwritten, name) and context.resolver.blocks:
            yield codes.OUTPUT_NOT_WRITTEN.at(
                context.resolver.blocks[0].path_span,
                f'the required output "{name}" is written by no node',
                help=f'write "{name}" on every way to an end',
            )
    return unwritten
