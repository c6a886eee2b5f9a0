"""Whether a server kept to the grammar that it was sent, seen from the answer alone.

The grammar's texts parse without an error and are in the canonical layout; so a text that does not parse, or that the
formatter prints otherwise, is none of them. The reverse is left to `reparse`: what a grammar cannot say (that
references resolve, for instance) is no sign of a server that ignored it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.prose import is_prose
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import BEGIN_MARKER, format_document

if TYPE_CHECKING:
    from agentic_dsl.constraints import Constraints


def departure(text: str, constraints: Constraints, *, complete: bool) -> str | None:
    """Where an answer leaves the grammar of its constraints, in words; None where nothing shows that it does.

    Args:
        text: the answer.
        constraints: what it was asked for.
        complete: False where a limit cut the text; then only its beginning is looked at.
    """
    if is_prose(text, constraints):
        return None
    beginning = f"### AgenticDSL `{constraints.path}`\n```yaml\n{BEGIN_MARKER}\n"
    if not text.startswith(beginning) and (complete or not beginning.startswith(text)):
        shown = " ".join(text[:60].split())
        return f'it begins with "{shown}"' if shown else "it is empty"
    if not complete:
        return None
    document = parse(text)
    if document.has_errors:
        error = next(finding for finding in document.diagnostics if finding.is_error)
        return f"line {document.source.position(error.span.start).line}: {error.message}"
    blocks = tuple(replace(block, prose="", heading_note="") for block in document.blocks)
    canonical = format_document(replace(document, blocks=blocks, epilogue=""))
    if canonical == text:
        return None
    pairs = enumerate(zip(text.splitlines(), canonical.splitlines(), strict=False), start=1)
    line = next((number for number, (own, other) in pairs if own != other), len(canonical.splitlines()) + 1)
    return f"line {line} is not in the layout of generated text"
