"""Which block of one version answers to which block of the other: by path, then by major version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agentic_dsl.ast import Contract, Document, Subgraph
from agentic_dsl.compiler.compatibility.change import Place, Side
from agentic_dsl.compiler.library import DEFAULT_VERSION, LibraryBlock, LibraryEntry
from agentic_dsl.normalise import normalise
from agentic_dsl.paths import Path, Version
from agentic_dsl.span import Span


@dataclass(frozen=True, slots=True)
class Item:
    """One block of one version that is compared.

    Attributes:
        entry: the block as people wrote it; its spans are those that are shown.
        canonical: the same block in the one spelling that all spellings of it share.
    """

    side: Side
    entry: LibraryEntry
    canonical: LibraryBlock

    @property
    def path(self) -> Path:
        """Where it is called."""
        return self.entry.path

    @property
    def block(self) -> LibraryBlock:
        """The block as people wrote it."""
        return self.entry.block

    @property
    def version(self) -> Version:
        """Its version, 1 where it states none."""
        return self.entry.version

    @property
    def is_public(self) -> bool:
        """Whether others than its own document may call it: it stands under ``/lib`` or states a signature."""
        return self.path.is_library or self.entry.signature is not None

    def place(self, span: Span | None = None) -> Place:
        """A place in it; its path in the heading where none is named."""
        return Place(self.side, self.entry.document, self.block.path_span if span is None else span)


@dataclass(frozen=True, slots=True)
class Pair:
    """The same block in both versions."""

    old: Item
    new: Item

    @property
    def name(self) -> str:
        """Its path, as messages quote it."""
        return f'"{self.new.path}"'


def items_of(documents: Iterable[Document], side: Side) -> list[Item]:
    """The blocks of some documents that hold nodes or a contract, in order; of equal ones the first."""
    found: dict[tuple[Path, int], Item] = {}
    for document in documents:
        written = [block for block in document.blocks if isinstance(block, Subgraph | Contract)]
        canonical = [block for block in normalise(document).blocks if isinstance(block, Subgraph | Contract)]
        for block, spelled in zip(written, canonical, strict=True):
            version = block.version or DEFAULT_VERSION
            entry = LibraryEntry(block.path, version, block.signature, block, document)
            found.setdefault((block.path, version.major), Item(side, entry, spelled))
    return list(found.values())


def pairs(old: Iterable[Item], new: Iterable[Item]) -> Iterator[tuple[Item | None, Item | None]]:
    """Both sides of every block, None where a side has nothing like it.

    Blocks of a path answer to each other when their major versions are the same. Where no two are, the highest one
    of the old version gave way to the highest one of the new version.
    """
    by_path: dict[Path, tuple[dict[int, Item], dict[int, Item]]] = {}
    for side, items in enumerate((old, new)):
        for item in items:
            by_path.setdefault(item.path, ({}, {}))[side][item.version.major] = item
    for before, after in by_path.values():
        common = before.keys() & after.keys()
        yield from ((before[major], after[major]) for major in sorted(common))
        rest_before = [before[major] for major in sorted(before.keys() - common)]
        rest_after = [after[major] for major in sorted(after.keys() - common)]
        if not common and rest_before and rest_after:
            yield rest_before.pop(), rest_after.pop()
        yield from ((item, None) for item in rest_before)
        yield from ((None, item) for item in rest_after)
