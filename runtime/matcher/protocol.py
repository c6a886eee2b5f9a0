"""`Matcher`: the protocol that engines drive, one object a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Matcher(Protocol):
    """The state of one sequence. Not to be shared between threads; a `fork` may go to another one."""

    def fill_bitmask(self, bitmask: npt.NDArray[np.int32], row: int) -> bool:
        """Writes which tokens are allowed next: bit ``t % 32`` of ``bitmask[row, t // 32]`` is token t.

        Args:
            bitmask: C-contiguous int32 of shape (rows, ceil(vocab_size / 32)), see `masks.allocate_bitmask`.
            row: the row to overwrite; no other row is touched.

        Returns:
            False where every token is allowed, so that nothing has to be masked.
        """
        ...

    def accept(self, token_id: int) -> bool:
        """Appends one token; False (and no change) where it is not allowed."""
        ...

    def rollback(self, n: int) -> None:
        """Takes the last ``n`` accepted tokens back."""
        ...

    def is_terminated(self) -> bool:
        """Whether an end token has been accepted."""
        ...

    def jump_forward(self) -> str:
        """The text that every completion continues with; empty where there is a choice."""
        ...

    def fork(self) -> Matcher:
        """An independent matcher in the same state, its tokens included."""
        ...
