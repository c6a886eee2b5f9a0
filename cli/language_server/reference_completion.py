"""What a reference can name: nodes and blocks of the document, library entries, system targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lsprotocol import types

from agentic_dsl.cli.language_server import describe
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor
from agentic_dsl.cli.language_server.suggestion import Suggestion
from agentic_dsl.compiler.library import LibraryEntry, best
from agentic_dsl.compiler.resolution import Callee, Place
from agentic_dsl.compiler.standard_library import is_stated
from agentic_dsl.format import format_signature
from agentic_dsl.node_references import is_backward
from agentic_dsl.node_table import FieldKind, FieldSpec
from agentic_dsl.paths import SYSTEM_TARGETS

_Kind = types.CompletionItemKind


def references(cursor: Cursor, analysis: Analysis, field: FieldSpec) -> Iterator[Suggestion]:
    """What can be named in a field that holds references."""
    write = _writer(cursor, field)
    is_path = cursor.prefix.startswith("/")
    if cursor.keys[:1] == ("requires",):
        yield from _libraries(analysis, write, is_path)
        return
    yield from _nodes(cursor, analysis, write, is_path)
    if field.kind is FieldKind.ID or field.kind is FieldKind.WAIT or is_backward(field) or not cursor.is_node:
        return
    if field.path[-1] != "branches":
        for path, hardness in SYSTEM_TARGETS.items():
            matched = path if is_path else path.rpartition("/")[2]
            yield Suggestion(path, write(path), matched, _Kind.Event, f"{hardness.value} end", "")
        yield from _libraries(analysis, write, is_path)


def _writer(cursor: Cursor, field: FieldSpec) -> Callable[[str], str]:
    """How a reference is written here: with quotes and brackets, as far as they do not stand there yet."""
    listed = any(isinstance(step, int) for step in cursor.inner) or field.kind is not FieldKind.REFERENCES
    if cursor.is_quoted:
        return str
    return (lambda text: f'"{text}"') if listed else (lambda text: f'["{text}"]')


def _nodes(cursor: Cursor, analysis: Analysis, write: Callable[[str], str], is_path: bool) -> Iterator[Suggestion]:
    """The nodes of the document, those of the cursor's block first; an ``entry`` names them by their id."""
    check = analysis.check
    here = cursor.place(check)
    is_entry = cursor.keys == ("entry",)
    places = (p for p in check.graph.places if p != here and p.node.spec.has_edges and ("id",) in p.node.spans.values)

    def distance(place: Place) -> tuple[bool, int]:
        return str(place.subgraph.path) != cursor.path, place.number

    for place in sorted(places, key=distance):
        is_far, _ = distance(place)
        if is_entry and is_far:
            return
        text = place.node.id if is_entry else place.path
        matched = place.path if is_path else place.node.id
        detail = f"{place.node.type} {place.node.id}"
        yield Suggestion(
            text, text if is_entry else write(text), matched, _Kind.Reference, detail, describe.place(place)
        )


def _libraries(analysis: Analysis, write: Callable[[str], str], is_path: bool) -> Iterator[Suggestion]:
    """The library entries that can be called, in the version that a call without one reaches."""
    resolver = analysis.check.resolver
    tables = (resolver.entries, resolver.standard)
    for path in dict.fromkeys(path for table in tables for path in table):
        entry = next((e for table in tables if (e := best(table.get(path, ()))) is not None), None)
        if entry is None:
            continue
        text = str(path)
        matched = text if is_path else path.name
        yield Suggestion(text, write(text), matched, _Kind.Module, _detail(entry), describe.callee(_callee(entry)))


def _detail(entry: LibraryEntry) -> str:
    callee = _callee(entry)
    return "" if callee.signature is None else format_signature(callee.signature)


def _callee(entry: LibraryEntry) -> Callee:
    """An entry as its callers see it; a standard contract that the language does not state has no signature."""
    return Callee(str(entry.path), entry.version, entry.signature if is_stated(entry) else None, entry)
