"""Keys that a node writes: what is still required first, and any other word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentic_dsl.compiler.grammar.words import YAML_WORDS
from agentic_dsl.runtime.matcher.open_words import WORD, OpenWord, Taken, ThenWord, can_begin

if TYPE_CHECKING:
    from agentic_dsl.runtime.matcher.state import Draft


def written_key(doc: Draft, end: bytes, then: ThenWord, alike: Sequence[str] = ()) -> OpenWord:
    """A key that the mapping or list does not have yet; ``end`` is the byte after it, ``alike`` see `OpenWord`."""
    return OpenWord(doc, WORD, end, then, limit=doc.plan.max_word, known=_missing(doc), taken=_taken(doc), alike=alike)


def more_keys(doc: Draft) -> bool:
    """Whether there is another key that the mapping or list does not have."""
    return can_begin(WORD, doc.plan.max_word, _missing(doc), True, _taken(doc))


def _missing(doc: Draft) -> list[str]:
    return [name for name in doc.wanted_keys if name not in doc.node.keys]


def _taken(doc: Draft) -> Taken:
    return (YAML_WORDS, doc.node.keys)
