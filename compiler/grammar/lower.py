"""`Constraints` → `Grammar`: the language of the answers that the constraints allow, as far as a grammar can say it.

    root   = block (blank line, further block)*        header, nodes, footer; or prose, where that is allowed
    node   = one of the types, fields by the node table (`node_rules`)
    lines  = regular rules that end with their newline (`text_rules`, `value_rules`, `references`)

Rules that no request changes are the same text in every grammar, so an engine's cache of rules applies. What a request
changes is the path (reference lines), types, tools, calls, ends, permissions, signature and counts.
"""

from __future__ import annotations

from agentic_dsl.compiler.grammar.feasibility import require_feasible
from agentic_dsl.compiler.grammar.ir import Expr, Grammar, Ref, alt, repeat, seq
from agentic_dsl.compiler.grammar.layout import (
    BETWEEN_BLOCKS,
    FOOTER,
    SIGNATURE_RULES,
    heading,
    permissions_line,
    signature_line,
)
from agentic_dsl.compiler.grammar.node_rules import NodeRules
from agentic_dsl.compiler.grammar.prose import PROSE, PROSE_RULE
from agentic_dsl.compiler.grammar.references import targets_of
from agentic_dsl.compiler.grammar.request import Request, node_types, read_request
from agentic_dsl.compiler.grammar.rule_book import RuleBook
from agentic_dsl.compiler.grammar.text_rules import TEXT_RULES
from agentic_dsl.compiler.grammar.words import NUMBER_RULES, WORD_RULES
from agentic_dsl.constraints import Constraints

__all__ = ["lower", "lower_request", "node_types"]

STATIC_RULES = {**WORD_RULES, **NUMBER_RULES, **TEXT_RULES, **SIGNATURE_RULES}
"""The rules that no request changes; a grammar holds those that it needs."""


def lower(constraints: Constraints, *, count_in_grammar: bool = True) -> Grammar:
    """The grammar of the answers that the constraints allow.

    Args:
        constraints: the contract.
        count_in_grammar: whether the grammar counts nodes, or leaves that to a check.

    Raises:
        ConstraintError: the constraints cannot be compiled, or no answer satisfies them.
    """
    return lower_request(read_request(constraints), count_in_grammar=count_in_grammar)


def lower_request(request: Request, *, count_in_grammar: bool = True) -> Grammar:
    """The grammar of a request that has been read; see `lower`."""
    require_feasible(request)
    constraints = request.constraints
    book = RuleBook(dict(STATIC_RULES))
    rules = NodeRules(book, targets_of(constraints, request.calls), request.tools)
    permissions = permissions_line(book, request.permissions)
    library = constraints.block_path.is_library
    signature = signature_line(request.signature_text, required=library)
    header = book.define("header", seq(heading(constraints.path), signature, permissions, "nodes:\n"))
    # The count over several blocks is beyond a grammar: each of them keeps to the maximum.
    least = constraints.min_nodes if count_in_grammar and constraints.max_subgraphs == 1 else 1
    nodes = rules.nodes(request.types, least, constraints.max_nodes if count_in_grammar else None)
    root: Expr = seq(header, nodes, FOOTER)
    if constraints.max_subgraphs > 1:
        below = heading(seq(f"{constraints.path}/", Ref("word")))
        further = seq(below, signature_line(None, required=library), permissions, "nodes:\n", nodes, FOOTER)
        more = book.define("further", seq(BETWEEN_BLOCKS, further))
        root = seq(root, repeat(more, 0, constraints.max_subgraphs - 1))
    if constraints.allow_free_text:
        root = alt(root, book.define(PROSE_RULE, PROSE))
    book.define("root", root)
    return book.grammar("root")
