"""The context names that are there at a point of the text, and whose value each of them is.

An `Env` is immutable. A name's *origin* says who wrote its value: equal origins are one value, so that a join needs no
merge strategy for it (``language.md`` §5, rule 10). Availability is the set of names.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from agentic_dsl.compiler.parse.template_forbidden import ENVIRONMENT_NAMES
from agentic_dsl.template import ALWAYS_THERE

Origin = object
"""A node's number, ``("call", node, position)``, ``("begin",)`` or ``("met", node)``."""

_NEVER_READ = frozenset({"ctx_snapshots"})
"""Read only with keys that the grammar of generated text lacks."""

_NOT_BARE = ENVIRONMENT_NAMES | {"and", "or", "not", "in", "true", "false", "null"}
"""Words of the template language, and names whose members may mean the environment: read with ``$.`` before them."""

INPUTS = "inputs"
"""``inputs.x`` reads ``x``."""


class Env:
    """Names with their origins; equal by identity."""

    def __init__(self, origins: Mapping[str, Origin], base: Env | None = None) -> None:
        """``base`` is an environment to which names were added, so that what is known of it is not found again."""
        self.origins = origins
        self._base = base

    def __contains__(self, name: str) -> bool:
        return name in self.origins

    def lacks(self, names: Iterable[str]) -> bool:
        """Whether one of the names is missing."""
        return any(name not in self.origins for name in names)

    def missing(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names that are missing, sorted."""
        return tuple(sorted(name for name in names if name not in self.origins))

    def plus(self, names: Iterable[str], origin: Origin) -> Env:
        """With names written by ``origin``."""
        added = dict.fromkeys(names, origin)
        return Env({**self.origins, **added}, self) if added else self

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Every spelling with which a template may begin to read a name, sorted."""
        known = self._base
        while known is not None and "roots" not in known.__dict__:
            known = known._base
        if known is None:
            return tuple(sorted(_spelled(self.origins.keys() | ALWAYS_THERE)))
        roots = list(known.roots)
        for root in _spelled(self.origins.keys() - known.origins.keys() - ALWAYS_THERE):
            insort(roots, root)
        return tuple(roots)

    @cached_property
    def spellings(self) -> tuple[tuple[str, list[str]], ...]:
        """`roots` as beginnings, and the names that may follow each of them."""
        names = [name for name in {*self.origins, *ALWAYS_THERE} if name not in _NEVER_READ]
        bare = [name for name in names if name not in _NOT_BARE]
        return (("", bare), ("$.", names), (f"{INPUTS}.", names), (f"$.{INPUTS}.", names))

    @cached_property
    def shortest_read(self) -> str:
        """The shortest of `roots`."""
        return min(self.roots, key=lambda root: (len(root), root))


def _spelled(names: Iterable[str]) -> Iterator[str]:
    """Every way to begin to read some names."""
    for name in names:
        if name not in _NEVER_READ:
            if name not in _NOT_BARE:
                yield name
            yield from (f"$.{name}", f"{INPUTS}.{name}", f"$.{INPUTS}.{name}")


def intersect(envs: Sequence[Env], node: int) -> Env:
    """What is there where any one of several edges was taken."""
    first, *others = envs
    if not others or all(other is first for other in others):
        return first
    kept: dict[str, Origin] = {}
    for name, origin in first.origins.items():
        if all(name in other.origins for other in others):
            same = all(other.origins[name] == origin for other in others)
            kept[name] = origin if same else ("met", node)
    return Env(kept)


def unite(envs: Sequence[Env], node: int) -> Env:
    """What is there where all of several edges were taken."""
    first, *others = envs
    if not others or all(other is first for other in others):
        return first
    merged = dict(first.origins)
    for other in others:
        for name, origin in other.origins.items():
            merged[name] = origin if merged.get(name, origin) == origin else ("met", node)
    return Env(merged)


def conflicts(envs: Sequence[Env]) -> bool:
    """Whether two edges bring different values of one name."""
    met: dict[str, Origin] = {}
    return any(met.setdefault(name, origin) != origin for env in envs for name, origin in env.origins.items())


def with_prefix(sorted_words: Sequence[str], prefix: str) -> bool:
    """Whether one of the words begins so."""
    at = bisect_left(sorted_words, prefix)
    return at < len(sorted_words) and sorted_words[at].startswith(prefix)


def shortest_with_prefix(sorted_words: Sequence[str], prefix: str) -> str:
    """The shortest of the words that begin so, the first of several; there must be one."""
    at = bisect_left(sorted_words, prefix)
    best = sorted_words[at]
    while at < len(sorted_words) and sorted_words[at].startswith(prefix):
        if len(sorted_words[at]) < len(best):
            best = sorted_words[at]
        at += 1
    return best
