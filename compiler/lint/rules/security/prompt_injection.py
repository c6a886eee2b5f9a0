"""ADL842: foreign text in a system prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.node_table import DslCall, GenerateSubgraph

_SYSTEM = re.compile(
    r"(?im)<\|system\|>|<\|im_start\|>\s*system|<<SYS>>|\[system\]|^\s*#{0,4}\s*system(?: prompt)?\s*:"
)
_OTHER = re.compile(
    r"(?im)<\|(?:user|assistant|end)\|>|<\|im_(?:start|end)\|>|<</SYS>>|\[(?:user|assistant)\]"
    r"|^\s*#{0,4}\s*(?:user|assistant|human|input)\s*:"
)


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if not isinstance(text.place.node, DslCall | GenerateSubgraph) or not text.reads:
            continue
        sections = list(_system_sections(text.text))
        for read in text.reads if sections else ():
            if not context.facts(text.place).is_foreign(read.name):
                continue
            if any(start <= read.span.start < end for start, end in sections):
                yield codes.PROMPT_INJECTION.at(
                    context.inside(text, read.span),
                    f'"{read.name}" comes from outside and stands in the system prompt of "{text.place.node.id}"',
                    help="move it into the part of the user, between marks that say where it begins and ends",
                )


def _system_sections(text: str) -> Iterator[tuple[int, int]]:
    for match in _SYSTEM.finditer(text):
        end = _OTHER.search(text, match.end())
        yield match.end(), end.start() if end else len(text)


_GOOD = subgraph(
    r"""
- id: ask
  type: dsl_call
  prompt_template: "System: You are a careful clerk.\nUser: {{ question }}"
  llm_tool_name: llama
  output_keys: [words]
  next: [/main/p/done]
- {id: done, type: end}
""",
    keys='signature: "(question: string) -> {words: string}"',
)

RULE = Rule(
    codes.PROMPT_INJECTION,
    Group.SECURITY,
    "Whoever writes the input writes the system prompt: one sentence in it can turn the model away from its task.",
    bad=Example(_GOOD.replace("a careful clerk.", "a clerk for {{ question }}.")),
    good=Example(_GOOD),
    check=_check,
)
