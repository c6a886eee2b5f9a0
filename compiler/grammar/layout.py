"""The lines of a block around its nodes: heading, fence, markers, block keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentic_dsl.compiler.grammar.ir import EMPTY, Expr, Ref, alt, lit, optional, seq, spread
from agentic_dsl.compiler.grammar.printing import print_text
from agentic_dsl.compiler.grammar.rule_book import RuleBook
from agentic_dsl.compiler.grammar.words import WORD
from agentic_dsl.format import BEGIN_MARKER, END_MARKER
from agentic_dsl.signature import TYPE_NAMES

FOOTER = f"{END_MARKER}\n```\n"
BETWEEN_BLOCKS = "\n"

_TYPE = alt(*TYPE_NAMES, *(f"array<{name}>" for name in TYPE_NAMES))


def _fields(name: str, word: Expr, end: Expr) -> dict[str, Expr]:
    """Rules for ``a: string, b?: number`` and what follows it."""
    return {
        name: seq(word, Ref(f"{name}_type")),
        f"{name}_type": spread(optional("?"), ": ", _TYPE, Ref(f"{name}_more")),
        f"{name}_more": alt(seq(", ", Ref(name)), end),
    }


SIGNATURE_RULES: Mapping[str, Expr] = {
    "signature_line": seq('signature: "(', alt(Ref("signature_input"), Ref("signature_arrow"))),
    **_fields("signature_input", WORD, Ref("signature_arrow")),
    "signature_arrow": seq(") -> ", alt('()"\n', seq("{", Ref("signature_output")))),
    **_fields("signature_output", Ref("word"), lit('}"\n')),
}
"""A signature of the model's own. Its outputs are named by words that nodes can write as keys."""


def heading(path: Expr | str) -> Expr:
    """From the heading of a block to its first key."""
    return seq("### AgenticDSL `", path, f"`\n```yaml\n{BEGIN_MARKER}\ngraph_type: subgraph\n")


def signature_line(signature: str | None, *, required: bool) -> Expr:
    """The signature that was asked for; else, where one is required, any."""
    if signature is not None:
        return lit(f"signature: {print_text(signature)}\n")
    return Ref("signature_line") if required else EMPTY


def permissions_line(book: RuleBook, granted: Sequence[str]) -> Expr:
    """``permissions: [...]`` with some of what is granted, in its order; absent where nothing is asked for."""
    if not granted:
        return EMPTY
    asked = book.some_in_order("permission", [lit(print_text(text)) for text in granted], ", ")
    return optional("permissions: [", asked, "]\n")
