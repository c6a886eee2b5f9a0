"""The core standard library: contracts that every executor implements (``language.md`` §8).

They stand in the files of `agentic_dsl/lib`, one a file, and resolve without a library folder. A library that defines
the same path takes precedence, and nothing here is offered to a model unless the caller asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, cached_property

from agentic_dsl.ast import Contract, Document
from agentic_dsl.compiler.library import Library, LibraryEntry, entries_of
from agentic_dsl.compiler.library_names import BUILTIN_FOLDER
from agentic_dsl.paths import Path


class StandardLibrary(Library):
    """The contracts as a library of which a file is read when its contract is first called.

    Most documents call few of them or none, and reading all takes longer than checking such a document.
    """

    def __init__(self) -> None:
        object.__setattr__(self, "unreadable", ())

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """Every file, in order of path."""
        return tuple(_document(path) for path in contract_paths())

    @cached_property
    def by_path(self) -> Mapping[Path, tuple[LibraryEntry, ...]]:
        """The contract of each path."""
        return _Contracts()


class _Contracts(Mapping[Path, tuple[LibraryEntry, ...]]):
    """Path → its contract; the paths are known from the names of the files."""

    def __getitem__(self, path: Path) -> tuple[LibraryEntry, ...]:
        if path not in contract_paths():
            raise KeyError(path)
        return tuple(entries_of(_document(path)))

    def __iter__(self) -> Iterator[Path]:
        return iter(contract_paths())

    def __len__(self) -> int:
        return len(contract_paths())


@cache
def standard_library() -> StandardLibrary:
    """The contracts, once a process."""
    return StandardLibrary()


@cache
def contract_paths() -> Mapping[Path, str]:
    """The path of each contract, in order, with the name of the file that holds it."""
    found = {}
    for file in BUILTIN_FOLDER.rglob("*.md"):
        below = file.relative_to(BUILTIN_FOLDER).with_suffix("")
        found[Path(("lib", *below.parts))] = str(file)
    return dict(sorted(found.items(), key=lambda item: item[0].segments))


def is_stated(entry: LibraryEntry) -> bool:
    """Whether the inputs and outputs of an entry hold for its callers.

    The language names some contracts without stating them. Their files say what is usual, with nothing required: calls
    of them are not judged, because executors may give them other inputs and outputs.
    """
    if entry.path not in contract_paths() or not isinstance(entry.block, Contract):
        return True
    signature = entry.signature
    return signature is not None and any(p.required for p in (*signature.inputs, *signature.outputs))


@cache
def _document(path: Path) -> Document:
    from agentic_dsl.compiler.parse.document import parse  # reads grammars; only calls need it

    file = contract_paths()[path]
    with open(file, encoding="utf-8") as stream:
        return parse(stream.read(), path=file)
