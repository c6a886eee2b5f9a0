"""NESTFUL's gold plans as workflows of a library, in order and side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.node_table import AnyNode, Assert, Assign, End, Fork, Join, Start
from agentic_dsl.paths import Path
from agentic_dsl.signature import Data
from benchmarks.nestful_plans import Plan


@dataclass(frozen=True)
class Callee:
    """What plans need to know of the entry of a tool.

    Attributes:
        reference: of the entry, with its version.
        inputs: parameter → input.
        required: the inputs without which it cannot be called.
        outputs: field of the result → output; "" is the whole result.
    """

    reference: str
    inputs: dict[str, str]
    required: tuple[str, ...]
    outputs: dict[str, str]


_QUOTE = re.compile(r"\$(?P<label>[A-Za-z_]\w*)(?P<rest>\.[^$]*)?\$")
_FIRST = re.compile(r"\.(?P<name>[^.\[]+)(?P<rest>.*)")
_STEP = re.compile(r"\.(?P<name>[A-Za-z_]\w*)(?=[.\[]|$)|\[(?P<index>\d+)\]|\.(?P<odd>[^.\[]+)")
_TYPED = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?|true|false", re.IGNORECASE)


class Chain:
    """Nodes that are written one after the other: each is led to by the one before, with the calls between them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nodes: list[AnyNode] = []
        self._calls: list[str] = []

    def call(self, reference: str) -> None:
        """Calls a library between the last node and the next one."""
        self._calls.append(reference)

    def add(self, node: AnyNode) -> None:
        """Writes a node after the last one."""
        if self._nodes:
            steps = tuple(map(parse_reference, (*self._calls, f"{self._path}/{node.id}")))
            self._nodes[-1] = replace(self._nodes[-1], next=steps)
            self._calls.clear()
        self._nodes.append(node)

    @property
    def nodes(self) -> tuple[AnyNode, ...]:
        """What was written."""
        return tuple(self._nodes)


@dataclass(frozen=True)
class Step:
    """One call of a plan.

    Attributes:
        label: of its result, in names of this library.
        reference: of the entry, with the query.
        prepared: context key → value, written before the call.
        kept: context key → template of an output, written after it.
        asked: required inputs that the plan does not give: the workflow asks its caller for them.
        needs: labels of the steps whose results it reads.
    """

    label: str
    reference: str
    prepared: dict[str, Data]
    kept: dict[str, Data]
    asked: tuple[str, ...]
    needs: frozenset[str]


@dataclass(frozen=True)
class Workflow:
    """A plan as it will stand in a file.

    Attributes:
        layers: the steps; those of one layer run side by side.
        outputs: what it gives, as context key → value.
    """

    says: str
    suffix: str
    layers: tuple[tuple[Step, ...], ...]
    outputs: dict[str, Data]

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it asks of its caller."""
        return tuple(dict.fromkeys(name for layer in self.layers for step in layer for name in step.asked))

    def nodes(self, path: Path) -> tuple[AnyNode, ...]:
        """The nodes below the path of its block."""
        written: list[AnyNode] = []
        chain = Chain(path)
        chain.add(Start(id="begin"))
        for number, layer in enumerate(self.layers):
            if len(layer) == 1:
                _write(chain, layer[0])
                continue
            branches = []
            for step in layer:
                branch = Chain(path)
                _write(branch, step)
                branch.add(Join(id=f"both_{number}", sources=()))
                branches.append(branch.nodes[:-1])
            chain.add(
                Fork(id=f"split_{number}", branches=tuple(parse_reference(f"{path}/{b[0].id}") for b in branches))
            )
            written += (*chain.nodes, *(node for branch in branches for node in branch))
            sources = tuple(parse_reference(f"{path}/{branch[-1].id}") for branch in branches)
            chain = Chain(path)
            chain.add(Join(id=f"both_{number}", sources=sources, merge_strategy="deep_merge"))
        chain.add(Assign(id="result", assign=self.outputs))
        chain.add(End(id="done", termination_mode="soft", output_keys=tuple(self.outputs)))
        return (*written, *chain.nodes)


def _write(chain: Chain, step: Step) -> None:
    """The nodes of one step: its inputs, the call, what is kept of the result, and a look at it."""
    if step.prepared:
        chain.add(Assign(id=step_name("prepare", step.label), assign=step.prepared))
    else:
        chain.add(Assert(id=step_name("ready", step.label), condition='{{ $.now != "" }}'))
    chain.call(step.reference)
    chain.add(Assign(id=step_name("keep", step.label), assign=step.kept))
    kept = next(iter(step.kept))
    chain.add(Assert(id=step_name("check", step.label), condition=f'{{{{ {kept} != "" }}}}'))


def workflows_of(plan: Plan, callees: Mapping[str, Callee]) -> Iterator[Workflow]:
    """A plan as a workflow in order, and one side by side where some of its steps need nothing of each other."""
    if not plan.outputs or not plan.calls:
        return
    reads = _reads(plan)
    fields = {call["label"]: callees[call["name"]].outputs for call in plan.calls}
    steps = [_step_of(call, callees[call["name"]], reads[call["label"]], fields) for call in plan.calls]
    outputs = {f"out_{_word(name)}"[:32].rstrip("_"): _value(value, fields) for name, value in plan.outputs.items()}
    yield Workflow("Follows a plan step by step.", "", tuple((step,) for step in steps), outputs)
    layers = _layers(steps)
    if len(layers) < len(steps):
        yield Workflow("Follows a plan, steps side by side where they can.", "_parallel", layers, outputs)


def _layers(steps: list[Step]) -> tuple[tuple[Step, ...], ...]:
    """The steps by how many steps stand before each of them, one after the other."""
    depth: dict[str, int] = {}
    layers: dict[int, list[Step]] = {}
    for step in steps:
        depth[step.label] = max((depth[label] + 1 for label in step.needs), default=0)
        layers.setdefault(depth[step.label], []).append(step)
    return tuple(tuple(layers[number]) for number in sorted(layers))


def _reads(plan: Plan) -> dict[str, dict[str, None]]:
    """Label → the fields of its result that are quoted ("" is the whole), in order."""
    found: dict[str, dict[str, None]] = {call["label"]: {} for call in plan.calls}
    values = [value for call in plan.calls for value in call["arguments"].values()]
    for text in _texts([*values, *plan.outputs.values()]):
        for quote in _QUOTE.finditer(text):
            first = _FIRST.fullmatch(quote["rest"] or "")
            found[quote["label"]][first["name"] if first else ""] = None
    return found


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list() | tuple():
            for item in value:
                yield from _texts(item)
        case dict():
            yield from _texts(list(value.values()))


def _step_of(call: dict[str, Any], callee: Callee, read: dict[str, None], fields: dict[str, dict[str, str]]) -> Step:
    inputs, outputs, label = callee.inputs, callee.outputs, call["label"]
    arguments = {name: value for name, value in call["arguments"].items() if name in inputs}
    asked = tuple(name for name in callee.required if name not in {inputs[given] for given in arguments})
    prepared = {_key(label, "in", inputs[name]): _value(value, fields) for name, value in arguments.items()}
    pairs = [f"{inputs[name]}={{{{ {_key(label, 'in', inputs[name])} }}}}" for name in arguments]
    pairs += [f"{name}={{{{ inputs.{name} }}}}" for name in asked]
    names = dict.fromkeys(outputs.get(name, outputs[""]) for name in read or {"": None})
    kept: dict[str, Data] = {_key(label, "got", name): f"{{{{ {name} }}}}" for name in names}
    needs = frozenset(quote["label"] for text in _texts(list(arguments.values())) for quote in _QUOTE.finditer(text))
    return Step(label, callee.reference + ("?" + "&".join(pairs) if pairs else ""), prepared, kept, asked, needs)


def _key(label: str, way: str, name: str) -> str:
    return f"{label}_{way}_{name}"[:32].rstrip("_")


def step_name(what: str, of: str) -> str:
    """The id of a node."""
    return f"{what}_{of}"[:32].rstrip("_")


def _value(value: object, fields: dict[str, dict[str, str]]) -> Data:
    """A value with quoted results as templates; texts that look like other types are built by one."""
    match value:
        case str():
            text = _QUOTE.sub(lambda quote: _template(quote, fields), value)
            return f'{{{{ "{text}" }}}}' if _TYPED.fullmatch(text) else text
        case list():
            return tuple(_value(item, fields) for item in value)
        case dict():
            return {str(name): _value(inner, fields) for name, inner in value.items()}
        case _:
            return value  # type: ignore[return-value]  # JSON scalars


def _template(quote: re.Match[str], fields: dict[str, dict[str, str]]) -> str:
    label, first = quote["label"], _FIRST.fullmatch(quote["rest"] or "")
    outputs, rest = fields[label], quote["rest"] or ""
    if first and first["name"] in outputs:
        name, rest = outputs[first["name"]], first["rest"]
    else:
        name = outputs[""]
    steps = "".join(f'["{s["odd"]}"]' if s["odd"] else s[0] for s in _STEP.finditer(rest))
    return f"{{{{ {_key(label, 'got', name)}{steps} }}}}"


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name.strip().lower())
