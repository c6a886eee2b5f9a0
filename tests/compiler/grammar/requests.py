"""Requests of every sort that the grammar must lower, for the tests that hold for all of them."""

from __future__ import annotations

from agentic_dsl.constraints import Constraints, LibrarySpec, ToolSpec

WEATHER = ToolSpec(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1},
            "unit": {"enum": ["celsius", "fahrenheit", None, 3]},
            "exact": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["city"],
    },
)
OPTIONAL = ToolSpec(
    name="say hello",
    parameters={
        "type": "object",
        "properties": {
            "on": {"type": ["number", "null"]},
            "sizes": {"type": "array", "items": {"enum": [1, 2.5, "large"]}},
            "where": {"type": "object"},
        },
    },
)
TOOLS = (WEATHER, OPTIONAL, ToolSpec(name="now"))

LIBRARIES = (
    LibrarySpec(path="/lib/text/tidy", signature="(text: string, top?: integer) -> {tidy: string}", version="1.2"),
    LibrarySpec(path="/lib/clock", signature="() -> {time: string}"),
)

REQUESTS: dict[str, Constraints] = {
    "the defaults": Constraints(),
    "tools and libraries": Constraints(tools=TOOLS, libraries=LIBRARIES, max_nodes=4, targets=("/end_soft", "/main/x")),
    "permissions": Constraints(tools=(), permissions=("network", "file: read", "tool: a → scope: b"), min_nodes=2),
    "a library": Constraints(path="/lib/math/add", tools=TOOLS[:1], max_nodes=3),
    "a layer-3 library": Constraints(path="/lib/workflow/x", signature="(a: number) -> sum: number", max_nodes=3),
    "several blocks": Constraints(max_subgraphs=3, max_nodes=3, tools=(), libraries=LIBRARIES),
    "few types": Constraints(allowed_node_types=("assign", "end"), max_nodes=2),
    "one node": Constraints(allowed_node_types=("start", "join"), max_nodes=1),
}
