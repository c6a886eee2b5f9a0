"""Typed segments of a prompt: what each piece of its text is, so that caches can treat the kinds differently.

A cache of keys and values sees token ids only. Kept beside the tokens, a segment tells it what a prefix *is*: a tool
definition that every request shares, or a branch of reasoning that nobody asks for again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SegmentKind(StrEnum):
    """What a piece of a prompt is for; the values are the names in statistics, traces and settings."""

    SYSTEM_PROMPT = "system_prompt"
    TOOL_DEFINITION = "tool_definition"
    SKILL = "skill"
    CONTEXT = "context"
    REASONING_BRANCH = "reasoning_branch"
    EXECUTION_CHECKPOINT = "execution_checkpoint"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a prompt.

    Two segments of the same kind, name and text are equal: their tokens are the same, wherever they were built.

    Attributes:
        kind: what it is for.
        name: what people know it by: a skill's or tool's name, a block's path; ``""`` where there is only one.
        text: what it adds to the prompt, exactly.
    """

    kind: SegmentKind
    name: str
    text: str

    def __str__(self) -> str:
        """``kind name``, as statistics and messages show it."""
        return f"{self.kind} {self.name}" if self.name else str(self.kind)
