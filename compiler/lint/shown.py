"""Examples of rules at work: what lint finds in them, for tests, for `agentic-dsl rule` and for the documentation."""

from __future__ import annotations

from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.lint.finding import Finding, Linted
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.rule import Example, Rule
from agentic_dsl.compiler.lint.run import lint_document
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.sources import document_of
from agentic_dsl.constraints import Constraints


def lint_example(example: Example) -> Linted:
    """Everything about the document of an example."""
    beside = [parse(text, path=f"library_{number}.md") for number, text in enumerate(example.library)]
    raw = example.document()
    document = document_of(raw.encode("utf-8", "surrogateescape"), "example.md")
    library = Library.of([document, *beside])
    constraints = None if example.constraints is None else Constraints(**example.constraints)
    return lint_document(document, library=library, constraints=constraints, **example.options)


def findings_of(example: Example) -> tuple[Finding, ...]:
    """What is shown of it."""
    return judged(lint_example(example))


def finding_of(rule: Rule) -> tuple[str, str | None]:
    """Message and help of the finding in a rule's bad example."""
    finding = next(f.diagnostic for f in findings_of(rule.bad) if f.diagnostic.code == rule.code)
    return finding.message, finding.help
