"""Whether only the layout of a text is wrong: what it would be after `format_document`, judged again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.format import format_document
from agentic_dsl.runtime.matcher.explain import Explanation, explain
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan

if TYPE_CHECKING:
    from agentic_dsl.constraints import Constraints


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text in canonical layout.

    Attributes:
        text: the layout of its blocks alone.
        has_prose: whether the text has something around its blocks, which the formatter keeps.
        explanation: why the formatted blocks are no valid answer, None where they are one.
    """

    text: str
    has_prose: bool
    explanation: Explanation | None


def formatted(text: str, constraints: Constraints) -> Formatted | None:
    """The text after the formatter, None where that changes nothing, or where it cannot be read without errors."""
    document = parse(text)
    if document.has_errors or not document.blocks:
        return None
    kept = format_document(document)
    blocks = tuple(replace(block, prose="", heading_note="") for block in document.blocks)
    alone = format_document(replace(document, blocks=blocks, epilogue=""))
    if alone == text:
        return None
    found = explain(start(Plan.of(constraints)), alone, before=b"", whole=True)
    return Formatted(alone, alone != kept, found)


__all__ = ["Formatted", "formatted"]
