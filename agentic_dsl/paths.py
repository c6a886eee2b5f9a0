"""Paths, versions, namespaces and layers, and the references that point at them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from agentic_dsl.span import NOWHERE, Span

SEGMENT = re.compile(r"[A-Za-z0-9_-]+")
"""One segment of a path; ``grammars/path.lark`` has the same pattern (a test holds them equal)."""


class Layer(Enum):
    """The layer that a block belongs to (``language.md`` §3)."""

    PRIMITIVE = 1
    STANDARD = 2
    KNOWLEDGE = 3
    ADAPTER = 0
    """``/lib`` entries around tools: no layer rule."""
    APPLICATION = 4
    """Everything outside ``/lib``."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """One row of the namespace table of ``language.md`` §2."""

    prefix: tuple[str, ...]
    layer: Layer
    signature_required: bool = False
    generated: bool = False
    """Whether generation may write here without being asked for a library."""
    reserved: bool = False


NAMESPACES: tuple[Namespace, ...] = (
    Namespace(("lib", "dslgraph"), Layer.STANDARD, signature_required=True),
    Namespace(("lib", "memory"), Layer.STANDARD, signature_required=True),
    Namespace(("lib", "reasoning"), Layer.STANDARD, signature_required=True),
    Namespace(("lib", "conversation"), Layer.STANDARD, signature_required=True),
    Namespace(("lib", "workflow"), Layer.KNOWLEDGE, signature_required=True),
    Namespace(("lib", "knowledge"), Layer.KNOWLEDGE, signature_required=True),
    Namespace(("lib",), Layer.ADAPTER, signature_required=True),
    Namespace(("dynamic",), Layer.APPLICATION, generated=True),
    Namespace(("main",), Layer.APPLICATION),
    Namespace(("app",), Layer.APPLICATION),
    Namespace(("self",), Layer.APPLICATION),
    Namespace(("__meta__",), Layer.APPLICATION, reserved=True),
    Namespace(("__system__",), Layer.APPLICATION, reserved=True),
)
"""Most specific first: the first row whose prefix fits is the path's namespace."""


@dataclass(frozen=True, slots=True)
class Path:
    """An absolute path, such as ``/lib/math/add``. ``str()`` gives the text."""

    segments: tuple[str, ...]
    text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", f"/{'/'.join(self.segments)}")
        if not self.segments or not all(map(SEGMENT.fullmatch, self.segments)):
            raise ValueError(f"not a path: {self.text!r}")

    def __str__(self) -> str:
        return self.text

    def child(self, name: str) -> Path:
        """The path one segment further down."""
        return Path((*self.segments, name))

    @property
    def parent(self) -> Path | None:
        """The path one segment further up, None at the top."""
        return Path(self.segments[:-1]) if len(self.segments) > 1 else None

    @property
    def name(self) -> str:
        """The last segment."""
        return self.segments[-1]

    def under(self, *prefix: str) -> bool:
        """Whether the path begins with these segments."""
        return self.segments[: len(prefix)] == prefix

    @property
    def namespace(self) -> Namespace | None:
        """The row of `NAMESPACES` that holds this path, None where the language has no such namespace."""
        for namespace in NAMESPACES:
            if self.under(*namespace.prefix):
                return namespace
        return None

    @property
    def is_library(self) -> bool:
        """Whether the path stands under ``/lib``."""
        return self.under("lib")


@dataclass(frozen=True, slots=True)
class Version:
    """A version with one to three components: ``1``, ``1.2`` or ``1.2.3``.

    As a *pattern* (``@v1.2``) it matches every version whose leading components are the same; as the version of a
    library entry its missing components are zero.
    """

    parts: tuple[int, ...]

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))

    @property
    def major(self) -> int:
        """The component whose change breaks callers."""
        return self.parts[0]

    @property
    def full(self) -> tuple[int, int, int]:
        """All three components, missing ones zero; the order of versions is the order of these."""
        major, minor, patch = (*self.parts, 0, 0)[:3]
        return major, minor, patch

    def matches(self, version: Version) -> bool:
        """Whether this pattern admits ``version``."""
        return version.full[: len(self.parts)] == self.parts


@dataclass(frozen=True, slots=True)
class VersionRange:
    """A range as npm writes it: ``^1.2`` (caret), ``~1.2`` (tilde) or exactly ``1.2``."""

    operator: str
    """``"^"``, ``"~"`` or ``""``."""
    version: Version

    def __str__(self) -> str:
        return f"{self.operator}{self.version}"

    def matches(self, version: Version) -> bool:
        """Whether ``version`` is within the range, by npm's rules."""
        low = self.version.full
        if self.operator == "":
            return self.version.matches(version)
        return low <= version.full < self._ceiling()

    def _ceiling(self) -> tuple[int, int, int]:
        major, minor, patch = self.version.full
        given = len(self.version.parts)
        if self.operator == "~":
            return (major + 1, 0, 0) if given == 1 else (major, minor + 1, 0)
        # Caret: nothing left of the first non-zero component changes; a component not given is free.
        if major or given == 1:
            return (major + 1, 0, 0)
        if minor or given == 2:
            return (0, minor + 1, 0)
        return (0, 0, patch + 1)


class ReferenceKind(Enum):
    """The forms a reference can have (``language.md`` §2)."""

    PATH = "path"
    ID = "id"
    SELF = "self"
    TEMPLATE = "template"
    ALL = "all"
    """``@all`` in a join's ``wait_for``: all its in-edges."""
    INVALID = "invalid"
    """None of the forms; a diagnostic says so, the text is kept."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a ``next``, branch, ``wait_for`` or handler points at.

    Attributes:
        text: the whole reference as written; two references are equal when their texts are.
        kind: which form it has.
        path: the path of a `PATH`; for `SELF` the rest below the block; None otherwise.
        version: the ``@v`` pattern on the last segment, if any.
        query: inputs of a library call, name → value, URL-decoded unless a template; in the order written.
        span: where it stands.
    """

    text: str
    kind: ReferenceKind = field(compare=False)
    path: Path | None = field(default=None, compare=False)
    version: Version | None = field(default=None, compare=False)
    query: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    span: Span = field(default=NOWHERE, compare=False)

    def __str__(self) -> str:
        return self.text


class Hardness(Enum):
    """How a system target ends a run."""

    HARD = "hard"
    SOFT = "soft"


SYSTEM_TARGETS: dict[str, Hardness] = {
    "/end": Hardness.HARD,
    "/end_soft": Hardness.SOFT,
    "/__system__/budget_exceeded": Hardness.HARD,
    "/__system__/end_soft": Hardness.SOFT,
    "/__system__/noop": Hardness.SOFT,
}
"""Targets that exist without being declared; every one of them is an end."""

GENERATED_END = "/__system__/end_soft"
"""The system target that generated text may end on without being asked for others."""
