"""What stands on the items of a diagram: short printable texts, the same in every format."""

from __future__ import annotations

from collections.abc import Sequence

from agentic_dsl.cli.drawing.picture import fit
from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.output import plural
from agentic_dsl.compiler.diagram import Block, Diagram, Item, ItemKind
from agentic_dsl.diagnostics import DiagnosticRecord
from agentic_dsl.paths import SYSTEM_TARGETS

_WIDTH = 30
"""Cells of a line; longer ones are cut."""

_CALL_WIDTH = 44
"""The same for library calls, whose paths say the most at their end."""

_CODES = 3
"""Codes of findings that are written on an item; of more, the number."""

SIGNS = {"error": "✖", "warning": "▲", "info": "●"}
"""Severity → the sign before the codes, so that nothing is told by colour alone."""

_KINDS = {
    ItemKind.CALL: "library call",
    ItemKind.OUTSIDE: "elsewhere",
    ItemKind.OPEN: "not known",
}


def readable(text: str, width: int = _WIDTH) -> str:
    """A text of a document on one line: cut, and without characters that would steer whoever shows it."""
    # Cut before it is made printable: a name may be megabytes long.
    return fit(printable(text[: 4 * width]).translate(_NONCHARACTERS), width)


_NONCHARACTERS = dict.fromkeys((0xFFFE, 0xFFFF), "�")
"""No XML may hold these."""


def title(item: Item) -> str:
    """The first line of an item."""
    name = item.name
    if name in SYSTEM_TARGETS:
        name = name.rsplit("/", 1)[-1]
    if item.kind is ItemKind.CALL:
        return readable(name.partition("?")[0], _CALL_WIDTH)
    return readable(name) or "(no name)"


def lines(item: Item) -> list[str]:
    """The further lines: type and what it uses, the keys it writes, the codes of its findings."""
    found = []
    if item.kind is ItemKind.NODE:
        if item.uses or item.name != item.type:
            found.append(readable(" ".join([item.type or "(no type)", *item.uses])))
    elif item.kind in _KINDS:
        found.append(_KINDS[item.kind])
    if item.writes:
        found.append(readable("→ " + ", ".join(item.writes[:20])))
    if item.findings:
        found.append(marks(item.findings))
    return found


def marks(findings: Sequence[DiagnosticRecord]) -> str:
    """Sign and codes of some findings, the worst first: ``✖ ADL301 ADL120``."""
    order = list(SIGNS)
    worst_first = sorted(findings, key=lambda finding: order.index(finding["severity"]))
    codes = list(dict.fromkeys(finding["code"] for finding in worst_first))
    more = f" +{len(codes) - _CODES}" if len(codes) > _CODES else ""
    return f"{SIGNS[worst_first[0]['severity']]} {' '.join(codes[:_CODES])}{more}"


def summary(item: Item) -> str:
    """An item in words, for people who do not see it."""
    words = [title(item), *([readable(item.type)] if item.type else [_KINDS.get(item.kind, "end")])]
    if item.critical:
        words.append("on the critical path")
    if item.findings:
        words.append(plural(len(item.findings), "finding"))
    return ", ".join(words)


def heading(diagram: Diagram) -> str:
    """The title of a diagram."""
    return readable(diagram.title, 80)


def block_lines(block: Block) -> tuple[str, ...]:
    """What stands at the frame of a subgraph: its path and findings, its signature."""
    first = readable(block.path, 60)
    if block.findings:
        first += "  " + marks(block.findings)
    return (first, readable(block.signature, 80)) if block.signature else (first,)
