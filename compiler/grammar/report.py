"""The enforcement report: for each constraint, what enforces it. Nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from agentic_dsl.compiler.grammar.request import Request
from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import GENERATED_TYPES
from agentic_dsl.paths import GENERATED_END


class Level(Enum):
    """What enforces a constraint."""

    GRAMMAR = "grammar"
    """The grammar: on any engine that takes it."""
    OVERLAY = "overlay"
    """Our matcher, on top of the grammar."""
    CHECKED = "checked"
    """The check of the finished text."""
    UNSUPPORTED = "unsupported"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class ReportEntry:
    """How one constraint, or a named part of it, is enforced.

    Attributes:
        constraint: the field of `Constraints`, its part after a dot; ``language.…`` for rules that every answer has.
        level: what enforces it.
        detail: one sentence for people.
    """

    constraint: str
    level: Level
    detail: str


@dataclass(frozen=True, slots=True)
class _Lowered:
    """What the report is about: a request, and whether the grammar counts its nodes."""

    request: Request
    counted: bool

    @property
    def constraints(self) -> Constraints:
        return self.request.constraints


def build_report(request: Request, *, counted: bool) -> tuple[ReportEntry, ...]:
    """One entry or more for each field of `Constraints`, in their order, then the rules of the language.

    Args:
        request: what was compiled.
        counted: whether the number of nodes stands in the grammar.
    """
    lowered = _Lowered(request, counted)
    entries = [entry for name in Constraints.model_fields for entry in _FIELDS[name](lowered)]
    return (*entries, *_LANGUAGE)


def _grammar(constraint: str, detail: str) -> ReportEntry:
    return ReportEntry(constraint, Level.GRAMMAR, detail)


def _checked(constraint: str, detail: str) -> ReportEntry:
    return ReportEntry(constraint, Level.CHECKED, detail)


def _path(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _grammar("path", f"the block is {lowered.constraints.path}, references to its nodes begin with it")


def _signature(lowered: _Lowered) -> Iterator[ReportEntry]:
    text = lowered.request.signature_text
    if text is None and not lowered.constraints.block_path.is_library:
        yield _grammar("signature", "none is printed")
        return
    written = "the model writes one, as every block under /lib needs it" if text is None else f"printed as {text}"
    yield _grammar("signature", written)
    yield _checked("signature.outputs", "every required output is there at every end")


def _max_nodes(lowered: _Lowered) -> Iterator[ReportEntry]:
    most = lowered.constraints.max_nodes
    if lowered.constraints.max_subgraphs > 1:
        limit = f"at most {most} nodes in each block by the grammar, " if lowered.counted else ""
        yield _checked("max_nodes", f"{limit}at most {most} in all blocks together")
    elif lowered.counted:
        yield _grammar("max_nodes", f"at most {most} nodes")
    else:
        yield _checked("max_nodes", f"at most {most} nodes; the grammar does not count them")


def _min_nodes(lowered: _Lowered) -> Iterator[ReportEntry]:
    least = lowered.constraints.min_nodes
    if least == 1 or (lowered.counted and lowered.constraints.max_subgraphs == 1):
        yield _grammar("min_nodes", f"at least {least} node{'s' if least > 1 else ''}")
    else:
        yield _checked("min_nodes", f"at least {least} nodes")


def _max_subgraphs(lowered: _Lowered) -> Iterator[ReportEntry]:
    most = lowered.constraints.max_subgraphs
    if most == 1:
        yield _grammar("max_subgraphs", "exactly one block")
    else:
        yield _grammar("max_subgraphs", f"at most {most} blocks, further ones at {lowered.constraints.path}/<word>")
        yield _checked("max_subgraphs.paths", "the paths of the blocks differ")


def _allowed_node_types(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _grammar("allowed_node_types", f"one of: {', '.join(lowered.request.types)}")
    asked = lowered.constraints.allowed_node_types or GENERATED_TYPES
    if out := [name for name in asked if name not in lowered.request.types]:
        yield _grammar("allowed_node_types.excluded", f"ruled out by layer, tools or depth: {', '.join(out)}")


def _tools(lowered: _Lowered) -> Iterator[ReportEntry]:
    tools = lowered.request.tools
    if tools is None:
        yield _grammar("tools", "any tool name, any arguments")
        yield _checked("tools.arguments", "no argument is given twice")
        return
    if not tools:
        yield _grammar("tools", "no tool calls")
        return
    number = f"{len(tools)} tool{'s' if len(tools) > 1 else ''}"
    yield _grammar("tools", f"{number}: argument names, required ones, types, enums")
    for name, known in tools.items():
        if known.checked:
            yield _checked(f"tools.{name}", f"not in the grammar: {', '.join(known.checked)}")
        for parameter in known.parameters:
            if parameter.checked:
                yield _checked(f"tools.{name}.{parameter.name}", f"not in the grammar: {', '.join(parameter.checked)}")
        for left_out in known.left_out:
            yield _grammar(f"tools.{name}.{left_out}", "never given: its schema allows no value")
    yield _checked("tools.returns", "output keys are fields that the result has, where its schema says so")


def _libraries(lowered: _Lowered) -> Iterator[ReportEntry]:
    calls = lowered.request.calls
    if not calls:
        yield _grammar("libraries", "no library calls")
        return
    yield _grammar("libraries", f"calls of {', '.join(call.reference for call in calls)}, inputs by name and in order")
    yield _checked("libraries.inputs", "required inputs are given or in the context; values have their types")


def _targets(lowered: _Lowered) -> Iterator[ReportEntry]:
    named = sorted({GENERATED_END, *lowered.constraints.targets})
    yield _grammar("targets", f"a path may end at {', '.join(named)}")


def _context(lowered: _Lowered) -> Iterator[ReportEntry]:
    if lowered.constraints.context is None:
        yield _checked("context", "unknown: a name that nobody writes is a warning, or an error beside a signature")
    else:
        yield _checked("context", "templates read what is there; required outputs are there at every end")


def _permissions(lowered: _Lowered) -> Iterator[ReportEntry]:
    granted = lowered.request.permissions
    yield _grammar("permissions", f"a block may ask for {', '.join(granted)}" if granted else "no block asks for any")
    for text in lowered.request.unwritable:
        yield _grammar(f"permissions.{text}", "never asked for: it does not fit on a line")


def _max_subgraph_depth(lowered: _Lowered) -> Iterator[ReportEntry]:
    depth = lowered.constraints.max_subgraph_depth
    if depth == 0:
        yield _grammar("max_subgraph_depth", "no generate_subgraph")
    else:
        yield _checked("max_subgraph_depth", f"nesting up to {depth} is counted when the subgraph runs")


def _max_output_tokens(lowered: _Lowered) -> Iterator[ReportEntry]:
    limit = lowered.constraints.max_output_tokens
    where = "the model's limit" if limit is None else f"{limit:,} tokens"
    yield _checked("max_output_tokens", f"the engine stops at {where}; a text that was cut is found out")


def _max_text_chars(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _checked("max_text_chars", f"a text has at most {lowered.constraints.max_text_chars:,} characters")


def _max_identifier_chars(lowered: _Lowered) -> Iterator[ReportEntry]:
    limit = lowered.constraints.max_identifier_chars
    yield _checked("max_identifier_chars", f"an id or key has at most {limit:,} characters")


_FIELDS: Mapping[str, Callable[[_Lowered], Iterator[ReportEntry]]] = {
    "path": _path,
    "signature": _signature,
    "max_nodes": _max_nodes,
    "min_nodes": _min_nodes,
    "max_subgraphs": _max_subgraphs,
    "allowed_node_types": _allowed_node_types,
    "tools": _tools,
    "libraries": _libraries,
    "targets": _targets,
    "context": _context,
    "permissions": _permissions,
    "max_subgraph_depth": _max_subgraph_depth,
    "max_output_tokens": _max_output_tokens,
    "max_text_chars": _max_text_chars,
    "max_identifier_chars": _max_identifier_chars,
}
"""Field of `Constraints` → its entries; a field without a function fails at the first compilation."""

_LANGUAGE = (
    _grammar("language.layout", "the canonical layout, required fields, templates that can be read"),
    _checked("language.graph", "ids are unique, references resolve, there are no circles, every node is reached"),
    _checked("language.joins", "a join waits for exactly the nodes that lead to it"),
    _checked("language.keys", "no key of assign or output_mapping, and no output key, is written twice"),
)
"""What every answer must be, whatever the constraints."""
