"""What an entry needs of those who load and run it: permissions, other libraries, an implementation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentic_dsl.ast import Contract, Requirement, Subgraph
from agentic_dsl.compiler.checks.permissions import Held, describe, span_of, used
from agentic_dsl.compiler.compatibility import kinds
from agentic_dsl.compiler.compatibility.change import Change
from agentic_dsl.compiler.compatibility.pairing import Item, Pair
from agentic_dsl.compiler.library import Library
from agentic_dsl.compiler.standard_library import standard_library
from agentic_dsl.paths import Path, Version, VersionRange
from agentic_dsl.permission import Permission
from agentic_dsl.span import Span

Need = tuple[Permission, Span]
"""A permission, and where the document says so."""


def compare_permissions(pair: Pair) -> Iterator[Change]:
    """Permissions that are needed now and were not, and those that were and are not."""
    before, after = needs_of(pair.old), needs_of(pair.new)
    yield from _uncovered(pair, before, after)
    held = Held(permission for permission, _ in after)
    for permission, span in before:
        if not held.cover(permission):
            message = f"{pair.name} does without {describe(permission)}"
            yield Change(kinds.NEEDS_LESS, pair.old.place(span), message)


def _uncovered(pair: Pair, before: list[Need], after: list[Need]) -> Iterator[Change]:
    held = Held(permission for permission, _ in before)
    for permission, span in after:
        if not held.cover(permission):
            message = f"{pair.name} needs {describe(permission)}, which it did not need"
            yield Change(kinds.NEEDS_MORE, pair.new.place(span), message, "do without it")


def needs_of(item: Item) -> list[Need]:
    """Everything that a block needs: its permissions, else those of its nodes; and what its nodes use beside them."""
    block = item.block
    needs = [(p, span_of(p, block.at("permissions", n))) for n, p in enumerate(block.permissions)]
    nodes = block.nodes if isinstance(block, Subgraph) else ()
    if not needs:
        needs = [(p, span_of(p, node.at("permissions", n))) for node in nodes for n, p in enumerate(node.permissions)]
    stated = {(permission.kind, permission.name) for permission, _ in needs}
    for node in nodes:
        if (reached := used(node)) is None or not reached[1]:
            continue
        kind, name, attribute = reached
        if not {(kind, name), (kind, None)} & stated:
            stated.add((kind, name))
            needs.append((Permission(kind, name), node.at(attribute)))
    return needs


# --- requirements ----------------------------------------------------------------------------------------------------


def compare_requirements(pair: Pair, library: Library) -> Iterator[Change]:
    """Libraries that whoever loads the new version must bring, where they did not before.

    Args:
        pair: the block.
        library: the new version, which may bring what it requires.
    """
    before, after = _requirements(pair.old), _requirements(pair.new)
    for path, asked in after.items():
        if path not in before:
            yield _added(pair, asked, brought=_is_brought(asked, library))
            continue
        was = before[path]
        if was.range == asked.range:
            continue
        text = f'{pair.name} requires "{path}" {_words(asked)}; it required {_words(was)}'
        if _admits_all(asked.range, was.range) or _is_brought(asked, library):
            yield Change(kinds.REQUIREMENT_CHANGED, pair.new.place(asked.span), text)
        else:
            help_ = "admit the versions that did, or bring one that does"
            yield Change(kinds.REQUIREMENT_NARROWED, pair.new.place(asked.span), text, help_)
    for path, was in before.items():
        if path not in after:
            message = f'{pair.name} does not require "{path}" any more'
            yield Change(kinds.REQUIREMENT_CHANGED, pair.old.place(was.span), message)


def _requirements(item: Item) -> dict[Path, Requirement]:
    requires: Iterable[Requirement] = item.block.requires if isinstance(item.block, Subgraph) else ()
    return {requirement.path: requirement for requirement in requires}


def _added(pair: Pair, asked: Requirement, *, brought: bool) -> Change:
    message = f'{pair.name} requires "{asked.path}" {_words(asked)} now'
    place = pair.new.place(asked.span)
    if brought:
        return Change(kinds.REQUIREMENT_CHANGED, place, message)
    return Change(kinds.REQUIREMENT_ADDED, place, message, "bring it with the library")


def _is_brought(asked: Requirement, library: Library) -> bool:
    """Whether a version that will do is part of the new version itself, or of every executor."""
    found = library.resolve(asked.path, range=asked.range) or standard_library().resolve(asked.path, range=asked.range)
    return found is not None


def _words(requirement: Requirement) -> str:
    return "in any version" if requirement.range is None else f"in version {requirement.range}"


_BEYOND = 10**18
"""Larger than any component of a version: paths have at most 18 digits there."""


def _admits_all(wide: VersionRange | None, narrow: VersionRange | None) -> bool:
    """Whether every version of one range is in the other. Ranges have no holes, so both ends tell."""
    if wide is None:
        return True
    return narrow is not None and wide.matches(narrow.version) and wide.matches(_highest(narrow))


def _highest(range: VersionRange) -> Version:
    """The highest version of a range, as far as `VersionRange.matches` can tell."""
    major, minor, patch = range.version.full
    candidates = (Version((major, _BEYOND, _BEYOND)), Version((major, minor, _BEYOND)), Version((major, minor, patch)))
    return next(version for version in candidates if range.matches(version))


# --- implementation --------------------------------------------------------------------------------------------------


def compare_implementation(pair: Pair) -> Iterator[Change]:
    """Who implements the entry: the library with nodes, or the executor."""
    match pair.old.block, pair.new.block:
        case Subgraph(), Contract():
            message = f"{pair.name} has no nodes any more: the executor has to implement it"
            yield Change(kinds.IMPLEMENTATION_DROPPED, pair.new.place(), message, "keep its nodes")
        case Contract(), Subgraph():
            message = f"{pair.name} has nodes now: the executor need not implement it"
            yield Change(kinds.IMPLEMENTED, pair.new.place(), message)
