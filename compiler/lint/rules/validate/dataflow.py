"""ADL6: rules about templates and what they read."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_P = subgraph(
    """
- {id: work, type: assign, assign: {text: "To {{ city }}"}, next: [/main/p/done]}
- {id: done, type: end}
""",
    keys='signature: "(city: string) -> {text: string}"',
)
_FORK = """
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {a: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 2}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
"""


def _many_templates() -> str:
    long = "{{ city }}" * 6_000
    nodes = [
        f'- {{id: n_{n}, type: assign, assign: {{text: "{n}{long}"}}, next: [/main/p/n_{n + 1}]}}' for n in range(16)
    ]
    return subgraph(
        "\n".join([*nodes, "- {id: n_16, type: end}"]), keys='signature: "(city: string) -> {text: string}"'
    )


def _many_names() -> str:
    keys = ", ".join(f"k_{n}" for n in range(50_000))
    nodes = [f"- {{id: n_{n}, type: start, next: [/main/p/n_{n + 1}]}}" for n in range(1)]
    nodes += [f"- {{id: n_{n}, type: assert, condition: 'true', next: [/main/p/n_{n + 1}]}}" for n in range(1, 9_000)]
    last = f"- {{id: n_9000, type: tool_call, tool: t, output_keys: [{keys}], next: [/main/p/n_9001]}}"
    return subgraph("\n".join([*nodes, last, "- {id: n_9001, type: end}"]))


def _many_values() -> str:
    keys, last = ", ".join(f"k_{n}" for n in range(9_000)), 600
    branches = ", ".join(["/main/p/a", *(f"/main/p/b_{n}" for n in range(last))])
    nodes = [
        f"- {{id: split, type: fork, fork: {{branches: [{branches}]}}}}",
        f"- {{id: a, type: tool_call, tool: t, output_keys: [{keys}], next: [/main/p/j_0]}}",
        f"- {{id: b_0, type: tool_call, tool: t, output_keys: [{keys}], next: [/main/p/j_0]}}",
    ]
    nodes += [f"- {{id: b_{n}, type: assign, assign: {{b_{n}: 1}}, next: [/main/p/j_{n}]}}" for n in range(1, last)]
    for n in range(last):
        join = 'type: join, join: {wait_for: ["@all"], merge_strategy: deep_merge}'
        nodes.append(f"- {{id: j_{n}, {join}, next: [/main/p/{f'j_{n + 1}' if n < last - 1 else 'done'}]}}")
    return subgraph("\n".join([*nodes, "- {id: done, type: end}"]))


RULES: tuple[Rule, ...] = (
    Rule(
        codes.TEMPLATE_SYNTAX,
        Group.TEMPLATES,
        "The node fails when it runs, or hands on the braces as they stand.",
        bad=Example(_P.replace("{{ city }}", "{{ city + }}")),
        good=Example(_P),
        also=("ADL801",),
    ),
    Rule(
        codes.FORBIDDEN_TEMPLATE,
        Group.SECURITY,
        "Templates must not reach files or the environment: whoever writes one could read keys and passwords.",
        bad=Example(_P.replace("{{ city }}", "{{ city }}{{ env.API_KEY }}")),
        good=Example(_P),
        also=("ADL801",),
    ),
    Rule(
        codes.UNKNOWN_NAME,
        Group.TEMPLATES,
        "The node fails when it runs; mostly the name is misspelt.",
        bad=Example(_P.replace("{{ city }}", "{{ city }} {{ day }}")),
        good=Example(_P),
    ),
    Rule(
        codes.NOT_YET_AVAILABLE,
        Group.TEMPLATES,
        "On some way to the node nobody has written the name yet, and the node fails there.",
        bad=Example(_P.replace("To {{ city }}", "To {{ city }}{{ text }}")),
        good=Example(_P),
    ),
    Rule(
        codes.MERGE_CONFLICT,
        Group.TEMPLATES,
        "Two branches write the same name, and the default strategy stops the run at the join.",
        bad=Example(subgraph(_FORK.replace("{b: 2}", "{a: 2}"))),
        good=Example(subgraph(_FORK)),
    ),
    Rule(
        codes.TEMPLATE_LIMIT,
        Group.TEMPLATES,
        "Work is bounded: templates beyond the limit are not read.",
        bad=Example(_many_templates, shown="templates of more than a million characters", costly=True),
        good=Example(_P),
    ),
    Rule(
        codes.MERGE_LIMIT,
        Group.TEMPLATES,
        "Work is bounded: joins beyond the limit are not judged, so conflicts there are found at run time only.",
        bad=Example(_many_values, shown="thousands of names that pass thousands of joins", costly=True),
        good=Example(_P),
        also=("ADL825",),
    ),
    Rule(
        codes.NAME_LIMIT,
        Group.TEMPLATES,
        "Memory is bounded: what each node may read is not followed for so many names.",
        bad=Example(_many_names, shown="9,002 nodes that write 50,000 names", costly=True),
        good=Example(_P),
    ),
)
"""In order of code."""
