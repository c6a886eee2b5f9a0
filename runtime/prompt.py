"""What the model is told, built from the constraints and derived from the node table.

All turns but the last are the same for equal constraints, so that engines find them in their prefix caches; the task
comes last. Everything that the grammar enforces anyway (layout, quoting, which keys follow which) is left to the
worked examples: what the model has to be *told* is what exists (types, tools, names) and what a good plan is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentic_dsl.compiler.grammar.lower import node_types
from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import NODE_TABLE, FieldKind, FieldSpec, Generated, NodeSpec, Slot
from agentic_dsl.paths import GENERATED_END
from agentic_dsl.runtime.engines.base import Message, Prompt, Role
from agentic_dsl.runtime.tool_lines import library_line, one_line, tool_lines
from agentic_dsl.runtime.worked_example import WorkedExample, worked_examples
from agentic_dsl.skills.request import in_order, in_stable_order, skill_segment, spaced
from agentic_dsl.skills.segments import Segment, SegmentKind
from agentic_dsl.skills.skill import Skill


def build_prompt(task: str, constraints: Constraints, skills: Sequence[Skill] = ()) -> Prompt:
    """The prompt for one task: the system text, the worked examples as turns of their own, the task.

    Args:
        task: what the subgraph must do, in the user's words; they are not changed.
        constraints: what the answer must be.
        skills: what the model should know for it; in an order of their own.
    """
    question = Segment(SegmentKind.QUESTION, "", f"Task: {task.strip()}")
    return Prompt((*fixed_turns(constraints, skills), Message.of("user", [question])))


def fixed_turns(constraints: Constraints, skills: Sequence[Skill] = ()) -> tuple[Message, ...]:
    """Everything but the task: byte-identical for equal constraints and skills.

    What changes least often comes first, so that caches of prefixes find as much of it as they can.
    """
    types = usable_types(constraints)
    sections = [
        Segment(SegmentKind.SYSTEM_PROMPT, "language", f"{_language(constraints, types)}\n\n{_types(types)}"),
        Segment(SegmentKind.TOOL_DEFINITION, "tools", _tools(constraints, types)),
        *(skill_segment(skill) for skill in in_stable_order(skills)),
        Segment(SegmentKind.CONTEXT, "contract", "\n\n".join(filter(None, (_data(constraints), _limits(constraints))))),
    ]
    turns = [Message.of("system", spaced(in_order(section for section in sections if section.text)))]
    # As turns and not as text in the system message: chat models then take them for answers of their own.
    for example in worked_examples(constraints, [spec.type for spec in types]):
        turns += [_example_turn("user", _example_task(example)), _example_turn("assistant", example.text)]
    return tuple(turns)


def _example_turn(role: Role, text: str) -> Message:
    return Message.of(role, [Segment(SegmentKind.CONTEXT, "examples", text)])


def usable_types(constraints: Constraints) -> tuple[NodeSpec, ...]:
    """The rows of the node types that an answer may hold: what the grammar has rules for."""
    return tuple(NODE_TABLE[name] for name in node_types(constraints))


# --- sections --------------------------------------------------------------------------------------------------------


def _language(constraints: Constraints, types: tuple[NodeSpec, ...]) -> str:
    path = constraints.path
    ends = [f"a node of type {spec.type}" for spec in types if spec.is_end] + [f'"{GENERATED_END}"']
    lines = [
        "Write one AgenticDSL plan: a graph of nodes in YAML. Answer with the block alone, as in the examples.",
        f'- The first node runs first. "next" names what runs after it: "{path}/" and the id of a node further down.',
        f"- Every way through the plan ends at {' or at '.join(ends)}.",
        "- {{ name }} reads a value: from the context at the start, or an output key of a node before.",
    ]
    if constraints.max_subgraphs > 1:
        most = constraints.max_subgraphs
        lines.append(f'- Up to {most} blocks: the first at "{path}", others below it; none refers to another.')
    if constraints.allow_free_text:
        lines.append("- If the task needs no plan, answer it in plain text instead, without a block.")
    return "\n".join(lines)


def _types(types: tuple[NodeSpec, ...]) -> str:
    """The node types; a field with the same meaning in several of them is explained once."""
    described: dict[str, tuple[str, set[str]]] = {}
    for spec in types:
        for cell in _own_fields(spec):
            described.setdefault(cell.name, (cell.doc, set()))[1].add(cell.doc)
    shared = {name for name, (_, docs) in described.items() if len(docs) == 1 and _uses(types, name) > 1}
    lines = ["Node types (? = optional field):"]
    for spec in types:
        cells = ", ".join(_field(cell, explain=cell.name not in shared) for cell in _own_fields(spec))
        lines.append(f"- {spec.type}: {_lower(spec.doc)}{f'. {cells}' if cells else ''}")
    lines.extend(f"{name}: {described[name][0]}" for name in described if name in shared)
    return "\n".join(lines)


def _own_fields(spec: NodeSpec) -> Iterator[FieldSpec]:
    return (cell for cell in spec.fields if cell.generated is not Generated.NEVER and cell.slot is not Slot.ID)


def _uses(types: tuple[NodeSpec, ...], name: str) -> int:
    return sum(any(cell.name == name for cell in _own_fields(spec)) for spec in types)


def _field(cell: FieldSpec, *, explain: bool) -> str:
    optional = "?" if cell.generated is Generated.OPTIONAL else ""
    text = f"{cell.path[-1]}{optional}"
    if cell.kind is FieldKind.CHOICE:
        return f"{text} = {'|'.join(cell.choices)}"
    if cell.kind is FieldKind.PARAMETERS:
        return f"{text} {{{', '.join(cell.parameters)}}}"
    return f"{text} ({cell.doc})" if explain else text


def _lower(doc: str) -> str:
    return doc[:1].lower() + doc[1:].rstrip(".")


def _tools(constraints: Constraints, types: tuple[NodeSpec, ...]) -> str:
    sections = []
    if constraints.tools and any(spec.type == "tool_call" for spec in types):
        sections.append("\n".join(["Tools:", *tool_lines(constraints.tools)]))
    if constraints.libraries:
        lines = [library_line(library) for library in constraints.libraries]
        sections.append("\n".join(['Libraries, called by name in "next" (inputs as ?name=value):', *lines]))
    return "\n\n".join(sections)


def _data(constraints: Constraints) -> str:
    """What is in the context, what must be there at the end, and the contract to keep."""
    lines = []
    context = constraints.context
    if context is not None:
        names = ", ".join(f"{name}: {type_name}" for name, type_name in context.available_vars.items())
        lines.append(f"Context at the start: {one_line(names) or 'empty'}")
        if context.required_outputs:
            lines.append(f"Must be written before every end: {', '.join(context.required_outputs)}")
    if constraints.signature is not None:
        lines.append(f"Signature: {one_line(constraints.signature)}")
    elif constraints.block_path.is_library:
        lines.append("Write a signature: its inputs are in the context, its outputs must be written before every end.")
    if constraints.targets:
        lines.append(f'"next" may also name: {", ".join(constraints.targets)}')
    if constraints.permissions:
        lines.append(f"Permissions that may be asked for: {', '.join(map(one_line, constraints.permissions))}")
    return "\n".join(lines)


def _limits(constraints: Constraints) -> str:
    low, high = constraints.min_nodes, constraints.max_nodes
    nodes = f"{high}" if low == high else f"{low} to {high}" if low > 1 else f"at most {high}"
    text = f"Limits: {nodes} nodes, texts up to {constraints.max_text_chars} characters"
    if constraints.max_output_tokens is not None:
        text += f", {constraints.max_output_tokens} tokens in all"
    return text + "."


def _example_task(example: WorkedExample) -> str:
    """The request that the example answers, with what it may use."""
    lines = [f"Task: {example.task}"]
    if example.constraints.tools:
        lines += ["Tools:", *tool_lines(example.constraints.tools)]
    if data := _data(example.constraints):
        lines.append(data)
    return "\n".join(lines)
