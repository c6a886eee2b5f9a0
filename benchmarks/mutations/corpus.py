"""Clean documents of every kind, by chance: applications, libraries, contracts and generated blocks."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from agentic_dsl.compiler.lint.rule import Example
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document
from benchmarks.mutations.flow import CALLED, CONTRACT, TOOLS, Flow, printed

_PROSE = ("Plans a trip; *nothing* is booked.", "> Quoted — and kept.\n\n- a list", "Ünïcode, 中文 and `code`.")
_STYLES = ("braces", "short", "long", "mixed")
_OUTPUT = "summary"


def clean_document(number: int) -> Example:
    """The clean document of a number: the same whenever it is asked for."""
    rng = random.Random(f"clean document {number}")
    kinds: tuple[Callable[[random.Random], Example], ...] = (
        _application,
        _library,
        _application,
        _generating_application,
        _workflow,
        _generated,
        _contract,
        _dynamic,
    )
    return kinds[number % len(kinds)](rng)


def _block(path: str, lines: list[str], rng: random.Random) -> str:
    marked = rng.random() < 0.5
    body = ["# --- BEGIN AgenticDSL ---"] * marked + lines + ["# --- END AgenticDSL ---"] * marked
    blank = "\n" if rng.random() < 0.3 else ""
    return f"{'#' * rng.randint(2, 4)} AgenticDSL `{path}`\n{blank}```yaml\n" + "\n".join(body) + "\n```\n"


def _finished(text: str, rng: random.Random, **fields: Any) -> Example:
    if rng.random() < 0.15:
        text = text.replace("\n", "\r\n")
    return Example(text, library=(CONTRACT,), **fields)


def _signature(inputs: tuple[str, ...], output: str = _OUTPUT) -> str:
    return f'signature: "({", ".join(f"{name}: string" for name in inputs)}) -> {{{output}: string}}"'


def _flow_lines(flow: Flow, rng: random.Random, steps: int) -> list[str]:
    nodes = flow.build(steps, _OUTPUT)
    lines = ["graph_type: subgraph"]
    if flow.inputs or rng.random() < 0.5:
        lines.append(_signature(flow.inputs))
    if flow.calls and rng.random() < 0.7:
        lines.append(f'requires: [{{lib: "{CALLED}@^1.0"}}]')
    if flow.tools and (rng.random() < 0.6 or flow.path.startswith("/lib/")):
        named = [f'"tool: {name}"' for name in sorted(flow.tools)]
        runs = any(node["type"] == "codelet_call" for node in nodes)
        lines.append(f"permissions: [{', '.join(named + ['{runtime: python3}'] * runs)}]")
    elif flow.path.startswith("/lib/") and any(node["type"] == "codelet_call" for node in nodes):
        lines.append("permissions: [{runtime: python3}]")
    return [*lines, "nodes:", printed(nodes, rng, rng.choice(_STYLES))]


def _inputs(rng: random.Random) -> tuple[str, ...]:
    return ("city", "guest", "day_text")[: rng.randint(0, 3)]


def _resources(flow: Flow, rng: random.Random, *, all_tools: bool) -> list[str]:
    lines = ["type: resource_declare", "resources:"]
    for name in sorted(TOOLS) if all_tools else sorted(flow.tools):
        tool = TOOLS[name]
        schema = {"type": "object", "properties": tool["properties"], "required": tool["required"]}
        fields = {
            "description": f"Does {name}.",
            "parameters": {**schema, "additionalProperties": False},
            "returns": {"type": "object", "properties": tool["returns"]},
        }
        if rng.random() < 0.5:
            listed = "".join(f", {key}: {json.dumps(value)}" for key, value in fields.items())
            lines.append(f"  - {{type: tool, name: {name}{listed}}}")
        else:
            lines += [f"  - type: tool\n    name: {name}", *(f"    {k}: {json.dumps(v)}" for k, v in fields.items())]
    if any(node["type"] == "codelet_call" for node in flow.nodes):
        lines.append("  - {type: runtime, name: python3}")
    lines.append('  - {type: network, outbound: {domains: ["api.test"]}}')
    return lines


def _application(rng: random.Random, *, generates: bool = False) -> Example:
    path = rng.choice(("/main/plan", "/main/travel/day", "/app/desk"))
    flow = Flow(rng, path, _inputs(rng), generates=generates)
    main = _block(path, _flow_lines(flow, rng, rng.randint(3, 9)), rng)
    calls = sum(node["type"] in ("dsl_call", "generate_subgraph") for node in flow.nodes)
    budget = [f"  max_nodes: {len(flow.nodes) + rng.randint(1, 9)}", f"  max_llm_calls: {calls + rng.randint(1, 3)}"]
    meta = ['version: "3.10"', f"mode: {rng.choice(('prod', 'dev'))}", f'entry_point: "{path}"', "execution_budget:"]
    meta += [*budget, "  max_subgraph_depth: 1"] if generates or rng.random() < 0.5 else budget
    if rng.random() < 0.2:
        meta = meta[:1] + meta[2:]
    parts = [
        _block("/__meta__", meta, rng),
        _block("/__meta__/resources", _resources(flow, rng, all_tools=generates), rng),
    ]
    if rng.random() < 0.7:
        parts.insert(0, rng.choice(_PROSE) + "\n")
    if rng.random() < 0.3:
        parts.append("More to read:\n")
    return _finished("\n".join([*parts, main]), rng)


def _generating_application(rng: random.Random) -> Example:
    return _application(rng, generates=True)


def _library(rng: random.Random, *, folder: str = "utils", reaches_out: bool = True) -> Example:
    path = f"/lib/{folder}/{rng.choice(('pack', 'greet', 'route_of'))}"
    flow = Flow(rng, path, _inputs(rng), reaches_out=reaches_out)
    lines = _flow_lines(flow, rng, rng.randint(2, 7))
    if not any(line.startswith("signature") for line in lines):
        lines.insert(1, _signature(flow.inputs))
    at = next(n for n, line in enumerate(lines) if line.startswith("signature"))
    lines[at + 1 : at + 1] = ['version: "1.3"', f"stability: {rng.choice(('stable', 'experimental'))}"]
    text = f"{rng.choice(_PROSE)}\n\n{_block(path, lines, rng)}"
    if rng.random() < 0.4:
        text += f"\nAdds.\n\n{_contract_block('/lib/math/add', rng)}"
    return _finished(text, rng)


def _workflow(rng: random.Random) -> Example:
    return _library(rng, folder=rng.choice(("workflow", "knowledge")), reaches_out=False)


def _contract_block(path: str, rng: random.Random) -> str:
    inputs = ", ".join(("a: number", "b: array<string>", "mode?: string = fast")[: rng.randint(1, 3)])
    lines = [f'signature: "({inputs}) -> {{sum: number, note?: string}}"', 'version: "1.0"']
    return _block(path, [*lines, "stability: stable"][: rng.randint(2, 3)], rng)


def _contract(rng: random.Random) -> Example:
    paths = ("/lib/math/sum", "/lib/net/fetch", "/lib/tool/convert", "/lib/knowledge/rates")
    chosen = rng.sample(paths, rng.randint(1, 3))
    return _finished("\n".join(f"Does one thing.\n\n{_contract_block(path, rng)}" for path in chosen), rng)


def _generated(rng: random.Random) -> Example:
    """An answer in the one layout of generated text, and the request that it answers."""
    path = "/dynamic/plan"
    flow = Flow(rng, path)
    nodes = [node for node in flow.build(rng.randint(2, 5), _OUTPUT) if node["type"] != "resource"]
    lines = ["graph_type: subgraph", _signature(()), "nodes:", printed(nodes, rng, "short")]
    text = format_document(parse(_block(path, lines, rng)))
    tools = tuple(
        {"name": name, "parameters": {"type": "object", "properties": TOOLS[name]["properties"]}}
        for name in sorted({*flow.tools, "web_search"})
    )
    constraints = {
        "signature": _signature(()).partition('"')[2].rstrip('"'),
        "tools": tools,
        "allowed_node_types": tuple(sorted({node["type"] for node in nodes} | {"assign", "end", "tool_call"})),
        "libraries": ({"path": CALLED, "version": "1", "signature": CONTRACT.split('"')[1]},),
        "max_nodes": 40,
        "max_text_chars": 300,
    }
    return Example(text, library=(CONTRACT,), constraints=constraints)


def _dynamic(rng: random.Random) -> Example:
    """A block as an executor archives it: generated once, then edited."""
    flow = Flow(rng, f"/dynamic/{rng.choice(('plan', 'trip_2'))}", _inputs(rng), generates=rng.random() < 0.5)
    return _finished(_block(flow.path, _flow_lines(flow, rng, rng.randint(2, 6)), rng), rng)
