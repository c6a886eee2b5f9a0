"""Libraries: the `/lib` entries that documents may call, by path and version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath

from agentic_dsl import codes
from agentic_dsl.ast import Contract, Document, Subgraph
from agentic_dsl.compiler.library_names import library_folders
from agentic_dsl.compiler.parse.collector import collector_paused
from agentic_dsl.constraints import LibrarySpec
from agentic_dsl.diagnostics import Diagnostic
from agentic_dsl.errors import UsageError
from agentic_dsl.format import format_signature
from agentic_dsl.paths import Path, Version, VersionRange
from agentic_dsl.permission import Permission
from agentic_dsl.signature import Signature, Stability
from agentic_dsl.span import MAX_BYTES, NOWHERE, Source

DEFAULT_VERSION = Version((1,))
"""The version of an entry that states none."""

SUFFIX = "*.md"
"""The files of a library folder."""


LibraryBlock = Subgraph | Contract
"""The blocks that can be called."""


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One version of one library block.

    Attributes:
        signature: None where the block states none; then nothing is known of its inputs and outputs.
        block: what implements or declares it.
        document: where the block stands.
    """

    path: Path
    version: Version
    signature: Signature | None
    block: LibraryBlock
    document: Document

    @property
    def stability(self) -> Stability:
        """What callers may rely on; a library that says nothing is stable."""
        return self.block.stability or Stability.STABLE

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """What the entry needs of the application that calls it."""
        return self.block.permissions

    @property
    def _preference(self) -> tuple[bool, tuple[int, int, int]]:
        return self.stability is Stability.STABLE, self.version.full


@dataclass(frozen=True, slots=True)
class LibraryFinding:
    """A finding in a file of a library; its span points into ``document.source``."""

    document: Document
    diagnostic: Diagnostic


@dataclass(frozen=True)
class Library:
    """A set of library documents. Build it with `load` or `of`; it is never changed.

    Attributes:
        documents: as given or found, in order.
        unreadable: findings about files that could not be read as text.
    """

    documents: tuple[Document, ...] = ()
    unreadable: tuple[LibraryFinding, ...] = field(default=(), repr=False)

    @classmethod
    def load(cls, paths: str | FilePath | Iterable[str | FilePath]) -> Library:
        """The library in some files and folders (every ``*.md`` below a folder, in order of name).

        ``builtin`` is the core standard library. The contents never raise: what is wrong in a file is found in
        `diagnostics`.

        Raises:
            UsageError: a path does not exist or the system refuses to read it.
        """
        from agentic_dsl.compiler.parse.document import parse  # reads grammars; only loading needs it

        read = [(str(file), _read(file)) for file in _files(library_folders(paths))]
        with collector_paused(sum(len(text) for _, text in read if isinstance(text, str))):
            documents = tuple(parse(text, path=path) for path, text in read if isinstance(text, str))
        return cls(documents, tuple(text for _, text in read if isinstance(text, LibraryFinding)))

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Library:
        """The library in documents that are already parsed."""
        return cls(tuple(documents))

    @cached_property
    def entries(self) -> tuple[LibraryEntry, ...]:
        """Every callable block under ``/lib``, by path, then version, then order of the documents."""
        found = [entry for document in self.documents for entry in entries_of(document)]
        return tuple(sorted(found, key=lambda entry: (entry.path.segments, entry.version.full)))

    @cached_property
    def by_path(self) -> Mapping[Path, tuple[LibraryEntry, ...]]:
        """The entries of each path, lowest version first."""
        grouped: dict[Path, list[LibraryEntry]] = {}
        for entry in self.entries:
            grouped.setdefault(entry.path, []).append(entry)
        return {path: tuple(entries) for path, entries in grouped.items()}

    @cached_property
    def _by_name(self) -> Mapping[str | None, tuple[Document, ...]]:
        grouped: dict[str | None, list[Document]] = {}
        for document in self.documents:
            grouped.setdefault(document.source.path, []).append(document)
        return {name: tuple(documents) for name, documents in grouped.items()}

    def named(self, name: str | None) -> tuple[Document, ...]:
        """The documents that people know by a name, None for those without one."""
        return self._by_name.get(name, ())

    def resolve(
        self, path: Path, pattern: Version | None = None, *, range: VersionRange | None = None
    ) -> LibraryEntry | None:
        """The highest stable version that ``pattern`` and ``range`` admit, else the highest of any stability."""
        return best(self.by_path.get(path, ()), pattern, range)

    def specs(self) -> tuple[LibrarySpec, ...]:
        """What a model may be offered: for each path the version that a call without a version reaches.

        Entries without a signature are left out.
        """
        specs = []
        for entries in self.by_path.values():
            entry = best(tuple(e for e in entries if e.signature is not None))
            if entry is not None and entry.signature is not None:
                specs.append(
                    LibrarySpec(
                        path=str(entry.path),
                        signature=format_signature(entry.signature),
                        version=str(entry.version),
                        description=entry.block.prose,
                    )
                )
        return tuple(specs)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """`findings` without the documents that they point into."""
        return tuple(finding.diagnostic for finding in self.findings)

    @cached_property
    def findings(self) -> tuple[LibraryFinding, ...]:
        """What is wrong with the set: unreadable files, parse errors, and two entries of one path and major version."""
        findings = list(self.unreadable)
        for document in self.documents:
            findings += (LibraryFinding(document, diagnostic) for diagnostic in document.diagnostics)
        seen: dict[tuple[Path, int], LibraryEntry] = {}
        for document in self.documents:
            for entry in entries_of(document):
                first = seen.setdefault((entry.path, entry.version.major), entry)
                if first is not entry and first.document is not document:  # within a document `check` says it
                    where = first.document.source.path or "another document"
                    findings.append(
                        LibraryFinding(
                            document,
                            codes.DUPLICATE_PATH.at(
                                entry.block.path_span,
                                f'"{entry.path}" version {entry.version.major} is defined in "{where}" too',
                                help="rename one of the two, or give it another major version",
                            ),
                        )
                    )
        return tuple(findings)


def entries_of(document: Document) -> list[LibraryEntry]:
    """The blocks of a document that can be called, in source order."""
    return [
        LibraryEntry(block.path, block.version or DEFAULT_VERSION, block.signature, block, document)
        for block in document.blocks
        if isinstance(block, Subgraph | Contract) and block.path.is_library
    ]


def best(
    entries: Iterable[LibraryEntry], pattern: Version | None = None, range: VersionRange | None = None
) -> LibraryEntry | None:
    """The entry that a call reaches: stable before others, then the highest version."""
    admitted = [
        entry
        for entry in entries
        if (pattern is None or pattern.matches(entry.version)) and (range is None or range.matches(entry.version))
    ]
    return max(admitted, key=lambda entry: entry._preference, default=None)


def _files(paths: Iterable[FilePath]) -> list[FilePath]:
    """Every file named, and every ``*.md`` below a folder named, each once."""
    found: dict[FilePath, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(file for file in path.rglob(SUFFIX) if file.is_file())))
        elif path.exists():
            found[path] = None
        else:
            raise UsageError(f'the library "{path}" does not exist', help="name a file or folder that is there")
    return list(found)


def _read(file: FilePath) -> str | LibraryFinding:
    """The text of a file, or why it is none."""
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise UsageError(
            f'the library file "{file}" cannot be read: {exc.strerror}', help="check its permissions"
        ) from exc
    empty = Document(source=Source("", str(file)))
    if len(data) > 4 * MAX_BYTES:  # more characters than the limit, whatever they are
        return LibraryFinding(empty, codes.TOO_LARGE.at(NOWHERE, f'"{file}" is larger than 8 MiB'))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        message = f'"{file}" is not UTF-8: byte {exc.start + 1} cannot be read'
        return LibraryFinding(empty, codes.NOT_TEXT.at(NOWHERE, message, help="save the file as UTF-8"))
