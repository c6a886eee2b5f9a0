"""ADL833: a name in single braces where a template is meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentic_dsl import codes
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.examples import subgraph
from agentic_dsl.compiler.lint.fix import Edit, Fix
from agentic_dsl.compiler.lint.rule import Example, Group, Rule
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Span

_SINGLE = re.compile(r"(?<![{$\\])\{([A-Za-z_]\w*)\}(?!\})")


def _check(context: LintContext) -> Iterator[Diagnostic]:
    for text in context.texts:
        if "{" not in text.text:
            continue
        for match in _SINGLE.finditer(text.text):
            if context.facts(text.place).knows(match[1]):
                yield codes.SINGLE_BRACES.at(
                    context.inside(text, Span(*match.span())),
                    f'"{match[0]}" in node "{text.place.node.id}" is plain text, and "{match[1]}" is in the context',
                    help=f'write "{{{{ {match[1]} }}}}" if its value is meant',
                )


def _mend(context: LintContext, finding: Diagnostic) -> Fix | None:
    written = context.text[finding.span.start : finding.span.end]
    match = _SINGLE.fullmatch(written)
    if match is None:
        return None
    return Fix("double the braces", (Edit(finding.span, f"{{{{ {match[1]} }}}}"),), safe=False)


_GOOD = subgraph(
    """
- id: ask
  type: dsl_call
  prompt_template: "Describe {{ city }} as JSON like {name: …}."
  llm_tool_name: llama
  output_keys: [words]
  next: [/main/p/done]
- {id: done, type: end}
""",
    keys='signature: "(city: string) -> {words: string}"',
)

RULE = Rule(
    codes.SINGLE_BRACES,
    Group.TEMPLATES,
    "Single braces are what Python and other tools fill in; here the model or tool gets the braces as they stand.",
    bad=Example(_GOOD.replace("{name: …}", "{city}")),
    good=Example(_GOOD),
    check=_check,
    mend=_mend,
)
