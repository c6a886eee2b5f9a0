"""Which segments of a prefix cache a command is about."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentic_dsl.errors import UsageError
from agentic_dsl.runtime.prefix_cache.radix_tree import shared_length, token_array
from agentic_dsl.runtime.prefix_cache.spans import Span
from agentic_dsl.skills.segments import SegmentKind


@dataclass(frozen=True, slots=True)
class Selector:
    """Segments that are all of what is given here.

    Attributes:
        kind: their kind.
        name: their name.
        tokens: they lie within this text, from its first token on.
        below: they stand after exactly this text.
    """

    kind: SegmentKind | None = None
    name: str | None = None
    tokens: tuple[int, ...] | None = None
    below: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.kind is None and self.name is None and self.tokens is None and self.below is None:
            raise UsageError("nothing says which segments are meant", help="give a kind, a name, tokens or below")
        for text in (self.tokens, self.below):
            if text is not None:
                token_array(text)

    def aligned(self, block_tokens: int) -> Selector:
        """The same in whole blocks: a text's unfinished block at the end is left out."""
        tokens, below = (
            text if text is None else text[: len(text) - len(text) % block_tokens] for text in (self.tokens, self.below)
        )
        return replace(self, tokens=tokens, below=below)

    def means(self, kind: SegmentKind, name: str) -> bool:
        """Whether the kind and the name are right."""
        return (self.kind is None or self.kind is kind) and (self.name is None or self.name == name)

    def picks(self, label: Span, prompt: array[int]) -> bool:
        """Whether it is about this part of this prompt."""
        if not self.means(label.kind, label.name):
            return False
        if self.tokens is not None and label.end > _common(self.tokens, prompt):
            return False
        if self.below is None:
            return True
        return label.start >= len(self.below) == _common(self.below, prompt)

    def borders(self, prompt: array[int], block_tokens: int) -> list[int]:
        """Where runs of this prompt must end so that each is meant in whole or not at all."""
        commons = [_common(text, prompt) for text in (self.tokens, self.below) if text is not None]
        return [common - common % block_tokens for common in commons]


def _common(text: Sequence[int], prompt: array[int]) -> int:
    return shared_length(token_array(text), prompt, 0)
