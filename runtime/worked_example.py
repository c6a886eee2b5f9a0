"""The worked examples of the prompt: small plans for other tasks, in the layout that is asked for.

They are built as trees and printed by the formatter, so they cannot fall behind the language, and they keep to the
request's own constraints (path, node types, size, signature), so that nothing in them teaches what the grammar forbids.
Tasks, tools and context are their own. There is a short one and a longer one, because small models otherwise take
the number of nodes for a part of the layout; ids are numbered, because small models then name the node that they
write next, where after a telling id they write another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentic_dsl.ast import Subgraph
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.format import format_signature, format_subgraph
from agentic_dsl.node_table import (
    AnyNode,
    Assert,
    Assign,
    CodeletCall,
    DslCall,
    End,
    FieldKind,
    Fork,
    GenerateSubgraph,
    Join,
    Start,
    ToolCall,
)
from agentic_dsl.paths import GENERATED_END, Path, Reference, ReferenceKind
from agentic_dsl.signature import FieldType, Parameter, Signature

_INPUT = "customer"
_SHORT_TASK = "Where is the parcel of {}?"
_LONG_TASK = "Tell {} where their parcel is."
_SHORT_CUSTOMER, _LONG_CUSTOMER = 7, 12
_LONG_STEPS = 2
_PARALLEL_NODES = 8
"""Requests with room for this many nodes, fork and join among them, are shown a parallel plan."""
_LANGUAGE_MODEL = "llama-default"


@dataclass(frozen=True, slots=True)
class WorkedExample:
    """A request and its answer.

    Attributes:
        task: what was asked for.
        constraints: under which the answer is valid: the request's own, with the example's tools and context.
        subgraph: the answer.
        text: the answer as it is printed.
    """

    task: str
    constraints: Constraints
    subgraph: Subgraph
    text: str


def worked_examples(constraints: Constraints, types: Iterable[str]) -> tuple[WorkedExample, ...]:
    """The examples for a request, the shorter one first.

    Args:
        constraints: the request's.
        types: the node types that it may use, layer rules applied.

    Returns:
        Two examples; one where there is room for no longer plan; none where these constraints leave no room for a
        simple plan at all (``fork`` and ``join`` alone, texts of a few characters).
    """
    allowed = frozenset(types)
    given = constraints.context is not None and bool(constraints.context.available_vars)
    given = given or constraints.signature is not None or constraints.block_path.is_library
    short = _Plan(allowed, constraints, _read(_INPUT) if given else _SHORT_CUSTOMER)
    long = _Plan(allowed, constraints, _read(_INPUT) if given else _LONG_CUSTOMER)
    plans = [
        (_SHORT_TASK.format("the customer" if given else f"customer {_SHORT_CUSTOMER}"), short.nodes(1)),
        (_LONG_TASK.format("the customer" if given else f"customer {_LONG_CUSTOMER}"), long.longer_nodes()),
    ]
    return tuple(_example(task, nodes, constraints) for task, nodes in plans if nodes and _fits(nodes, constraints))


def _example(task: str, nodes: tuple[AnyNode, ...], constraints: Constraints) -> WorkedExample:
    path = constraints.block_path
    written = [key for node in nodes for key in node.writes]
    signature = None
    if constraints.signature is not None or path.is_library:
        signature = _signature(written[-1:])
    subgraph = Subgraph(path=path, nodes=nodes, signature=signature)
    context = None
    if constraints.context is not None:
        context = ContextSignature(
            available_vars={_INPUT: "integer"} if constraints.context.available_vars else {},
            required_outputs=tuple(written[-1:]) if constraints.context.required_outputs else (),
        )
    changed = {
        "min_nodes": min(constraints.min_nodes, len(nodes)),
        "signature": format_signature(signature) if signature and constraints.signature is not None else None,
        "tools": tuple(_TOOLS[node.tool] for node in nodes if isinstance(node, ToolCall)),
        "context": context,
        "libraries": (),
        "targets": (),
        "permissions": (),
        "max_output_tokens": None,
    }
    own: dict[str, Any] = {name: getattr(constraints, name) for name in Constraints.model_fields}
    return WorkedExample(task, Constraints(**own | changed), subgraph, format_subgraph(subgraph))


# --- the plans -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a plan is made of: allowed types, the request's limits, the value that the task names."""

    types: frozenset[str]
    constraints: Constraints
    given: int | str

    @property
    def _room(self) -> int:
        return self.constraints.max_nodes - ("end" in self.types)

    def nodes(self, steps: int) -> tuple[AnyNode, ...]:
        """A chain of at most so many steps, each reading what the step before it wrote."""
        nodes: list[AnyNode] = []
        last = str(self.given) if isinstance(self.given, int) else self.given
        for build in _STEPS:
            node = build(f"step{len(nodes) + 1}", self.given, last)
            if node.type in self.types and len(nodes) < min(steps, self._room):
                nodes.append(node)
                last = _read(node.writes[-1]) if node.writes else last
        if not nodes and self._room and "start" in self.types:
            nodes.append(Start(id="step1"))
        return self._ended(nodes)

    def longer_nodes(self) -> tuple[AnyNode, ...]:
        """A parallel plan or a chain of two steps; nothing where one step is all there is room for."""
        chain = self.nodes(_LONG_STEPS)
        return self.parallel() or (chain if len(chain) > len(self.nodes(1)) else ())

    def parallel(self) -> tuple[AnyNode, ...]:
        """Two calls at once, joined, then one that reads both results; nothing where there is no room for that."""
        if self.constraints.max_nodes < _PARALLEL_NODES or not {"fork", "join", "tool_call"} <= self.types:
            return ()
        path = self.constraints.block_path
        find, language, meet = (_node_reference(path, f"step{number}") for number in (2, 3, 4))
        customer = {"customer_id": self.given}
        nodes: list[AnyNode] = [
            Fork(id="step1", branches=(find, language)),
            ToolCall(id="step2", tool="find_parcel", arguments=customer, output_keys=("place",), next=(meet,)),
            ToolCall(id="step3", tool="get_language", arguments=customer, output_keys=("lang",), next=(meet,)),
            Join(id="step4", sources=(find, language)),
            ToolCall(
                id="step5",
                tool="send_message",
                arguments=customer | {"text": "({{ lang }}) {{ place }}"},
                output_keys=("sent",),
            ),
        ]
        return self._ended(nodes)

    def _ended(self, nodes: list[AnyNode]) -> tuple[AnyNode, ...]:
        ends: list[AnyNode] = [End(id=f"step{len(nodes) + 1}")] if "end" in self.types else []
        return _linked([*nodes, *ends], self.constraints.block_path)


def _find(name: str, given: int | str, last: str) -> AnyNode:  # noqa: ARG001  # all steps are built alike
    return ToolCall(id=name, tool="find_parcel", arguments={"customer_id": given}, output_keys=("place",))


def _send(name: str, given: int | str, last: str) -> AnyNode:
    arguments = {"customer_id": given, "text": f"Your parcel: {last}"}
    return ToolCall(id=name, tool="send_message", arguments=arguments, output_keys=("sent",))


def _write(name: str, given: int | str, last: str) -> AnyNode:
    prompt = f"Customer {given}: where is the parcel? {last}"
    return DslCall(id=name, prompt_template=prompt, llm_tool_name=_LANGUAGE_MODEL, output_keys=("reply",))


def _compute(name: str, given: int | str, last: str) -> AnyNode:  # noqa: ARG001  # all steps are built alike
    return CodeletCall(id=name, runtime="python3", code="line = find_parcel()", output_keys=("line",))


def _set(name: str, given: int | str, last: str) -> AnyNode:  # noqa: ARG001  # all steps are built alike
    return Assign(id=name, assign={"news": f"Your parcel: {last}"})


def _verify(name: str, given: int | str, last: str) -> AnyNode:  # noqa: ARG001  # all steps are built alike
    return Assert(id=name, condition="{{ length($.now) > 0 }}")


def _delegate(name: str, given: int | str, last: str) -> AnyNode:
    prompt = f"Tell customer {given}: {last}"
    return GenerateSubgraph(id=name, prompt_template=prompt, output_keys=("told",))


_STEPS: tuple[Callable[[str, int | str, str], AnyNode], ...] = (
    _find,
    _send,
    _write,
    _compute,
    _set,
    _verify,
    _delegate,
)
"""In the order of how much they teach; the first allowed ones are shown."""


def _tool(name: str, arguments: Mapping[str, str], result: Mapping[str, str]) -> ToolSpec:
    def schema(types: Mapping[str, str]) -> dict[str, object]:
        properties = {key: {"type": type_name} for key, type_name in types.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}

    return ToolSpec(name=name, parameters=schema(arguments), returns=schema(result))


_TOOLS = {
    tool.name: tool
    for tool in (
        _tool("find_parcel", {"customer_id": "integer"}, {"place": "string"}),
        _tool("get_language", {"customer_id": "integer"}, {"lang": "string"}),
        _tool("send_message", {"customer_id": "integer", "text": "string"}, {"sent": "boolean"}),
    )
}


# --- how it hangs together -------------------------------------------------------------------------------------------


def _read(name: str) -> str:
    return f"{{{{ {name} }}}}"


def _node_reference(path: Path, name: str) -> Reference:
    target = path.child(name)
    return Reference(str(target), ReferenceKind.PATH, target)


def _linked(nodes: list[AnyNode], path: Path) -> tuple[AnyNode, ...]:
    """Every node that does not say where it leads goes to the one after it, the last one to the system's end."""
    linked: list[AnyNode] = []
    for position, node in enumerate(nodes):
        if not isinstance(node, End | Fork) and not node.next:
            if position + 1 < len(nodes):
                target = _node_reference(path, nodes[position + 1].id)
            else:
                target = Reference(GENERATED_END, ReferenceKind.PATH, Path(tuple(GENERATED_END[1:].split("/"))))
            node = replace(node, next=(target,))
        linked.append(node)
    return tuple(linked)


def _signature(outputs: list[str]) -> Signature:
    return Signature((Parameter(_INPUT, FieldType("integer")),), tuple(Parameter(name) for name in outputs))


def _fits(nodes: tuple[AnyNode, ...], constraints: Constraints) -> bool:
    """Whether no word and no text is longer than allowed."""
    words = [word for node in nodes for word in (node.id, *node.writes)]
    texts: list[str] = []
    for node in nodes:
        for spec in node.spec.fields:
            match spec.kind, getattr(node, spec.name):
                case FieldKind.TEXT, str(text):
                    texts.append(text)
                case FieldKind.VALUES, dict(values):
                    texts.extend(value for value in values.values() if isinstance(value, str))
    return (
        max(map(len, words)) <= constraints.max_identifier_chars
        and max(map(len, texts), default=0) <= constraints.max_text_chars
    )
