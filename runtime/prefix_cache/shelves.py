"""The tiers below memory: what lies on each, within its bytes, and how a run gets there and back."""

from __future__ import annotations

import hashlib
import logging
from array import array
from collections.abc import Mapping
from typing import Generic

from agentic_dsl.errors import AgenticDSLError, UsageError
from agentic_dsl.runtime.prefix_cache.payload import MEMORY, P, Shelf
from agentic_dsl.runtime.prefix_cache.radix_tree import Node
from agentic_dsl.runtime.prefix_cache.run import Run, Stored
from agentic_dsl.runtime.prefix_cache.victims import VictimQueue

_log = logging.getLogger(__name__)


class Shelves(Generic[P]):
    """Reads and writes copies. A tier that fails is a line in the log: the cache goes on without the copy."""

    def __init__(self, shelves: Mapping[str, Shelf[P]]) -> None:
        if MEMORY in shelves:
            raise UsageError(f'a tier cannot be called "{MEMORY}"', help="name the tier after where it lies")
        self._shelves = dict(shelves)
        self.used = dict.fromkeys(shelves, 0)
        self.queues: dict[str, VictimQueue[Node[Run[P]]]] = {name: VictimQueue() for name in shelves}

    def require(self, name: str) -> str:
        """The name, if there is such a tier."""
        if name not in self._shelves:
            known = ", ".join([MEMORY, *self._shelves])
            raise UsageError(f'there is no tier "{name}"', help=f"name one of: {known}")
        return name

    def has_room(self, name: str, nbytes: int) -> bool:
        """Whether so many more bytes are within the tier's capacity."""
        capacity = self._shelves[name].capacity_bytes
        return capacity is None or self.used[name] + nbytes <= capacity

    def store(self, name: str, node: Node[Run[P]]) -> bool:
        """Makes the copy of a run that is in memory; False if the tier cannot."""
        run = node.value
        if run.payload is None:
            raise ValueError("only what is in memory can be copied to a tier")
        key = key_of(node)
        try:
            nbytes = self._shelves[name].tier.store(key, run.payload)
        except (OSError, AgenticDSLError) as error:
            _log.warning('prefix cache: the tier "%s" does not keep %s %s: %s', name, run.kind, run.name, error)
            return False
        run.stored = Stored(name, key, nbytes)
        self.used[name] += nbytes
        return True

    def load(self, node: Node[Run[P]]) -> P | None:
        """The copy of a run, or None where it is gone, damaged or of another length."""
        stored = node.value.stored
        if stored is None:
            raise ValueError("the run has no copy")
        try:
            payload = self._shelves[stored.tier].tier.load(stored.key)
        except (OSError, AgenticDSLError) as error:
            _log.warning('prefix cache: the tier "%s" cannot read %s: %s', stored.tier, stored.key, error)
            return None
        return payload if payload is not None and payload.tokens == len(node.tokens) else None

    def adopt(self, run: Run[P], stored: Stored) -> None:
        """Counts a copy that lies there already."""
        run.stored = stored
        self.used[stored.tier] += stored.nbytes

    def forget(self, node: Node[Run[P]]) -> int:
        """Deletes the copy of a run, if it has one; the bytes that were freed."""
        stored, node.value.stored = node.value.stored, None
        if stored is None:
            return 0
        self.queues[stored.tier].withdraw(node)
        self.used[stored.tier] -= stored.nbytes
        try:
            self._shelves[stored.tier].tier.delete(stored.key)
        except (OSError, AgenticDSLError) as error:
            _log.warning('prefix cache: the tier "%s" cannot delete %s: %s', stored.tier, stored.key, error)
        return stored.nbytes


def key_of(node: Node[Run[P]]) -> str:
    """The name of a run's payload."""
    return prefix_key(node.prefix(), node.start, node.start + len(node.tokens))


def prefix_key(tokens: array[int], start: int, end: int) -> str:
    """The name of what was computed for some tokens of a text: the same in every process for the same beginning."""
    return f"{start}-{end - start}-{hashlib.sha256(tokens[:end].tobytes()).hexdigest()[:40]}"
