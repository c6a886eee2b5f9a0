"""The rules of ``language.md`` §5 that no constraint names, and what holds each of them, as data for the report."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.compiler.grammar.enforcement import Level, ReportEntry


@dataclass(frozen=True, slots=True)
class HeldRule:
    """How one rule is enforced.

    Attributes:
        point: its number in ``language.md`` §5; 0 is what that section takes for granted.
        name: its entry in the report, after ``language.``.
        rule: the rule in words.
        plain: what holds it where the grammar has no parameters.
        parametric: what holds it in text of a grammar with parameters.
        means: by which means such a grammar holds it, or why it does not; empty where it is as in every grammar.
    """

    point: int
    name: str
    rule: str
    plain: Level
    parametric: Level
    means: str = ""

    def entry(self, *, parametric: bool) -> ReportEntry:
        """The entry of the report."""
        if not parametric:
            return ReportEntry(f"language.{self.name}", self.plain, self.rule)
        detail = f"{self.rule}: {self.means}" if self.means else self.rule
        return ReportEntry(f"language.{self.name}", self.parametric, detail)


_G, _O, _C = Level.GRAMMAR, Level.OVERLAY, Level.CHECKED
_NO_JOINS = "joins are never generated, as their guards do not fit the bits"

HELD: tuple[HeldRule, ...] = (
    HeldRule(0, "layout", "the canonical layout with all required fields", _G, _G),
    HeldRule(1, "ids", "ids are unique", _O, _G, "a node takes a marked id, which is then declared for good"),
    HeldRule(2, "references", "every reference leads somewhere", _O, _G, "the footer needs every mark to be gone"),
    HeldRule(3, "acyclic", "there are no circles", _O, _G, "references name ids that are not declared yet"),
    HeldRule(4, "reachable", "every node is reached", _O, _G, "only marked ids are declared after the first"),
    HeldRule(4, "paths", "every node but an end leads on", _G, _G),
    HeldRule(4, "start", "only the first node is a start", _G, _G),
    HeldRule(4, "branches", "a fork has two branches or more", _G, _G),
    HeldRule(4, "lists", "no list names a target twice", _O, _G, "the ids of a list rise"),
    HeldRule(4, "order", "a list is library calls, then one end or nodes", _G, _G),
    HeldRule(5, "joins", "a join waits for exactly the nodes that lead to it, under one condition", _O, _G, _NO_JOINS),
    HeldRule(6, "generation", "what is generated never replaces this block", _O, _C, "a path is free text"),
    HeldRule(7, "permissions", "what a block asks for by name limits its nodes", _O, _C, "no bits are left for names"),
    HeldRule(8, "templates", "templates can be read", _G, _G),
    HeldRule(8, "keys", "no key is written twice in one place", _O, _C, "no bits are left for keys"),
    HeldRule(8, "words", "ids and keys are no words that YAML reads as values", _O, _C, "keys are free words"),
    HeldRule(10, "merges", "values that meet in a join can be merged", _O, _G, _NO_JOINS),
)
"""Every rule without a constraint of its own. Points 6 to 9 have more entries, under the constraints they belong to."""
