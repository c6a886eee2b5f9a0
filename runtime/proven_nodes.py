"""The nodes of an answer that is still being written: each as soon as it is closed and proven."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agentic_dsl.codes import INCOMPLETE
from agentic_dsl.compiler.grammar.prose import is_prose
from agentic_dsl.errors import ConstraintError, GenerationError
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

    An engine may begin an answer again (see `OnToken`). What was given cannot be taken back, so the new text has to
    prove equal nodes in the same order, which are not given twice; further ones follow behind them.
    """

    def __init__(self, constraints: Constraints, library: Library | None = None) -> None:
        self._constraints = constraints
        self._library = library
        self._given: list[AnyNode] = []
        self._read = ""
        """The text up to the last border that was looked at."""
        try:
            self._start: SemanticTracker | None = SemanticTracker(constraints)
        except ConstraintError:  # the engine will say so
            self._start = None
        self._tracker = self._fresh()

    def read(self, text: str) -> list[AnyNode]:
        """The nodes that the text closes and proves, beyond those that were given before.

        Args:
            text: the whole answer so far. It grows, or is that of an answer that was begun again.

        Raises:
            GenerationError: the answer was begun again and has another node in the place of one that was given.
        """
        if is_prose(text, self._constraints):
            return []  # whatever looks like a node in it is none
        if not text.startswith(self._read):
            if self._read.startswith(text):
                return []  # begun again, and so far the same
            self._read, self._tracker = "", self._fresh()
        if self._tracker is None:
            return []
        border = max((found.start() for found in _BORDER.finditer(text, len(self._read))), default=0)
        if border <= len(self._read):
            return []
        further, self._read = text[len(self._read) : border], text[:border]
        if not self._tracker.accept(further.encode()):
            self._tracker = None
            return []
        whole = text[:border] + self._tracker.completion().decode()
        answer = reparse(whole, self._constraints, library=self._library)
        return self._without_errors(answer.subgraph, answer.diagnostics, border)

    def rest(self, subgraph: Subgraph | None, diagnostics: tuple[Diagnostic, ...], size: int) -> list[AnyNode]:
        """The nodes that only the end of the answer proves.

        Args:
            subgraph: that of the whole answer.
            diagnostics: what is wrong with it.
            size: the length of its text.

        Raises:
            GenerationError: the answer does not begin with the nodes that were given.
        """
        nodes = subgraph.nodes if subgraph is not None else ()
        for number, node in enumerate(self._given):
            if number >= len(nodes) or nodes[number] != node:
                raise self._no_longer_holds(number)
        if any(finding.code == INCOMPLETE.code for finding in diagnostics):
            return []
        return self._without_errors(subgraph, diagnostics, size)

    def _without_errors(
        self, subgraph: Subgraph | None, diagnostics: tuple[Diagnostic, ...], border: int
    ) -> list[AnyNode]:
        """Further nodes that end in front of a border, up to the first with an error."""
        wrong = [finding.span for finding in diagnostics if finding.is_error]
        proven: list[AnyNode] = []
        for number, node in enumerate(subgraph.nodes if subgraph is not None else ()):
            if node.span.end > border:
                break
            if number < len(self._given):
                if node != self._given[number]:
                    raise self._no_longer_holds(number)
                continue
            if any(span.start < node.span.end and node.span.start <= span.end for span in wrong):
                break
            proven.append(node)
        self._given += proven
        return proven

    def _fresh(self) -> SemanticTracker | None:
        """A tracker that has read nothing, None where the constraints admit no document."""
        return None if self._start is None else self._start.fork()

    def _no_longer_holds(self, first: int) -> GenerationError:
        """What is wrong where the given node of this number, and so all behind it, are not in the answer."""
        count = len(self._given) - first
        lost = "1 node that was given no longer holds"
        if count > 1:
            lost = f"{count} nodes that were given no longer hold"
        return GenerationError(
            f"the answer was begun again, and {lost}",
            help="give a seed or temperature 0, or act on nodes only at the end where the engine tries again",
        )
