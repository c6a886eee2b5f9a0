"""Reference lines: what a node may name as its successor, branch, source or handler.

They are where a model decides, so they are cheap to judge: a rule is a flat loop, and refers to others only at its end.
Lines share what follows the key, for it changes with every request.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.compiler.grammar.ir import Expr, Ref, alt, many, optional, seq, spread
from agentic_dsl.compiler.grammar.rule_book import RuleBook, rule_name
from agentic_dsl.compiler.grammar.text_rules import QUERY_TEMPLATE
from agentic_dsl.compiler.grammar.words import URL_TEXT, WORD
from agentic_dsl.constraints import Constraints
from agentic_dsl.paths import GENERATED_END


@dataclass(frozen=True, slots=True)
class LibraryCall:
    """A library entry that may be called, and the names of its inputs in the order of its signature."""

    reference: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Targets:
    """What the references of one request may name.

    Attributes:
        node: path of a node of the answer, without quotes.
        ends: system targets and others outside of the answer; each ends a path of it.
        calls: library entries.
    """

    node: Expr
    ends: tuple[str, ...]
    calls: tuple[LibraryCall, ...]

    def node_list(self, book: RuleBook, least: int = 1) -> Expr:
        """``["/p/a", "/p/b"]`` of nodes, with the newline."""
        return seq('["', *(spread(self.node, '", "') for _ in range(least - 1)), self._nodes(book))

    def handler(self, book: RuleBook) -> Expr:
        """One node or end, with the newline."""
        return seq('"', book.define("handler", spread(alt(self.node, *self.ends), '"\n')))

    def successors(self, book: RuleBook) -> Expr:
        """``calls* (end | nodes+)?``, at least one item, with the newline."""
        rest = alt(*(f'{end}"]\n' for end in self.ends), self._nodes(book))
        if not self.calls:
            return seq('["', book.define("successor", rest))
        book.define("successor", alt(rest, *(self._call(book, call) for call in self.calls)))
        book.define("after_call", alt('"]\n', seq('", "', Ref("successor"))))
        return seq('["', Ref("successor"))

    def _nodes(self, book: RuleBook) -> Ref:
        """Nodes from the first one's path to the newline: one rule for all lines, as it is the part that is dear."""
        return book.define("nodes", spread(self.node, many(spread('", "', self.node)), '"]\n'))

    def _call(self, book: RuleBook, call: LibraryCall) -> Expr:
        """A call with any of its inputs by name, in the order of the signature, then the rest of the list."""
        if not call.inputs:
            return seq(call.reference, Ref("after_call"))
        name = rule_name("call", call.reference)
        after: Expr = Ref("after_call")
        one: Expr | None = None
        for i in range(len(call.inputs) - 1, -1, -1):
            value = book.define(f"{name}_value_{i}", alt(seq(URL_TEXT, after), seq(QUERY_TEMPLATE, after)))
            here = seq(f"{call.inputs[i]}=", value)
            one = book.define(f"{name}_from_{i}", here if one is None else alt(here, one))
            after = book.define(f"{name}_after_{i}", alt(Ref("after_call"), seq("&", one)))
        assert one is not None  # there is an input
        return alt(seq(call.reference, Ref("after_call")), seq(f"{call.reference}?", one))


def targets_of(constraints: Constraints, calls: tuple[LibraryCall, ...]) -> Targets:
    """What the constraints allow references to name.

    Args:
        constraints: path, targets and number of blocks.
        calls: the library entries that may be called, in order.
    """
    node = seq(f"{constraints.path}/", WORD)
    if constraints.max_subgraphs > 1:
        # A node stands one segment below the path, or below a further block.
        node = spread(node, optional("/", WORD))
    ends = tuple(sorted({GENERATED_END, *constraints.targets}))
    return Targets(node, ends, calls)
