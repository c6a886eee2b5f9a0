"""ADL7: rules about what the caller of a generation asked for."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_ASKED: dict[str, object] = {}
_P = subgraph(
    """
- {id: work, type: assign, assign: {total: "1 euro"}, next: ["/dynamic/plan/done"]}
- {id: done, type: end}
""",
    path="/dynamic/plan",
)
_GOOD = Example(_P, constraints=_ASKED)
_TOOL = subgraph(
    """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: ["/dynamic/plan/done"]}
- {id: done, type: end}
""",
    path="/dynamic/plan",
)
_OTHER = subgraph("- {id: done, type: end}", path="/dynamic/plan/sub")

RULES: tuple[Rule, ...] = (
    Rule(
        codes.OTHER_PATH,
        Group.GENERATION,
        "The caller looks for the block where it asked for it and does not find it.",
        bad=Example(_P.replace("/dynamic/plan", "/dynamic/other"), constraints=_ASKED),
        good=_GOOD,
    ),
    Rule(
        codes.TYPE_NOT_ALLOWED,
        Group.GENERATION,
        "The caller excluded such nodes; what wrote them was not held to its constraints.",
        bad=Example(_P, constraints={"allowed_node_types": ("tool_call", "end")}),
        good=Example(_P, constraints={"allowed_node_types": ("assign", "end")}),
    ),
    Rule(
        codes.TOOL_NOT_ALLOWED,
        Group.GENERATION,
        "The caller did not offer the tool; it may not exist.",
        bad=Example(_TOOL, constraints={"tools": ({"name": "look_up"},)}),
        good=Example(_TOOL, constraints={"tools": ({"name": "search"},)}),
    ),
    Rule(
        codes.TARGET_NOT_ALLOWED,
        Group.GENERATION,
        "The caller did not offer the target or library; it may not exist.",
        bad=Example(
            _P.replace('["/dynamic/plan/done"]', '["/lib/tool/list_available", "/dynamic/plan/done"]'),
            constraints=_ASKED,
        ),
        good=_GOOD,
    ),
    Rule(
        codes.TOO_FEW_NODES,
        Group.GENERATION,
        "The answer does less than was asked for.",
        bad=Example(_P, constraints={"min_nodes": 3}),
        good=Example(_P, constraints={"min_nodes": 2}),
    ),
    Rule(
        codes.TOO_MANY_SUBGRAPHS,
        Group.GENERATION,
        "The caller has a place for one block and gets several.",
        bad=Example(f"{_P}\n{_OTHER}", constraints={"max_subgraphs": 1}),
        good=Example(f"{_P}\n{_OTHER}", constraints={"max_subgraphs": 2}),
    ),
    Rule(
        codes.OTHER_SIGNATURE,
        Group.GENERATION,
        "The caller passes and expects other values than the block takes and gives.",
        bad=Example(_P, constraints={"signature": "() -> {total: string}"}),
        good=Example(
            _P.replace("nodes:", 'signature: "() -> {total: string}"\nnodes:'),
            constraints={"signature": "() -> {total: string}"},
        ),
    ),
    Rule(
        codes.PERMISSION_NOT_GRANTED,
        Group.GENERATION,
        "The block asks for more than its caller may hand on.",
        bad=Example(
            _TOOL.replace("nodes:", 'permissions: ["tool: search"]\nnodes:'),
            constraints={"tools": ({"name": "search"},)},
        ),
        good=Example(
            _TOOL.replace("nodes:", 'permissions: ["tool: search"]\nnodes:'),
            constraints={"tools": ({"name": "search"},), "permissions": ("tool: search",)},
        ),
    ),
    Rule(
        codes.TEXT_TOO_LONG,
        Group.GENERATION,
        "The text is longer than the caller has room for.",
        bad=Example(_P, constraints={"max_text_chars": 3}),
        good=Example(_P, constraints={"max_text_chars": 6}),
    ),
    Rule(
        codes.NOT_GENERATED_FORM,
        Group.GENERATION,
        "Generated text has one form, so that nothing hides in another one; something else wrote this.",
        bad=Example(_P.replace("type: assign,", "type: assign, curriculum_level: 2,"), constraints=_ASKED),
        good=_GOOD,
    ),
    Rule(
        codes.INCOMPLETE,
        Group.GENERATION,
        "The answer was cut off, or holds no subgraph at all.",
        bad=Example("I cannot do that.\n", constraints=_ASKED),
        good=_GOOD,
        also=("ADL003",),
    ),
)
"""In order of code."""
