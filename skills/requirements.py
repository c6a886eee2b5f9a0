"""What a skill requires of others: names, each with bounds on the version, from one line of text.

``metadata.requires`` is a list separated by commas: ``planning>=1.0, fork-and-join^2, other``. A bound is an operator
and a version; several bounds of one name stand one after the other: ``planning>=1.0<2``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt

from agentic_dsl.compiler.parse.problem import Problem, quoted
from agentic_dsl.compiler.parse.reference import parse_version
from agentic_dsl.paths import Version, VersionRange
from agentic_dsl.span import Span

NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
"""What a skill may be called, length aside."""

_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": ge,
    "<=": le,
    "==": eq,
    ">": gt,
    "<": lt,
}
_BOUND = re.compile(r"\s*(?P<operator>>=|<=|==|[<>^~@])\s*(?P<version>[v0-9.]+)")
MAX_BOUNDS = 10
"""Bounds of one requirement; two say all that can be said."""

_HELP = 'write it as "other-skill>=1.0, third"'


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound on a version: a comparison, ``^1.2`` and ``~1.2`` as npm has them, or ``@1.2`` for these components."""

    operator: str
    version: Version

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"

    def admits(self, version: Version) -> bool:
        """Whether a version is within the bound; components that it does not have are zero."""
        if (compare := _COMPARE.get(self.operator)) is not None:
            return compare(version.full, self.version.full)
        return VersionRange(self.operator.removeprefix("@"), self.version).matches(version)


@dataclass(frozen=True, slots=True)
class Requirement:
    """Another skill by name.

    Attributes:
        name: what it is called.
        bounds: what its version must be; any version, and none, where there is no bound.
    """

    name: str
    bounds: tuple[Bound, ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(map(str, self.bounds))

    def admits(self, version: Version | None) -> bool:
        """Whether a skill of this version will do. One that states no version is within no bound."""
        return not self.bounds or (version is not None and all(bound.admits(version) for bound in self.bounds))


def parse_requires(text: str) -> tuple[tuple[Requirement, Span], ...] | Problem:
    """The requirements of a text, each with its place in it, or what is wrong first."""
    found: dict[str, tuple[Requirement, Span]] = {}
    start = 0
    for part in text.split(","):
        end = start + len(part)
        left = len(part) - len(part.lstrip()) if part.strip() else 0
        place = Span(start + left, start + max(len(part.rstrip()), left))
        start = end + 1
        requirement = _requirement(part.strip())
        if isinstance(requirement, Problem):
            return Problem(requirement.message, requirement.help, place)
        if requirement.name in found:
            message = f"the skill {quoted(requirement.name)} is required twice"
            return Problem(message, "write all its bounds in one place: planning>=1.0<2", place)
        found[requirement.name] = requirement, place
    return tuple(found.values())


def _requirement(text: str) -> Requirement | Problem:
    nowhere = Span(0, len(text))
    name = NAME.match(text)
    if name is None:
        what = f"{quoted(text)} begins with no name of a skill" if text else "a name is missing"
        return Problem(f"{what} in requires", _HELP, nowhere)
    bounds: list[Bound] = []
    at = name.end()
    while at < len(text):
        if len(bounds) == MAX_BOUNDS:
            return Problem(f"{quoted(name[0])} has more than {MAX_BOUNDS} bounds", "write one or two", nowhere)
        bound = _BOUND.match(text, at)
        version = parse_version(bound["version"]) if bound else None
        if bound is None or version is None:
            return Problem(f"{quoted(text[at:].strip())} is no bound on a version", _HELP, nowhere)
        bounds.append(Bound(bound["operator"], version))
        at = bound.end()
    return Requirement(name[0], tuple(bounds))
