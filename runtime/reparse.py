"""From an answer back to a checked subgraph. Whatever wrote the text is not believed.

A grammar alone cannot guarantee everything (that a reference resolves, say), an engine may ignore its grammar, and a
token limit may cut the text anywhere. This is the one place that says whether an answer is valid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from agentic_dsl.ast import Document, Subgraph
from agentic_dsl.codes import INCOMPLETE, NOT_GENERATED_FORM
from agentic_dsl.compiler.check import check
from agentic_dsl.compiler.grammar.prose import is_prose
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.format import format_document
from agentic_dsl.span import Source, Span

if TYPE_CHECKING:
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.constraints import Constraints

_CLOSING = "# --- END AgenticDSL ---\n```\n"


Kind = Literal["subgraph", "text"]
"""What an answer is: a subgraph, or what should be one; or plain text that was allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProseDocument(Document):
    """An answer in plain text, as a document without blocks: whatever is written in it is not read as one."""


def kind_of(document: Document | None) -> Kind:
    """What an answer is, by the document that it was read as."""
    return "text" if isinstance(document, ProseDocument) else "subgraph"


@dataclass(frozen=True, slots=True)
class Reparsed:
    """What a text turned out to be.

    Attributes:
        document: the text, parsed; the spans of the diagnostics point into its source.
        subgraph: the block that was asked for, else the first one; None where there is none.
        diagnostics: everything that was found, in order.
    """

    document: Document
    subgraph: Subgraph | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def valid(self) -> bool:
        """Whether there is a subgraph, or plain text that was allowed, and nothing is wrong with it."""
        wanted = self.subgraph is not None or self.kind == "text"
        return wanted and not any(finding.is_error for finding in self.diagnostics)

    @property
    def kind(self) -> Kind:
        """What the text is."""
        return kind_of(self.document)


def reparse(text: str, constraints: Constraints, *, library: Library | None = None, complete: bool = True) -> Reparsed:
    """Parses and checks an answer.

    Args:
        text: what the engine answered.
        constraints: what it was asked for.
        library: the library that references may name beside the constraints' own.
        complete: False where a token limit cut the text. Then the one finding is that, since whatever else is wrong
            may follow from it, and the subgraph holds what its whole lines say.
    """
    if is_prose(text, constraints):
        return _prose(text, complete=complete)
    if not complete:
        return _cut(text, constraints)
    document = parse(text)
    subgraph = _wanted(document, constraints)
    findings = list(check(document, library=library, constraints=constraints))
    if not any(finding.is_error for finding in findings):
        findings += _form(text, document, subgraph)
    return Reparsed(document, subgraph, tuple(findings))


def _prose(text: str, *, complete: bool) -> Reparsed:
    document = ProseDocument(epilogue=text, source=Source(text))
    return Reparsed(document, None, () if complete else (_cut_off(text, "raise max_output_tokens"),))


def _wanted(document: Document, constraints: Constraints) -> Subgraph | None:
    subgraphs = list(document.subgraphs)
    return next((block for block in subgraphs if block.path == constraints.block_path), next(iter(subgraphs), None))


def _form(text: str, document: Document, subgraph: Subgraph | None) -> list[Diagnostic]:
    """What differs from generated text, which the formatter leaves as it is."""
    if subgraph is None:
        return [
            NOT_GENERATED_FORM.at(
                Span(0, len(text)),
                "the answer holds no AgenticDSL subgraph",
                help="use an engine that follows the grammar it is given",
            )
        ]
    canonical = _without_prose(document)
    if canonical == text:
        return []
    start = next((at for at, (a, b) in enumerate(zip(text, canonical, strict=False)) if a != b), len(canonical))
    end = text.find("\n", start)
    return [
        NOT_GENERATED_FORM.at(
            Span(min(start, len(text)), end if end >= 0 else len(text)),
            "the answer leaves the layout of generated text here, so its engine ignored the grammar",
            help="use an engine that follows the grammar it is given",
        )
    ]


def _without_prose(document: Document) -> str:
    """The document as generation prints it: the formatter, unlike generation, keeps the prose between blocks."""
    blocks = tuple(replace(block, prose="", heading_note="") for block in document.blocks)
    return format_document(replace(document, blocks=blocks, epilogue=""))


def _cut(text: str, constraints: Constraints) -> Reparsed:
    finding = _cut_off(text, "raise max_output_tokens, or lower max_nodes")
    lines = text[: text.rfind("\n") + 1].splitlines(keepends=True)
    whole = parse("".join(lines) + _CLOSING)
    if _wanted(whole, constraints) is None:
        whole = parse(text)
    return Reparsed(whole, _wanted(whole, constraints), (finding,))


def _cut_off(text: str, help: str) -> Diagnostic:
    at = Span(len(text), len(text))
    return INCOMPLETE.at(at, "the answer reached its token limit before it was complete", help=help)
