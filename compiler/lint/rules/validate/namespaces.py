"""ADL4: rules about namespaces and layers."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import library, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_END = "- {id: done, type: end}"
_TOOL = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/lib/knowledge/find/done]}
- {id: done, type: end}
"""

RULES: tuple[Rule, ...] = (
    Rule(
        codes.NAMESPACE,
        Group.NAMESPACES,
        "Executors look for blocks in the namespaces of the language only, and refuse what stands elsewhere.",
        bad=Example(subgraph(_END, path="/mine/p")),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.NAMESPACE_DISABLED,
        Group.NAMESPACES,
        "The project has decided for one of the two names of this namespace, so that nobody has to look in both.",
        bad=Example(subgraph(_END, path="/app/p"), options={"disabled_namespaces": frozenset({"app"})}),
        good=Example(subgraph(_END), options={"disabled_namespaces": frozenset({"app"})}),
    ),
    Rule(
        codes.SIGNATURE_REQUIRED,
        Group.NAMESPACES,
        "Calls of a library without a signature can be checked by nobody, and models cannot be told how to call it.",
        bad=Example(
            "Does one thing well.\n\n" + subgraph(_END, path="/lib/utils/p", keys='version: "1.0"'),
        ),
        good=Example(library(_END, "() -> ()")),
    ),
    Rule(
        codes.LAYER,
        Group.NAMESPACES,
        "Knowledge and workflows reach outside through libraries only; what they do is else not told by their "
        "contracts.",
        bad=Example(
            library(_TOOL, "() -> {hits: array}", path="/lib/knowledge/find", keys='permissions: ["tool: search"]')
        ),
        good=Example(
            library(
                """
- {id: begin, type: start, next: [/lib/tool/list_available, /lib/knowledge/find/done]}
- {id: done, type: end}
""",
                "() -> ()",
                path="/lib/knowledge/find",
            )
        ),
    ),
    Rule(
        codes.RESERVED_NAME,
        Group.NAMESPACES,
        "Names that begin with __ are the runtime's own; it may overwrite what stands there.",
        bad=Example(subgraph(_END, path="/main/__p")),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.UNKNOWN_TYPE,
        Group.NAMESPACES,
        "The executor skips the node or stops there; new types cannot be declared.",
        bad=Example(subgraph("- {id: work, type: asign, assign: {total: 1}, next: [/main/p/done]}\n" + _END)),
        good=Example(subgraph("- {id: work, type: assign, assign: {total: 1}, next: [/main/p/done]}\n" + _END)),
    ),
)
"""In order of code."""
