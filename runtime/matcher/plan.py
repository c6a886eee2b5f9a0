"""What one request fixes before the first byte: the facts that the tracker asks for at every decision.

`Plan.of` also refuses constraints that admit no document, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.constraints import Constraints
from agentic_dsl.node_table import NODE_TABLE, NodeSpec
from agentic_dsl.runtime.matcher.blocks import Further
from agentic_dsl.runtime.matcher.catalogue import PlannedTool
from agentic_dsl.runtime.matcher.context import Env
from agentic_dsl.runtime.matcher.node_lines import Line
from agentic_dsl.signature import Signature

WORD = re.compile(r"[a-z][a-z0-9_]*")
END_ID = "end"
"""The one id that only an end may have."""

BEGIN = ("begin",)
"""The origin of what the caller's context and the signature's inputs hold."""

SHORTEST_TEMPLATE = "{{ now }}"
"""A template that can stand anywhere."""


@dataclass(frozen=True)
class PlannedCall:
    """A library call: how it is written, its inputs in order (name, type, required), and what it writes.

    Attributes:
        outputs: the names that it surely writes.
        unsure: the optional ones, whose values may change all the same.
    """

    reference: str
    inputs: tuple[tuple[str, str, bool], ...]
    outputs: tuple[str, ...]
    unsure: tuple[str, ...]


@dataclass(frozen=True)
class PlannedPermission:
    """A permission that a block may ask for: its text, its kind and the name that it limits the kind to."""

    text: str
    kind: str
    name: str | None


@dataclass(frozen=True, eq=False)
class Plan:
    """The facts of one request.

    Attributes:
        types: the node types that may be written, in the order of the node table.
        signature: of the block, None where the model writes one or there is none.
        signature_text: as it stands in the text.
        writes_signature: whether the model writes the signature.
        required: names that must be there at every end; those of a signature that the model writes come later.
        begin: the names that are there at the entry.
        ends: references that end a path of the answer, shortest first.
        outside: those of them that lead to something other than a system target.
        calls: library calls.
        reserved: words that no node of the first block may have as its id.
        block_words: words that no further block may have as the last segment of its path.
        obtainable: names that library calls write whatever the context holds.
        limit: the nodes that the first block can have.
        further_limit: the nodes that any other block can have.
    """

    constraints: Constraints
    types: tuple[str, ...]
    signature: Signature | None
    signature_text: str | None
    writes_signature: bool
    required: frozenset[str]
    begin: Env
    ends: tuple[str, ...]
    outside: frozenset[str]
    calls: tuple[PlannedCall, ...]
    tools: tuple[PlannedTool, ...] | None
    permissions: tuple[PlannedPermission, ...]
    reserved: frozenset[str]
    block_words: frozenset[str]
    obtainable: frozenset[str]
    limit: int
    further_limit: int
    lines: Mapping[str, tuple[Line, ...]] = field(repr=False)

    @property
    def prefix(self) -> bytes:
        """What stands before the id in a reference to a node of the first block."""
        return f"{self.constraints.path}/".encode()

    @cached_property
    def further(self) -> Further:
        """What blocks behind the first one can be."""
        context = self.constraints.context
        given = tuple(context.available_vars) if context is not None else ()
        required = frozenset(context.required_outputs if context is not None else ())
        return Further.of(self, Env(dict.fromkeys(given, BEGIN)), required)

    @cached_property
    def spawns(self) -> bool:
        """Whether a node that is not the first can always raise the number of nodes by one."""
        return any(spec.type not in ("start", "fork") for spec in self.specs if not spec.is_end)

    @property
    def writes(self) -> bool:
        """Whether some node can write any key."""
        return any(field.writes for spec in self.specs for field in spec.fields)

    @cached_property
    def fallible(self) -> bool:
        """Whether some node may have a handler, so that two ways to a node may exclude each other."""
        return any(line.field.jump for lines in self.lines.values() for line in lines)

    @cached_property
    def calls_anywhere(self) -> bool:
        """Whether every named node can become one that calls libraries and then ends."""
        return self.writes or "assert" in self.types or ("join" in self.types and not self.fallible)

    @cached_property
    def forks(self) -> bool:
        """Whether forks are allowed."""
        return "fork" in self.types

    @cached_property
    def longest_read(self) -> int:
        """Characters that surely suffice to read some name in a template and to close it."""
        named = [*self.begin.origins, *(name for call in self.calls for name in call.outputs)]
        return max(map(len, named), default=0) + self.max_word + 40

    @cached_property
    def specs(self) -> tuple[NodeSpec, ...]:
        """The rows of the types."""
        return tuple(NODE_TABLE[name] for name in self.types)

    @property
    def max_text(self) -> int:
        """The most characters of a free text."""
        return self.constraints.max_text_chars

    @property
    def max_word(self) -> int:
        """The most characters of an id or key."""
        return self.constraints.max_identifier_chars

    def is_key(self, name: str) -> bool:
        """Whether a node of generated text can write a name."""
        return WORD.fullmatch(name) is not None and name not in YAML_WORDS and len(name) <= self.max_word

    @classmethod
    def of(cls, constraints: Constraints) -> Plan:
        """The plan of some constraints.

        Raises:
            ConstraintError: they admit no document, or say something that cannot be read.
        """
        from agentic_dsl.runtime.matcher.plan_reader import read_plan

        return read_plan(constraints)
