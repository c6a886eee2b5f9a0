"""The enforcement report: for each constraint, what enforces it. Nothing is dropped silently."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from agentic_dsl.compiler.grammar.enforcement import Level, ReportEntry, without_overlay
from agentic_dsl.compiler.grammar.held_rules import HELD
from agentic_dsl.compiler.grammar.request import Request
from agentic_dsl.compiler.grammar.schema import ToolParameters
from agentic_dsl.compiler.grammar.tool_arguments import tool_arguments
from agentic_dsl.constraints import Constraints, ToolSpec
from agentic_dsl.node_table import GENERATED_TYPES, GenerateSubgraph
from agentic_dsl.paths import GENERATED_END

__all__ = ["Level", "ReportEntry", "build_report", "without_overlay"]


@dataclass(frozen=True, slots=True)
class _Lowered:
    """What the report is about: a request, and the sort of grammar that it became."""

    request: Request
    counted: bool
    types: tuple[str, ...]

    @property
    def constraints(self) -> Constraints:
        return self.request.constraints


def build_report(
    request: Request,
    *,
    counted: bool,
    matched: bool = True,
    parametric: bool = False,
    types: tuple[str, ...] | None = None,
) -> tuple[ReportEntry, ...]:
    """One entry or more for each field of `Constraints`, in their order, then the rules of the language.

    Args:
        request: what was compiled.
        counted: whether the number of nodes stands in the grammar.
        matched: whether our matcher reads along where the grammar is used; else the check does its work.
        parametric: whether the grammar is one with parameters.
        types: the node types of the grammar, None where they are all those of the request.
    """
    lowered = _Lowered(request, counted, request.types if types is None else types)
    entries = [entry for name in Constraints.model_fields for entry in _FIELDS[name](lowered)]
    entries += [rule.entry(parametric=parametric) for rule in HELD]
    return tuple(entries) if matched else without_overlay(entries)


def _grammar(constraint: str, detail: str) -> ReportEntry:
    return ReportEntry(constraint, Level.GRAMMAR, detail)


def _overlay(constraint: str, detail: str, checked: str | None = None) -> ReportEntry:
    """What our matcher enforces; ``checked`` says what is true where it does not read along."""
    return ReportEntry(constraint, Level.OVERLAY, detail, checked)


def _path(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _grammar("path", f"the block is {lowered.constraints.path}, references to its nodes begin with it")


def _signature(lowered: _Lowered) -> Iterator[ReportEntry]:
    text = lowered.request.signature_text
    if text is None and not lowered.constraints.block_path.is_library:
        yield _grammar("signature", "none is printed")
        return
    written = "the model writes one, as every block under /lib needs it" if text is None else f"printed as {text}"
    yield _grammar("signature", written)
    yield _overlay("signature.outputs", "every required output is there at every end")
    if text is None:
        yield _overlay("signature.names", "no input and no output is named twice")


def _max_nodes(lowered: _Lowered) -> Iterator[ReportEntry]:
    most = lowered.constraints.max_nodes
    if lowered.constraints.max_subgraphs > 1:
        yield _overlay("max_nodes", f"at most {most} nodes in all blocks together")
    elif lowered.counted:
        yield _grammar("max_nodes", f"at most {most} nodes")
    else:
        yield _overlay("max_nodes", f"at most {most} nodes; the grammar does not count them")


def _min_nodes(lowered: _Lowered) -> Iterator[ReportEntry]:
    least = lowered.constraints.min_nodes
    if least == 1 or (lowered.counted and lowered.constraints.max_subgraphs == 1):
        yield _grammar("min_nodes", f"at least {least} node{'s' if least > 1 else ''}")
    else:
        yield _overlay("min_nodes", f"at least {least} nodes")


def _max_subgraphs(lowered: _Lowered) -> Iterator[ReportEntry]:
    most = lowered.constraints.max_subgraphs
    if most == 1:
        yield _grammar("max_subgraphs", "exactly one block")
    else:
        yield _grammar("max_subgraphs", f"at most {most} blocks, further ones at {lowered.constraints.path}/<word>")
        yield _overlay("max_subgraphs.paths", "the paths of the blocks differ")


def _allowed_node_types(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _grammar("allowed_node_types", f"one of: {', '.join(lowered.types)}")
    asked = lowered.constraints.allowed_node_types or GENERATED_TYPES
    if out := [name for name in asked if name not in lowered.request.types]:
        yield _grammar("allowed_node_types.excluded", f"ruled out by layer, tools or depth: {', '.join(out)}")
    if out := [name for name in lowered.request.types if name not in lowered.types]:
        yield _grammar("allowed_node_types.left_out", f"never generated in this dialect: {', '.join(out)}")


def _tools(lowered: _Lowered) -> Iterator[ReportEntry]:
    tools = lowered.request.tools
    if tools is None:
        yield _grammar("tools", "any tool name, any arguments")
        yield _overlay("tools.arguments", "no argument is given twice")
        return
    if not tools:
        yield _grammar("tools", "no tool calls")
        return
    number = f"{len(tools)} tool{'s' if len(tools) > 1 else ''}"
    yield _grammar("tools", f"{number}: argument names, required ones, types, enums")
    for tool in sorted(lowered.constraints.tools or (), key=lambda tool: tool.name):
        yield from _calls_of(tool, tools[tool.name], lowered.constraints.max_text_chars)
    yield _overlay("tools.returns", "output keys are fields that the result has, where its schema says so")


def _calls_of(tool: ToolSpec, known: ToolParameters, room: int) -> Iterator[ReportEntry]:
    """What one tool's schema says beyond names, types and enumerations."""
    found = tool_arguments(tool, room)
    left = f"not in the grammar: {', '.join(known.checked)}" if known.checked else "nothing is left out of the grammar"
    if len(tool.name) > room:
        yield _overlay(f"tools.{tool.name}", "never called: its name is longer than max_text_chars", left)
    elif found.refused is not None:
        yield _overlay(f"tools.{tool.name}", f"never called: {found.refused}", left)
    elif known.checked:
        never = found.rules.never if found.rules is not None else ()
        kept = f"; never given, as too much depends on them: {', '.join(never)}" if never else ""
        words = ", ".join(known.checked)
        yield _overlay(
            f"tools.{tool.name}", f"{words}: arguments are given only as they are allowed together{kept}", left
        )
    by_name = {argument.name: argument for argument in found.arguments}
    for parameter in known.parameters:
        if parameter.checked:
            words, argument = ", ".join(parameter.checked), by_name.get(parameter.name)
            exact = argument is not None and argument.allowed.exact
            held = "held while the value is written" if exact else "a value is surely allowed, or a template"
            yield _overlay(f"tools.{tool.name}.{parameter.name}", f"{words}: {held}", f"not in the grammar: {words}")
    for left_out in known.left_out:
        yield _grammar(f"tools.{tool.name}.{left_out}", "never given: its schema allows no value")


def _libraries(lowered: _Lowered) -> Iterator[ReportEntry]:
    calls = lowered.request.calls
    if not calls:
        yield _grammar("libraries", "no library calls")
        return
    yield _grammar("libraries", f"calls of {', '.join(call.reference for call in calls)}, inputs by name and in order")
    yield _overlay("libraries.inputs", "required inputs are given or in the context; values have their types")


def _targets(lowered: _Lowered) -> Iterator[ReportEntry]:
    named = sorted({GENERATED_END, *lowered.constraints.targets})
    yield _grammar("targets", f"a path may end at {', '.join(named)}")


def _context(lowered: _Lowered) -> Iterator[ReportEntry]:
    context = lowered.constraints.context
    unknown = context is None and lowered.request.signature is None
    yield _overlay(
        "context",
        "templates read only what is there by then",
        "unknown: a template that reads what nobody writes is a warning" if unknown else None,
    )
    if context is not None and context.required_outputs:
        named = ", ".join(context.required_outputs)
        yield _overlay("context.required_outputs", f"there at every end: {named}")


def _permissions(lowered: _Lowered) -> Iterator[ReportEntry]:
    granted = lowered.request.permissions
    yield _grammar("permissions", f"a block may ask for {', '.join(granted)}" if granted else "no block asks for any")
    for text in lowered.request.unwritable:
        yield _grammar(f"permissions.{text}", "never asked for: it does not fit on a line")


def _max_subgraph_depth(lowered: _Lowered) -> Iterator[ReportEntry]:
    depth, name = lowered.constraints.max_subgraph_depth, GenerateSubgraph.TYPE
    allowed = f"{name} may stand; nesting up to {depth} is counted when the subgraph runs"
    yield _grammar("max_subgraph_depth", allowed if name in lowered.types else f"no {name}")


def _max_output_tokens(lowered: _Lowered) -> Iterator[ReportEntry]:
    limit = lowered.constraints.max_output_tokens
    where = "the model's limit" if limit is None else f"{limit:,} tokens"
    yield _overlay(
        "max_output_tokens",
        f"complete within {where}, end token included",
        f"the engine stops at {where}; a text that was cut is found out",
    )


def _max_text_chars(lowered: _Lowered) -> Iterator[ReportEntry]:
    yield _overlay("max_text_chars", f"a text has at most {lowered.constraints.max_text_chars:,} characters")


def _max_identifier_chars(lowered: _Lowered) -> Iterator[ReportEntry]:
    limit = lowered.constraints.max_identifier_chars
    yield _overlay("max_identifier_chars", f"an id or key has at most {limit:,} characters")


def _allow_free_text(lowered: _Lowered) -> Iterator[ReportEntry]:
    first = "a block, or plain text: the model chooses by its first character, which is # for a block"
    yield _grammar("allow_free_text", first if lowered.constraints.allow_free_text else "never plain text in its place")


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
    "allow_free_text": _allow_free_text,
}
"""Field of `Constraints` → its entries; a field without a function fails at the first compilation."""
