"""A bounded cache of compiled grammars, for engines that keep every grammar that they have ever seen."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

Key = tuple[str, str]
"""The kind of a grammar and its text, which can be long: it counts."""


class GrammarCache(MutableMapping[Key, Any]):
    """What was used last stays, within a number of entries and of bytes. For one thread, as the dictionary it replaces.

    Attributes:
        max_entries: the most grammars.
        max_bytes: the most bytes of texts and grammars together; one that is larger is not kept at all.
    """

    def __init__(
        self,
        *,
        max_entries: int = 256,
        max_bytes: int = 512 << 20,
        weigh: Callable[[Any], int] = lambda _: 0,
        keeps: Callable[[Key, Any], bool] = lambda *_: True,
    ) -> None:
        """Makes an empty cache.

        Args:
            max_entries: see above.
            max_bytes: see above.
            weigh: the bytes of a grammar without its text.
            keeps: whether a grammar is kept at all.
        """
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._weigh = weigh
        self._keeps = keeps
        self._entries: OrderedDict[Key, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def nbytes(self) -> int:
        """The bytes that are held now."""
        return self._bytes

    def __getitem__(self, key: Key) -> Any:
        value, _ = self._entries[key]
        self._entries.move_to_end(key)
        return value

    def __setitem__(self, key: Key, value: Any) -> None:
        self.pop(key, None)
        size = len(key[1]) + self._weigh(value)
        if size > self.max_bytes or not self._keeps(key, value):
            return
        self._entries[key] = value, size
        self._bytes += size
        while len(self._entries) > self.max_entries or self._bytes > self.max_bytes:
            _, (_, freed) = self._entries.popitem(last=False)
            self._bytes -= freed

    def __delitem__(self, key: Key) -> None:
        _, size = self._entries.pop(key)
        self._bytes -= size

    def __iter__(self) -> Iterator[Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
