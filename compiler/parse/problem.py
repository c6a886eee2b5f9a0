"""What is wrong with one small text (a path, a signature, a template), before anyone knows where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from agentic_dsl.span import NOWHERE, Span


@dataclass(frozen=True, slots=True)
class Problem:
    """The answer of a reader that cannot read its text.

    Attributes:
        message: one sentence that names the offender.
        help: one imperative sentence, or None.
        span: offsets into the text that was read; whoever holds the document maps them.
        forbidden: whether the text can be read, and holds what the language forbids.
    """

    message: str
    help: str | None = None
    span: Span = NOWHERE
    forbidden: bool = False


def quoted(text: str, limit: int = 60) -> str:
    """A text as a message shows it: in double quotes, shortened, without characters that a terminal would act on."""
    shown = text if len(text) <= limit else f"{text[: limit - 1]}…"
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown) + '"'
