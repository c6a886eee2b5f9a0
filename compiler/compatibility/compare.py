"""`compare`: what changed between two versions of a set of documents, and whether their versions say so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from agentic_dsl.ast import Subgraph
from agentic_dsl.canonical import block_data
from agentic_dsl.compiler.compatibility import entries
from agentic_dsl.compiler.compatibility.applications import (
    ApplicationPair,
    application_version,
    applications,
    compare_meta,
    compare_resources,
)
from agentic_dsl.compiler.compatibility.bodies import compare_bodies, compare_ends
from agentic_dsl.compiler.compatibility.change import Change, Comparison, Place, Verdict
from agentic_dsl.compiler.compatibility.levels import Bump, Level, bump_between, bumped, needed_bump
from agentic_dsl.compiler.compatibility.needs import (
    compare_implementation,
    compare_permissions,
    compare_requirements,
)
from agentic_dsl.compiler.compatibility.pairing import Item, Pair, items_of, pairs
from agentic_dsl.compiler.compatibility.signatures import compare_signatures
from agentic_dsl.compiler.library import Library
from agentic_dsl.paths import Path, Version
from agentic_dsl.signature import Stability
from agentic_dsl.span import NOWHERE

PASSES = (
    entries.compare_versions,
    entries.compare_stability,
    compare_signatures,
    compare_ends,
    compare_implementation,
    compare_permissions,
    compare_bodies,
    entries.compare_texts,
    entries.compare_notes,
)
"""What is asked about a block that both versions have, in order."""

INTERNAL_PASSES = (compare_permissions, compare_bodies, entries.compare_texts, entries.compare_notes)
"""What is asked about a block that nobody outside its document can call."""

APPLICATION_PASSES = (compare_meta, compare_resources)
"""What is asked about an application."""

_ORDER = tuple(Level)


def compare(old: Library, new: Library) -> Comparison:
    """What changed for those who call the entries of a library, or run its applications.

    Documents that were read with errors are compared as far as they were read; callers that must be sure look at
    `Library.findings` first.
    """
    before, after = items_of(old.documents, "old"), items_of(new.documents, "new")
    running = applications(old.documents, new.documents)
    verdicts = [_verdict_of_application(pair) for pair in running]
    released = {id(pair.new): v.declared for pair, v in zip(running, verdicts, strict=True)}
    moves, highest = _Moves(before, after), _highest(before)
    for one, other in pairs(before, after):
        if one is not None and other is not None:
            verdicts.append(_verdict_of_pair(Pair(one, other), new, released))
        elif one is not None:
            verdicts.append(_verdict_of_removed(one, moves.to(one)))
        elif other is not None:
            verdicts.append(_verdict_of_added(other, highest.get(other.path)))
    changed = (verdict for verdict in verdicts if verdict.changes)
    return Comparison(tuple(sorted(changed, key=lambda v: (v.name, (v.new or v.old or Version((1,))).full))))


def _in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes, the worst first; those of one level as they were found."""
    return tuple(sorted(changes, key=lambda change: _ORDER.index(change.level)))


def _needed(changes: Sequence[Change], *, promised: bool) -> Bump:
    return max((needed_bump(change.level, promised=promised) for change in changes), default=Bump.NONE)


def _verdict_of_pair(pair: Pair, library: Library, released: Mapping[int, Bump]) -> Verdict:
    """The verdict about a block that both versions have.

    Args:
        pair: the block.
        library: the new version.
        released: the bumps of applications, by document: what nobody outside calls has no version of its own.
    """
    is_public = pair.old.is_public or pair.new.is_public
    found = [change for ask in (PASSES if is_public else INTERNAL_PASSES) for change in ask(pair)]
    found += compare_requirements(pair, library)
    old, new = pair.old.version, pair.new.version
    declared = bump_between(old, new)
    if not is_public:
        declared = max(declared, released.get(id(pair.new.entry.document), Bump.NONE))
    promised = old.major > 0 and pair.old.entry.stability is not Stability.EXPERIMENTAL
    needed = _needed(found, promised=promised)
    return Verdict(
        name=str(pair.new.path),
        old=pair.old.block.version,
        new=pair.new.block.version,
        place=pair.new.place(pair.new.block.at("version")),
        changes=_in_order(found),
        needed=needed,
        declared=declared,
        next=bumped(old, needed),
    )


def _verdict_of_added(item: Item, beside: Version | None) -> Verdict:
    where = item.place(item.block.at("version"))
    change = entries.added(item, beside)
    return Verdict(str(item.path), None, item.block.version, where, (change,), Bump.NONE, Bump.NONE, announced=True)


def _verdict_of_removed(item: Item, moved_to: str | None) -> Verdict:
    change = entries.removed(item, moved_to)
    expected = not item.is_public or item.entry.stability is Stability.DEPRECATED
    needed = needed_bump(change.level, promised=True)
    name, place = str(item.path), item.place()
    return Verdict(name, item.block.version, None, place, (change,), needed, Bump.NONE, announced=expected)


def _verdict_of_application(pair: ApplicationPair) -> Verdict:
    found = [change for ask in APPLICATION_PASSES for change in ask(pair)]
    old, new = application_version(pair.old), application_version(pair.new)
    needed = _needed(found, promised=old is None or old.major > 0)
    meta = pair.new.meta
    return Verdict(
        name=pair.name,
        old=old,
        new=new,
        place=Place("new", pair.new, NOWHERE if meta is None else meta.at("version")),
        changes=_in_order(found),
        needed=needed,
        declared=bump_between(old, new) if old and new else Bump.NONE,
        next=bumped(old, needed) if old else None,
    )


def _highest(items: Iterable[Item]) -> dict[Path, Version]:
    found: dict[Path, Version] = {}
    for item in items:
        if item.path not in found or item.version.full > found[item.path].full:
            found[item.path] = item.version
    return found


class _Moves:
    """Finds blocks that are at another path now and the same otherwise."""

    def __init__(self, before: Iterable[Item], after: Iterable[Item]) -> None:
        old = {item.path for item in before}
        self._new = [item for item in after if item.path not in old]

    @cached_property
    def _paths(self) -> dict[str, str]:
        return {_contents(item): str(item.path) for item in reversed(self._new)}

    def to(self, item: Item) -> str | None:
        """Where a block went, None where nothing new is the same."""
        return self._paths.get(_contents(item)) if self._new else None


def _contents(item: Item) -> str:
    """All that a block says, but for its own path."""
    block = item.canonical
    text = json.dumps(block_data(block), sort_keys=True)
    return text.replace(f'"{block.path}/', '"/') if isinstance(block, Subgraph) else text
