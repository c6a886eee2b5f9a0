"""What the readers of values share: where findings go, where spans go, and how things are called."""

from __future__ import annotations

from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from typing import Final

from agentic_dsl import codes
from agentic_dsl.compiler.parse.problem import Problem
from agentic_dsl.compiler.parse.scalar_span import span_in_scalar
from agentic_dsl.compiler.parse.text_limits import MAX_LENGTH, SHORTEST, TextBudget
from agentic_dsl.compiler.parse.wording import kind_of
from agentic_dsl.compiler.parse.yaml_tree import YamlComment, YamlNode, YamlScalar, YamlSequence
from agentic_dsl.diagnostics import Code, Diagnostic
from agentic_dsl.node_table import FieldSpec
from agentic_dsl.signature import Data
from agentic_dsl.span import Source, Span, SpanPath


class Absent(Enum):
    """What a reader returns when there is no value: null was written, or something that cannot be read."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

MAX_SUGGESTIONS = 1_000
"""Findings of a document after which no nearest word is searched: the search would cost more than it helps."""


class Reading:
    """One node or block that is being read.

    Owned by its reader and thrown away after it; the tables that it fills go into the node's `SpanTable`.

    Attributes:
        source: the document.
        diagnostics: the findings of the whole document; readers append.
        subject: how messages call what is read, such as ``node "fetch"``.
        values: spans of values by canonical path.
        keys: spans of keys by canonical path.
        remarks: comments that were written as values; those of the whole block, readers append.
        texts: what is left of the limit on texts of the small languages; the whole document's, readers spend it.
    """

    __slots__ = ("diagnostics", "keys", "remarks", "source", "subject", "texts", "values")

    def __init__(
        self,
        source: Source,
        diagnostics: list[Diagnostic],
        remarks: list[YamlComment],
        subject: str,
        texts: TextBudget | None = None,
    ) -> None:
        self.source = source
        self.texts = texts if texts is not None else TextBudget()
        self.diagnostics = diagnostics
        self.remarks = remarks
        self.subject = subject
        self.values: dict[SpanPath, Span] = {}
        self.keys: dict[SpanPath, Span] = {}

    def report(self, code: Code, span: Span, message: str, help: str | None = None) -> None:
        """Adds a finding."""
        self.diagnostics.append(code.at(span, message, help=help))

    def wrong_type(self, spec: FieldSpec, node: YamlNode, wanted: str, help: str) -> None:
        """Reports that a field holds something of another type; the span is the value's."""
        message = f'"{called(spec)}" of {self.subject} is {kind_of(node)}; {wanted} is wanted'
        self.report(codes.WRONG_TYPE, node.span, message, help)

    def problem(self, code: Code, scalar: YamlScalar, problem: Problem) -> None:
        """Reports what a reader of small texts found in a scalar, at its exact place."""
        self.report(code, self.within(scalar, problem.span), problem.message, problem.help)

    def admits(self, scalar: YamlScalar) -> bool:
        """Whether a text of a small language is still read; it is counted. Says once where the limit is passed."""
        budget = self.texts
        budget.left -= max(len(scalar.text), SHORTEST)
        if budget.left >= 0:
            return True
        if not budget.reported:
            budget.reported = True
            message = (
                "the signatures, permissions and library references of the document have more than "
                f"{MAX_LENGTH:,} characters; what follows is not read"
            )
            self.report(codes.TEXT_LIMIT, scalar.span, message, "split the document")
        return False

    def within(self, scalar: YamlScalar, inner: Span) -> Span:
        """Where a part of a scalar's text stands in the document."""
        if inner.start >= inner.end:
            return scalar.span
        quotes = 1 if scalar.style in ("'", '"') else 0
        if scalar.end - scalar.start == len(scalar.text) + 2 * quotes:
            return inner.shift(scalar.start + quotes)  # no escape and no folding: offsets are the same
        return span_in_scalar(self.source, scalar.span, inner)

    def nearest(self, word: str, words: tuple[str, ...]) -> str | None:
        """The word that was probably meant, None where nothing is near."""
        if len(self.diagnostics) > MAX_SUGGESTIONS or len(word) > 64:
            return None
        return _nearest(word, words)


@lru_cache(maxsize=4096)
def _nearest(word: str, words: tuple[str, ...]) -> str | None:
    matches = get_close_matches(word.lower(), words, n=1, cutoff=0.7)
    return matches[0] if matches else None


def called(spec: FieldSpec) -> str:
    """A field as people write it: ``tool``, ``fork.branches``."""
    return ".".join(spec.path)


def read_data(reading: Reading, node: YamlNode, path: SpanPath) -> Data:
    """A value as it is; its places are noted at every level. Depth is bounded by the YAML reader."""
    reading.values[path] = Span(node.start, node.end)
    if isinstance(node, YamlScalar):
        return node.value
    if isinstance(node, YamlSequence):
        return tuple([read_data(reading, item, (*path, index)) for index, item in enumerate(node.items)])
    data: dict[str, Data] = {}
    for (name, _, _, start, end), value in node.pairs:
        below = (*path, name)
        reading.keys[below] = Span(start, end)
        data[name] = read_data(reading, value, below)
    return data


def items_of(node: YamlNode) -> tuple[YamlNode, ...]:
    """The items of a list; what is no list is its own only item, null is none."""
    if isinstance(node, YamlSequence):
        return node.items
    return () if is_null(node) else (node,)


def is_null(node: YamlNode) -> bool:
    """Whether nothing was written, or ``null``: the same as leaving the key out."""
    return isinstance(node, YamlScalar) and node.value is None
