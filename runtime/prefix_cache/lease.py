"""A reused prefix while somebody reads it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Generic, Self

from agentic_dsl.runtime.prefix_cache.payload import P


class Lease(Generic[P]):
    """The longest known beginning of a prompt. What it covers stays in memory until `release`, or the end of ``with``.

    Attributes:
        length: how many tokens it covers.
        payloads: in order, for exactly these tokens together. They stay valid after the release too, but from then on
            the cache does not count the memory that they hold.
    """

    __slots__ = ("_release", "length", "payloads")

    def __init__(self, length: int, payloads: tuple[P, ...], release: Callable[[], None]) -> None:
        self.length = length
        self.payloads = payloads
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Lets the cache evict it again; a second call does nothing."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
