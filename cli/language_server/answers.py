"""The questions that editors ask about a place in a document, and their answers in the words of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lsprotocol import types

from agentic_dsl.ast import Document
from agentic_dsl.cli.language_server import code_actions, completion, definition, formatting, hover
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.cursor import Cursor, cursor_at
from agentic_dsl.cli.language_server.mending import readable
from agentic_dsl.cli.language_server.positions import Positions
from agentic_dsl.cli.language_server.targets import Referent, calls_of, references_to
from agentic_dsl.cli.language_server.workspace import Workspace, uri_of
from agentic_dsl.span import Source, Span


class AtPosition(Protocol):
    """What the questions about a place have in common."""

    text_document: types.TextDocumentIdentifier
    position: types.Position


class Answers:
    """Answers from what a workspace knows. A document that is not open, or too large, has no answers."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def hover(self, asked: types.HoverParams) -> types.Hover | None:
        """What the thing under the cursor is."""
        found = self._cursor(asked)
        return None if found is None else hover.hover(*found, self._workspace.tools)

    def completion(self, asked: types.CompletionParams) -> types.CompletionList | None:
        """What can be written at the cursor."""
        found = self._cursor(asked)
        if found is None:
            return None
        return completion.completion(completion.Completing(*found, self._workspace.tools))

    def definition(self, asked: types.DefinitionParams) -> list[types.Location]:
        """Where the thing under the cursor is defined."""
        found = self._cursor(asked)
        places = definition.definition(*found) if found is not None else []
        return [self._location(asked.text_document.uri, source, span) for source, span in places]

    def references(self, asked: types.ReferenceParams) -> list[types.Location]:
        """Every reference to the node or library entry under the cursor."""
        uri = asked.text_document.uri
        analysis = self._analysis(uri)
        if analysis is None:
            return []
        found = self._cursor(asked)
        wanted = (
            definition.wanted_at(*found)
            if found is not None
            else definition.entry_at(analysis, analysis.positions.offset(asked.position))
        )
        if wanted is None:
            return []
        places = [self._location(uri, source, span) for source, span in self._uses(wanted, analysis)]
        if asked.context.include_declaration and wanted.where is not None:
            places.insert(0, self._location(uri, *wanted.where))
        return places

    def _uses(self, wanted: Referent, analysis: Analysis) -> Iterator[tuple[Source | None, Span]]:
        if wanted.callee is None:
            yield from ((None, span) for span in references_to(wanted, analysis))
            return
        for document in self._documents():
            yield from ((document.source, span) for span in calls_of(wanted.callee.path, document))

    def _documents(self) -> Iterator[Document]:
        """Every document that is known, the open ones as they are in the editor."""
        known = {name: analysis.document for name, analysis in self._open_documents()}
        beside = {d.source.path: d for d in self._workspace.library.documents() if d.source.path not in known}
        yield from (*known.values(), *beside.values())

    def _open_documents(self) -> Iterator[tuple[str, Analysis]]:
        for uri in self._workspace.open:
            if (analysis := self._analysis(uri)) is not None:
                yield analysis.name, analysis

    def symbols(self, asked: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        """The blocks and nodes of a document."""
        analysis = self._analysis(asked.text_document.uri)
        return [] if analysis is None else definition.symbols(analysis)

    def formatting(self, asked: types.DocumentFormattingParams) -> list[types.TextEdit]:
        """The edits that give the canonical layout."""
        analysis = self._analysis(asked.text_document.uri)
        return [] if analysis is None else formatting.formatting(analysis)

    def code_actions(self, asked: types.CodeActionParams) -> list[types.CodeAction]:
        """The fixes for a part of a document."""
        uri, analysis = asked.text_document.uri, self._analysis(asked.text_document.uri)
        if analysis is None:
            return []
        findings = self._workspace.findings(analysis)
        only = None if asked.context.only is None else [str(getattr(k, "value", k)) for k in asked.context.only]
        return code_actions.code_actions(analysis, uri, findings, analysis.positions.span(asked.range), only)

    def resolve_action(self, action: types.CodeAction) -> types.CodeAction:
        """The action that mends everything, with its edit."""
        uri = action.data.get("uri") if isinstance(action.data, dict) else getattr(action.data, "uri", None)
        analysis = self._analysis(uri) if isinstance(uri, str) else None
        if analysis is not None and isinstance(uri, str):
            action.edit = code_actions.fix_all(
                analysis, uri, self._workspace.rules(analysis.name).selection(analysis.name)
            )
        return action

    def _analysis(self, uri: str) -> Analysis | None:
        analysis = self._workspace.analysis(uri)
        return None if analysis is None or analysis.is_too_large else analysis

    def _cursor(self, asked: AtPosition) -> tuple[Cursor, Analysis] | None:
        """The cursor of a question, and the document in a text that can be read."""
        uri = asked.text_document.uri
        analysis = self._analysis(uri)
        if analysis is None:
            return None
        cursor = cursor_at(analysis, analysis.positions.offset(asked.position))
        return None if cursor is None else (cursor, readable(cursor, self._workspace.open[uri].readable))

    def _location(self, uri: str, source: Source | None, span: Span) -> types.Location:
        """A place for the editor; without a source it stands in the document of the question."""
        own = self._workspace.analysis(uri)
        if source is None or own is None or source.path == own.name:
            positions = own.positions if own is not None else Positions("")
            return types.Location(uri, positions.range(span))
        name = source.path or ""
        opened = next((known for known, document in self._workspace.open.items() if document.name == name), None)
        positions = Positions(source.text, self._workspace.encoding)
        return types.Location(opened or uri_of(name), positions.range(span))
