"""Requests whose grammars differ in shape, and texts that nearly belong to them, to hold dialects to one language."""

from __future__ import annotations

from random import Random

from agentic_dsl.constraints import Constraints, LibrarySpec, ToolSpec

_SEARCH = ToolSpec(
    name="search",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "order": {"enum": ["asc", "desc", 'odd "one"', 3, None]},
            "exact": {"type": ["boolean", "null"]},
        },
        "required": ["query"],
    },
)
_ODD = ToolSpec(name="größe: messen / ¾", parameters={"type": "object", "properties": {"été": {"type": "number"}}})
_BARE = ToolSpec(name="ping")

REQUESTS: dict[str, Constraints] = {
    "defaults": Constraints(),
    "tools": Constraints(tools=(_SEARCH, _ODD, _BARE), max_nodes=3),
    "no tools": Constraints(tools=(), max_subgraph_depth=0, min_nodes=2, max_nodes=2),
    "libraries": Constraints(
        libraries=(
            LibrarySpec(
                path="/lib/math/add", signature="(a: number, b: number, c?: number) -> sum: number", version="1"
            ),
            LibrarySpec(path="/lib/human/approval", signature="(request: string) -> {approved: boolean}"),
            LibrarySpec(path="/lib/tool/now"),
        ),
        targets=("/end", "/main/after"),
    ),
    "a library of one's own": Constraints(path="/lib/utils/mine", allowed_node_types=("assign", "end", "start")),
    "a signature and permissions": Constraints(
        signature="(a: string) -> {b: number}", permissions=("network", "file:read", "tool: x → scope: y")
    ),
    "several blocks": Constraints(max_subgraphs=3, max_nodes=4, allowed_node_types=("fork", "join", "assert", "end")),
}
"""By what is special about each."""

_PIECES = ('"', "\\", "\n", "{{ ", " }}", "{%", "end", "n", "0", " ", "é", "\x00", "\u2028", "😀", '", "', "]\n", "-")


def mutated(text: str, random: Random) -> str:
    """The text with one small change, which may leave it as it was."""
    at = random.randrange(len(text) + 1)
    lines = text.splitlines(keepends=True)
    line = random.randrange(len(lines))
    match random.randrange(6):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + random.choice(_PIECES) + text[at:]
        case 2:
            return text[:at] + random.choice(_PIECES) + text[at + 1 :]
        case 3:
            return "".join(lines[:line] + lines[line + 1 :])
        case 4:
            return "".join(lines[: line + 1] + lines[line:])
        case _:
            other = random.randrange(len(lines))
            lines[line], lines[other] = lines[other], lines[line]
            return "".join(lines)
