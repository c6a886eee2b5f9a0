"""Keys and values of a run of tokens, as a prefix cache keeps them: `KeyValues`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, eq=False)
class KeyValues:
    """What attention reads of some tokens, for all layers.

    They hold for these tokens at these positions behind this very beginning, of one model in one type of number.

    Attributes:
        tensor: of shape (layers, 2, heads, tokens, size); keys first, then values. Never changed.
    """

    tensor: torch.Tensor

    @property
    def tokens(self) -> int:
        """See `Payload.tokens`."""
        return int(self.tensor.shape[3])

    @property
    def nbytes(self) -> int:
        """See `Payload.nbytes`."""
        return int(self.tensor.nbytes)

    def split(self, at: int) -> tuple[KeyValues, KeyValues]:
        """See `Payload.split`: both are copies, so that neither keeps the other's memory."""
        return KeyValues(self.tensor[..., :at, :].clone()), KeyValues(self.tensor[..., at:, :].clone())

    def first(self, tokens: int) -> KeyValues:
        """The first tokens only, as a view."""
        return self if tokens == self.tokens else KeyValues(self.tensor[..., :tokens, :])


def up_to(pieces: Sequence[KeyValues], length: int) -> list[KeyValues]:
    """The pieces that hold the first ``length`` tokens, the last one cut where it must be."""
    kept: list[KeyValues] = []
    for piece in pieces:
        if length <= 0:
            break
        kept.append(piece.first(min(length, piece.tokens)))
        length -= piece.tokens
    return kept


def between(pieces: Sequence[KeyValues], start: int, end: int) -> KeyValues:
    """A copy of the tokens from ``start`` to before ``end`` of what lies in several pieces."""
    import torch

    parts = []
    at = 0
    for piece in pieces:
        low, high = max(start, at), min(end, at + piece.tokens)
        if low < high:
            parts.append(piece.tensor[..., low - at : high - at, :])
        at += piece.tokens
    return KeyValues(torch.cat(parts, dim=3) if len(parts) > 1 else parts[0].clone())
