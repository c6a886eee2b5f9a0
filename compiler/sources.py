"""Bytes to text and text to documents, for lint: whatever a file holds, there is a document with a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_dsl import codes
from agentic_dsl.span import MAX_BYTES, NOWHERE, Source, Span

if TYPE_CHECKING:
    from agentic_dsl.ast import Document


def source_of(raw: bytes, path: str) -> Source:
    """The text of a file as findings point into it; nothing of one that is too large."""
    return Source("" if len(raw) > MAX_BYTES else raw.decode("utf-8", "replace"), path)


def document_of(raw: bytes, path: str) -> Document:
    """The document in a file. One that cannot be read as text is a document with that finding."""
    from agentic_dsl.ast import Document  # builds the node types; a warm cache needs neither them nor the parser
    from agentic_dsl.compiler.parse.document import parse

    if len(raw) > MAX_BYTES:
        message, help_ = f"the file is larger than {MAX_BYTES >> 20} MiB", "split the document into several files"
        return Document(source=Source("", path), diagnostics=(codes.TOO_LARGE.at(NOWHERE, message, help=help_),))
    try:
        return parse(raw.decode("utf-8"), path=path)
    except UnicodeDecodeError as exc:
        source = source_of(raw, path)
        at = len(raw[: exc.start].decode("utf-8"))
        message = f"byte {exc.start + 1} (0x{raw[exc.start]:02x}) is no UTF-8"
        finding = codes.NOT_TEXT.at(Span(at, at + 1), message, help="save the file as UTF-8")
        return Document(source=source, diagnostics=(finding,), epilogue=source.text)
