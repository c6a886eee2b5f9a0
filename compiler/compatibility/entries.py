"""What a block says about itself: version, stability, description, keys that the language does not know."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_dsl.ast import Contract, Subgraph
from agentic_dsl.compiler.compatibility import kinds
from agentic_dsl.compiler.compatibility.change import Change
from agentic_dsl.compiler.compatibility.json_data import value_key
from agentic_dsl.compiler.compatibility.pairing import Item, Pair
from agentic_dsl.normalise import tidy_prose
from agentic_dsl.paths import Version
from agentic_dsl.signature import Stability


def removed(item: Item, moved_to: str | None) -> Change:
    """A block that only the old version has.

    Args:
        item: the block.
        moved_to: a block of the new version that is the same but for its path, or None.
    """
    if not item.is_public:
        return Change(kinds.INTERNAL_REMOVED, item.place(), f'"{item.path}" is gone')
    help_ = "keep it, and say that it is deprecated before it goes"
    if moved_to is not None:
        help_ = f'keep the path and let it call "{moved_to}", which is the same'
    return Change(kinds.ENTRY_REMOVED, item.place(), f'"{item.path}" version {item.version} is gone', help_)


def added(item: Item, beside: Version | None) -> Change:
    """A block that only the new version has.

    Args:
        item: the block.
        beside: the highest version that the path had before, or None.
    """
    if not item.is_public:
        return Change(kinds.INTERNAL_ADDED, item.place(), f'"{item.path}" is new')
    message = f'"{item.path}" version {item.version} is new'
    if beside is not None and item.version.full > beside.full and item.entry.stability is Stability.STABLE:
        message += f": calls without a version reach it instead of version {beside}"
    return Change(kinds.ENTRY_ADDED, item.place(), message)


def compare_versions(pair: Pair) -> Iterator[Change]:
    """Whether the versions that callers may ask for are still there."""
    old, new = pair.old.version, pair.new.version
    place = pair.new.place(pair.new.block.at("version"))
    if new.full < old.full:
        if pair.new.block.version is None:
            message, help_ = f"{pair.name} states no version any more, which is version 1", f"state version {old}"
        else:
            message = f"{pair.name} has version {new}, lower than {old}"
            help_ = f"give it a version above {old}"
        yield Change(kinds.VERSION_LOWERED, place, message, help_)
    elif new.major > old.major:
        message = f"version {new} of {pair.name} takes the place of {old}: calls with @v{old.major} reach nothing"
        yield Change(kinds.MAJOR_REPLACED, place, message, f"keep version {old.major} beside it for a while")
    elif new.full > old.full:
        yield Change(kinds.VERSION_RAISED, place, f"{pair.name} has version {new}; it had {old}")


def compare_stability(pair: Pair) -> Iterator[Change]:
    """What callers may rely on from now on."""
    old, new = pair.old.entry.stability, pair.new.entry.stability
    place = pair.new.place(pair.new.block.at("stability"))
    match old, new:
        case _ if old is new:
            return
        case _, Stability.DEPRECATED:
            yield Change(kinds.DEPRECATED, place, f"{pair.name} is deprecated now")
        case Stability.STABLE, _:
            message = f"{pair.name} is experimental now; it was stable"
            yield Change(kinds.STABILITY_LOWERED, place, message, "keep it stable, or deprecate it")
        case _:
            yield Change(kinds.STABILITY_RAISED, place, f"{pair.name} is {new.value} now; it was {old.value}")


def compare_texts(pair: Pair) -> Iterator[Change]:
    """What is said about the block and its parameters: people and models read it."""
    before, after = _said(pair.old), _said(pair.new)
    if tidy_prose(pair.old.block.prose) != tidy_prose(pair.new.block.prose):
        yield Change(kinds.TEXT_CHANGED, pair.new.place(), f"the text about {pair.name} changed")
    changed = [name for name, text in after.items() if name in before and before[name] != text]
    if changed:
        kind, name = changed[0]
        signature = pair.new.entry.signature
        parameters = (*signature.inputs, *signature.outputs) if signature else ()
        span = next((p.span for p in parameters if p.name == name), None)
        message = f'the text about the {kind} "{name}" of {pair.name} changed'
        if len(changed) > 1:
            message = f"the texts about {len(changed):,} parameters of {pair.name} changed"
        yield Change(kinds.TEXT_CHANGED, pair.new.place(span), message)


def _said(item: Item) -> dict[tuple[str, str], str | None]:
    signature = item.entry.signature
    if signature is None:
        return {}
    return {
        (kind, parameter.name): parameter.description
        for kind, parameters in (("input", signature.inputs), ("output", signature.outputs))
        for parameter in parameters
    }


def compare_notes(pair: Pair) -> Iterator[Change]:
    """Keys that the language does not know, and the note in the heading."""
    old, new = _notes(pair.old), _notes(pair.new)
    if old != new:
        changed = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
        quoted = ", ".join(f'"{key}"' for key in changed)
        message = f"{pair.name} has other values of {quoted}"
        yield Change(kinds.NOTES_CHANGED, pair.new.place(), message)


def _notes(item: Item) -> dict[str, str]:
    block: Subgraph | Contract = item.canonical
    return {key: value_key(value) for key, value in block.extra.items()}
