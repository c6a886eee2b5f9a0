"""ADL3: rules about references, libraries and signatures."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import contract, library, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule

_P = subgraph("""
- {id: work, type: assign, assign: {total: 1}, next: [/main/p/done]}
- {id: done, type: end}
""")
_ADD = contract("(left: number, right: number) -> {sum: number}", "/lib/math/add")
_CALL = """
- {id: work, type: assign, assign: {left: 1}, next: ["/lib/math/add@v1?right=2", /main/p/done]}
- {id: done, type: end, output_keys: [sum]}
"""
_GOOD = Example(subgraph(_CALL), library=(_ADD,))

RULES: tuple[Rule, ...] = (
    Rule(
        codes.DANGLING,
        Group.STRUCTURE,
        "The run stops there with a node that is not found.",
        bad=Example(_P.replace("[/main/p/done]", "[/main/p/done, /main/p/dune]")),
        good=Example(_P),
    ),
    Rule(
        codes.TEMPLATE_REFERENCE,
        Group.STRUCTURE,
        "Where the run goes is decided by the context, so nothing behind it can be checked.",
        bad=Example(_P.replace("[/main/p/done]", '["{{ total }}", /main/p/done]')),
        good=Example(_P),
    ),
    Rule(
        codes.UNRESOLVED_REQUIRE,
        Group.CONTRACTS,
        "The library that the block is written for is not there, and the calls of it reach another version or nothing.",
        bad=Example(subgraph(_CALL, keys='requires: [{lib: "/lib/math/add@^2.0"}]'), library=(_ADD,)),
        good=Example(subgraph(_CALL, keys='requires: [{lib: "/lib/math/add@^1.0"}]'), library=(_ADD,)),
        also=("ADL304",),
    ),
    Rule(
        codes.NO_SUCH_VERSION,
        Group.CONTRACTS,
        "The call was written for a version that nobody provides.",
        bad=Example(subgraph(_CALL.replace("@v1", "@v3")), library=(_ADD,)),
        good=_GOOD,
    ),
    Rule(
        codes.MISSING_INPUT,
        Group.CONTRACTS,
        "The executor refuses the call with ERR_SIGNATURE_VIOLATION.",
        bad=Example(subgraph(_CALL.replace("?right=2", "")), library=(_ADD,)),
        good=_GOOD,
    ),
    Rule(
        codes.UNKNOWN_INPUT,
        Group.CONTRACTS,
        "The library does not read the value; mostly the name is misspelt.",
        bad=Example(subgraph(_CALL.replace("?right=2", "?right=2&middle=3")), library=(_ADD,)),
        good=_GOOD,
    ),
    Rule(
        codes.CALL_OUTSIDE_NEXT,
        Group.CONTRACTS,
        "Calls come back to the list that they stand in; a handler or a branch has nothing to come back to.",
        bad=Example(_P.replace("next:", "on_error: /lib/tool/list_available, next:")),
        good=Example(_P.replace("[/main/p/done]", "[/lib/tool/list_available, /main/p/done]")),
    ),
    Rule(
        codes.OUTPUT_NOT_WRITTEN,
        Group.CONTRACTS,
        "Callers rely on every output; on this way to an end one of them is missing.",
        bad=Example(
            library("- {id: done, type: end}", "() -> {total: number}"),
        ),
        good=Example(
            library(
                """
- {id: work, type: assign, assign: {total: 1}, next: [/lib/utils/p/done]}
- {id: done, type: end}
""",
                "() -> {total: number}",
            )
        ),
    ),
    Rule(
        codes.DUPLICATE_PARAMETER,
        Group.CONTRACTS,
        "Which of the two types holds depends on who reads the signature.",
        bad=Example(contract("(a: number, a: string) -> {b: number}")),
        good=Example(contract("(a: number, c: string) -> {b: number}")),
    ),
    Rule(
        codes.UNKNOWN_FIELD_TYPE,
        Group.CONTRACTS,
        "Values of the parameter can be neither checked nor turned into grammar.",
        bad=Example(contract("(a: numbr) -> {b: number}")),
        good=Example(contract("(a: number) -> {b: number}")),
    ),
    Rule(
        codes.BAD_INPUT,
        Group.CONTRACTS,
        "The executor refuses the call with ERR_SIGNATURE_VIOLATION.",
        bad=Example(subgraph(_CALL.replace("right=2", "right=many")), library=(_ADD,)),
        good=_GOOD,
    ),
)
"""In order of code."""
