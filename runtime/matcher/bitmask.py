"""Bitmasks: what every matcher demands of the array that it writes to, and the mask of a finished text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_dsl.errors import EngineError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def check_bitmask(bitmask: npt.NDArray[np.int32], row: int, vocab_size: int) -> None:
    """Refuses an array that cannot hold the mask.

    The back ends write to an address, so an array of another layout would be written past its row.

    Args:
        bitmask: what is to be written to.
        row: the row that is meant.
        vocab_size: the number of tokens that the mask covers.

    Raises:
        EngineError: the array is no C-contiguous int32 of shape (rows, ceil(vocab_size / 32)), or has no such row.
    """
    try:
        shape = bitmask.shape
        if (
            bitmask.dtype.char == "i"
            and len(shape) == 2
            and shape[1] == (vocab_size + 31) >> 5
            and bitmask.flags.c_contiguous
            and bitmask.flags.writeable
            and 0 <= row < shape[0]
        ):
            return
    except (AttributeError, TypeError):
        pass  # no array of numpy's at all, or no number
    raise EngineError(
        f"row {row} of this array cannot hold the mask of {vocab_size} tokens",
        help="allocate it with allocate_bitmask and keep it on the CPU",
    )


def allow_only(token_ids: tuple[int, ...], bitmask: npt.NDArray[np.int32], row: int) -> None:
    """Writes a mask that allows these tokens and no other; the array has been checked."""
    words = bitmask[row].view("uint32")  # bit 31 of an int32 is its sign
    words[:] = 0
    for token_id in token_ids:
        words[token_id // 32] |= 1 << (token_id % 32)
