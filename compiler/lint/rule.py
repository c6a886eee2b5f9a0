"""`Rule`: one kind of finding as data: what it is, why it matters, an example of it, and how it is found and mended.

A rule of `validate` has no function of its own: the passes of `agentic_dsl.compiler.check` find it. Every other rule is
one file below `agentic_dsl.compiler.lint.rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.fix import Fix
from agentic_dsl.diagnostics import Code, Diagnostic, Severity

FIRST = "0.1.0"
"""The version of the toolkit in which the rules of `validate` appeared."""


class Group(Enum):
    """What a rule is about; each group has a page of its own in the documentation."""

    SYNTAX = "syntax"
    STRUCTURE = "structure"
    CONTRACTS = "contracts"
    NAMESPACES = "namespaces"
    PERMISSIONS = "permissions"
    BUDGETS = "budgets"
    TEMPLATES = "templates"
    SECURITY = "security"
    STYLE = "style"
    GENERATION = "generation"
    EXECUTOR = "executor"
    COMMENTS = "comments"


@dataclass(frozen=True, slots=True)
class Example:
    """A document that shows a rule.

    Attributes:
        text: the document; a function where it is too long to be written down.
        library: texts of library documents that it may call.
        constraints: what it was generated under, as keyword arguments of `Constraints`; None for a written document.
        costly: whether it takes seconds, as documents at the limits do.
        shown: what the documentation shows where `text` is a function.
        options: further arguments of `lint_document`.
    """

    text: str | Callable[[], str]
    library: tuple[str, ...] = ()
    constraints: Mapping[str, Any] | None = None
    shown: str = ""
    costly: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> str:
        """The text itself."""
        return self.text if isinstance(self.text, str) else self.text()

    def excerpt(self) -> str:
        """What documentation prints."""
        return self.text if isinstance(self.text, str) else self.shown


Check = Callable[[LintContext], Iterator[Diagnostic]]
"""Finds every place where a document breaks one rule."""

Mend = Callable[[LintContext, Diagnostic], Fix | None]
"""The change of the text that removes a finding, None where this one needs a person."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        kind: its row in the table of codes: code, name, severity and summary stand there alone.
        group: what it is about.
        why: what goes wrong where it is broken, in one to three sentences.
        bad: a document with this finding, and no other but those of `also`.
        good: a document like it, without any finding.
        since: the version of the toolkit that had it first.
        check: finds it; None where `validate` does.
        mend: makes the fix of a finding; None where there is none.
        also: codes that the bad example cannot be without.
        of_text: whether it looks at the text alone, so that it can judge what the parser could not read.
    """

    kind: Code
    group: Group
    why: str
    bad: Example
    good: Example
    since: str = FIRST
    check: Check | None = None
    mend: Mend | None = None
    of_text: bool = False
    also: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The stable identifier, such as ``ADL203``."""
        return self.kind.code

    @property
    def name(self) -> str:
        """The same in words."""
        return self.kind.name

    @property
    def severity(self) -> Severity:
        """How bad a finding is, unless a mode says otherwise."""
        return self.kind.severity

    @property
    def fixable(self) -> bool:
        """Whether some findings can be mended by a program."""
        return self.mend is not None
