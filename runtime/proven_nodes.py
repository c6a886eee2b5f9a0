"""The nodes of an answer that is still being written: each as soon as it is closed and proven."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.compiler.grammar.prose import is_prose
from agentic_dsl.errors import ConstraintError
from agentic_dsl.format import END_MARKER
from agentic_dsl.runtime.matcher.tracker import SemanticTracker
from agentic_dsl.runtime.reparse import reparse

if TYPE_CHECKING:
    from agentic_dsl.ast import Subgraph
    from agentic_dsl.compiler.library import Library
    from agentic_dsl.constraints import Constraints
    from agentic_dsl.diagnostics import Diagnostic
    from agentic_dsl.node_table import AnyNode

_BORDER = re.compile(rf"^(?:  - |{re.escape(END_MARKER)}\n)", re.MULTILINE)
"""The beginning of a line that closes the node in front of it, in the generated layout."""


class ProvenNodes:
    """Finds the nodes of one answer as its text grows. Not to be shared between threads.

    A node is *closed* where the next one or the footer begins. It is *proven* if the tracker allows the text so far,
    so that it can go on to a valid document, and a reparse of one such document finds no error in the node. An answer
    that leaves what the tracker allows (of an engine that enforces less) gives its further nodes only at its end.
    """

    def __init__(self, constraints: Constraints, library: Library | None = None) -> None:
        self._constraints = constraints
        self._library = library
        self._given = 0
        self._read = 0
        try:
            self._tracker: SemanticTracker | None = SemanticTracker(constraints)
        except ConstraintError:  # the engine will say so
            self._tracker = None

    def read(self, text: str) -> list[AnyNode]:
        """The nodes that the text closes and proves, beyond those that were given before.

        Args:
            text: the whole answer so far; it only ever grows.
        """
        if is_prose(text, self._constraints):
            return []  # whatever looks like a node in it is none
        border = max((found.start() for found in _BORDER.finditer(text, self._read)), default=0)
        if self._tracker is None or border <= self._read:
            return []
        if not self._tracker.accept(text[self._read : border].encode()):
            self._tracker = None
            return []
        self._read = border
        whole = text[:border] + self._tracker.completion().decode()
        answer = reparse(whole, self._constraints, library=self._library)
        return self._without_errors(answer.subgraph, answer.diagnostics, border)

    def rest(self, subgraph: Subgraph | None, diagnostics: tuple[Diagnostic, ...], size: int) -> list[AnyNode]:
        """The nodes that only the end of the answer proves.

        Args:
            subgraph: that of the whole answer.
            diagnostics: what is wrong with it.
            size: the length of its text.
        """
        if any(finding.code == INCOMPLETE.code for finding in diagnostics):
            return []
        return self._without_errors(subgraph, diagnostics, size)

    def _without_errors(
        self, subgraph: Subgraph | None, diagnostics: tuple[Diagnostic, ...], border: int
    ) -> list[AnyNode]:
        """Further nodes that end in front of a border, up to the first with an error."""
        wrong = [finding.span for finding in diagnostics if finding.is_error]
        proven: list[AnyNode] = []
        for node in subgraph.nodes[self._given :] if subgraph is not None else ():
            inside = [span for span in wrong if span.start < node.span.end and node.span.start <= span.end]
            if inside or node.span.end > border:
                break
            proven.append(node)
        self._given += len(proven)
        return proven
