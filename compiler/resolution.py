"""What each reference of a document points at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from typing import NamedTuple

from agentic_dsl.ast import Document, Opaque, Subgraph
from agentic_dsl.compiler.library import DEFAULT_VERSION, LibraryEntry, best, entries_of
from agentic_dsl.compiler.standard_library import is_stated, standard_library
from agentic_dsl.node_table import AnyNode
from agentic_dsl.paths import SYSTEM_TARGETS, Path, Reference, ReferenceKind, Version, VersionRange
from agentic_dsl.signature import Signature

_FEW = 16
"""Versions of a path that are looked through one by one."""

_ALIASES = {"app": "main", "main": "app"}
"""``/app/**`` is another name of ``/main/**``."""


class Place(NamedTuple):
    """One node of a document, numbered through all of its subgraphs."""

    number: int
    block: int
    subgraph: Subgraph
    node: AnyNode

    @property
    def path(self) -> str:
        """The node's full path."""
        return self.subgraph.node_path(self.node)


class TargetKind(Enum):
    """What a reference turned out to be."""

    NODE = auto()
    """A node of the document, or a block, which stands for its entry."""
    CALL = auto()
    """A library entry."""
    SYSTEM = auto()
    """A system target: an end."""
    OUTSIDE = auto()
    """Something that exists and is not in this document, or could not be read: nothing more is known."""
    TEMPLATE = auto()
    """Known at run time only."""
    ALL = auto()
    """``@all`` in the ``wait_for`` of a join."""
    NO_VERSION = auto()
    """A library entry that exists in other versions."""
    MISSING = auto()
    """Nothing of that name."""
    INVALID = auto()
    """No reference at all; the parser has said so."""


@dataclass(frozen=True, slots=True)
class Callee:
    """A library entry as its callers see it, wherever it comes from.

    Attributes:
        signature: None where nothing is known of inputs and outputs.
        entry: the library entry; None for an entry that only the constraints state.
    """

    path: str
    version: Version
    signature: Signature | None
    entry: LibraryEntry | None = None


class Target(NamedTuple):
    """The result of resolving one reference.

    Attributes:
        node: index of the node, for `NODE`.
        call: the library entry, for `CALL`.
        block: the block, where a reference named one.
    """

    kind: TargetKind
    node: int = -1
    call: Callee | None = None
    block: Subgraph | None = None

    @property
    def is_known(self) -> bool:
        """Whether the reference leads somewhere for certain."""
        kind = self.kind  # compared one by one: hashing an enum member is slower than all four together
        return (
            kind is TargetKind.NODE
            or kind is TargetKind.CALL
            or kind is TargetKind.SYSTEM
            or kind is TargetKind.OUTSIDE
        )


_SYSTEM = Target(TargetKind.SYSTEM)
_OUTSIDE = Target(TargetKind.OUTSIDE)
_TEMPLATE = Target(TargetKind.TEMPLATE)
_ALL = Target(TargetKind.ALL)
_NO_VERSION = Target(TargetKind.NO_VERSION)
_MISSING = Target(TargetKind.MISSING)
_INVALID = Target(TargetKind.INVALID)


@dataclass(frozen=True)
class Resolver:
    """Resolves the references of one document; built once a check.

    Attributes:
        entries: library entries from outside the document, those that take precedence first by path.
        stated: library entries that the caller describes instead of giving (`Constraints.libraries`).
        outside: further references that the caller allows (`Constraints.targets`).
        standard: the contracts that exist without a library.
    """

    document: Document
    entries: Mapping[Path, tuple[LibraryEntry, ...]] = field(default_factory=dict)
    stated: tuple[Callee, ...] = ()
    outside: frozenset[str] = frozenset()
    standard: Mapping[Path, tuple[LibraryEntry, ...]] = field(default_factory=lambda: standard_library().by_path)

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every node of the document, in source order; a place's number is its position."""
        places: list[Place] = []
        for number, subgraph in enumerate(self.document.subgraphs):
            for node in subgraph.nodes:
                places.append(Place(len(places), number, subgraph, node))
        return tuple(places)

    @cached_property
    def blocks(self) -> tuple[Subgraph, ...]:
        """The subgraphs, in source order; `Place.block` counts them."""
        return tuple(self.document.subgraphs)

    @cached_property
    def ids(self) -> tuple[dict[str, int], ...]:
        """For each block: id → node. The first of two nodes with one id counts."""
        tables: tuple[dict[str, int], ...] = tuple({} for _ in self.blocks)
        for place in self.places:
            tables[place.block].setdefault(place.node.id, place.number)
        return tables

    @cached_property
    def entry_nodes(self) -> tuple[int | None, ...]:
        """For each block: the node that runs first, None where there is none."""
        return tuple(
            self.ids[number].get(entry) if (entry := block.entry_id) is not None else None
            for number, block in enumerate(self.blocks)
        )

    @cached_property
    def _node_targets(self) -> tuple[Target, ...]:
        return tuple(Target(TargetKind.NODE, place.number) for place in self.places)

    @cached_property
    def _nodes_by_path(self) -> dict[str, Target]:
        table: dict[str, Target] = {}
        for block, ids in zip(self.blocks, self.ids, strict=True):
            if not block.single:
                prefix = f"{block.path}/"
                for name, index in ids.items():
                    table.setdefault(prefix + name, self._node_targets[index])
        return table

    @cached_property
    def _blocks_by_path(self) -> dict[str, Target]:
        table: dict[str, Target] = {}
        for number, block in enumerate(self.blocks):
            entry = self.entry_nodes[number]
            kind = TargetKind.OUTSIDE if entry is None else TargetKind.NODE
            table.setdefault(str(block.path), Target(kind, -1 if entry is None else entry, block=block))
        for other in self.document.blocks:
            if isinstance(other, Opaque) and other.path is not None:
                table.setdefault(str(other.path), _OUTSIDE)
        return table

    @cached_property
    def _own_entries(self) -> dict[Path, tuple[LibraryEntry, ...]]:
        table: dict[Path, list[LibraryEntry]] = {}
        for entry in entries_of(self.document):
            table.setdefault(entry.path, []).append(entry)
        return {path: tuple(entries) for path, entries in table.items()}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every full path that a reference could have meant, for suggestions."""
        libraries = (str(path) for table in (self._own_entries, self.entries, self.standard) for path in table)
        stated = (call.path for call in self.stated)
        own = (*self._nodes_by_path, *self._blocks_by_path, *SYSTEM_TARGETS, *self.outside)
        return tuple(dict.fromkeys((*own, *stated, *libraries)))

    @property
    def own_names(self) -> tuple[str, ...]:
        """The full paths of the document's blocks and nodes."""
        return (*self._blocks_by_path, *self._nodes_by_path)

    def resolve(self, reference: Reference, block: int) -> Target:
        """What a reference written in the given block points at."""
        match reference.kind:
            case ReferenceKind.PATH:
                return self._resolve_path(reference, block)
            case ReferenceKind.ID:
                return self._resolve_id(reference.text, block)
            case ReferenceKind.SELF:
                return self._resolve_self(reference, block)
            case ReferenceKind.TEMPLATE:
                return _TEMPLATE
            case ReferenceKind.INVALID:
                return _INVALID
            case _:
                return _ALL

    def _resolve_id(self, name: str, block: int) -> Target:
        index = self.ids[block].get(name)
        return _MISSING if index is None else self._node_targets[index]

    def _resolve_self(self, reference: Reference, block: int) -> Target:
        if reference.path is None:
            return _INVALID
        text = f"{self.blocks[block].path}{reference.path}"
        return self._nodes_by_path.get(text) or self._blocks_by_path.get(text) or _MISSING

    def _resolve_path(self, reference: Reference, block: int) -> Target:
        path = reference.path
        if path is None:
            return _INVALID
        if (found := self._nodes_by_path.get(reference.text)) is not None and (
            self.places[found.node].block == block or not path.is_library
        ):
            return found
        if reference.text in SYSTEM_TARGETS:
            return _SYSTEM
        if path.is_library:
            return self._resolve_library(reference, path, block)
        return self._resolve_plain(path) or self._resolve_alias(path) or _MISSING

    def _resolve_plain(self, path: Path) -> Target | None:
        text = str(path)
        if (found := self._nodes_by_path.get(text) or self._blocks_by_path.get(text)) is not None:
            return found
        return _OUTSIDE if text in self.outside or self._is_in_unread_block(path) else None

    def _is_in_unread_block(self, path: Path) -> bool:
        """Whether a path lies below a block that could not be read: nobody knows what is in there."""
        return bool(self._unread) and any(
            str(Path(path.segments[:size])) in self._unread for size in range(1, len(path.segments))
        )

    @cached_property
    def _unread(self) -> frozenset[str]:
        blocks = self.document.blocks
        return frozenset(str(block.path) for block in blocks if isinstance(block, Opaque) and block.path is not None)

    def _resolve_alias(self, path: Path) -> Target | None:
        alias = _ALIASES.get(path.segments[0])
        return self._resolve_plain(Path((alias, *path.segments[1:]))) if alias else None

    def _resolve_library(self, reference: Reference, path: Path, block: int) -> Target:
        key = (path, reference.version, self.required(path, block))
        if (known := self._calls.get(key)) is None:
            known = self._calls[key] = self._look_up(*key)
        return known

    @cached_property
    def _calls(self) -> dict[tuple[Path, Version | None, VersionRange | None], Target]:
        """What library references resolved to; a path may have many versions, and as many references."""
        return {}

    def _admitted(
        self, table: Mapping[Path, tuple[LibraryEntry, ...]], path: Path, pattern: Version | None
    ) -> Sequence[LibraryEntry]:
        """The entries of a path whose version a pattern admits: those that begin with its components."""
        entries = table.get(path, ())
        if pattern is None:
            return entries
        if len(entries) <= _FEW:
            return [entry for entry in entries if pattern.matches(entry.version)]
        key = (table is self._own_entries, path)
        if (index := self._by_components.get(key)) is None:
            index = self._by_components[key] = {}
            for entry in entries:
                for given in range(1, len(entry.version.full) + 1):
                    index.setdefault(entry.version.full[:given], []).append(entry)
        return index.get(pattern.parts, ())

    @cached_property
    def _by_components(self) -> dict[tuple[bool, Path], dict[tuple[int, ...], list[LibraryEntry]]]:
        """Own or not and path → leading components of a version → entries, where a path has many versions."""
        return {}

    def _look_up(self, path: Path, pattern: Version | None, required: VersionRange | None) -> Target:
        for table in (self._own_entries, self.entries):
            if (entry := best(self._admitted(table, path, pattern), None, required)) is not None:
                return Target(TargetKind.CALL, call=_callee(entry))
        if (stated := self._stated(path, pattern, required)) is not None:
            return Target(TargetKind.CALL, call=stated)
        if (entry := best(self.standard.get(path, ()), pattern, required)) is not None:
            return Target(TargetKind.CALL, call=_callee(entry))
        if self.versions(path):
            return _NO_VERSION
        # An unreadable block, a target that the caller allows, or a node inside a library block of this document.
        return self._resolve_plain(path) or _MISSING

    def _stated(self, path: Path, pattern: Version | None, required: VersionRange | None) -> Callee | None:
        text = str(path)
        admitted = [
            call
            for call in self.stated
            if call.path == text
            and (pattern is None or pattern.matches(call.version))
            and (required is None or required.matches(call.version))
        ]
        return max(admitted, key=lambda call: call.version.full, default=None)

    def required(self, path: Path, block: int) -> VersionRange | None:
        """The range in which a block requires a library; the first of several counts."""
        return self._required[block].get(path) if self.blocks[block].requires else None

    @cached_property
    def _required(self) -> tuple[dict[Path, VersionRange | None], ...]:
        """For each block its requirements by path."""
        return tuple({r.path: r.range for r in reversed(block.requires)} for block in self.blocks)

    def entry(self, path: Path, pattern: Version | None) -> LibraryEntry | None:
        """The library entry that a call reaches which stands in no block of this document."""
        for table in (self._own_entries, self.entries):
            if (entry := best(table.get(path, ()), pattern)) is not None:
                return entry
        return None

    def versions(self, path: Path) -> tuple[Version, ...]:
        """Every version in which a library path exists, lowest first."""
        if (known := self._versions.get(path)) is None:
            known = self._versions[path] = self._versions_of(path)
        return known

    @cached_property
    def _versions(self) -> dict[Path, tuple[Version, ...]]:
        return {}

    def _versions_of(self, path: Path) -> tuple[Version, ...]:
        tables: Iterable[Mapping[Path, tuple[LibraryEntry, ...]]] = (self._own_entries, self.entries, self.standard)
        found = {entry.version for table in tables for entry in table.get(path, ())}
        found |= {call.version for call in self.stated if call.path == str(path)}
        return tuple(sorted(found, key=lambda version: version.full))


def _callee(entry: LibraryEntry) -> Callee:
    return Callee(str(entry.path), entry.version, entry.signature if is_stated(entry) else None, entry)


def stated_callee(path: str, signature: Signature | None, version: Version | None) -> Callee:
    """A library entry that constraints describe."""
    return Callee(path, version or DEFAULT_VERSION, signature)
