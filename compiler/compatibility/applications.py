"""Applications: what ``/__meta__`` and its resources ask of those who run a document."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os.path import basename
from typing import Any

from agentic_dsl.ast import Document, Meta, ResourceEntry
from agentic_dsl.canonical import block_data
from agentic_dsl.compiler.compatibility import kinds
from agentic_dsl.compiler.compatibility.change import Change, Place
from agentic_dsl.compiler.compatibility.json_data import items_of, members_of, value_key
from agentic_dsl.compiler.compatibility.schemas import contains
from agentic_dsl.paths import Version
from agentic_dsl.permission import Permission
from agentic_dsl.span import NOWHERE, Span

_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,2})", re.ASCII)

LIMITS = ("scope", "rate_limit", "outbound", "allow_imports", "max_depth")
"""Keys of a resource that narrow what is needed: without one there is no limit."""

REQUESTS = ("capabilities", "backends")
"""Keys that list what is needed: without one nothing is."""

SCHEMAS = ("parameters", "returns")
"""Keys that say how a tool is called: what the document will give it, and what it will take from it."""

REMARKS = ("description", "name")


@dataclass(frozen=True, slots=True)
class ApplicationPair:
    """The same application in both versions."""

    old: Document
    new: Document

    @property
    def name(self) -> str:
        """What the verdict about it is called."""
        return "/__meta__"

    def place(self, span: Span) -> Place:
        """A place in the new version."""
        return Place("new", self.new, span)


def applications(old: Iterable[Document], new: Iterable[Document]) -> list[ApplicationPair]:
    """The applications of both versions: the only ones, else those whose files have one name, in order."""
    before = [document for document in old if document.meta is not None]
    after = [document for document in new if document.meta is not None]
    if len(before) == len(after) == 1:
        return [ApplicationPair(before[0], after[0])]
    known: dict[str, deque[Document]] = {}
    for document in before:
        known.setdefault(_file_name(document), deque()).append(document)
    found = ((known.get(_file_name(document)), document) for document in after)
    return [ApplicationPair(same.popleft(), document) for same, document in found if same]


def _file_name(document: Document) -> str:
    return basename(document.source.path or "")


def application_version(document: Document) -> Version | None:
    """The version that ``/__meta__`` states, None where it is none that can be compared."""
    text = document.meta.version if document.meta else None
    match = _VERSION.fullmatch(text.strip()) if text else None
    return Version(tuple(map(int, match[1].split(".")))) if match else None


def compare_meta(pair: ApplicationPair) -> Iterator[Change]:
    """What an application says about how it is run."""
    before, after = _meta_data(pair.old.meta), _meta_data(pair.new.meta)
    for key in dict.fromkeys((*before, *after)):
        if value_key(before.get(key)) != value_key(after.get(key)):
            meta = pair.new.meta
            span = NOWHERE if meta is None else meta.key_at(key)
            yield Change(kinds.META_CHANGED, pair.place(span), f'"{key}" of /__meta__ changed')


def _meta_data(meta: Meta | None) -> Mapping[str, Any]:
    return {} if meta is None else block_data(meta)


# --- resources -------------------------------------------------------------------------------------------------------


def compare_resources(pair: ApplicationPair) -> Iterator[Change]:
    """Resources that whoever runs the application must have now and did not need."""
    before, after = _resources(pair.old), _resources(pair.new)
    for key, entry in after.items():
        if key not in before:
            message = f"the application needs {_described(entry)}, which it did not need"
            yield Change(kinds.RESOURCE_ADDED, pair.place(entry.span), message, "do without it")
        else:
            yield from _compare_entry(pair, before[key], entry)
    for key, entry in before.items():
        if key not in after:
            message = f"the application does without {_described(entry)}"
            yield Change(kinds.RESOURCE_DROPPED, Place("old", pair.old, entry.span), message)


def _compare_entry(pair: ApplicationPair, old: ResourceEntry, new: ResourceEntry) -> Iterator[Change]:
    more = [key for key in dict.fromkeys((*old.options, *new.options)) if not _is_enough(key, old, new)]
    less = [key for key in dict.fromkeys((*old.options, *new.options)) if not _is_enough(key, new, old)]
    if more:
        message = f"the application needs more of {_described(new)}: {_quoted(more)} changed"
        yield Change(kinds.RESOURCE_ADDED, pair.place(new.span), message, "keep to what was needed")
    elif less:
        message = f"the application needs less of {_described(new)}: {_quoted(less)} changed"
        yield Change(kinds.RESOURCE_DROPPED, pair.place(new.span), message)
    said = [key for key in REMARKS if value_key(old.options.get(key)) != value_key(new.options.get(key))]
    if said:
        yield Change(kinds.META_CHANGED, pair.place(new.span), f"the text about {_described(new)} changed")


def _is_enough(key: str, held: ResourceEntry, asked: ResourceEntry) -> bool:
    """Whether who has what one entry needs has what the other needs, as far as one key says."""
    have, want = held.options.get(key), asked.options.get(key)
    if key in REMARKS or value_key(have) == value_key(want):
        return True
    if key in LIMITS:
        return Permission("tool", None, _limits(have)).covers(Permission("tool", None, _limits(want)))
    if key in REQUESTS:
        return {value_key(item) for item in items_of(want)} <= {value_key(item) for item in items_of(have)}
    if key == "parameters":  # a tool that takes what it was given takes less of it too
        return contains((_schema(have),), (_schema(want),))
    if key == "returns":  # what the tool gives must be within what is expected
        return contains((_schema(want),), (_schema(have),))
    return False


def _limits(value: Any) -> Mapping[str, Any]:
    """A limit as options of a permission; the parts of a mapping are limits of their own."""
    if value is None:
        return {}
    return members_of(value) or {"limit": value}


def _schema(value: Any) -> Any:
    return True if value is None else value


def _resources(document: Document) -> dict[tuple[str, str | None], ResourceEntry]:
    entries = document.resources.entries if document.resources else ()
    return {(entry.type, entry.name): entry for entry in entries}


def _described(entry: ResourceEntry) -> str:
    return f"the {entry.type}" if entry.name is None else f'the {entry.type} "{entry.name}"'


def _quoted(keys: Iterable[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
