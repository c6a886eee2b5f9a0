"""For each entry of the report a document that breaks exactly what it is about, and one that does not.

The ids are ``n1``, ``n2`` …, so that the documents are of the form that grammars with parameters have, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentic_dsl import codes
from agentic_dsl.constraints import Constraints, ContextSignature, LibrarySpec, ToolSpec
from agentic_dsl.diagnostics import Code

PATH = "/dynamic/plan"
OFF = "/__system__/end_soft"


@dataclass(frozen=True)
class Breaker:
    """One entry of the report with documents for and against it.

    Attributes:
        entry: its name in the report.
        code: what the check finds in the bad document; None where it is sound and merely never generated.
        fields: of the constraints under which both are judged.
        counted: whether the grammar counts nodes.
    """

    entry: str
    good: str
    bad: str
    code: Code | None
    fields: dict[str, Any] = field(default_factory=dict)
    counted: bool = True

    @property
    def constraints(self) -> Constraints:
        return Constraints(**self.fields)


def document(*nodes: str, path: str = PATH, keys: str = "") -> str:
    return (
        f"### AgenticDSL `{path}`\n```yaml\n# --- BEGIN AgenticDSL ---\ngraph_type: subgraph\n{keys}nodes:\n"
        f"{''.join(nodes)}# --- END AgenticDSL ---\n```\n"
    )


def node(id_: str, type_: str, body: str = "", *following: str) -> str:
    """A node; its successors are words of this block, or whole references."""
    shown = ", ".join(f'"{item if item.startswith("/") else f"{PATH}/{item}"}"' for item in following)
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"  - id: {id_}\n    type: {type_}\n{lines}" + (f"    next: [{shown}]\n" if following else "")


def assign(id_: str, *following: str, key: str = "a", value: str = "1") -> str:
    return node(id_, "assign", f"assign:\n  {key}: {value}", *following)


def end(id_: str) -> str:
    return node(id_, "end")


def branches(id_: str, *names: str) -> str:
    shown = ", ".join(f'"{PATH}/{name}"' for name in names)
    return node(id_, "fork", f"fork:\n  branches: [{shown}]")


def join(id_: str, sources: tuple[str, ...], *following: str, strategy: str = "") -> str:
    shown = ", ".join(f'"{PATH}/{name}"' for name in sources)
    return node(id_, "join", f"join:\n  wait_for: [{shown}]{strategy}", *following)


def call(id_: str, tool: str, body: str, *following: str, keys: str = '["r"]') -> str:
    return node(id_, "tool_call", f"tool: {tool}\n{body}output_keys: {keys}", *following)


GOOD = document(assign("n1", "n2"), end("n2"))
ONE = document(end("n1"))

TOOL = ToolSpec(
    name="t",
    parameters={
        "type": "object",
        "properties": {"k": {"type": "integer", "minimum": 1}, "m": {"type": "integer"}},
        "minProperties": 1,
    },
    returns={"type": "object", "properties": {"r": {}, "s": {}}, "additionalProperties": False},
)
PLAIN_TOOLS = (ToolSpec(name="t"), ToolSpec(name="u"))
CALLED = LibrarySpec(path="/lib/x/y", signature="(q: string) -> {z: any}")
KNOWN = ContextSignature(available_vars=("q",))


def _tool(body: str, keys: str = '["r"]') -> str:
    return document(call("n1", "t", body, OFF, keys=keys))


def _reading(name: str) -> str:
    return document(assign("n1", OFF, value=f'"{{{{ {name} }}}}"'))


def _calling(query: str) -> str:
    return document(assign("n1", f"/lib/x/y{query}", OFF))


def _generating(prefix: str) -> str:
    lines = f'prompt_template: "p"\nnamespace_prefix: "{prefix}"\noutput_keys: ["r"]'
    return document(node("n1", "generate_subgraph", lines, OFF))


def _joined(one: str, other: str, *, waited: tuple[str, ...] = ("n2", "n3"), strategy: str = "") -> str:
    """A fork of two writers that meet in a join."""
    parts = (assign("n2", "n4", key=one), assign("n3", "n4", key=other))
    return document(branches("n1", "n2", "n3"), *parts, join("n4", waited, OFF, strategy=strategy))


def _guarded() -> str:
    """Two ways that exclude each other meet in a join."""
    first = node("n1", "assert", f'condition: "{{{{ q }}}}"\non_failure: "{PATH}/n3"', "n2")
    return document(first, assign("n2", "n4"), assign("n3", "n4", key="b"), join("n4", ("n2", "n3"), OFF))


_SIGNED = 'signature: "() -> {a: any}"\n'
_ASKING = 'permissions: ["tool: t"]\n'

BREAKERS: tuple[Breaker, ...] = (
    # --- the constraints ---
    Breaker("path", ONE, document(end("n1"), path="/dynamic/other"), codes.OTHER_PATH),
    Breaker(
        "signature",
        document(assign("n1", OFF), keys=_SIGNED),
        document(assign("n1", OFF)),
        codes.OTHER_SIGNATURE,
        {"signature": "() -> {a: any}"},
    ),
    Breaker(
        "signature.outputs",
        document(assign("n1", OFF), keys=_SIGNED),
        document(assign("n1", OFF, key="b"), keys=_SIGNED),
        codes.OUTPUT_NOT_WRITTEN,
        {"signature": "() -> {a: any}"},
    ),
    Breaker(
        "signature.names",
        document(end("n1"), path="/lib/x/y", keys='signature: "(a: any, b: any) -> ()"\n'),
        document(end("n1"), path="/lib/x/y", keys='signature: "(a: any, a: any) -> ()"\n'),
        codes.DUPLICATE_PARAMETER,
        {"path": "/lib/x/y"},
    ),
    Breaker("max_nodes", ONE, GOOD, codes.TOO_MANY_NODES, {"max_nodes": 1}),
    Breaker("max_nodes", ONE, GOOD, codes.TOO_MANY_NODES, {"max_nodes": 1}, counted=False),
    Breaker("min_nodes", GOOD, ONE, codes.TOO_FEW_NODES, {"min_nodes": 2}),
    Breaker("min_nodes", GOOD, ONE, codes.TOO_FEW_NODES, {"min_nodes": 2}, counted=False),
    Breaker(
        "max_nodes",
        ONE,
        "\n".join(document(assign("n1", OFF), path=f"{PATH}{below}") for below in ("", "/b", "/c")),
        codes.TOO_MANY_NODES,
        {"max_subgraphs": 3, "max_nodes": 2},
    ),
    Breaker(
        "min_nodes",
        document(assign("n1", "n2"), assign("n2", "n3"), end("n3")),
        "\n".join((document(assign("n1", OFF)), document(assign("n1", OFF), path=f"{PATH}/b"))),
        codes.TOO_FEW_NODES,
        {"max_subgraphs": 2, "min_nodes": 3},
    ),
    Breaker("max_subgraphs", ONE, "\n".join((ONE, document(end("n1"), path=f"{PATH}/b"))), codes.TOO_MANY_SUBGRAPHS),
    Breaker(
        "max_subgraphs.paths",
        ONE,
        "\n".join((ONE, *(document(end("n1"), path=f"{PATH}/b") for _ in range(2)))),
        codes.DUPLICATE_PATH,
        {"max_subgraphs": 3},
    ),
    Breaker("allowed_node_types", ONE, GOOD, codes.TYPE_NOT_ALLOWED, {"allowed_node_types": ("end", "start")}),
    Breaker(
        "allowed_node_types.excluded",
        ONE,
        document(call("n1", "t", "", OFF)),
        codes.TOOL_NOT_ALLOWED,
        {"tools": ()},
    ),
    Breaker("allowed_node_types.left_out", GOOD, _joined("a", "b"), None),
    Breaker(
        "tools",
        _tool("arguments:\n  k: 1\n"),
        _tool('arguments:\n  k: "x"\n'),
        codes.BAD_ARGUMENT,
        {"tools": (TOOL.model_copy(update={"parameters": {"properties": {"k": {"type": "integer"}}}}),)},
    ),
    Breaker(
        "tools.arguments",
        _tool("arguments:\n  k: 1\n  m: 1\n"),
        _tool("arguments:\n  k: 1\n  k: 1\n"),
        codes.DUPLICATE_KEY,
    ),
    Breaker("tools.t", _tool("arguments:\n  m: 1\n"), _tool(""), codes.BAD_ARGUMENT, {"tools": (TOOL,)}),
    Breaker(
        "tools.t.k",
        _tool('arguments:\n  k: "{{ now }}"\n'),
        _tool("arguments:\n  k: 0\n"),
        codes.BAD_ARGUMENT,
        {"tools": (TOOL,)},
    ),
    Breaker(
        "tools.t.never",
        _tool(""),
        _tool("arguments:\n  never: 1\n"),
        codes.BAD_ARGUMENT,
        {"tools": (ToolSpec(name="t", parameters={"properties": {"never": False}}),)},
    ),
    Breaker(
        "tools.returns",
        _tool("arguments:\n  m: 1\n", '["r", "s"]'),
        _tool("arguments:\n  m: 1\n", '["r", "other"]'),
        codes.UNKNOWN_RESULT_FIELD,
        {"tools": (TOOL,)},
    ),
    Breaker(
        "libraries",
        ONE,
        document(assign("n1", "/lib/human/approval@v1?request=1", OFF)),
        codes.TARGET_NOT_ALLOWED,
    ),
    Breaker("libraries", _calling("?q=1"), _calling("?p=1"), codes.UNKNOWN_INPUT, {"libraries": (CALLED,)}),
    Breaker("libraries.inputs", _calling("?q=1"), _calling(""), codes.MISSING_INPUT, {"libraries": (CALLED,)}),
    Breaker("targets", document(assign("n1", OFF)), document(assign("n1", "/end")), codes.TARGET_NOT_ALLOWED),
    Breaker("context", _reading("q"), _reading("other"), codes.UNKNOWN_NAME, {"context": KNOWN}),
    Breaker(
        "context.required_outputs",
        document(assign("n1", OFF)),
        document(assign("n1", OFF, key="b")),
        codes.OUTPUT_NOT_WRITTEN,
        {"context": ContextSignature(required_outputs=("a",))},
    ),
    Breaker("permissions", ONE, document(end("n1"), keys='permissions: ["network"]\n'), codes.PERMISSION_NOT_GRANTED),
    Breaker(
        'permissions.runtime: "a b"',
        ONE,
        document(end("n1"), keys='permissions: ["runtime: a b"]\n'),
        None,
        {"permissions": ('runtime: "a b"',)},
    ),
    Breaker(
        "max_subgraph_depth",
        ONE,
        _generating("/dynamic/other"),
        codes.DEPTH_EXCEEDED,
        {"max_subgraph_depth": 0},
    ),
    Breaker(
        "max_text_chars",
        document(assign("n1", OFF, value='"abc"')),
        document(assign("n1", OFF, value='"abcd"')),
        codes.TEXT_TOO_LONG,
        {"max_text_chars": 3},
    ),
    Breaker(
        "max_identifier_chars",
        document(assign("n1", OFF, key="abc")),
        document(assign("n1", OFF, key="abcd")),
        codes.TEXT_TOO_LONG,
        {"max_identifier_chars": 3},
    ),
    Breaker("allow_free_text", ONE, "Which city do you mean?\n", codes.INCOMPLETE),
    # --- the rules of the language ---
    Breaker("language.layout", GOOD, document(node("n1", "assign", "", OFF)), codes.MISSING_FIELD),
    Breaker(
        "language.ids",
        document(assign("n1", "n2", "n3"), end("n2"), end("n3")),
        document(assign("n1", "n2", "n3"), end("n2"), end("n2")),
        codes.DUPLICATE_ID,
    ),
    Breaker("language.references", GOOD, document(assign("n1", "n2")), codes.DANGLING),
    Breaker(
        "language.acyclic",
        document(assign("n1", "n2"), assign("n2", "n3"), end("n3")),
        document(assign("n1", "n2"), assign("n2", "n2")),
        codes.CYCLE,
    ),
    Breaker("language.reachable", GOOD, document(assign("n1", OFF), end("n2")), codes.UNREACHABLE),
    Breaker("language.paths", GOOD, document(assign("n1")), codes.NO_SUCCESSOR),
    Breaker(
        "language.start",
        document(node("n1", "start", "", "n2"), end("n2")),
        document(node("n1", "start", "", "n2"), node("n2", "start", "", OFF)),
        codes.MISPLACED_START,
    ),
    Breaker(
        "language.branches",
        document(branches("n1", "n2", "n3"), end("n2"), end("n3")),
        document(branches("n1", "n2"), end("n2")),
        codes.FEW_BRANCHES,
    ),
    Breaker("language.lists", GOOD, document(assign("n1", "n2", "n2"), end("n2")), codes.DUPLICATE_BRANCH),
    Breaker("language.order", GOOD, document(assign("n1", OFF, "n2"), end("n2")), codes.BAD_LIST),
    Breaker("language.joins", _joined("a", "b"), _joined("a", "b", waited=("n2",)), codes.JOIN_WAIT_FOR),
    Breaker("language.joins", _joined("a", "b"), _guarded(), codes.JOIN_GUARDS, {"context": KNOWN}),
    Breaker("language.generation", _generating("/dynamic/other"), _generating(PATH), codes.GENERATION_CYCLE),
    Breaker(
        "language.permissions",
        document(call("n1", "t", "", OFF), keys=_ASKING),
        document(call("n1", "u", "", OFF), keys=_ASKING),
        codes.PERMISSION_EXCEEDED,
        {"permissions": ("tool: t",), "tools": PLAIN_TOOLS},
    ),
    Breaker("language.templates", _reading("q"), _reading("q +"), codes.TEMPLATE_SYNTAX, {"context": KNOWN}),
    Breaker(
        "language.keys",
        document(node("n1", "assign", "assign:\n  a: 1\n  b: 1", OFF)),
        document(node("n1", "assign", "assign:\n  a: 1\n  a: 1", OFF)),
        codes.DUPLICATE_KEY,
    ),
    Breaker(
        "language.words",
        document(call("n1", "t", "", OFF, keys='["one"]')),
        document(call("n1", "t", "", OFF, keys='["on"]')),
        codes.NOT_GENERATED_FORM,
    ),
    Breaker(
        "language.merges",
        _joined("a", "a", strategy="\n  merge_strategy: deep_merge"),
        _joined("a", "a"),
        codes.MERGE_CONFLICT,
    ),
)
"""One or more for each entry but ``max_output_tokens``, which is about tokens and not about text."""
