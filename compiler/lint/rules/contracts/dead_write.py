"""ADL802: a name that is written for nobody."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import library
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import Assign


def _check(context: LintContext) -> Iterator[Diagnostic]:
    group = context.check.graph.group
    closed = {group[number] for number, block_ in enumerate(context.blocks) if block_.signature is not None}
    for place in context.places:
        # Other nodes write what they must: a tool that is called for its effect has an output key all the same.
        if not isinstance(place.node, Assign) or group[place.block] not in closed:
            continue
        facts = context.facts(place)
        for name in place.node.writes:
            if not facts.may_read(name.partition(".")[0]) and not facts.may_read(name):
                yield codes.DEAD_WRITE.at(
                    place.node.key_at("assign", name),
                    f'node "{place.node.id}" writes "{name}", which nobody reads and no output names',
                    help="drop it, or name it in the outputs",
                )


_GOOD = """
- {id: work, type: assign, assign: {text: "{{ x }}"}, next: [/lib/utils/p/done]}
- {id: done, type: end}
"""

RULE = Rule(
    codes.DEAD_WRITE,
    Group.CONTRACTS,
    "The value is computed and thrown away, because only the outputs of the signature reach the caller. Often the name "
    "is misspelt here or where it is read.",
    bad=Example(library(_GOOD.replace('}}"}', '}}", z: 1}'), "(x: string) -> {text: string}")),
    good=Example(library(_GOOD, "(x: string) -> {text: string}")),
    check=_check,
)
