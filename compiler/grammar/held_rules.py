"""Which rules of the language hold in text of a parametric grammar, as data for a report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Held(Enum):
    """What enforces a rule of the language in text of this grammar."""

    GRAMMAR = "grammar"
    """No text of the grammar breaks it."""
    ABSENT = "absent"
    """What it is about is not generated at all."""
    CHECKED = "checked"
    """Text may break it; check the answer."""


@dataclass(frozen=True, slots=True)
class HeldRule:
    """How one point of ``language.md`` §5 is enforced.

    Attributes:
        point: its number.
        rule: the part of it that is meant.
        held: what enforces it.
        detail: by which means, for a report.
    """

    point: int
    rule: str
    held: Held
    detail: str


HELD: tuple[HeldRule, ...] = (
    HeldRule(1, "ids are unique", Held.GRAMMAR, "a node takes a marked id, which is then declared for good"),
    HeldRule(2, "every reference resolves", Held.GRAMMAR, "the footer needs every mark to be gone"),
    HeldRule(2, "targets outside are among those allowed", Held.GRAMMAR, "they are literals"),
    HeldRule(3, "the graph is acyclic", Held.GRAMMAR, "references name ids that are not declared yet"),
    HeldRule(4, "every node is reachable", Held.GRAMMAR, "only marked ids are declared after the first"),
    HeldRule(4, "every path ends", Held.GRAMMAR, "every node but an end has a list that is not empty"),
    HeldRule(4, "start is the entry", Held.GRAMMAR, "only the first node may be one"),
    HeldRule(4, "branches are two or more, distinct nodes", Held.GRAMMAR, "lists of references rise"),
    HeldRule(5, "the join rule", Held.ABSENT, "join nodes are not generated: guards do not fit the bits"),
    HeldRule(6, "the number of nodes", Held.GRAMMAR, "there are as many ids as nodes; min_nodes counts bits"),
    HeldRule(6, "max_subgraph_depth 0", Held.GRAMMAR, "generate_subgraph is left out"),
    HeldRule(6, "no circle through generate_subgraph", Held.CHECKED, "its namespace_prefix is free text"),
    HeldRule(7, "node types, layers, tools and permissions", Held.GRAMMAR, "as in the plain grammar"),
    HeldRule(8, "templates parse", Held.GRAMMAR, "as in the plain grammar"),
    HeldRule(8, "names read are available", Held.CHECKED, "no bits are left for context names"),
    HeldRule(8, "inputs of library calls", Held.ABSENT, "library calls are not generated"),
    HeldRule(8, "context keys are written once, words are short", Held.CHECKED, "as in the plain grammar"),
    HeldRule(9, "required outputs", Held.ABSENT, "constraints that require any are refused"),
    HeldRule(10, "merge conflicts", Held.ABSENT, "join nodes are not generated"),
)
"""What holds by the grammar alone. The token budget and ``max_text_chars`` are for the check as well."""
