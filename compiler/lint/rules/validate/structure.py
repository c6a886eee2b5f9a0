"""ADL2: rules about the graph of a document."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import application, block, contract, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_P = subgraph("""
- {id: work, type: assign, assign: {total: 1}, next: [/main/p/done]}
- {id: done, type: end}
""")
_END = "- {id: done, type: end}"
_FORK = """
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {a: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
"""
_TOOL = """
- {id: find, type: tool_call, tool: search, output_keys: [hits], next: [/main/p/done]}
- {id: done, type: end}
"""

RULES: tuple[Rule, ...] = (
    Rule(
        codes.DUPLICATE_ID,
        Group.STRUCTURE,
        "References name one of the two, and nobody can say which.",
        bad=Example(subgraph(_END + "\n- {id: done, type: resource, resource_type: file, uri: notes.txt}")),
        good=Example(subgraph(_END + "\n- {id: notes, type: resource, resource_type: file, uri: notes.txt}")),
    ),
    Rule(
        codes.DUPLICATE_PATH,
        Group.STRUCTURE,
        "Which of the two blocks a call reaches depends on the order in which files are read.",
        bad=Example(contract("(a: number) -> {b: number}"), library=(contract("(c: number) -> {d: number}"),)),
        good=Example(
            contract("(a: number) -> {b: number}"),
            library=(contract("(c: number) -> {d: number}", keys='version: "2.0"'),),
        ),
    ),
    Rule(
        codes.CYCLE,
        Group.STRUCTURE,
        "Each node waits for the other, so none of them ever runs.",
        bad=Example(
            subgraph("""
- {id: work, type: assign, assign: {total: 1}, next: [/main/p/more]}
- {id: more, type: assign, assign: {other: 1}, on_error: /main/p/work, next: [/main/p/done]}
- {id: done, type: end}
""")
        ),
        good=Example(_P),
    ),
    Rule(
        codes.UNREACHABLE,
        Group.STRUCTURE,
        "The node never runs; mostly a reference to it was forgotten or changed.",
        bad=Example(subgraph(_END + "\n- {id: other, type: end}")),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.NO_SUCCESSOR,
        Group.STRUCTURE,
        "The run stops there without coming to an end, and the outputs are not handed back.",
        bad=Example(subgraph("- {id: work, type: assign, assign: {total: 1}}")),
        good=Example(_P),
    ),
    Rule(
        codes.MISPLACED_START,
        Group.STRUCTURE,
        "A start is where a subgraph begins; anywhere else it contradicts the entry.",
        bad=Example(
            subgraph(
                """
- {id: begin, type: start, next: [/main/p/again]}
- {id: again, type: start, next: [/main/p/done]}
- {id: done, type: end}
"""
            )
        ),
        good=Example(subgraph("- {id: begin, type: start, next: [/main/p/done]}\n- {id: done, type: end}")),
    ),
    Rule(
        codes.FEW_BRANCHES,
        Group.STRUCTURE,
        "A fork with one branch starts nothing in parallel; mostly a branch was forgotten.",
        bad=Example(subgraph("- {id: split, type: fork, fork: {branches: [/main/p/done]}}\n- {id: done, type: end}")),
        good=Example(subgraph(_FORK)),
    ),
    Rule(
        codes.BAD_LIST,
        Group.STRUCTURE,
        "Library calls come first and run in order; behind a node or an end they would never be reached.",
        bad=Example(
            _P.replace("[/main/p/done]", "[/main/p/done, /lib/tool/list_available]"),
        ),
        good=Example(_P.replace("[/main/p/done]", "[/lib/tool/list_available, /main/p/done]")),
    ),
    Rule(
        codes.JOIN_JUMP_EDGE,
        Group.STRUCTURE,
        "A join waits for all that lead to it; a handler is only taken on failure, so the join would wait for ever.",
        bad=Example(subgraph(_FORK.replace("assign: {a: 1},", "assign: {a: 1}, on_error: /main/p/both,"))),
        good=Example(subgraph(_FORK)),
        also=("ADL862",),
    ),
    Rule(
        codes.JOIN_GUARDS,
        Group.STRUCTURE,
        "Some of the ways into the join are not taken in some runs, and it would wait for them for ever.",
        bad=Example(
            subgraph("""
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: tool_call, tool: search, output_keys: [a], on_error: /main/p/lost, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- {id: lost, type: end}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
""")
        ),
        good=Example(subgraph(_FORK)),
    ),
    Rule(
        codes.JOIN_WAIT_FOR,
        Group.STRUCTURE,
        "The join waits for a node that does not lead to it, or does not wait for one that does.",
        bad=Example(subgraph(_FORK.replace("{wait_for: [/main/p/left, /main/p/right]}", "{wait_for: [/main/p/left]}"))),
        good=Example(subgraph(_FORK)),
    ),
    Rule(
        codes.EMPTY_SUBGRAPH,
        Group.STRUCTURE,
        "There is nothing to run, so whoever goes there never comes back.",
        bad=Example(block("/main/p", "graph_type: subgraph\nnodes: []")),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.MISSING_ENTRY_POINT,
        Group.STRUCTURE,
        "The executor does not know where the application begins.",
        bad=Example(application(_END).replace("entry_point: /main/p", "entry_point: /main/plan")),
        good=Example(application(_END)),
    ),
    Rule(
        codes.UNKNOWN_ENTRY,
        Group.STRUCTURE,
        "The executor does not know with which node the subgraph begins.",
        bad=Example(subgraph(_END, keys="entry: begin")),
        good=Example(subgraph(_END, keys="entry: done")),
    ),
    Rule(
        codes.DUPLICATE_BRANCH,
        Group.STRUCTURE,
        "A node runs once, however often a list names it; mostly another one was meant.",
        bad=Example(_P.replace("[/main/p/done]", "[/main/p/done, /main/p/done]")),
        good=Example(_P),
    ),
    Rule(
        codes.END_HAS_SUCCESSOR,
        Group.STRUCTURE,
        "A run stops at the first end that it reaches; what the end leads to never runs.",
        bad=Example(
            subgraph("- {id: done, type: end, next: [/main/p/more]}\n- {id: more, type: end}", keys="entry: more")
        ),
        good=Example(subgraph(_END)),
        also=("ADL204",),
    ),
)
"""In order of code."""
