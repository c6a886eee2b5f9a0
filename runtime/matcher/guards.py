"""Guards while a text is written: the condition under which a node runs (``language.md`` §5).

A guard is a tuple of atoms, so it is a value: it survives rollbacks, and two matchers may share it. An atom is
``(node, succeeded)`` or, where no shorter way to say "one of these" is known, the frozen set of the guards left.
`agentic_dsl.compiler.guards` computes the same on a whole document; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable

Guard = tuple[object, ...]
"""Atoms, the first condition first; ``()`` is ε, always."""

ALWAYS: Guard = ()


def succeeded(guard: Guard, node: int) -> Guard:
    """The guard of the flow edges of a node that has a handler."""
    return (*guard, (node, True))


def failed(guard: Guard, node: int) -> Guard:
    """The guard of the jump edge of a node."""
    return (*guard, (node, False))


def merge(guards: Iterable[Guard]) -> Guard:
    """The guard of a node that runs when at least one of ``guards`` holds."""
    left = set(guards)
    if len(left) == 1:
        return left.pop()
    # Longest first: what two complements merge to is shorter, and may merge again.
    for length in range(max(map(len, left)), 0, -1):
        for guard in [g for g in left if len(g) == length]:
            if guard not in left:
                continue
            if any(guard[:size] in left for size in range(length)):
                left.discard(guard)
            elif (other := _complement(guard)) in left:
                left -= {guard, other}
                left.add(guard[:-1])
    # What was merged may be a prefix of a longer guard that was looked at before.
    left = {guard for guard in left if not any(guard[:size] in left for size in range(len(guard)))}
    if len(left) == 1:
        return left.pop()
    return (*_common(left), frozenset(left))


def _complement(guard: Guard) -> Guard | None:
    """The guard of the other way on from the last node, None where the last atom stands for a set."""
    last = guard[-1]
    return (*guard[:-1], (last[0], not last[1])) if isinstance(last, tuple) else None


def _common(guards: set[Guard]) -> Guard:
    first, *others = guards
    size = min(map(len, guards))
    for at in range(size):
        if any(other[at] != first[at] for other in others):
            return first[:at]
    return first[:size]
