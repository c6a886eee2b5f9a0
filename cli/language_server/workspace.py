"""What the server knows: the open documents, the library around them, the settings of their folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from agentic_dsl.ast import Opaque
from agentic_dsl.cli.language_server.analysis import Analysis
from agentic_dsl.cli.language_server.library_files import LibraryFiles
from agentic_dsl.cli.language_server.positions import Encoding
from agentic_dsl.cli.language_server.project_rules import ProjectRules, load_rules, project_folder
from agentic_dsl.compiler.lint.finding import Finding
from agentic_dsl.compiler.lint.report import judged
from agentic_dsl.constraints import ToolSpec
from agentic_dsl.errors import UsageError

LANGUAGES = frozenset({"markdown", "gfm", "agenticdsl"})
"""The languages of editors that are looked at."""


@dataclass(slots=True)
class OpenDocument:
    """One document that an editor holds.

    Attributes:
        current: the analysis of its text, None until somebody asks.
        readable: the last analysis in which every block could be read.
        seconds: what the last check took.
    """

    name: str
    text: str
    version: int | None
    current: Analysis | None = None
    readable: Analysis | None = None
    seconds: float = 0.0


class Workspace:
    """The state of one server. Owned by its event loop; nothing else touches it.

    Attributes:
        encoding: what the editor's columns count.
        tools: of the tools file.
        library: the library documents.
        open: the documents of the editor, by URI.
    """

    def __init__(
        self, report: Callable[[UsageError], None], libraries: tuple[Path, ...] = (), tools: tuple[ToolSpec, ...] = ()
    ) -> None:
        self.encoding = Encoding.Utf16
        self.tools = tools
        self.library = LibraryFiles()
        self.open: dict[str, OpenDocument] = {}
        self._libraries = libraries
        self._report = report
        self._rules: dict[Path, ProjectRules] = {}

    def put(self, uri: str, text: str, version: int | None) -> None:
        """Takes the text of a document, new or changed."""
        document = self.open.get(uri)
        if document is None:
            self.open[uri] = OpenDocument(name_of(uri), text, version)
        else:
            document.text, document.version = text, version

    def remove(self, uri: str) -> bool:
        """Forgets a document; returns whether the library may have changed."""
        document = self.open.pop(uri, None)
        return document is not None and self.library.close(document.name)

    def analysis(self, uri: str) -> Analysis | None:
        """What is known of a document; None where it is not open."""
        document = self.open.get(uri)
        if document is None:
            return None
        library, rules = self.library.beside(document.name), self.rules(document.name)
        known = document.current
        is_fresh = known is not None and known.text is document.text and known.library is library
        if known is None or not is_fresh or known.mode != rules.mode:
            known = document.current = Analysis(
                document.name, document.text, document.version, self.encoding, library, rules.mode
            )
        return known

    def note_read(self, uri: str, analysis: Analysis) -> bool:
        """Keeps what later questions need of a checked text; returns whether the library may have changed."""
        document = self.open[uri]
        if not any(isinstance(block, Opaque) for block in analysis.document.blocks):
            document.readable = analysis
        return self.library.open(document.name, analysis.document)

    def findings(self, analysis: Analysis) -> tuple[Finding, ...]:
        """What is shown of a document."""
        rules = self.rules(analysis.name)
        return () if rules.excludes(analysis.name) else judged(analysis.linted, rules.selection(analysis.name))

    def rules(self, name: str) -> ProjectRules:
        """The settings for a document."""
        folder = Path(name).parent if Path(name).is_absolute() else Path.cwd()
        if (known := self._rules.get(folder)) is None:
            nearest = project_folder(folder)  # folders of one project share what is read once
            known = self._rules.get(nearest) or load_rules(nearest, self._report)
            self._rules[nearest] = self._rules[folder] = known
        return known

    def forget_rules(self) -> None:
        """Reads the settings again when they are needed next."""
        self._rules.clear()

    def libraries(self, folders: list[Path]) -> list[Path]:
        """The files and folders of library documents that the command line and the settings of some folders name."""
        named = (path for folder in folders for path in self.rules(str(folder / "document")).libraries)
        return list(dict.fromkeys((*self._libraries, *named)))


def name_of(uri: str) -> str:
    """The file of a URI; the URI itself where it is none, as for a document that was never saved."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return unquote(uri)
    return url2pathname(parts.path) if not parts.netloc else f"//{parts.netloc}{url2pathname(parts.path)}"


def uri_of(name: str) -> str:
    """The URI of a file."""
    path = Path(name)
    return path.as_uri() if path.is_absolute() else name
