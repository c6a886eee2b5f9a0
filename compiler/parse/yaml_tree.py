"""The tree of one YAML body: scalars, sequences and mappings with the place of each.

Named tuples, not dataclasses: a document of 5,000 nodes has about 150,000 of these, and they are three times as fast
to make.
"""

from __future__ import annotations

from typing import NamedTuple

from agentic_dsl.compiler.parse.scalars import ScalarValue
from agentic_dsl.span import Span


class YamlScalar(NamedTuple):
    """A scalar.

    Attributes:
        text: its text with quotes and escapes resolved; what a plain number looked like in the source.
        value: what the core schema takes it for; the text, where it is quoted.
        style: ``""`` (plain), ``'``, ``"``, ``|`` or ``>``.
        start: offset into the document of its first character (of the quote, where there is one).
        end: offset behind it.
    """

    text: str
    value: ScalarValue
    style: str
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where it stands in the document."""
        return Span(self.start, self.end)


class YamlSequence(NamedTuple):
    """A list; a block list ends where its last item ends."""

    items: tuple[YamlNode, ...]
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where it stands in the document."""
        return Span(self.start, self.end)


class YamlMapping(NamedTuple):
    """A mapping; keys are unique, and their `YamlScalar.text` is the key whatever type was written."""

    pairs: tuple[tuple[YamlScalar, YamlNode], ...]
    start: int
    end: int

    @property
    def span(self) -> Span:
        """Where it stands in the document."""
        return Span(self.start, self.end)


YamlNode = YamlScalar | YamlSequence | YamlMapping


class YamlComment(NamedTuple):
    """A comment.

    Attributes:
        text: without ``#`` and the space after it.
        start: offset of the ``#`` in the document.
        trailing: whether something else stands before it on its line.
    """

    text: str
    start: int
    trailing: bool
