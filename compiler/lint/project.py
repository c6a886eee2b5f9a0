"""A set of files, linted together: each is parsed once, and those that are library files can call each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentic_dsl import codes
from agentic_dsl.ast import Document
from agentic_dsl.compiler.checks.context import CheckMode
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.lint.finding import Linted
from agentic_dsl.compiler.lint.fix import apply_fixes
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.compiler.lint.run import lint_document
from agentic_dsl.compiler.lint.selection import Selection
from agentic_dsl.compiler.parse.collector import collector_paused
from agentic_dsl.compiler.parse.document import parse
from agentic_dsl.compiler.sources import document_of

_UNREAD = (codes.NOT_TEXT, codes.TOO_LARGE)

_ROUNDS = 10
"""Times that a document is fixed again because a fix made another one possible."""


class Project:
    """Documents and the libraries that they may call.

    Attributes:
        documents: the files that are linted, by name.
        library: every library entry of them and of the files given beside them.
    """

    def __init__(
        self, files: Mapping[str, bytes], libraries: Iterable[str] = (), *, mode: CheckMode = "strict"
    ) -> None:
        self._mode: CheckMode = mode
        beside = frozenset(libraries)
        with collector_paused(sum(map(len, files.values()))):
            parsed = {name: document_of(raw, name) for name, raw in files.items()}
        self.documents: dict[str, Document] = {n: document for n, document in parsed.items() if n not in beside}
        self.library = Library.of(parsed.values())

    def lint(self) -> dict[str, Linted]:
        """Every finding of every document, by name."""
        with collector_paused(sum(len(document.source.text) for document in self.documents.values())):
            return {name: self._lint(document) for name, document in self.documents.items()}

    def _lint(self, document: Document) -> Linted:
        return lint_document(document, library=self.library, mode=self._mode)

    def fix(self, name: str, selection: Selection, *, unsafe: bool) -> tuple[Linted, int]:
        """A document with the fixes of its findings applied, and how many were.

        Fixes after which less of the text could be read are taken back, and a file that is no text is left alone.
        """
        document = self.documents[name]
        linted = self._lint(document)
        if any(d.kind in _UNREAD for d in document.diagnostics):
            return linted, 0  # the text is not what the file holds, so it must not be written back
        total = 0
        for _ in range(_ROUNDS):
            text = document.source.text
            fixes = [f.fix for f in judged(linted, selection) if f.fix is not None and (f.fix.safe or unsafe)]
            fixed, applied = apply_fixes(text, fixes)
            if fixed == text:
                break
            mended = parse(fixed, path=name)
            if _errors(mended) > _errors(document):
                break
            document, linted, total = mended, self._lint(mended), total + applied
        return linted, total


def _errors(document: Document) -> int:
    """How much of a document the parser could not read."""
    return sum(finding.is_error for finding in document.diagnostics)
