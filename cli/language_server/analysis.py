"""What is known of one text of one open document; every part is worked out when somebody asks for it first."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from agentic_dsl.ast import Document
from agentic_dsl.cli.language_server.positions import Encoding, Positions
from agentic_dsl.compiler.checks.context import CheckContext, CheckMode
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.lint.context import LintContext
from agentic_dsl.compiler.lint.finding import Linted
from agentic_dsl.compiler.lint.run import lint_document
from agentic_dsl.compiler.parse.blocks import Structure, read_structure
from agentic_dsl.compiler.parse.document import is_too_large, parse


@dataclass(frozen=True)
class Analysis:
    """One text and everything that follows from it.

    Attributes:
        name: the document's file, or its URI where it is none.
        version: the editor's number of this text.
        library: the library entries of all other documents.
        mode: how doubtful documents are judged.
    """

    name: str
    text: str
    version: int | None = None
    encoding: Encoding = Encoding.Utf16
    library: Library = field(default_factory=Library, repr=False)
    mode: CheckMode = "strict"

    @cached_property
    def positions(self) -> Positions:
        """The lines of the text."""
        return Positions(self.text, self.encoding)

    @cached_property
    def is_too_large(self) -> bool:
        """Whether the text is beyond what is read; then nothing but that is said about it."""
        return is_too_large(self.text)

    @cached_property
    def structure(self) -> Structure:
        """The blocks of the text, unread."""
        return read_structure("" if self.is_too_large else self.text)

    @cached_property
    def document(self) -> Document:
        """The document."""
        return parse(self.text, path=self.name)

    @cached_property
    def linted(self) -> Linted:
        """Every finding, before any is left out."""
        return lint_document(self.document, library=self.library, mode=self.mode)

    @cached_property
    def check(self) -> CheckContext:
        """The graph of the document, and what each node may read."""
        return CheckContext(self.document, self.library, mode=self.mode)

    @cached_property
    def lint(self) -> LintContext:
        """The templates and calls of the document."""
        return LintContext(self.check)

    def changed(self, text: str) -> Analysis:
        """The same document with another text, for a question about what is half written."""
        return Analysis(self.name, text, self.version, self.encoding, self.library, self.mode)
