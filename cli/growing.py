"""A subgraph while a model writes it: a drawing that grows, or one line a node where nobody looks."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentic_dsl.ast import Subgraph
from agentic_dsl.cli.findings import printable
from agentic_dsl.cli.output import Output, plural, takes_unicode
from agentic_dsl.json_view import node_view
from agentic_dsl.node_references import reference_fields, references_in

if TYPE_CHECKING:
    from rich.console import Console

    from agentic_dsl.node_table import AnyNode
    from agentic_dsl.paths import Path

Grow = Callable[[tuple["AnyNode", ...], int], None]
"""``grow(nodes, tokens)``: these nodes are there, after this many tokens."""


def node_line(node: AnyNode) -> str:
    """One node for people: its id, its type, and what it names."""
    named = [reference.text for field in reference_fields(node) for reference in references_in(node, field)]
    targets = f" -> {', '.join(dict.fromkeys(named))}" if named else ""
    return printable(f"{node.id}: {node.type}{targets}")


def node_record(node: AnyNode) -> str:
    """One node as one line of JSON."""
    return json.dumps({"node": node_view(node)}, ensure_ascii=not takes_unicode(sys.stdout))


@contextmanager
def growing_graph(out: Output, path: Path) -> Iterator[Grow]:
    """Shows a subgraph as it grows: on stderr a drawing for people who look, else one line a node; in JSON on stdout.

    Args:
        out: the streams of the command. Where it is quiet, people see nothing.
        path: the path of the subgraph.
    """
    if out.shows_progress and not out.json:
        with _drawing(path) as grow:
            yield grow
        return
    shown = 0

    def lines(nodes: tuple[AnyNode, ...], _tokens: int) -> None:
        nonlocal shown
        for node in nodes[shown:]:
            if out.json:
                out.data(node_record(node) + "\n")
                sys.stdout.flush()
            else:
                out.note(node_line(node))
        shown = len(nodes)

    yield lines


@contextmanager
def _drawing(path: Path) -> Iterator[Grow]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    last: tuple[tuple[AnyNode, ...], int] = ((), 0)
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:

        def show(nodes: tuple[AnyNode, ...], tokens: int, rows: int | None) -> None:
            lines = [*_rows(path, nodes, console), f"{plural(tokens, 'token')} …" if rows else ""]
            # What a terminal cannot hold cannot be drawn over.
            live.update(Text("\n".join(lines if rows is None else lines[-rows:])), refresh=True)

        def grow(nodes: tuple[AnyNode, ...], tokens: int) -> None:
            nonlocal last
            last = (nodes, tokens)
            show(nodes, tokens, max(console.height - 1, 1))

        try:
            yield grow
        finally:
            show(*last, None)


def _rows(path: Path, nodes: tuple[AnyNode, ...], console: Console) -> list[str]:
    from agentic_dsl.cli.drawing.draw import draw

    if not nodes:
        return []
    unicode = takes_unicode(sys.stderr)
    return draw(Subgraph(path=path, nodes=nodes), width=console.width, unicode=unicode, growing=True)
