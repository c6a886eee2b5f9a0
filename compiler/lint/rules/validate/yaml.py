"""ADL1: rules about YAML and about single values."""

from __future__ import annotations

from agentic_dsl import codes
from agentic_dsl.compiler.lint.examples import block, contract, subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.compiler.lint.rules.validate.spelling_fixes import mend_spelling

_GOOD = """
- {id: work, type: assign, assign: {total: 1}, next: [/main/p/done]}
- {id: done, type: end}
"""
_END = "- {id: done, type: end}"
_P = subgraph(_GOOD)

RULES: tuple[Rule, ...] = (
    Rule(
        codes.YAML_SYNTAX,
        Group.SYNTAX,
        "The body cannot be read at all, so that the block is missing for everybody who calls it.",
        bad=Example(_P.replace("end}", "end]")),
        good=Example(_P),
    ),
    Rule(
        codes.DUPLICATE_KEY,
        Group.SYNTAX,
        "Readers of YAML keep the first, the last or none of the two values; the document means something else for "
        "each.",
        bad=Example(_P.replace("type: end}", "type: end, id: done}")),
        good=Example(_P),
    ),
    Rule(
        codes.YAML_TAG,
        Group.SYNTAX,
        "Tags make some readers build objects of any class, which is how YAML files run code.",
        bad=Example(_P.replace("total: 1", "total: !!int 1")),
        good=Example(_P),
    ),
    Rule(
        codes.YAML_LIMIT,
        Group.SYNTAX,
        "A few lines of aliases or brackets can expand to gigabytes; what is beyond the limits is not read.",
        bad=Example(lambda: _P.replace("total: 1", f"total: {'[' * 101}1{']' * 101}"), shown="a list in 101 lists"),
        good=Example(_P),
    ),
    Rule(
        codes.NOT_ONE_DOCUMENT,
        Group.SYNTAX,
        "A block is one mapping. What stands after --- is a second document, which executors drop silently.",
        bad=Example(block("/main/p", "- graph_type: subgraph")),
        good=Example(_P),
    ),
    Rule(
        codes.UNKNOWN_KEY,
        Group.SYNTAX,
        "Nobody reads the key; mostly it is misspelt, and the field that was meant is missing.",
        bad=Example(_P.replace("next:", "on_eror: x, next:")),
        good=Example(_P),
    ),
    Rule(
        codes.MISSING_FIELD,
        Group.SYNTAX,
        "The node cannot run without the field.",
        bad=Example(_P.replace(" assign: {total: 1},", "")),
        good=Example(_P),
    ),
    Rule(
        codes.WRONG_TYPE,
        Group.SYNTAX,
        "The executor stops at the value, or takes it for something else than was meant.",
        bad=Example(_P.replace("{total: 1}", "[total]")),
        good=Example(_P),
    ),
    Rule(
        codes.WRONG_VALUE,
        Group.SYNTAX,
        "The field has a closed list of values; with another one the node does not do what the word says.",
        bad=Example(_P.replace("type: end}", "type: end, metadata: {termination_mode: gentle}}")),
        good=Example(_P.replace("type: end}", "type: end, metadata: {termination_mode: soft}}")),
    ),
    Rule(
        codes.BAD_ID,
        Group.SYNTAX,
        "Ids become segments of paths; with other characters no reference can name the node.",
        bad=Example(subgraph('- {id: "the end", type: end}')),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.BAD_PATH,
        Group.SYNTAX,
        "A path is how blocks are entered and called; with other characters no reference can name the block.",
        bad=Example(subgraph(_END, path="/main/a plan")),
        good=Example(subgraph(_END, path="/main/a_plan")),
    ),
    Rule(
        codes.BAD_REFERENCE,
        Group.SYNTAX,
        "Nobody can say where the run goes on.",
        bad=Example(_P.replace("[/main/p/done]", '["main/p/done"]')),
        good=Example(_P),
    ),
    Rule(
        codes.BAD_SIGNATURE,
        Group.CONTRACTS,
        "Callers are not checked against a signature that cannot be read, and models do not see it.",
        bad=Example(contract("(a: number) -> -> {b: number}")),
        good=Example(contract("(a: number) -> {b: number}")),
    ),
    Rule(
        codes.BAD_PERMISSION,
        Group.PERMISSIONS,
        "What cannot be read grants nothing, or is taken for more than was meant.",
        bad=Example(subgraph(_END, keys='permissions: ["everything please"]')),
        good=Example(subgraph(_END, keys="permissions: [{network: outbound, domains: [example.org]}]")),
    ),
    Rule(
        codes.BAD_ARCHIVE,
        Group.SYNTAX,
        "The result is kept nowhere.",
        bad=Example(_P.replace("next:", 'on_success: "keep it", next:')),
        good=Example(_P.replace("next:", """on_success: 'archive_to("/lib/workflow/kept")', next:""")),
    ),
    Rule(
        codes.TEXT_LIMIT,
        Group.SYNTAX,
        "Work is bounded: signatures, permissions and references beyond the limit are not read.",
        bad=Example(
            lambda: subgraph(_END, keys="permissions: [" + ", ".join(["{vector: a}"] * 1_001) + "]"),
            shown="permissions: [ … 1,001 of them … ]",
            costly=True,
        ),
        good=Example(subgraph(_END)),
    ),
    Rule(
        codes.DEPRECATED_SPELLING,
        Group.STYLE,
        "Old spellings are read for a while only, and other executors have given them up already.",
        bad=Example(
            subgraph("""
- {id: ask, type: llm_call, prompt_template: "Say hello.", output_keys: [words], next: [/main/p/done]}
- {id: done, type: end}
""")
        ),
        good=Example(
            subgraph("""
- id: ask
  type: dsl_call
  prompt_template: "Say hello."
  llm_tool_name: llama-default
  output_keys: [words]
  next: [/main/p/done]
- {id: done, type: end}
""")
        ),
        mend=mend_spelling,
    ),
    Rule(
        codes.FIELD_NOT_ALLOWED,
        Group.SYNTAX,
        "The field means nothing on a node of this type; whoever wrote it expects something to happen.",
        bad=Example(_P.replace("type: end}", "type: end, tool: search}")),
        good=Example(_P),
    ),
    Rule(
        codes.DROPPED_FIELD,
        Group.STYLE,
        "The field looks as if it did something, and it does not.",
        bad=Example(
            subgraph("""
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}, next: [/main/p/both]}
- {id: left, type: assign, assign: {a: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
""")
        ),
        good=Example(
            subgraph("""
- {id: split, type: fork, fork: {branches: [/main/p/left, /main/p/right]}}
- {id: left, type: assign, assign: {a: 1}, next: [/main/p/both]}
- {id: right, type: assign, assign: {b: 1}, next: [/main/p/both]}
- {id: both, type: join, join: {wait_for: [/main/p/left, /main/p/right]}, next: [/main/p/done]}
- {id: done, type: end}
""")
        ),
    ),
)
"""In order of code."""
