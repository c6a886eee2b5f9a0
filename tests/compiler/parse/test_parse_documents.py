"""Golden files: what each document under ``tests/fixtures/documents`` is read as, with every finding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from agentic_dsl.ast import Block, Document, Opaque, Subgraph
from agentic_dsl.compiler.parse.document import parse

DOCUMENTS = sorted((Path(__file__).parents[2] / "fixtures" / "documents").glob("*.md"))
_QUIET = {"span", "path_span", "spans", "source", "nodes", "prose", "blocks", "body"}


def _shown(value: Any) -> str:
    """A value without places and without what nobody wrote."""
    name = type(value).__name__
    if name in {"Reference", "Path", "Version", "VersionRange", "FieldType"}:
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return f"{name}({', '.join(_attributes(value))})"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_shown(below)}" for key, below in value.items()) + "}"
    return repr(value)


def _attributes(value: Any) -> Iterator[str]:
    for attribute in fields(value):
        content = getattr(value, attribute.name)
        if attribute.name not in _QUIET and content not in ((), {}, None, ""):
            yield f"{attribute.name}={_shown(content)}"


def _lines(document: Document) -> Iterator[str]:
    for block in document.blocks:
        yield from _block_lines(block)
    yield f"epilogue: {document.epilogue!r}"
    for finding in document.diagnostics:
        record = finding.record(document.source)
        place = f"{record['line']}:{record['column']}-{record['end_line']}:{record['end_column']}"
        yield f"{place} {finding.code} {finding.severity.value}: {finding.message}"
        yield f"    help: {finding.help}"


def _block_lines(block: Block) -> Iterator[str]:
    yield f"{type(block).__name__} {block.path} after {block.prose!r}"
    yield from (f"  {line}" for line in _attributes(block) if not line.startswith("path="))
    if isinstance(block, Subgraph):
        for node in block.nodes:
            yield f"  - {type(node).__name__}"
            yield from (f"      {line}" for line in _attributes(node))
    if isinstance(block, Opaque):
        yield f"  body of {len(block.body)} characters"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_document_reads_as_its_golden_file_says(path: Path, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(_lines(parse(path.read_text(encoding="utf-8")))) == snapshot


@pytest.mark.parametrize(
    "name", ["application", "library", "fork_join", "all_types", "generated", "comments", "yaml_corners"]
)
def test_a_sound_document_has_no_findings(name: str) -> None:
    path = next(path for path in DOCUMENTS if path.stem == name)
    assert parse(path.read_text(encoding="utf-8")).diagnostics == ()


def test_loose_spellings_mean_the_same_as_canonical_ones() -> None:
    loose, canonical = (
        parse(next(path for path in DOCUMENTS if path.stem == name).read_text(encoding="utf-8"))
        for name in ("spellings", "spellings_canonical")
    )
    assert next(loose.subgraphs).nodes == next(canonical.subgraphs).nodes
