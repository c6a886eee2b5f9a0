"""`SemanticTracker`: reads generated text byte by byte and knows what may come next.

Everything that it knows is one frame (see `frames`), so a snapshot costs nothing and a rollback is exact: the frames
after each byte or token are kept, and going back drops some.
"""

from __future__ import annotations

from agentic_dsl.constraints import Constraints
from agentic_dsl.runtime.matcher.frames import Frame, feed, finish
from agentic_dsl.runtime.matcher.headers import start
from agentic_dsl.runtime.matcher.plan import Plan


class SemanticTracker:
    """One text on its way. Not to be shared between threads; a `fork` may go to another one.

    It allows exactly the texts of the generated dialect that pass `check` under the constraints, so without a tokenizer
    it stands on its own; beside a grammar matcher it adds what no grammar says.
    """

    __slots__ = ("frame",)

    def __init__(self, source: Constraints | Plan | Frame) -> None:
        """Begins a text, or goes on from a frame.

        Raises:
            ConstraintError: the constraints admit no document.
        """
        if isinstance(source, Constraints):
            source = Plan.of(source)
        self.frame = start(source) if isinstance(source, Plan) else source

    def accept(self, text: bytes) -> bool:
        """Reads a text; False (and no change) where it is not allowed."""
        frame = feed(self.frame, text)
        if frame is None:
            return False
        self.frame = frame
        return True

    def allows(self, text: bytes) -> bool:
        """Whether a text may come next."""
        return feed(self.frame, text) is not None

    def allowed_next(self) -> frozenset[int]:
        """Every byte that may come next."""
        return frozenset(self.frame.allowed())

    @property
    def is_complete(self) -> bool:
        """Whether the text may end here."""
        return self.frame.is_final

    def completion(self) -> bytes:
        """What the completion policy would write from here to the end."""
        return finish(self.frame)

    def fork(self) -> SemanticTracker:
        """An independent tracker in the same state."""
        return SemanticTracker(self.frame)
