"""Step 1.5: a text → a `Document`. Total: whatever the text, there is a document, and its diagnostics say the rest."""

from __future__ import annotations

import re
from typing import Any

from agentic_dsl import codes
from agentic_dsl.ast import Block, Document, Opaque
from agentic_dsl.compiler.parse.block_kinds import META_PATH, Body, DocumentReading, read_block
from agentic_dsl.compiler.parse.blocks import RawBlock, Structure, read_structure
from agentic_dsl.compiler.parse.collector import collector_paused
from agentic_dsl.compiler.parse.markers import is_marker, without_markers
from agentic_dsl.compiler.parse.reference import parse_reference
from agentic_dsl.compiler.parse.wording import kind_of, shown
from agentic_dsl.compiler.parse.yaml_body import read_yaml
from agentic_dsl.compiler.parse.yaml_tree import YamlMapping
from agentic_dsl.diagnostics import in_order
from agentic_dsl.paths import Path, ReferenceKind, Version
from agentic_dsl.span import MAX_BYTES, Source, Span

_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: str, *, path: str | None = None) -> Document:
    """Reads a document.

    Args:
        text: any string.
        path: the name people know it by, for messages; nothing is opened.

    Returns:
        The document. What could not be read is an `Opaque` block with its body, or prose; `Document.diagnostics` says
        why. Never raises on what the text holds.
    """
    source = Source(text, path)
    if is_too_large(text):
        finding = codes.TOO_LARGE.at(Span(0, 0), "the text is larger than 8 MiB", help="split the document")
        return Document(epilogue=text, source=source, diagnostics=(finding,))
    with collector_paused(len(text)):
        return _parse(source)


def _parse(source: Source) -> Document:
    text = source.text
    structure = read_structure(text)
    document = DocumentReading(source, list(structure.diagnostics))
    _check_text(document)
    blocks: list[Block] = []
    anchor: Path | None = None
    for index, raw in enumerate(structure.blocks):
        block = _read_raw(document, structure, index, anchor)
        blocks.append(block)
        if block.path is not None and not _is_relative(raw):
            anchor = block.path
    if not blocks:
        message = "the document holds no AgenticDSL block"
        help = "write a heading such as ### AgenticDSL `/main/plan` and a ```yaml fence below it"
        document.diagnostics.append(codes.NO_BLOCK.at(Span(0, 0), message, help=help))
    return Document(
        blocks=tuple(blocks),
        epilogue=structure.prose(text, len(blocks)),
        source=source,
        diagnostics=in_order(document.diagnostics),
    )


def is_too_large(text: str) -> bool:
    """Whether a text has more than `MAX_BYTES` bytes; those between a quarter of it and it are not encoded."""
    if len(text) * 4 <= MAX_BYTES:
        return False
    return len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES


def _check_text(document: DocumentReading) -> None:
    text = document.source.text
    found = None if text.isascii() else _SURROGATE.search(text)
    if found:
        message = f"the text holds U+{ord(found[0]):04X}, half of a character"
        help = "save the file as UTF-8"
        document.diagnostics.append(codes.NOT_TEXT.at(Span(*found.span()), message, help=help))


def _read_raw(document: DocumentReading, structure: Structure, index: int, anchor: Path | None) -> Block:
    """Reads one block."""
    text = document.source.text
    raw = structure.blocks[index]
    path, version = _path_of(document, raw, anchor)
    body = text[raw.body.start : raw.body.end]
    inner = without_markers(body, raw.body.start, document.diagnostics, closed=raw.closed)
    yaml, at = body[inner.start : inner.end], raw.body.start + inner.start
    root, findings, comments = read_yaml(yaml, at, budget=document.yaml)
    document.diagnostics += findings
    base: dict[str, Any] = {
        "path": path,
        "prose": structure.prose(text, index),
        "heading_note": raw.note,
        "span": raw.span,
        "path_span": raw.path_span,
    }
    is_explained = any(finding.is_error for finding in findings) or document.yaml.values < 0
    if not isinstance(root, YamlMapping) and not is_explained:
        what = "empty" if root is None else kind_of(root)
        message = f"the body of a block is {what}; a mapping is wanted"
        help = 'write "key: value" lines between the fences'
        place = raw.path_span if root is None else root.span
        document.diagnostics.append(codes.NOT_ONE_DOCUMENT.at(place, message, help=help))
    if path is None or not isinstance(root, YamlMapping):
        return Opaque(body=body, **base)
    remarks = [comment for comment in comments if not is_marker(comment.text)]
    return read_block(document, Body(path, version, root, remarks, base, body))


def _is_relative(raw: RawBlock) -> bool:
    return raw.path is not None and (raw.path == "/self" or raw.path.startswith("/self/"))


def _path_of(document: DocumentReading, raw: RawBlock, anchor: Path | None) -> tuple[Path | None, Version | None]:
    """The absolute path of a block and the version in its heading; None where it has no path that can be used."""
    if raw.path is None:
        return None, None  # reported with the heading
    reference = parse_reference(raw.path)
    path = reference.path
    if reference.kind is ReferenceKind.SELF and path is not None and not reference.query and not reference.version:
        if anchor is None or anchor.under(*META_PATH.segments):
            message = f"{shown(raw.path)} has no block before it to belong to"
            help = "write the whole path, or put the block behind the one it belongs to"
            document.diagnostics.append(codes.UNATTACHED_SELF.at(raw.path_span, message, help=help))
            return None, None
        return Path((*anchor.segments, *path.segments)), None
    is_versioned_elsewhere = path is not None and reference.version is not None and not path.is_library
    if reference.kind is not ReferenceKind.PATH or path is None or reference.query or is_versioned_elsewhere:
        message = f'"{shown(raw.path)}" is no path of a block'
        help = 'write "/" and names of letters, digits, "_" and "-", such as /main/plan; only /lib paths have a version'
        document.diagnostics.append(codes.BAD_PATH.at(raw.path_span, message, help=help))
        return None, None
    return path, reference.version
