"""ADL5: rules about permissions, resources and budgets."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import application, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_TOOL = """
- {id: find, type: tool_call, tool: search, arguments: {query: "{{ city }}"}, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""
_SIGNATURE = 'signature: "(city: string) -> {hits: array}"'
_SEARCH = """
- type: tool
  name: search
  parameters: {type: object, properties: {query: {type: string}}, required: [query], additionalProperties: false}
  returns: {type: object, properties: {found: {type: array}}}
"""
_GENERATE = """
- {id: plan, type: generate_subgraph, prompt_template: "Plan.", output_keys: [plan], next: [/main/p/done]}
- {id: done, type: end}
"""
_FORK = """
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {a: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- id: both
  type: join
  join: {wait_for: [/main/p/left, /main/p/right], merge_strategy: deep_merge}
  next: [/main/p/done]
- {id: done, type: end}
"""
_MAPPED = """
- id: find
  type: tool_call
  tool: search
  arguments: {query: "Lisbon"}
  output_keys: [found, other]
  next: [/main/p/done]
- {id: done, type: end}
"""


def _app(nodes: str) -> Example:
    return Example(application(nodes, resources=_SEARCH, keys=_SIGNATURE))


RULES: tuple[Rule, ...] = (
    Rule(
        codes.UNDECLARED_RESOURCE,
        Group.PERMISSIONS,
        "The executor has not prepared the tool, so that the node fails with ERR_RESOURCE_UNAVAILABLE.",
        bad=_app(
            _TOOL.replace("next: [/main/p/done]}", "next: [/main/p/more]}").replace(
                "- {id: done",
                "- {id: more, type: tool_call, tool: look_up, output_keys: [facts], next: [/main/p/done]}\n- {id: done",
            )
        ),
        good=_app(_TOOL),
    ),
    Rule(
        codes.NO_RESOURCES,
        Group.PERMISSIONS,
        "In production nobody knows beforehand which tools the application needs.",
        bad=Example(application(_TOOL, keys=_SIGNATURE)),
        good=_app(_TOOL),
    ),
    Rule(
        codes.PERMISSION_EXCEEDED,
        Group.PERMISSIONS,
        "Permissions combine by intersection: the node does not get what its subgraph does not have, and fails.",
        bad=Example(subgraph(_TOOL, keys=f'{_SIGNATURE}\npermissions: ["tool: look_up"]')),
        good=Example(subgraph(_TOOL, keys=f'{_SIGNATURE}\npermissions: ["tool: search"]')),
        also=("ADL811",),
    ),
    Rule(
        codes.TOO_MANY_NODES,
        Group.BUDGETS,
        "The executor stops the run with ERR_BUDGET_EXCEEDED.",
        bad=Example(
            application(
                "- {id: begin, type: start, next: [/main/p/done]}\n- {id: done, type: end}",
                meta="execution_budget: {max_nodes: 1}",
            )
        ),
        good=Example(
            application(
                "- {id: begin, type: start, next: [/main/p/done]}\n- {id: done, type: end}",
                meta="execution_budget: {max_nodes: 2}",
            )
        ),
    ),
    Rule(
        codes.DEPTH_EXCEEDED,
        Group.BUDGETS,
        "The budget forbids what the node is for, so that it always fails.",
        bad=Example(application(_GENERATE, meta="execution_budget: {max_llm_calls: 1, max_subgraph_depth: 0}")),
        good=Example(application(_GENERATE, meta="execution_budget: {max_llm_calls: 1, max_subgraph_depth: 1}")),
    ),
    Rule(
        codes.GENERATION_CYCLE,
        Group.BUDGETS,
        "Each round generates the next one, until the budget is used up.",
        bad=Example(
            subgraph(
                """
- id: plan
  type: generate_subgraph
  prompt_template: "Plan."
  namespace_prefix: /dynamic/p
  output_keys: [plan]
  next: [/dynamic/p/done]
- {id: done, type: end}
""",
                path="/dynamic/p",
            )
        ),
        good=Example(
            subgraph(
                """
- id: plan
  type: generate_subgraph
  prompt_template: "Plan."
  namespace_prefix: /dynamic/next
  output_keys: [plan]
  next: [/dynamic/p/done]
- {id: done, type: end}
""",
                path="/dynamic/p",
            )
        ),
    ),
    Rule(
        codes.BAD_ARGUMENT,
        Group.PERMISSIONS,
        "The tool refuses the call when the run is half done.",
        bad=Example(application(_TOOL.replace('"{{ city }}"', "[Lisbon]"), resources=_SEARCH)),
        good=_app(_TOOL),
    ),
    Rule(
        codes.MISSING_ARGUMENT,
        Group.PERMISSIONS,
        "The tool refuses the call when the run is half done.",
        bad=Example(application(_TOOL.replace('{query: "{{ city }}"}', "{}"), resources=_SEARCH)),
        good=_app(_TOOL),
    ),
    Rule(
        codes.UNKNOWN_ARGUMENT,
        Group.PERMISSIONS,
        "The tool refuses the argument or does not look at it; mostly its name is misspelt.",
        bad=_app(_TOOL.replace("{query:", "{limit: 3, query:")),
        good=_app(_TOOL),
    ),
    Rule(
        codes.MERGE_STRATEGY_MODE,
        Group.BUDGETS,
        "Which branch writes last differs from run to run; in production results must not depend on it.",
        bad=Example(application(_FORK.replace("deep_merge", "last_write_wins"))),
        good=Example(application(_FORK)),
    ),
    Rule(
        codes.UNKNOWN_RESULT_FIELD,
        Group.PERMISSIONS,
        "The tool gives no such field, so that the name is missing in the context.",
        bad=Example(application(_MAPPED, resources=_SEARCH)),
        good=Example(application(_MAPPED.replace("[found, other]", "[found]"), resources=_SEARCH)),
    ),
    Rule(
        codes.BAD_SCHEMA,
        Group.PERMISSIONS,
        "Calls of the tool can be neither checked nor turned into grammar.",
        bad=Example(
            application(
                _TOOL, resources=_SEARCH.replace("query: {type: string}", "query: {type: text}"), keys=_SIGNATURE
            )
        ),
        good=_app(_TOOL),
    ),
    Rule(
        codes.TOO_MANY_TOOLS,
        Group.BUDGETS,
        "Work and memory are bounded; no prompt has room for so many tools either.",
        bad=Example(
            lambda: application(
                _GENERATE,
                meta="execution_budget: {max_llm_calls: 1, max_subgraph_depth: 1}",
                resources="\n".join(
                    f"- {{type: tool, name: t_{n}, description: One., parameters: {{type: object}}}}"
                    for n in range(10_001)
                ),
            ),
            shown="a block /__meta__/resources with 10,001 tools",
            costly=True,
        ),
        good=_app(_TOOL),
    ),
)
"""In order of code."""
