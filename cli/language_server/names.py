"""The names that templates read: which there are at a node, and who wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.compiler.resolution import Place
from agentic_dsl.span import Span


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that a name comes from.

    Attributes:
        text: what it is, for people.
        span: where it says so.
    """

    text: str
    span: Span


def names_at(analysis: Analysis, place: Place) -> list[str]:
    """The names that a node may surely read, in order."""
    availability = analysis.check.availability
    return sorted(availability.names.of(availability.at[place.number]))


def origins(analysis: Analysis, place: Place, name: str) -> Iterator[Origin]:
    """Who may have written a name before a node runs: inputs, nodes on the way to it, library calls."""
    lint = analysis.lint
    before = _before(analysis, place)
    for number in sorted({lint.places[index].block for index in (*before, place.number)}):
        block = lint.blocks[number]
        for parameter in block.signature.inputs if block.signature is not None else ():
            if parameter.name == name:
                says = f" — {parameter.description}" if parameter.description else ""
                optional = "" if parameter.required else "optional "
                text = f"{optional}input of `{block.path}`: `{parameter.type}`{says}"
                yield Origin(text, lint.span_of_parameter(block, parameter))
    for index in before:
        writer = lint.places[index]
        if name in writer.node.writes:
            span = lint.span_of_written(writer, name)
            yield Origin(f"written by `{writer.node.id}` (`{writer.node.type}`)", span)
    for caller, span, callee in lint.callees:
        outputs = callee.signature.outputs if callee.signature is not None else ()
        for output in outputs if caller.number in before else ():
            if output.name == name:
                yield Origin(f"written by the call of `{callee.path}`: `{output.type}`", span)


def _before(analysis: Analysis, place: Place) -> list[int]:
    """The nodes from which a way leads to a node, in source order."""
    incoming = analysis.check.graph.incoming
    found: set[int] = set()
    waiting = [place.number]
    while waiting:
        for edge in incoming[waiting.pop()]:
            if edge.source not in found:
                found.add(edge.source)
                waiting.append(edge.source)
    return sorted(found)
