"""Which constraints forbid something: those without which the same text goes further.

Each is loosened alone, as far as what is written at the place needs it, and the text is read again from its beginning.
That is exact: a field is named iff loosening it is enough. Where it takes two at once, none is named here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agentic_dsl.constraints import MAX_NODES, Constraints, LibrarySpec
from agentic_dsl.errors import AgenticDSLError
from agentic_dsl.runtime.matcher.explain_place import Place, Role
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan

_LONG_TEXT, _LONG_WORD = 1_000_000, 1_000
_MOST_READ = 1 << 19
"""Bytes of text that are read again for one explanation; a page of text has some 5,000."""


_MANY_TOOLS = 20


def constraints_that_forbid(place: Place, text: bytes, reach: int) -> tuple[str, ...] | None:
    """The fields of `Constraints` of which any, loosened alone, lets the text go on to ``reach``.

    Returns None where the text is too long to be read again.
    """
    constraints = place.doc.plan.constraints
    loosened = list(_loosened(constraints, place))
    if len(loosened) * reach > _MOST_READ:
        return None
    return tuple(name for name, changes in loosened if _reaches(constraints, changes, text, reach))


def _reaches(constraints: Constraints, changes: dict[str, Any], text: bytes, reach: int) -> bool:
    fields = {name: getattr(constraints, name) for name in type(constraints).model_fields}
    if constraints.tools is not None and len(constraints.tools) > _MANY_TOOLS:
        # What a text may hold does not depend on tools that it does not name, and schemas take long to read.
        named = tuple(tool for tool in constraints.tools if tool.name.encode() in text)
        fields["tools"] = named or constraints.tools[:1]
    try:
        frame = start(Plan.of(Constraints(**(fields | changes))))
    except AgenticDSLError:
        return False  # loosened so, the constraints admit no document
    for byte in text[:reach]:
        after = frame.step(byte)
        if after is None:
            return False
        frame = after
    return True


def _loosened(constraints: Constraints, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that can be loosened, with how."""
    if constraints.max_nodes < MAX_NODES:
        yield "max_nodes", {"max_nodes": MAX_NODES}
    if constraints.min_nodes > 1:
        yield "min_nodes", {"min_nodes": 1}
    if place.role is Role.DONE and place.later.lstrip().startswith("### AgenticDSL `"):
        yield "max_subgraphs", {"max_subgraphs": constraints.max_subgraphs + 1}
    if not place.start and not constraints.allow_free_text:
        yield "allow_free_text", {"allow_free_text": True}
    if constraints.allowed_node_types is not None:
        yield "allowed_node_types", {"allowed_node_types": None}
    if constraints.tools is not None:
        yield "tools", {"tools": None}
    if constraints.max_subgraph_depth == 0:
        yield "max_subgraph_depth", {"max_subgraph_depth": 1}
    yield "max_text_chars", {"max_text_chars": _LONG_TEXT}
    yield "max_identifier_chars", {"max_identifier_chars": _LONG_WORD}
    if constraints.signature is not None:
        yield "signature", {"signature": None}
    yield from _loosened_context(constraints, place)
    if place.role in (Role.REFERENCE, Role.QUERY):
        yield from _loosened_targets(constraints, place)


def _loosened_context(constraints: Constraints, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    context = constraints.context
    required = context.required_outputs if context is not None else ()
    available = dict(context.available_vars) if context is not None else {}
    if required:
        yield "context.required_outputs", {"context": {"available_vars": available, "required_outputs": ()}}
    if place.role in (Role.TEMPLATE, Role.KEY, Role.QUERY):
        name = place.word.removeprefix("$.").removeprefix("inputs.").partition(".")[0]
        more = {"available_vars": available | {name: "any"}, "required_outputs": required}
        yield "context.available_vars", {"context": more}


def _loosened_targets(constraints: Constraints, place: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    """With the reference that is written as a target, or as a library that needs nothing."""
    reference = re.split(r'[?"]', place.line.rpartition('"')[2] + place.word)[0]
    if reference.startswith(place.doc.block.prefix.decode()):
        return  # a node of the block, which nobody would allow as a target
    yield "targets", {"targets": (*constraints.targets, reference)}
    path, _, version = reference.partition("@v")
    inputs = ", ".join(f"{name}: any" for name in re.findall(r"[?&](\w+)=", place.line + place.word))
    others = tuple(spec for spec in constraints.libraries if spec.reference != reference)
    try:
        library = LibrarySpec(path=path, version=version or None, signature=f"({inputs}) -> ()")
    except AgenticDSLError:
        return
    yield "libraries", {"libraries": (*others, library)}


__all__ = ["constraints_that_forbid"]
