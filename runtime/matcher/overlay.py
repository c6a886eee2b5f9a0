"""From a frame to the mask of the tokens that may come next.

Inside forced text the tokens are those along it, whatever the document: rows are kept by the text. Elsewhere a row is
filled along the frames (`filling`).
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from agentic_dsl.runtime.matcher.bounds import Bounds
from agentic_dsl.runtime.matcher.filling import Filling
from agentic_dsl.runtime.matcher.frames import Frame, Run
from agentic_dsl.runtime.matcher.plan import Plan
from agentic_dsl.runtime.matcher.prose_rows import ProseRows
from agentic_dsl.runtime.matcher.recent import Recent
from agentic_dsl.runtime.matcher.scans import Scans
from agentic_dsl.runtime.matcher.tree_walk import Gate
from agentic_dsl.runtime.matcher.vocabulary_trie import Bit, Node, VocabularyTrie, add

Mask = npt.NDArray[np.int32]
"""A finished row, as engines take it; never changed."""

WINDOW = 24
"""Bytes of forced text by which its rows are kept; tokens that run on longer are walked each time."""

_MOST_ROWS = 4096
"""Rows kept for forced text: 24 MiB for 49k tokens."""


class Overlay:
    """The masks of one vocabulary. Shared by all matchers of a tokenizer; it only ever gains table entries."""

    def __init__(self, trie: VocabularyTrie) -> None:
        self.trie = trie
        self.scans = Scans(trie)
        self.prose = ProseRows(trie)
        self.end = trie.end_row.view(np.int32)
        self._inside: dict[bytes, Mask | None] = {}
        self._bounds: WeakKeyDictionary[Plan, Bounds] = WeakKeyDictionary()

    def bounds(self, plan: Plan) -> Bounds:
        """What completions under a plan can cost."""
        if (bounds := self._bounds.get(plan)) is None:
            bounds = self._bounds[plan] = Bounds(plan, self.trie)
        return bounds

    def known(self, run: Run) -> Mask | None:
        """The mask at a place in forced text; None where tokens reach beyond it, to what follows."""
        window = run.text[run.at : run.at + WINDOW]
        if window not in self._inside:
            if len(self._inside) >= _MOST_ROWS:
                self._inside.clear()  # rare, and cheaper than keeping an order
            self._inside[window] = self._forced(window)
        return self._inside[window]

    def mask(self, frame: Frame, gate: Gate | None = None, recent: Recent | None = None) -> Mask:
        """The tokens that may come next; end tokens where the text may end.

        Args:
            frame: where the text is.
            gate: what a budget allows, None for everything.
            recent: rows of this text that are needed again soon; gains entries.
        """
        if type(frame) is Run and gate is None and (known := self.known(frame)) is not None:
            return known
        row = self.trie.empty_row()
        Filling(self.scans, row, gate, recent if recent is not None else Recent()).fill(frame)
        if frame.is_final:
            row |= self.trie.end_row
        return row.view(np.int32)

    def _forced(self, window: bytes) -> Mask | None:
        """The row of a place in forced text; None where a token reaches beyond the window."""
        node: Node = self.trie.root
        found: list[Bit] = []
        for byte in window:
            if (child := node.children.get(byte)) is None:
                break
            node = child
            found += node.bits
        else:
            if node.children:
                return None
        row = self.trie.empty_row()
        add(row, found)
        return row.view(np.int32)
