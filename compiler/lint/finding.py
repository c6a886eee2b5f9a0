"""What lint finds, as values that caches and formats share; importing it loads neither parser nor rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentic_dsl.compiler.lint.fix import Fix
from agentic_dsl.compiler.lint.suppressions import Suppressions
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.span import Source

if TYPE_CHECKING:
    from agentic_dsl.ast import Document


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding and what would remove it.

    Attributes:
        fix: None where it needs a person.
    """

    diagnostic: Diagnostic
    fix: Fix | None = None


@dataclass(frozen=True, slots=True)
class Linted:
    """One document as lint sees it, before anything is left out.

    Attributes:
        findings: in order of place.
        suppressions: the comments that leave findings out.
        document: None where the results were remembered, so that nothing was parsed.
    """

    source: Source
    findings: tuple[Finding, ...]
    suppressions: Suppressions
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class FileReport:
    """One document as people are shown it.

    Attributes:
        path: as it was named.
        findings: what is left of them, in order of place.
    """

    path: str
    source: Source
    findings: tuple[Finding, ...]
