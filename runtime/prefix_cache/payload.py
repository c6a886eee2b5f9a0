"""What a prefix cache keeps for a run of tokens, and where it can keep it: the ports of the cache.

The cache never looks inside a payload. An engine's payload holds the keys and values of its tokens; a simulation's
holds a count. The memory tier is the tree itself; other tiers, such as a folder of files, are `Tier`s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

MEMORY = "memory"
"""The name of the tier that the tree itself is."""


class Payload(Protocol):
    """What was computed for a run of tokens. It never changes, so that many may read it at once."""

    @property
    def tokens(self) -> int:
        """How many tokens it is for."""
        ...

    @property
    def nbytes(self) -> int:
        """The bytes of memory that it holds."""
        ...

    def split(self, at: int) -> tuple[Self, Self]:
        """The first ``at`` tokens and the rest, 0 < at < tokens; neither keeps the memory of the other alive."""
        ...


P = TypeVar("P", bound=Payload)


class Tier(Protocol[P]):
    """A slower place for payloads. It may lose any of them at any time: what is lost is computed again."""

    def store(self, key: str, payload: P) -> int:
        """Keeps the payload under a key of letters, digits and hyphens; the bytes that it takes there.

        Raises:
            OSError: it cannot be kept, such as on a full disk; nothing is left behind under this key.
            AgenticDSLError: the same.
        """
        ...

    def load(self, key: str) -> P | None:
        """What was stored, or None where it is gone or damaged."""
        ...

    def delete(self, key: str) -> None:
        """Forgets it; an unknown key is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Shelf(Generic[P]):
    """A tier as a cache uses it.

    Attributes:
        tier: where payloads go.
        capacity_bytes: what all payloads on it may take, as `Tier.store` counts them; None is unbounded.
    """

    tier: Tier[P]
    capacity_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CountedPayload:
    """A payload that only knows its size: for simulations, and wherever the tree itself is what is looked at."""

    tokens: int
    token_bytes: int = 1

    @property
    def nbytes(self) -> int:
        """See `Payload.nbytes`."""
        return self.tokens * self.token_bytes

    def split(self, at: int) -> tuple[CountedPayload, CountedPayload]:
        """See `Payload.split`."""
        return CountedPayload(at, self.token_bytes), CountedPayload(self.tokens - at, self.token_bytes)


class DictTier(Generic[P]):
    """A tier in a dictionary, for tests and simulations: as if it were slow."""

    def __init__(self) -> None:
        self.payloads: dict[str, P] = {}

    def store(self, key: str, payload: P) -> int:
        """See `Tier.store`."""
        self.payloads[key] = payload
        return payload.nbytes

    def load(self, key: str) -> P | None:
        """See `Tier.load`."""
        return self.payloads.get(key)

    def delete(self, key: str) -> None:
        """See `Tier.delete`."""
        self.payloads.pop(key, None)
