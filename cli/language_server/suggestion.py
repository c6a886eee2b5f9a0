"""One thing that can be written at a cursor."""

from __future__ import annotations

from dataclasses import dataclass

from lsprotocol import types


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that can be written.

    Attributes:
        label: what the editor lists.
        text: what is put in.
        matched: what the letters already written are compared with.
        kind: the editor's picture of it.
        detail: a few words beside it.
        documentation: Markdown about it.
    """

    label: str
    text: str
    matched: str
    kind: types.CompletionItemKind
    detail: str
    documentation: str
