"""Random constraint sets for walks: every node type, tools with schemas, library calls, outputs, bounds."""

from __future__ import annotations

import random
from typing import Any

from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.node_table import GENERATED_TYPES

TOOLS = (
    ToolSpec(
        name="search",
        parameters={
            "type": "object",
            "properties": {
                "q": {"type": "string"},
                "limit": {"type": "integer"},
                "mode": {"enum": ["fast", "slow", "{a}"]},
            },
            "required": ["q"],
        },
        returns={
            "type": "object",
            "properties": {
                "price": {"type": "number"},
                "items": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
            },
        },
    ),
    ToolSpec(
        name="web search",
        parameters={
            "type": "object",
            "properties": {
                "deep": {"type": "boolean"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "w": {"type": ["number", "null"]},
                "p": {"type": "string", "pattern": "^a"},
                "o": {"type": "object"},
            },
            "required": ["tags", "o"],
        },
    ),
    ToolSpec(name="now"),
)

LIBRARIES = (
    LibrarySpec(path="/lib/math/add", signature="(a: number, b: number) -> {sum: number}", version="1"),
    LibrarySpec(
        path="/lib/human/approval", signature="(request: string) -> {approved: boolean, comment?: string}", version="1"
    ),
    LibrarySpec(path="/lib/x/flag", signature="(on: boolean, n?: integer) -> {res: any}"),
    LibrarySpec(path="/lib/x/flagged", signature="() -> {price: any, res: any}"),
)

SIGNATURES = (
    "(q: string) -> {res: string}",
    "(q: string, n?: integer) -> {q: string, title?: string}",
    "() -> {a: number, b: number, c: array<string>}",
)

CONTEXT = ("query", "inputs", "length_of", "x", "default", "not", "env", "Upper")
OUTPUTS = ("res", "price", "query", "a")
TARGETS = ("/end", "/end_soft", "/main/other", "/dynamic/plan/zed")


def sample(rng: random.Random, *, libraries: bool = True) -> Constraints:
    """One constraint set; it may admit no document, which the matcher then says when it is made."""
    fields: dict[str, Any] = {"max_nodes": rng.choice([1, 2, 3, 4, 5, 8, 20, 50])}

    def often(probability: float) -> bool:
        return rng.random() < probability

    if often(0.4):
        fields["min_nodes"] = rng.randint(1, min(fields["max_nodes"], 20))
    if often(0.6):
        fields["allowed_node_types"] = tuple(rng.sample(GENERATED_TYPES, rng.randint(1, 6)))
    if often(0.6):
        required = tuple(rng.sample(OUTPUTS, rng.choice([0, 0, 1, 2, 3])))
        available = rng.sample(CONTEXT, rng.randint(0, 4))
        fields["context"] = ContextSignature(available_vars=available, required_outputs=required)
    if often(0.3):
        fields["signature"] = rng.choice(SIGNATURES)
    if often(0.7):
        fields["tools"] = tuple(rng.sample(TOOLS, rng.randint(0, 3)))
    if libraries and often(0.4):
        fields["libraries"] = tuple(rng.sample(LIBRARIES, rng.randint(1, 3)))
    if often(0.3):
        fields["targets"] = tuple(rng.sample(TARGETS, rng.randint(1, 3)))
    if often(0.2):
        fields["permissions"] = ("tool: search", "network", "runtime: python3")
    if often(0.2):
        fields["max_text_chars"] = rng.choice([1, 3, 8, 9, 10, 15, 30])
    if often(0.2):
        fields["max_identifier_chars"] = rng.choice([1, 2, 3, 5])
    if often(0.2):
        fields["path"] = rng.choice(["/lib/workflow/x", "/lib/math/y", "/dynamic/a/b"])
    if often(0.1):
        fields["max_subgraph_depth"] = 0
    return Constraints(**fields)
