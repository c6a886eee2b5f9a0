"""NESTFUL's gold plans as subgraphs, and the defects that a plan has by itself.

A plan is a list of calls whose arguments quote earlier results (``$var1.skyId$``). Each call becomes a
``tool_call`` that writes its label; the closing ``var_result`` becomes an ``assign`` of the plan's outputs and
an ``end`` that hands them back. The defects are found on the record alone, without any code of the toolkit, so
that the two judgements are independent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from agentic_dsl.ast import Subgraph
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.constraints import Constraints, ContextSignature, ToolSpec
from agentic_dsl.node_table import AnyNode, Assign, End, ToolCall
from agentic_dsl.paths import Path
from agentic_dsl.signature import Data

PATH = "/dynamic/plan"

_QUOTE = re.compile(r"\$(?P<label>[A-Za-z_]\w*)(?P<rest>\.[^$]*)?\$")
"""One quoted result inside a string."""

_STEP = re.compile(r"\.(?P<name>[A-Za-z_]\w*)(?=[.\[]|$)|\[(?P<index>\d+)\]|\.(?P<odd>[^.\[]+)")
"""One step into a result; ``odd`` is a name that a template can only read in brackets."""


@dataclass(frozen=True)
class Plan:
    """One gold record.

    Attributes:
        task: what the user asked for.
        calls: the tool calls, in order.
        outputs: output name → value, from ``var_result``.
    """

    task: str
    calls: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]

    @classmethod
    def of(cls, record: dict[str, Any]) -> Plan:
        """The plan of a record as published."""
        *calls, result = record["output"]
        if result["name"] != "var_result":
            raise ValueError("the last entry names the outputs")
        return cls(record["input"], tuple(calls), result["arguments"])


def constraints_of(plan: Plan, tools: tuple[ToolSpec, ...]) -> Constraints:
    """What a generation of the plan would be asked for: the catalogue's tools, no more nodes than the gold plan has."""
    return Constraints(
        path=PATH,
        tools=tools,
        max_nodes=len(plan.calls) + 2,
        context=ContextSignature(),
        allowed_node_types=("assign", "tool_call", "end"),
    )


def to_subgraph(plan: Plan, tools: tuple[ToolSpec, ...]) -> Subgraph:
    """The plan in AgenticDSL: calls in order, arguments in the catalogue's order, then the outputs, then the end."""
    known = {tool.name: [*tool.parameters["properties"]] for tool in tools}
    nodes: list[AnyNode] = []
    ids = [call["label"] for call in plan.calls] + (["result"] if plan.outputs else []) + ["end"]
    following = iter(ids[1:])
    for call in plan.calls:
        order = known.get(call["name"], [])
        names = sorted(call["arguments"], key=lambda name: order.index(name) if name in order else len(order))
        arguments = {name: _value(call["arguments"][name]) for name in names}
        step = (parse_reference(f"{PATH}/{next(following)}"),)
        nodes.append(
            ToolCall(id=call["label"], tool=call["name"], arguments=arguments, output_keys=(call["label"],), next=step)
        )
    if plan.outputs:
        outputs = {_word(name): _value(value) for name, value in plan.outputs.items()}
        nodes.append(Assign(id="result", assign=outputs, next=(parse_reference(f"{PATH}/{next(following)}"),)))
    nodes.append(End(id="end", output_keys=tuple(_word(name) for name in plan.outputs)))
    return Subgraph(path=Path(("dynamic", "plan")), nodes=tuple(nodes))


def defects(plan: Plan, tools: tuple[ToolSpec, ...]) -> Iterator[str]:
    """What is wrong with a plan, judged on the record and the catalogue alone."""
    by_name = {tool.name: tool for tool in tools}
    results: dict[str, dict[str, Any]] = {}
    for call in plan.calls:
        yield from _misquotes(call["arguments"].values(), results)
        if call["label"] in results:
            yield "duplicate label"
        results[call["label"]] = dict(by_name[call["name"]].returns) if call["name"] in by_name else {}
        if (tool := by_name.get(call["name"])) is None:
            yield "unknown tool"
            continue
        properties = tool.parameters["properties"]
        for name in tool.parameters["required"]:
            if name not in call["arguments"]:
                yield "missing argument"
        for name, value in call["arguments"].items():
            if name not in properties:
                yield "undeclared argument"
            else:
                yield from _value_defects(value, properties[name])
    yield from _misquotes(plan.outputs.values(), results)
    for value in plan.outputs.values():
        if _unquotable(value):
            yield "unholdable value"


def _misquotes(values: Iterable[Any], results: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Quotes of results that are not there, or of fields that the catalogue does not name in them."""
    for value in values:
        for quote in _QUOTE.finditer(value if isinstance(value, str) else ""):
            if quote["label"] not in results:
                yield "dangling reference"
                continue
            schema = results[quote["label"]]
            for step in _STEP.finditer(quote["rest"] or ""):
                if (name := step["name"] or step["odd"]) and schema.get("properties"):
                    if name not in schema["properties"]:
                        yield "undeclared result field"
                        break
                    schema = schema["properties"][name]
                else:
                    schema = schema.get("items", {})


def _value_defects(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    """A whole quoted result can be anything; a value of another shape must fit the schema."""
    if _unquotable(value):
        yield "unholdable value"
    if isinstance(value, str) and _QUOTE.fullmatch(value):
        return
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, list | dict) for item in value)):
        yield "unholdable value"
        return
    if not _fits(value, schema):
        yield "wrong type"
    elif "enum" in schema and value not in schema["enum"]:
        yield "wrong enum value"


def _unquotable(value: Any) -> bool:
    """Whether a string quotes a result by a name that no generated template can read."""
    if not isinstance(value, str):
        return False
    return any(step["odd"] for quote in _QUOTE.finditer(value) for step in _STEP.finditer(quote["rest"] or ""))


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    match schema.get("type"):
        case None:
            return True
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            inside = isinstance(value, int | float) and not isinstance(value, bool)
            return inside and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        case "array":
            return isinstance(value, list) and all(_fits(item, schema.get("items", {})) for item in value)
        case _:
            return False


def _value(value: Any) -> Data:
    """A value with its quoted results written as templates."""
    if isinstance(value, str):
        return _QUOTE.sub(_template, value)
    if isinstance(value, list):
        return tuple(_value(item) for item in value)
    if isinstance(value, dict):
        return {name: _value(inner) for name, inner in value.items()}
    return value  # type: ignore[no-any-return]  # JSON scalars


def _template(quote: re.Match[str]) -> str:
    steps = "".join(f'["{step["odd"]}"]' if step["odd"] else step[0] for step in _STEP.finditer(quote["rest"] or ""))
    return "{{ " + quote["label"] + steps + " }}"


def _word(name: str) -> str:
    """An output's name as a context key."""
    return re.sub(r"\W+", "_", name.strip().lower())
